"""The consuming of one consumer, until it is drained or stopped."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Optional

from ._base import BaseConsumption
from ._threads import Subscription
from .errors import End, Error
from .message import Message
from .options import DrainReport
from .verdicts import NAK, Duration

if TYPE_CHECKING:
    from typing_extensions import Self


class Consumption(BaseConsumption):
    """Reconnects for ever, unless the daemon says that there is no point (unknown consumer, bad request, no permission,
    not a Sluice daemon). Thread-safe. As a context manager it stops at the end of the block."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription.session)
        self._subscription = subscription

    def drain(self, timeout: Optional[Duration] = None) -> DrainReport:
        """Ends it gracefully: no more messages come, handlers finish, their verdicts are confirmed. Waits for the end.
        The daemon NAKs what is still held after `timeout` (seconds or a timedelta); None: its own `drain.timeout`. Not
        for handlers: they have start_drain()."""
        self._refuse_to_wait_for_oneself("drain")
        self.start_drain(timeout)
        self.closed()
        return self.drain_report

    def stop(self) -> None:
        """Ends it at once: what has no verdict yet goes back to JetStream, later verdicts are dropped. Waits until the
        daemon knows, 5 s at most; not for handlers that run."""
        self._refuse_to_wait_for_oneself("stop")
        self._session.start_stop()
        self.closed()

    def closed(self, timeout: Optional[float] = None) -> Optional[End]:
        """Waits until it has ended. Code OK after drain() and stop(), else why the daemon refused. None: it has not,
        within `timeout` seconds."""
        return self._session.end() if self._subscription.wait_closed(timeout) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.stop()

    def _refuse_to_wait_for_oneself(self, what: str) -> None:
        if self._subscription.is_worker():
            raise RuntimeError(
                f"{what}() would wait for the handler that calls it: call start_drain(), or do it in another thread"
            )


class Messages(Consumption):
    """The same as an iterator, for loops of one's own:

        with client.messages("orders") as orders:
            for message in orders:
                work(message.data)
                message.ack()

    Ends when the consumption does; raises `sluice.Error` if the daemon refuses it. A message without a verdict at the
    end of its turn naks, unless `manual`. A drain without a loop that runs hands back what waits. Several threads may
    each run a loop over the same Messages."""

    def __iter__(self) -> Turns:
        return Turns(self._subscription)


class Turns:
    """One loop over Messages."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._message: Optional[Message] = None  # whose turn it is; none with `manual`
        subscription.session.enter_loop()

    def __iter__(self) -> Turns:
        return self

    def __next__(self) -> Message:
        session = self._subscription.session
        if self._message is not None:
            session.settle(self._message._held, NAK)
            self._message = None
        message = self._subscription.next_message()
        if message is None:
            end = session.end()
            raise StopIteration if end.ok else Error(*end)
        if not session.options.consume.manual:
            self._message = message
        return message

    def __del__(self) -> None:
        self._subscription.session.leave_loop(None if self._message is None else self._message._held)
