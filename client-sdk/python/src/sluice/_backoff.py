"""How long to wait before the daemon is tried again."""

from __future__ import annotations

import random


class Backoff:
    """None before the first attempt, then doubling from `first` to `longest` seconds, each shortened by up to a quarter
    at random so that a fleet does not knock in step."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = 0.0

    def next(self) -> float:
        wait = self._next
        self._next = min(max(wait * 2, self._first), self._longest)
        return wait * random.uniform(0.75, 1.0)

    def reset(self) -> None:
        self._next = 0.0
