"""The matrix scenario x language, printed row by row while it is played."""

import json
import sys
from collections import defaultdict

GREEN, RED = "✓", "✗"
_COLUMN = 10


class Matrix:
    def __init__(self, scenarios, languages, out=sys.stdout):
        self._rows = [scenario.name for scenario in scenarios]
        self._languages = [language.name for language in languages]
        self._width = max(map(len, self._rows), default=0) + 2
        self._out = out
        self._cells = {}  # (scenario, language) -> (why it is red, seconds)
        self._next = 0  # row to print

    def print_head(self):
        self._print("".ljust(self._width) + "".join(name.rjust(_COLUMN) for name in self._languages))

    def add(self, scenario, language, why, seconds):
        self._cells[scenario, language] = (why, seconds)
        while self._next < len(self._rows) and all((self._rows[self._next], one) in self._cells for one in self._languages):
            self._print_row(self._rows[self._next])
            self._next += 1

    def print_foot(self, seconds):
        spent = defaultdict(float)
        for (_, language), (_, one) in self._cells.items():
            spent[language] += one
        self._print("seconds".ljust(self._width) + "".join(f"{spent[name]:.0f}".rjust(_COLUMN) for name in self._languages))
        red = len(self.red)
        self._print(f"{len(self._cells)} cells, {red} red, in {seconds:.0f} s" if red else
                    f"{len(self._cells)} cells, all green, in {seconds:.0f} s")

    @property
    def red(self):
        return {cell: why for cell, (why, _) in self._cells.items() if why}

    def as_json(self):
        return json.dumps([{"scenario": scenario, "language": language, "green": not why, "why": why or "",
                            "seconds": round(seconds, 3)}
                           for (scenario, language), (why, seconds) in sorted(self._cells.items())], indent=1)

    def _print_row(self, row):
        cells = [self._cells[row, language] for language in self._languages]
        self._print(row.ljust(self._width) + "".join(
            f"{RED if why else GREEN} {seconds:5.2f}".rjust(_COLUMN) for why, seconds in cells))
        for language, (why, _) in zip(self._languages, cells):
            if why:
                self._print(f"    {language}: {why}")

    def _print(self, line):
        print(line, file=self._out, flush=True)
