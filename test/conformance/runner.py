#!/usr/bin/python3
"""Plays the conformance scenarios against every SDK: see README.md, or --help. Needs python3-yaml."""

import sys

from runner.main import main

if __name__ == "__main__":
    sys.exit(main())
