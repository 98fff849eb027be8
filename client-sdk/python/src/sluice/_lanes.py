"""What waits for a handler, in the order of arrival; bounded by the credit. No threads, no I/O; guarded by the Session's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Optional

from ._held import WAITING, Held


class Queue:
    """One after the other, whatever their keys."""

    def __init__(self) -> None:
        self._waiting: deque[Held] = deque()

    def __len__(self) -> int:
        """At most so many wait: what was given back meanwhile counts until it is its turn."""
        return len(self._waiting)

    def push(self, arrived: Iterable[Held]) -> None:
        self._waiting.extend(arrived)

    def pop(self) -> Optional[Held]:
        """The next one to start."""
        waiting = self._waiting
        while waiting:
            held = waiting.popleft()
            if held.place == WAITING:
                return held
        return None

    def done(self, held: Held) -> None:
        """It was popped, and has its verdict now."""

    def clear(self) -> None:
        self._waiting.clear()


class Lanes(Queue):
    """At most one message of a key is out at a time; the next of its key follows once it has its verdict."""

    def __init__(self) -> None:
        super().__init__()
        self._behind: dict[bytes, deque[Held]] = {}  # by the key of what is out, or first in line: what waits behind it

    def __len__(self) -> int:
        return len(self._waiting) + sum(map(len, self._behind.values()))

    def push(self, arrived: Iterable[Held]) -> None:
        for held in arrived:
            if not held.key:
                self._waiting.append(held)
            elif held.key in self._behind:
                self._behind[held.key].append(held)
            else:
                self._behind[held.key] = deque()
                self._waiting.append(held)

    def pop(self) -> Optional[Held]:
        while self._waiting:
            held = self._waiting.popleft()
            if held.place == WAITING:
                return held
            self.done(held)  # given back before its turn
        return None

    def done(self, held: Held) -> None:
        behind = self._behind.get(held.key) if held.key else None
        if behind is None:
            return
        if behind:
            self._waiting.appendleft(behind.popleft())  # it arrived before those that are first in line now
        else:
            del self._behind[held.key]

    def clear(self) -> None:
        super().clear()
        self._behind.clear()
