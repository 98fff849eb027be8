#!/usr/bin/env python3
"""A kubelet is played on real processes, pods are restarted under load, and every message is accounted for. `storm.py --help`."""

import sys

from storm.main import main

if __name__ == "__main__":
    sys.exit(main())
