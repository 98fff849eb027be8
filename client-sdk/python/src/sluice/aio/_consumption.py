"""The consuming of one consumer, until it is drained or stopped; for asyncio."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Optional

from .._base import BaseConsumption
from ..errors import End, Error
from ..fetcher import GATHERING, QUIET, check_count
from ..options import DrainReport
from ..verdicts import NAK, Duration, to_seconds
from ._message import Message, OwnedMessage
from ._tasks import Subscription

if TYPE_CHECKING:
    from typing_extensions import Self


class Consumption(BaseConsumption):
    """Reconnects for ever, unless the daemon says that there is no point (unknown consumer, bad request, no permission,
    not a Sluice daemon). As a context manager it stops at the end of the block."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription.session)
        self._subscription = subscription

    async def drain(self, timeout: Optional[Duration] = None) -> DrainReport:
        """Ends it gracefully: no more messages come, handlers finish, their verdicts are confirmed. Waits for the end.
        The daemon NAKs what is still held after `timeout` (seconds or a timedelta); None: its own `drain.timeout`. Not
        for handlers: they have start_drain()."""
        self.start_drain(timeout)
        await self.closed()
        return self.drain_report

    async def stop(self) -> None:
        """Ends it at once: what has no verdict yet goes back to JetStream, later verdicts are dropped. Waits until the
        daemon knows, 5 s at most; not for handlers that run."""
        self._session.start_stop()
        await self.closed()

    async def closed(self) -> End:
        """Waits until it has ended. Code OK after drain() and stop(), else why the daemon refused."""
        await self._subscription.wait_for(lambda: self._session.closed)
        return self._session.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        await self.stop()


class Messages(Consumption):
    """The same as an async iterator, for loops of one's own:

        async with client.messages("orders") as orders:
            async for message in orders:
                await work(message.data)
                message.ack()

    Ends when the consumption does; raises `sluice.Error` if the daemon refuses it. A message without a verdict at the
    end of its turn naks, unless `manual`. A drain without a loop that runs hands back what waits. Several tasks may
    each run a loop over the same Messages."""

    def __aiter__(self) -> Turns:
        return Turns(self._subscription)


class Turns:
    """One loop over Messages."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._message: Optional[Message] = None  # whose turn it is; none with `manual`
        subscription.session.enter_loop()

    def __aiter__(self) -> Turns:
        return self

    async def __anext__(self) -> Message:
        session = self._subscription.session
        if self._message is not None:
            session.settle(self._message._held, NAK)
            self._message = None
        message = await self._subscription.next_message()
        if message is None:
            end = session.end()
            raise StopAsyncIteration if end.ok else Error(*end)
        if not session.options.consume.manual:
            self._message = message
        return message

    def __del__(self) -> None:
        self._subscription.session.leave_loop(None if self._message is None else self._message._held)


class Fetcher(Consumption):
    """Asks for messages when fetch() is called, and holds nothing back from siblings in between. What is fetched is the
    caller's to settle; a message that is let go of without a verdict naks.

        async with client.fetcher("orders") as orders:
            for message in await orders.fetch(10, max_wait=5):
                await work(message.data)
                message.ack()
    """

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription)
        self._one_at_a_time = asyncio.Lock()

    async def fetch(self, n: int = 1, max_wait: Duration = 5.0) -> list[Message]:
        """1..n messages as soon as there are some; none after `max_wait` (seconds or a timedelta), or once it is
        drained or stopped. Calls of several tasks take turns. Raises `sluice.Error` if the daemon refuses the
        consumer."""
        check_count(n)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + to_seconds(max_wait)
        async with self._one_at_a_time:
            self._session.demand(n)
            try:
                return await self._gather(loop, n, give_up)
            finally:
                self._session.demand(0)

    async def _gather(self, loop: asyncio.AbstractEventLoop, n: int, give_up: float) -> list[Message]:
        subscription = self._subscription
        session = self._session
        await subscription.await_waiting(1, give_up)
        if session.closed and not session.end().ok:
            raise Error(*session.end())
        arrived = session.waiting()
        enough_by = loop.time() + GATHERING
        while 0 < arrived < n and not session.closed:
            await subscription.await_waiting(arrived + 1, min(loop.time() + QUIET, enough_by))
            if session.waiting() == arrived:
                break
            arrived = session.waiting()
        with session.lock:
            taken = session.take_many(n)
        return [OwnedMessage(held.delivery, held, subscription) for held in taken]
