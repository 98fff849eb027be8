"""One attempt at one message, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Optional

from ..message import BaseMessage
from ..options import Outcome

if TYPE_CHECKING:
    from ._tasks import Subscription


class Message(BaseMessage):
    """One attempt at one message, and the duty to settle it. A handler does so by how it ends: see `Client.consume`.
    Verdicts never block, so there is nothing to await: `message.ack()`."""

    __slots__ = ()
    _subscription: Subscription

    async def outcome(self) -> Outcome:
        """What becomes of its verdict, with `confirm`: `m.ack()`, then `await m.outcome()`."""
        return await asyncio.wrap_future(self._outcome())

    async def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Waits until `cancelled`, at most `timeout` seconds; returns `cancelled`. A sleep that ends early when the
        work is in vain."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._subscription.wait_for(lambda: self._held.cancelled), timeout)
        return self._held.cancelled


class OwnedMessage(Message):
    """One that its owner settles when it likes. Let go of without a verdict, it naks."""

    __slots__ = ()

    def __del__(self) -> None:
        if not self._held.settled:
            self._subscription.session.let_go(self._held)
