"""One delivery in the hands of this app."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .options import Outcome
    from .v1.consumer_pb2 import Delivery
    from .verdicts import Verdict

# Its place. Plain numbers: they are looked at for every message.
#   WAITING --start--> STARTED --settle--> SETTLED
#      '------drop (given back, or joined to an earlier delivery, before any handler saw it)--> SETTLED
WAITING = 0
STARTED = 1
SETTLED = 2


class Held:
    """From its arrival until its verdict is forgotten. Guarded by the Session's lock."""

    __slots__ = ("cancelled", "delivery", "id", "key", "leased", "outcome", "place", "progress_in", "resumed", "stored", "stream", "token", "verdict")

    # What is left of it once it is settled; until then these are unset.
    verdict: Verdict
    stored: tuple[int, int]
    token: bytes

    def __init__(self, delivery: Delivery, leased: float) -> None:
        self.delivery: Optional[Delivery] = delivery  # none once it is settled: its frame may be large
        self.id = delivery.id
        self.leased = leased  # monotonic, seconds
        self.place = WAITING
        self.cancelled = False  # nobody waits for its verdict
        self.stream = 0  # ordinal of the stream that knows it by `id`
        self.resumed = False  # a later stream has taken it over
        self.progress_in = 0  # ordinal of the request with its last in_progress
        self.key = b""
        self.outcome: Optional[concurrent.futures.Future[Outcome]] = None  # with `confirm`, once it is settled

    def settle(self, verdict: Verdict) -> None:
        delivery = self.delivery
        assert delivery is not None
        self.place = SETTLED
        self.verdict = verdict
        self.stored = identity(delivery)
        self.token = delivery.token
        self.delivery = None

    @property
    def harmless(self) -> bool:
        """Its verdict may be given twice, and by any daemon."""
        return self.verdict.kind == "ack"


def identity(delivery: Delivery) -> tuple[int, int]:
    """JetStream's names for one message: the sequence alone may mean another one after a stream was made anew."""
    stored = delivery.timestamp
    return delivery.stream_sequence, stored.seconds * 1_000_000_000 + stored.nanos
