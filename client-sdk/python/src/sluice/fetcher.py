"""Messages on demand."""

from __future__ import annotations

import threading
import time

from ._threads import Subscription
from .consumption import Consumption
from .errors import Error
from .message import Message, OwnedMessage
from .options import MOST_MESSAGES
from .verdicts import Duration, to_seconds

# What comes within so many seconds of each other is returned together; of the first, at most.
QUIET = 0.010
GATHERING = 0.100


class Fetcher(Consumption):
    """Asks for messages when fetch() is called, and holds nothing back from siblings in between. What is fetched is the
    caller's to settle; a message that is let go of without a verdict naks.

        with client.fetcher("orders") as orders:
            for message in orders.fetch(10, max_wait=5):
                work(message.data)
                message.ack()
    """

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription)
        self._one_at_a_time = threading.Lock()

    def fetch(self, n: int = 1, max_wait: Duration = 5.0) -> list[Message]:
        """1..n messages as soon as there are some; none after `max_wait` (seconds or a timedelta), or once it is
        drained or stopped. Calls of several threads take turns. Raises `sluice.Error` if the daemon refuses the
        consumer."""
        check_count(n)
        give_up = time.monotonic() + to_seconds(max_wait)
        with self._one_at_a_time:
            self._session.demand(n)
            try:
                return self._gather(n, give_up)
            finally:
                self._session.demand(0)

    def _gather(self, n: int, give_up: float) -> list[Message]:
        subscription = self._subscription
        session = self._session
        with session.lock:
            subscription.await_waiting(1, give_up)
            if session.closed and not session.end().ok:
                raise Error(*session.end())
            arrived = session.waiting()
            enough_by = time.monotonic() + GATHERING
            while 0 < arrived < n and not session.closed:
                subscription.await_waiting(arrived + 1, min(time.monotonic() + QUIET, enough_by))
                if session.waiting() == arrived:
                    break
                arrived = session.waiting()
            taken = session.take_many(n)
        return [OwnedMessage(held.delivery, held, subscription) for held in taken]


def check_count(n: int) -> None:
    if not 1 <= n <= MOST_MESSAGES:
        raise ValueError(f"n must be 1..{MOST_MESSAGES:,}, not {n:,}")
