"""One attempt at one message, and the duty to settle it."""

from __future__ import annotations

import concurrent.futures
import datetime
from typing import TYPE_CHECKING, Optional, Protocol, Union

from . import _wire
from ._held import Batch, Held
from .verdicts import ACK, Duration, nak, term

if TYPE_CHECKING:
    from ._session import Session
    from ._threads import Subscription
    from .options import Outcome
    from .v1.consumer_pb2 import Delivery


class AnySubscription(Protocol):
    """That of threads or that of tasks."""

    session: Session


class BaseMessage:
    """What `sluice.Message` and `sluice.aio.Message` have in common. Text that is no UTF-8 (NATS promises no character
    set) comes with lone surrogates, as with os.fsdecode(): `.encode("utf-8", "surrogateescape")` gives the bytes."""

    __slots__ = ("_delivery", "_duty", "_subscription")

    def __init__(self, delivery: Delivery, duty: Union[Held, Batch], subscription: AnySubscription) -> None:
        self._delivery = delivery
        self._duty = duty  # of it alone, or of the batch that it belongs to
        self._subscription = subscription

    @property
    def _held(self) -> Held:
        duty = self._duty
        return duty if isinstance(duty, Held) else self._subscription.session.part(duty)[self._delivery.id]

    # --- content; it stays after the verdict ---

    @property
    def subject(self) -> str:
        return _wire.to_text(self._delivery.subject)

    @property
    def data(self) -> bytes:
        return self._delivery.data

    @property
    def headers(self) -> list[tuple[str, str]]:
        """In their order; names may repeat."""
        return [(_wire.to_text(header.name), _wire.to_text(header.value)) for header in self._delivery.headers]

    def header(self, name: str) -> Optional[str]:
        """The first value; names are case-sensitive."""
        raw = name.encode("utf-8", "surrogateescape")
        for header in self._delivery.headers:
            if header.name == raw:
                return _wire.to_text(header.value)
        return None

    @property
    def key(self) -> str:
        """The ordering key, where the daemon has one configured; else empty."""
        return _wire.to_text(self._delivery.key)

    @property
    def sequence(self) -> int:
        """Position in the JetStream stream, from 1."""
        return self._delivery.stream_sequence

    @property
    def consumer_sequence(self) -> int:
        """Position among the consumer's deliveries, from 1."""
        return self._delivery.consumer_sequence

    @property
    def num_delivered(self) -> int:
        """Attempts so far with this one, from 1; releases and retries count."""
        return self._delivery.num_delivered

    @property
    def num_pending(self) -> int:
        """Messages of the stream that the consumer had not delivered yet."""
        return self._delivery.num_pending

    @property
    def timestamp(self) -> datetime.datetime:
        """When JetStream stored it; UTC. `timestamp_ns` has the nanoseconds."""
        return _wire.to_datetime(self._delivery.timestamp.ToMicroseconds() / 1e6)

    @property
    def timestamp_ns(self) -> int:
        return self._delivery.timestamp.ToNanoseconds()

    # --- the duty ---

    def ack(self) -> bool:
        """Done: JetStream will not deliver it again. Only the first verdict counts: False, it has one. Never blocks on
        the network: verdicts are queued and go out together. From any thread, as all that follows."""
        return self._subscription.session.settle(self._held, ACK)

    def nak(self, delay: Duration = 0) -> bool:
        """Failed: JetStream delivers it again, to any app, not before `delay` from now: seconds or a timedelta, at most
        24 h. 0: at once, or by the consumer's redelivery policy."""
        return self._subscription.session.settle(self._held, nak(delay))

    def term(self, reason: str = "") -> bool:
        """Hopeless: JetStream never delivers it again. `reason` is for people, at most 1,024 bytes."""
        return self._subscription.session.settle(self._held, term(reason))

    def in_progress(self) -> bool:
        """Still at work: restarts the ack wait and the daemon's longest lease (10 min by default). The daemon keeps the
        ack wait from running out by itself, so only work that takes longer than the lease needs this. False: it has a
        verdict."""
        return self._subscription.session.in_progress(self._held)

    @property
    def settled(self) -> bool:
        return self._held.settled

    @property
    def cancelled(self) -> bool:
        """True once nobody waits for this verdict any more: its lease ended, the daemon was lost, the drain's deadline
        is over, or the consumption stopped. Long work may as well give up. May turn false again, if the message comes
        back while this one is still at work: it then stands for the new attempt."""
        return self._held.cancelled

    @property
    def deadline(self) -> Optional[datetime.datetime]:
        """When that will be: the end of the lease, or of the drain if one is running; UTC. None: not told."""
        unix = self._subscription.session.deadline(self._held)
        return None if unix is None else _wire.to_datetime(unix)

    def _outcome(self) -> concurrent.futures.Future[Outcome]:
        if not self._subscription.session.options.consume.confirm:
            raise RuntimeError("outcomes are told to those who ask for them: consume with confirm=True")
        return self._subscription.session.outcome(self._held)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.subject!r} sequence={self.sequence} num_delivered={self.num_delivered}>"


class Message(BaseMessage):
    """One attempt at one message, and the duty to settle it. A handler does so by how it ends: see `Client.consume`."""

    __slots__ = ()
    _subscription: Subscription

    def outcome(self) -> concurrent.futures.Future[Outcome]:
        """What becomes of its verdict, with `confirm`; may be asked for before there is one. `m.ack()`, then
        `m.outcome().result(timeout=10)`. Its callbacks run on the consumption's own thread: be quick."""
        return self._outcome()

    def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Waits until `cancelled`, at most `timeout` seconds; returns `cancelled`. A sleep that ends early when the
        work is in vain."""
        return self._subscription.wait_cancelled(self._held, timeout)


class OwnedMessage(Message):
    """One that its owner settles when it likes. Let go of without a verdict, it naks."""

    __slots__ = ()

    def __del__(self) -> None:
        if not self._held.settled:
            self._subscription.session.let_go(self._held)
