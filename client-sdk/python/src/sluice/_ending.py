"""When a stream has had its time, and when the consumption has."""

from __future__ import annotations

import enum
import time
from typing import Optional

from ._backoff import Backoff
from .errors import End
from .options import DrainReport

# A daemon that has not answered `Opened` by then is taken for hung.
OPEN_TIMEOUT = 10.0
# Beyond what a drain may take by its own deadline: the daemon's final phases and the way back.
DRAIN_GRACE = 5.0
# For a drain without a timeout of its own, until `Draining` tells the daemon's.
DRAIN_DEFAULT = 60.0
STOP_TIMEOUT = 5.0
# The daemon's default: it has given everything back by then, so a drain has nothing left to wait for.
RESUME_WINDOW = 5.0
# A stream that lasted this long was a good one: the next is tried without waiting.
LIVED = 1.0
FOREVER = 365 * 24 * 3600.0

# Answers that no amount of patience changes.
PERMANENT = frozenset({"NOT_FOUND", "INVALID_ARGUMENT", "UNIMPLEMENTED", "PERMISSION_DENIED"})


class Wish(enum.IntEnum):
    """What the app wants; only ever grows."""

    SERVE = 0
    DRAIN = 1
    STOP = 2


class Ending:
    """What the app wants, and how long to wait for it. Times are monotonic seconds. Guarded by the Session's lock."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self.wish = Wish.SERVE
        self.drain_timeout: Optional[float] = None
        self.report = DrainReport()
        self.give_up = FOREVER  # the current stream is to be cancelled then
        self.drain_deadline: Optional[float] = None
        self._given_back = False  # by the end of a drain: all that the stream held
        self._opened_at: Optional[float] = None
        self._last_connected = float("-inf")

    # --- what the app wants ---

    def wants(self, wish: Wish, timeout: Optional[float]) -> bool:
        """False: it has wanted that, or more, before."""
        if wish <= self.wish:
            return False
        self.wish = wish
        if wish is Wish.DRAIN and timeout is not None:
            self.drain_timeout = max(timeout, 0.0)
        return True

    def expect_end(self, now: float, connected: bool) -> None:
        """The daemon is told, or will be as soon as it has answered `Opened`."""
        if self.wish is Wish.STOP:
            self.give_up = now + STOP_TIMEOUT
        elif not connected:
            self.give_up = min(self.give_up, now + STOP_TIMEOUT)
        else:
            self.give_up = now + (DRAIN_DEFAULT if self.drain_timeout is None else self.drain_timeout) + DRAIN_GRACE

    # --- the stream ---

    def open(self, now: float) -> bool:
        """A new stream is begun. Returns whether no daemon that died since can have given back anything of what the
        last one held: not by the end of a drain, and not by the end of its resume window."""
        by_drain = self._given_back or self.is_past_deadline()
        kept = not by_drain and now - self._last_connected < RESUME_WINDOW
        self._given_back = False
        self.drain_deadline = None
        self._opened_at = None
        self.give_up = now + OPEN_TIMEOUT
        return kept

    def on_opened(self, now: float) -> None:
        self._opened_at = now
        self.give_up = now + FOREVER

    def on_draining(self, deadline: float) -> None:
        self.drain_deadline = deadline
        if self.wish is not Wish.STOP:
            self.give_up = deadline + DRAIN_GRACE

    def on_drained(self, report: DrainReport) -> None:
        self._given_back = True
        if self.wish is Wish.DRAIN:
            self.report = report

    def on_ended(self, now: float) -> None:
        if self._opened_at is not None:
            self._last_connected = now
            if now - self._opened_at >= LIVED:
                self._backoff.reset()

    def is_past_deadline(self) -> bool:
        """Of a drain; for each message, so the clock is only looked at when there is one."""
        return self.drain_deadline is not None and time.monotonic() >= self.drain_deadline

    def has_lost_patience(self, now: float) -> bool:
        """True, once."""
        if now < self.give_up:
            return False
        self.give_up = now + FOREVER
        if self.wish is Wish.DRAIN:
            self.wish = Wish.STOP  # the drain has had its time
        return True

    # --- the consumption ---

    def is_last(self, now: float, end: End, streams: int) -> bool:
        """Whether no other stream is to follow the one that ended so. `streams`: opened so far."""
        if self.wish is Wish.STOP or end.code in PERMANENT:
            return True
        if self.wish is Wish.SERVE:
            return False
        return self.report.completed or streams == 0 or now - self._last_connected > RESUME_WINDOW

    def next_wait(self) -> float:
        """Seconds, before the next stream."""
        return self._backoff.next()
