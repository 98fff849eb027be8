"""What waits for a handler, in the order of arrival; bounded by the credit. No threads, no I/O; guarded by the
Session's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .v1.consumer_pb2 import Delivery


class Frame:
    """Deliveries that came together."""

    __slots__ = ("deliveries", "keys", "leased", "next")

    def __init__(self, deliveries: Sequence[Delivery], leased: float, keys: Sequence[bytes] = ()) -> None:
        self.deliveries = deliveries
        self.leased = leased  # since when; monotonic, seconds
        self.keys = keys  # of each; or none at all
        self.next = 0  # the first that is still here


class Queue:
    """One after the other, whatever their keys."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._size = 0

    def __len__(self) -> int:
        """At most so many wait: what was given back meanwhile counts until it is its turn."""
        return self._size

    def push(self, frame: Frame) -> None:
        if frame.deliveries:
            self._frames.append(frame)
            self._size += len(frame.deliveries)

    def pop(self) -> Optional[tuple[Delivery, float, bytes]]:
        """The next one to start: itself, since when it is leased, its key."""
        if not self._frames:
            return None
        frame = self._frames[0]
        delivery = frame.deliveries[frame.next]
        frame.next += 1
        self._size -= 1
        if frame.next == len(frame.deliveries):
            self._frames.popleft()
        return delivery, frame.leased, b""

    def pop_many(self, most: int) -> list[tuple[Sequence[Delivery], float]]:
        """The next ones, so many at most: by frames, since when each is leased."""
        popped: list[tuple[Sequence[Delivery], float]] = []
        while most and self._frames:
            frame = self._frames[0]
            taken = frame.deliveries[frame.next : frame.next + most]
            popped.append((taken, frame.leased))
            most -= len(taken)
            self._size -= len(taken)
            frame.next += len(taken)
            if frame.next == len(frame.deliveries):
                self._frames.popleft()
        return popped

    def done(self, key: bytes) -> None:
        """One with this key was popped, and is over now."""

    def clear(self) -> None:
        self._frames.clear()
        self._size = 0


class Lanes(Queue):
    """At most one message of a key is out at a time; the next of its key follows once it has its verdict."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: deque[tuple[Delivery, float, bytes]] = deque()
        self._behind: dict[bytes, deque[tuple[Delivery, float, bytes]]] = {}
        # By the key of what is out, or ready: what waits behind it.

    def push(self, frame: Frame) -> None:
        self._size += len(frame.deliveries)
        for delivery, key in zip(frame.deliveries, frame.keys):
            waiting = (delivery, frame.leased, key)
            if key in self._behind:
                self._behind[key].append(waiting)
                continue
            if key:
                self._behind[key] = deque()
            self._ready.append(waiting)

    def pop(self) -> Optional[tuple[Delivery, float, bytes]]:
        if not self._ready:
            return None
        self._size -= 1
        return self._ready.popleft()

    def done(self, key: bytes) -> None:
        behind = self._behind.get(key)
        if behind is None:
            return
        if behind:
            self._ready.appendleft(behind.popleft())  # it arrived before those that are ready now
        else:
            del self._behind[key]

    def clear(self) -> None:
        """What waits; the keys of what is out stay theirs."""
        for behind in self._behind.values():
            behind.clear()
        for _, _, key in self._ready:
            self._behind.pop(key, None)
        self._ready.clear()
        self._size = 0
