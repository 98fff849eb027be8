"""What the consumptions of threads and of asyncio have in common."""

from __future__ import annotations

from typing import Optional

from ._session import Session
from .options import DrainReport, State, Stats
from .verdicts import Duration, to_seconds


class BaseConsumption:
    """Reconnects for ever, unless the daemon says that there is no point (unknown consumer, bad request, no permission,
    not a Sluice daemon)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def start_drain(self, timeout: Optional[Duration] = None) -> None:
        """Like drain(), without waiting. Also for handlers, for loops, and for signal handlers."""
        self._session.start_drain(None if timeout is None else to_seconds(timeout))

    @property
    def is_closed(self) -> bool:
        return self._session.closed

    @property
    def drain_report(self) -> DrainReport:
        """Of the drain that this app asked for; once it is closed."""
        return self._session.drain_report()

    @property
    def state(self) -> State:
        return self._session.state()

    @property
    def client_id(self) -> str:
        return self._session.options.client_id

    def stats(self) -> Stats:
        """A copy of the counts so far. Cheap enough for a metrics callback."""
        return self._session.stats()
