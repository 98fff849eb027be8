"""One delivery in the hands of a handler."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .options import Outcome
    from .v1.consumer_pb2 import Delivery


class Held:
    """From its start until its verdict. What waits for a handler is but a Delivery, and what is settled but a line in
    the Ledger: these are many, and Python's garbage collector counts every object of a class. Guarded by the Session's
    lock."""

    # Defaults of the class: what is not set costs nothing.
    settled = False
    cancelled = False
    """Nobody waits for its verdict."""
    progress_in = 0
    """Ordinal of the request with its last in_progress."""
    key = b""
    """With which it keeps others from being started."""
    outcome: Optional[concurrent.futures.Future[Outcome]] = None
    """With `confirm`: what becomes of its verdict."""

    def __init__(self, delivery: Delivery, id: int, leased: float, stream: int) -> None:
        self.delivery = delivery
        self.id = id
        self.leased = leased  # monotonic, seconds
        self.stream = stream  # ordinal of the stream that knows it by `id`


def unsettleable(delivery: Delivery) -> Held:
    """For a look at its content before it is started: verdicts on it do nothing."""
    held = Held(delivery, delivery.id, 0.0, 0)
    held.settled = True
    return held


def stored_ns(delivery: Delivery) -> int:
    """When JetStream stored it: with the stream sequence, its name for one message. The sequence alone may mean another
    one after a stream was made anew."""
    stored = delivery.timestamp
    return stored.seconds * 1_000_000_000 + stored.nanos
