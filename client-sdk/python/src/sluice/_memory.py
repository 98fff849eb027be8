"""The verdicts that may not have arrived."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from ._held import essence, stored_ns
from .v1.consumer_pb2 import Delivery
from .verdicts import Verdict


class Given(NamedTuple):
    """A verdict that the daemon of this stream was told, or is to be told."""

    id: int
    verdict: Verdict
    delivery: Delivery

    def token_for(self, kept: bool) -> bytes:
        """What to name it with: see Ledger.name_held()."""
        repeatable = self.verdict.kind == "ack" or (self.verdict.kind == "term" and kept)
        return self.delivery.token if repeatable else b""


class Memory:
    """The last verdicts, at most `capacity`. By columns, not by objects: see Held."""

    def __init__(self, capacity: int) -> None:
        self._ids: deque[int] = deque(maxlen=capacity)
        self._verdicts: deque[Verdict] = deque(maxlen=capacity)
        self._deliveries: deque[Delivery] = deque(maxlen=capacity)

    def add(self, id: int, verdict: Verdict, delivery: Delivery, large: bool) -> None:
        self._ids.append(id)
        self._verdicts.append(verdict)
        self._deliveries.append(essence(delivery) if large else delivery)

    def add_many(self, ids: Sequence[int], verdict: Verdict, deliveries: Sequence[Delivery], large: bool) -> None:
        self._ids.extend(ids)
        self._verdicts.extend(itertools.repeat(verdict, len(ids)))
        self._deliveries.extend(map(essence, deliveries) if large else deliveries)

    def __iter__(self) -> Iterator[Given]:
        """The oldest first."""
        return map(Given, self._ids, self._verdicts, self._deliveries)

    def __reversed__(self) -> Iterator[Given]:
        return map(Given, reversed(self._ids), reversed(self._verdicts), reversed(self._deliveries))

    def clear(self) -> None:
        self._ids.clear()
        self._verdicts.clear()
        self._deliveries.clear()


class Doubts:
    """Acks and terms of which it is not known that JetStream has them; the last `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._verdicts: dict[int, tuple[int, Verdict]] = {}  # by stream sequence, the oldest first

    def __len__(self) -> int:
        return len(self._verdicts)

    def add(self, delivery: Delivery, verdict: Verdict) -> None:
        if verdict.kind == "nak":  # it is to be handled again
            return
        self._verdicts[delivery.stream_sequence] = (stored_ns(delivery), verdict)
        if len(self._verdicts) > self._capacity:
            del self._verdicts[next(iter(self._verdicts))]

    def find(self, delivery: Delivery) -> Optional[Verdict]:
        found = self._verdicts.get(delivery.stream_sequence)
        return found[1] if found is not None and found[0] == stored_ns(delivery) else None
