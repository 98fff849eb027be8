"""An app's connection to the Sluice daemon beside it, for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import grpc
import grpc.aio

from .. import _wire
from .._connection import FIRST_RETRY, LONGEST_RETRY, Identity, check_batches
from .._ending import STOP_TIMEOUT
from .._held import unsettleable
from ..options import MOST_IN_FRAME, ConsumeOptions
from ..v1 import consumer_pb2 as pb
from ._consumption import Consumption, Fetcher, Messages
from ._message import Message
from ._tasks import Subscription, Work, work_off, work_off_batches

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

C = TypeVar("C", bound=Consumption)


class Client:
    """Opens nothing by itself: connecting, and reconnecting, is each consumption's own business. For one event loop;
    closing it stops what it opened.

        async with sluice.aio.Client() as client:
            await sluice.aio.run(client.consume("orders", handle, concurrency=100))
    """

    def __init__(
        self,
        address: Optional[str] = None,
        *,
        client_id: Optional[str] = None,
        credentials: Optional[grpc.ChannelCredentials] = None,
        first_retry: float = FIRST_RETRY,
        longest_retry: float = LONGEST_RETRY,
    ) -> None:
        """As `sluice.Client`'s."""
        self._identity = Identity(address, client_id, first_retry, longest_retry)
        self._credentials = credentials
        self._channel: Optional[grpc.aio.Channel] = None  # belongs to the loop that runs when it is made
        self._consumptions: list[Consumption] = []

    @property
    def address(self) -> str:
        return self._identity.address

    @property
    def client_id(self) -> str:
        return self._identity.client_id

    def consume(
        self, consumer: str, handler: Callable[[Message], Awaitable[object]], **options: Unpack[ConsumeOptions]
    ) -> Consumption:
        """Calls `handler` for the messages of a consumer of the daemon's configuration, from now on, in `concurrency`
        tasks.

        A handler that returns acks; one that raises naks; `RetryAfter(delay)` naks with a delay and `Reject(reason)`
        terms, raised or returned. With `manual` it calls the message's own ack(), nak() and term() instead, when it
        likes. Options: see `sluice.Options`."""
        return self._start(
            Consumption, consumer, dict(options), work=work_off(_async(handler), bool(options.get("manual", False)))
        )

    def consume_batches(
        self,
        consumer: str,
        handler: Callable[[list[Message]], Awaitable[object]],
        *,
        batch: int = MOST_IN_FRAME,
        **options: Unpack[ConsumeOptions],
    ) -> Consumption:
        """The same with lists of 1 to `batch` messages: as many as there are, without waiting for more. Returning acks
        all of them, raising naks all, but for those that the handler has settled itself. Several times as fast as one
        by one."""
        check_batches(batch, bool(options.get("manual", False)))
        return self._start(Consumption, consumer, dict(options), work=work_off_batches(_async(handler), batch))

    def messages(self, consumer: str, **options: Unpack[ConsumeOptions]) -> Messages:
        """The messages of a consumer as an async iterator. Options: see `sluice.Options`."""
        return self._start(Messages, consumer, dict(options), in_loops=True)

    def fetcher(self, consumer: str, **options: Unpack[ConsumeOptions]) -> Fetcher:
        """The messages of a consumer on demand. Options: see `sluice.Options`."""
        return self._start(Fetcher, consumer, dict(options), on_demand=True)

    async def close(self) -> None:
        """Stops all that it opened, and waits for the handlers that run: after 5 s they are cancelled."""
        consumptions, self._consumptions = self._consumptions, []
        await asyncio.gather(*(consumption.stop() for consumption in consumptions))
        await asyncio.gather(*(consumption._subscription.join(STOP_TIMEOUT) for consumption in consumptions))
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        await self.close()

    def _start(
        self,
        made: Callable[[Subscription], C],
        consumer: str,
        options: dict[str, Any],
        work: Optional[Work] = None,
        on_demand: bool = False,
        in_loops: bool = False,
    ) -> C:
        subscriptions: list[Subscription] = []  # the key function's message needs the subscription that is made with it

        def make_message(delivery: pb.Delivery) -> Message:
            return Message(delivery, unsettleable(delivery), subscriptions[0])

        self._consumptions = [known for known in self._consumptions if known._subscription.is_alive()]
        session_options = self._identity.session_options(consumer, options, make_message, on_demand, in_loops)
        subscription = Subscription(session_options, self._open_channel())
        subscriptions.append(subscription)
        consumption = made(subscription)
        self._consumptions.append(consumption)
        subscription.start(session_options.consume.concurrency if work else 0, work)
        return consumption

    def _open_channel(self) -> grpc.aio.Channel:
        if self._channel is None:
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self.address, _wire.CHANNEL_OPTIONS)
            else:
                self._channel = grpc.aio.secure_channel(self.address, self._credentials, _wire.CHANNEL_OPTIONS)
        return self._channel


def _async(handler: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    if not inspect.iscoroutinefunction(handler) and not inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        raise TypeError("the handler is not async: give it to sluice.Client, or make it `async def`")
    return handler
