"""An app's connection to the Sluice daemon beside it."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import grpc

from . import _wire
from ._connection import FIRST_RETRY, LONGEST_RETRY, Identity, check_batches
from ._ending import STOP_TIMEOUT
from ._held import unsettleable
from ._ports import SessionOptions
from ._threads import Subscription, Work, work_off, work_off_batches
from .consumption import Consumption, Messages
from .fetcher import Fetcher
from .message import Message
from .options import MOST_IN_FRAME, ConsumeOptions
from .v1 import consumer_pb2 as pb

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

C = TypeVar("C", bound=Consumption)


class Client:
    """Opens nothing by itself: connecting, and reconnecting, is each consumption's own business. Thread-safe. Closing
    it stops what it opened.

        with sluice.Client() as client:
            sluice.run(client.consume("orders", handle, concurrency=8))

    Do not fork() while there is one: gRPC does not survive it.
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
        """`address`: of the daemon, as gRPC spells it. Default: $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock.
        `client_id`: names this app instance, so that after a reconnect it keeps what it holds. Two live apps must not
        share one. At most 128 bytes. Default: host-pid-random.
        `credentials`: default none, as fits a socket in the same pod.
        `first_retry`, `longest_retry`: seconds between attempts to connect; they double from the one to the other,
        shortened at random by up to a quarter. A stream that had lived is retried at once first."""
        self._identity = Identity(address, client_id, first_retry, longest_retry)
        if credentials is None:
            self._channel = grpc.insecure_channel(self.address, _wire.CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(self.address, credentials, _wire.CHANNEL_OPTIONS)
        self._lock = threading.Lock()
        self._consumptions: list[Consumption] = []

    @property
    def address(self) -> str:
        return self._identity.address

    @property
    def client_id(self) -> str:
        return self._identity.client_id

    def consume(
        self, consumer: str, handler: Callable[[Message], object], **options: Unpack[ConsumeOptions]
    ) -> Consumption:
        """Calls `handler` for the messages of a consumer of the daemon's configuration, from now on, on `concurrency`
        threads.

        A handler that returns acks; one that raises naks; `RetryAfter(delay)` naks with a delay and `Reject(reason)`
        terms, raised or returned. With `manual` it calls the message's own ack(), nak() and term() instead, when it
        likes. Options: see `sluice.Options`."""
        work = work_off(_plain(handler), bool(options.get("manual", False)))
        return self._start(Consumption, consumer, dict(options), work=work)

    def consume_batches(
        self,
        consumer: str,
        handler: Callable[[list[Message]], object],
        *,
        batch: int = MOST_IN_FRAME,
        **options: Unpack[ConsumeOptions],
    ) -> Consumption:
        """The same with lists of 1 to `batch` messages: as many as there are, without waiting for more. Returning acks
        all of them, raising naks all, but for those that the handler has settled itself. Several times as fast as one
        by one."""
        check_batches(batch, bool(options.get("manual", False)))
        return self._start(Consumption, consumer, dict(options), work=work_off_batches(_plain(handler), batch))

    def messages(self, consumer: str, **options: Unpack[ConsumeOptions]) -> Messages:
        """The messages of a consumer as an iterator. Options: see `sluice.Options`."""
        return self._start(Messages, consumer, dict(options), in_loops=True)

    def fetcher(self, consumer: str, **options: Unpack[ConsumeOptions]) -> Fetcher:
        """The messages of a consumer on demand. Options: see `sluice.Options`."""
        return self._start(Fetcher, consumer, dict(options), on_demand=True)

    def close(self) -> None:
        """Stops all that it opened, and waits for the handlers that run: 5 s at most."""
        with self._lock:
            consumptions, self._consumptions = self._consumptions, []
        for consumption in consumptions:
            consumption._session.start_stop()
        for consumption in consumptions:
            consumption.stop()
        give_up = time.monotonic() + STOP_TIMEOUT
        for consumption in consumptions:
            consumption._subscription.join(give_up)
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.close()

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

        with self._lock:
            self._consumptions = [known for known in self._consumptions if known._subscription.is_alive()]
            session_options: SessionOptions = self._identity.session_options(
                consumer, options, make_message, on_demand, in_loops
            )
            subscription = Subscription(session_options, self._channel)
            subscriptions.append(subscription)
            consumption = made(subscription)
            self._consumptions.append(consumption)
            subscription.start(session_options.consume.concurrency if work else 0, work)
        return consumption


def _plain(handler: Callable[..., object]) -> Callable[..., object]:
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        raise TypeError("the handler is async: give it to sluice.aio.Client")
    return handler
