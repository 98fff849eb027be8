"""What waits for a handler, in the order of arrival; bounded by the credit. No threads, no I/O; guarded by the
Session's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Callable, Optional

from ._held import Batch

if TYPE_CHECKING:
    from .v1.consumer_pb2 import Delivery

NewId = Callable[[int], Optional[int]]
"""What becomes of one that waits: its id from now on; none: it is dropped."""


class Frame:
    """Deliveries that came together."""

    __slots__ = ("deliveries", "ids", "keys", "large", "leased", "next")

    def __init__(
        self, deliveries: Sequence[Delivery], leased: float, keys: Sequence[bytes] = (), large: bool = False
    ) -> None:
        self.deliveries = deliveries
        self.ids = [delivery.id for delivery in deliveries]
        self.leased = leased  # since when; monotonic, seconds
        self.keys = keys  # of each; or none at all
        self.large = large  # too large to be remembered as it is
        self.next = 0  # the first that is still here

    def revise(self, new_id: NewId) -> list[int]:
        """Returns the ids of those that are dropped."""
        waiting = self.deliveries[self.next :]
        dropped = _revise(waiting, new_id)
        self.deliveries = [delivery for delivery in waiting if delivery.id]
        self.ids = [delivery.id for delivery in self.deliveries]
        self.next = 0
        return dropped


class Queue:
    """One after the other, whatever their keys."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Delivery]:
        for frame in self._frames:
            yield from frame.deliveries[frame.next :]

    def push(self, frame: Frame) -> None:
        if frame.deliveries:
            self._frames.append(frame)
            self._size += len(frame.deliveries)

    def pop(self) -> Optional[tuple[Delivery, Frame, bytes]]:
        """The next one to start: itself, what it came with, its key."""
        if not self._frames:
            return None
        frame = self._frames[0]
        delivery = frame.deliveries[frame.next]
        self._advance(frame, 1)
        return delivery, frame, b""

    def pop_batch(self, most: int) -> Optional[Batch]:
        """The next ones, so many at most."""
        if not self._frames:
            return None
        first = self._frames[0]
        deliveries: list[Delivery] = []
        ids: list[int] = []
        large = False
        while self._frames and len(ids) < most:
            frame = self._frames[0]
            here = slice(frame.next, frame.next + most - len(ids))
            deliveries.extend(frame.deliveries[here])
            ids.extend(frame.ids[here])
            large = large or frame.large
            self._advance(frame, len(frame.ids[here]))
        return Batch(deliveries, ids, first.leased, large)

    def _advance(self, frame: Frame, count: int) -> None:
        frame.next += count
        self._size -= count
        if frame.next == len(frame.deliveries):
            self._frames.popleft()

    def done(self, key: bytes) -> None:
        """One with this key was popped, and is over now."""

    def revise(self, new_id: NewId) -> list[int]:
        """All that waits. Returns the ids of those that are dropped."""
        dropped = [id for frame in self._frames for id in frame.revise(new_id)]
        self._frames = deque(frame for frame in self._frames if frame.deliveries)
        self._size -= len(dropped)
        return dropped

    def clear(self) -> None:
        self._frames.clear()
        self._size = 0


class Lanes(Queue):
    """At most one message of a key is out at a time; the next of its key follows once it has its verdict."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: deque[tuple[Delivery, Frame, bytes]] = deque()
        self._behind: dict[bytes, deque[tuple[Delivery, Frame, bytes]]] = {}
        # By the key of what is out, or ready: what waits behind it.

    def __iter__(self) -> Iterator[Delivery]:
        for waiting in (self._ready, *self._behind.values()):
            for delivery, _, _ in waiting:
                yield delivery

    def push(self, frame: Frame) -> None:
        self._size += len(frame.deliveries)
        for delivery, key in zip(frame.deliveries, frame.keys):
            waiting = (delivery, frame, key)
            if key in self._behind:
                self._behind[key].append(waiting)
                continue
            if key:
                self._behind[key] = deque()
            self._ready.append(waiting)

    def pop(self) -> Optional[tuple[Delivery, Frame, bytes]]:
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

    def revise(self, new_id: NewId) -> list[int]:
        dropped = _revise(list(self), new_id)
        self._size -= len(dropped)
        for key, behind in self._behind.items():
            self._behind[key] = deque(waiting for waiting in behind if waiting[0].id)
        ready, self._ready = self._ready, deque()
        self._ready.extend(waiting for waiting in ready if waiting[0].id)
        for delivery, _, key in ready:
            if not delivery.id:
                self.done(key)
        return dropped

    def clear(self) -> None:
        """What waits; the keys of what is out stay theirs."""
        for behind in self._behind.values():
            behind.clear()
        for _, _, key in self._ready:
            self._behind.pop(key, None)
        self._ready.clear()
        self._size = 0


def _revise(waiting: Sequence[Delivery], new_id: NewId) -> list[int]:
    """Gives them their new ids: 0 to those that are dropped, whose old ids it returns."""
    dropped: list[int] = []
    for delivery in waiting:
        id = new_id(delivery.id)
        if id is None:
            dropped.append(delivery.id)
        delivery.id = id or 0
    return dropped
