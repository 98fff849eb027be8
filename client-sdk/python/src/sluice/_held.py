"""Deliveries in the hands of handlers."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from .v1 import consumer_pb2 as pb

if TYPE_CHECKING:
    from .options import Outcome


class Held:
    """One, from its start until its verdict. What waits for a handler is but a Delivery, and what is settled but a line
    in the Ledger: these are many, and Python's garbage collector counts every object of a class. Guarded by the
    Session's lock."""

    # Defaults of the class: what is not set costs nothing.
    settled = False
    cancelled = False
    """Nobody waits for its verdict."""
    progress_in = 0
    """Ordinal of the request with its last in_progress."""
    key = b""
    """With which it keeps others from being started."""
    large = False
    """As its Frame."""
    outcome: Optional[concurrent.futures.Future[Outcome]] = None
    """With `confirm`: what becomes of its verdict."""
    rejoined: Optional[pb.Delivery] = None
    """The essence of the attempt that `id` stands for, where that is another one than `delivery`."""

    def __init__(self, delivery: pb.Delivery, id: int, leased: float, stream: int) -> None:
        self.delivery = delivery
        self.id = id
        self.leased = leased  # monotonic, seconds
        self.stream = stream  # ordinal of the stream that knows it by `id`

    @property
    def attempt(self) -> pb.Delivery:
        """By which it is named, and its verdict remembered."""
        return self.delivery if self.rejoined is None else self.rejoined


class Batch:
    """Those that a batch handler has been given together. It is one thing with one verdict, so that a message costs
    next to nothing, until there is something to say about one of them alone (a verdict of its own, the end of its
    stream): then the Ledger parts it into Helds, for good. Guarded by the Session's lock."""

    __slots__ = ("deliveries", "helds", "ids", "large", "leased", "settled")

    def __init__(self, deliveries: Sequence[pb.Delivery], ids: Sequence[int], leased: float, large: bool) -> None:
        self.deliveries = deliveries
        self.ids = ids  # of each
        self.leased = leased
        self.large = large
        self.settled = False  # as a whole
        self.helds: Optional[dict[int, Held]] = None  # by Delivery.id, once it is parted

    @classmethod
    def of(cls, helds: Sequence[Held]) -> Batch:
        """A parted one."""
        batch = cls([held.delivery for held in helds], [held.id for held in helds], 0.0, False)
        batch.helds = {held.delivery.id: held for held in helds}
        return batch


def unsettleable(delivery: pb.Delivery) -> Held:
    """For a look at its content before it is started: verdicts on it do nothing."""
    held = Held(delivery, delivery.id, 0.0, 0)
    held.settled = True
    return held


def stored_ns(delivery: pb.Delivery) -> int:
    """When JetStream stored it: with the stream sequence, its name for one message. The sequence alone may mean another
    one after a stream was made anew."""
    stored = delivery.timestamp
    return stored.seconds * 1_000_000_000 + stored.nanos


def essence(delivery: pb.Delivery) -> pb.Delivery:
    """All that must be known of one after its verdict. A Delivery keeps the memory of the whole frame that it came
    with."""
    return pb.Delivery(stream_sequence=delivery.stream_sequence, timestamp=delivery.timestamp, token=delivery.token)
