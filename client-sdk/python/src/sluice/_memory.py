"""The verdicts that may not have arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Optional

from ._held import stored_ns
from .v1.consumer_pb2 import Delivery
from .verdicts import Verdict


class Given(NamedTuple):
    """A verdict that the daemon of this stream was told, or is to be told."""

    id: int
    verdict: Verdict
    sequence: int
    stored_ns: int
    token: bytes

    def token_for(self, kept: bool) -> bytes:
        """What to name it with: see Ledger.name_held()."""
        repeatable = self.verdict.kind == "ack" or (self.verdict.kind == "term" and kept)
        return self.token if repeatable else b""


class Memory:
    """The last verdicts, at most `capacity`. By columns, not by objects: see Held."""

    def __init__(self, capacity: int) -> None:
        self._columns: tuple[deque[int], deque[Verdict], deque[int], deque[int], deque[bytes]] = (
            deque(maxlen=capacity),
            deque(maxlen=capacity),
            deque(maxlen=capacity),
            deque(maxlen=capacity),
            deque(maxlen=capacity),
        )

    def add(self, id: int, verdict: Verdict, sequence: int, stored_ns: int, token: bytes) -> None:
        ids, verdicts, sequences, stored, tokens = self._columns
        ids.append(id)
        verdicts.append(verdict)
        sequences.append(sequence)
        stored.append(stored_ns)
        tokens.append(token)

    def add_many(self, ids: list[int], verdict: Verdict, deliveries: list[Delivery]) -> None:
        columns = self._columns
        columns[0].extend(ids)
        columns[1].extend([verdict] * len(ids))
        columns[2].extend([delivery.stream_sequence for delivery in deliveries])
        columns[3].extend(map(stored_ns, deliveries))
        columns[4].extend([delivery.token for delivery in deliveries])

    def __iter__(self) -> Iterator[Given]:
        """The oldest first."""
        return map(Given, *self._columns)

    def __reversed__(self) -> Iterator[Given]:
        ids, verdicts, sequences, stored, tokens = self._columns
        return map(Given, reversed(ids), reversed(verdicts), reversed(sequences), reversed(stored), reversed(tokens))

    def clear(self) -> None:
        for column in self._columns:
            column.clear()


class Doubts:
    """Acks and terms of which it is not known that JetStream has them; the last `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._verdicts: dict[int, tuple[int, Verdict]] = {}  # by stream sequence, the oldest first

    def __len__(self) -> int:
        return len(self._verdicts)

    def add(self, sequence: int, stored_ns: int, verdict: Verdict) -> None:
        if verdict.kind == "nak":  # it is to be handled again
            return
        self._verdicts[sequence] = (stored_ns, verdict)
        if len(self._verdicts) > self._capacity:
            del self._verdicts[next(iter(self._verdicts))]

    def find(self, sequence: int, stored_ns: int) -> Optional[Verdict]:
        found = self._verdicts.get(sequence)
        return found[1] if found is not None and found[0] == stored_ns else None
