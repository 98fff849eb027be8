#!/usr/bin/env python3
"""The example chart on a real Kubernetes, its pods ended in every way there is, and every message accounted for. `cluster.py --help`."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
# The NATS connection is the conformance runner's, the account the storm's.
sys.path[1:1] = [str(TESTS / "conformance"), str(TESTS / "storm")]

from cluster.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
