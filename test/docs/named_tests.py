#!/usr/bin/env python3
"""Every test that a page of the docs names as a proof exists: named_tests.py ROOT PAGE..."""

import pathlib
import re
import sys


def tests_of(root):
    suites = {}
    for folder in ("server", "client-sdk", "test"):
        for path in (root / folder).rglob("*_test.cc"):
            for suite, name in re.findall(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", path.read_text()):
                suites.setdefault(suite, set()).add(name)
    return suites


def main():
    root = pathlib.Path(sys.argv[1])
    suites = tests_of(root)
    named = 0
    missing = []
    for page in sys.argv[2:]:
        for suite, name in re.findall(r"`([A-Z]\w+(?:Test|Scenario))(?:\.(\w+))?`", (root / page).read_text()):
            named += 1
            if suite not in suites or (name and name not in suites[suite]):
                missing.append(f"{page}: there is no test {suite}{'.' + name if name else ''}; name the one that proves it")
    print("\n".join(missing) or f"{named} tests are named, and exist")
    return 1 if missing or not named else 0


if __name__ == "__main__":
    sys.exit(main())
