"""What an app may ask for, and what it is told."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, TypedDict, Union

if TYPE_CHECKING:
    from .errors import Error

# Limits of sluice.v1.
MOST_MESSAGES = 1 << 20
MOST_BYTES = 1 << 30
MOST_IN_FRAME = 256
MOST_HANDLERS = 10_000


class State(str, enum.Enum):
    """What stands between the app and its messages."""

    CONNECTING = "CONNECTING"
    """No stream to the daemon; retried for ever."""
    SERVING = "SERVING"
    NATS_DOWN = "NATS_DOWN"
    """The daemon is not connected to NATS: work on, verdicts are kept."""
    CONSUMER_MISSING = "CONSUMER_MISSING"
    """The stream or consumer does not exist; the daemon retries."""
    CONSUMER_INVALID = "CONSUMER_INVALID"
    """It exists, but not as configured."""
    PAUSED = "PAUSED"
    PINNED_ELSEWHERE = "PINNED_ELSEWHERE"
    """Another pod of the fleet is active, this one stands by."""
    PROBING = "PROBING"
    """The apps failed too often in a row: one message at a time until one is acked."""
    CLOSED = "CLOSED"


class Outcome(str, enum.Enum):
    """What became of a verdict, with `confirm`."""

    CONFIRMED = "CONFIRMED"
    """The NATS server has confirmed it."""
    LATE = "LATE"
    """It came after the lease had ended. An ack was forwarded all the same."""
    NOT_HELD = "NOT_HELD"
    """The daemon knew no message for it."""
    FAILED = "FAILED"
    """It could not be confirmed: the message may be delivered again."""


@dataclasses.dataclass
class DrainReport:
    """What became of the messages that were outstanding when a drain began; see sluice.v1.DrainReport."""

    completed: bool = False
    """The daemon has confirmed the drain. False: it was lost, or silent, and the counts are 0."""
    deadline_exceeded: bool = False
    """Messages were still held at the deadline, and were NAKed."""
    awaited: int = 0
    acked: int = 0
    terminated: int = 0
    naked: int = 0
    expired: int = 0
    late: int = 0
    released: int = 0
    unsettled: int = 0
    dead_lettered: int = 0
    phases: dict[str, float] = dataclasses.field(default_factory=dict)
    """Seconds by phase."""


@dataclasses.dataclass(frozen=True)
class Draining:
    by_daemon: bool
    """The daemon ends, and the client then looks for its successor. False: this app asked for it."""
    deadline: Optional[datetime.datetime]
    """Verdicts count until then."""


@dataclasses.dataclass
class Stats:
    """Counts since the consumption began."""

    received: int = 0
    """Messages delivered, without those that rejoined a running handler."""
    acked: int = 0
    """Verdicts given, whether or not they could still be sent; so are the next two."""
    naked: int = 0
    terminated: int = 0
    thrown: int = 0
    """Handlers that raised; their messages are in `naked`."""
    in_flight: int = 0
    """Received and not settled yet."""
    streams: int = 0
    """Opened so far: 1 + reconnects."""
    lost: int = 0
    """Held when their stream was lost, and not resumed."""
    refused: int = 0
    """Tokens that a daemon did not take, as their message was settled or is with another app."""
    rejoined: int = 0
    """Delivered again while at work or after their verdict: not handled twice."""
    late: int = 0
    """Verdicts the daemon got after the lease had ended."""
    not_held: int = 0
    """Verdicts the daemon knew no message for."""
    failed: int = 0
    """Verdicts that could not be confirmed."""


# A function of a message (sluice.Message or sluice.aio.Message).
KeyFunction = Callable[[Any], Union[str, bytes, None]]


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of one consumption, with their defaults."""

    concurrency: int = 1
    """Handlers that run at once, 1..10,000. 1: one after the other, in the order of delivery. Loops and fetches have no
    use for it."""
    credit_messages: int = 0
    """Most messages held at once, running and waiting, at most 1,048,576. 0: no more than keeps the
    handlers at work, which is what they finish in 50 to 250 ms; at least 4 per handler and 8, at most 4,096 (or 4 per
    handler)."""
    credit_bytes: int = 0
    """Most bytes of subjects, headers and data held at once, at most 1 GiB. 0: the daemon's 8 MiB."""
    max_batch: int = 0
    """Most messages in one frame, 1..256. 0: 256."""
    key: Optional[KeyFunction] = None
    """Messages with the same key never run at once, and run in order of delivery. Default: the key the daemon tells, if
    any."""
    hand_back: bool = False
    """When the app drains, what waits in the client is handed back (NAK) instead of being worked off."""
    manual: bool = False
    """The handler, or the loop's turn, settles by `m.ack()`, `m.nak()` and `m.term()`, when it likes. A message that is
    let go of without a verdict naks."""
    confirm: bool = False
    """Each verdict is confirmed by the NATS server, and `m.outcome()` tells: about half the rate."""
    resumable: bool = True
    """Ask for a token with each message, by which it can be settled through the successor of a daemon that was
    killed."""
    remembered: int = 4096
    """Verdicts kept in case their daemon dies before JetStream knows: such a message is not handled twice. At least the
    credit."""
    on_state: Optional[Callable[[State, str], None]] = None
    """Hooks are called one at a time while the stream is not read: be quick. What they raise is logged and otherwise
    ignored."""
    on_draining: Optional[Callable[[Draining], None]] = None
    on_drained: Optional[Callable[[DrainReport], None]] = None
    on_error: Optional[Callable[[Error], None]] = None

    def __post_init__(self) -> None:
        _within("concurrency", self.concurrency, 1, MOST_HANDLERS)
        _within("credit_messages", self.credit_messages, 0, MOST_MESSAGES)
        _within("credit_bytes", self.credit_bytes, 0, MOST_BYTES)
        _within("max_batch", self.max_batch, 0, MOST_IN_FRAME)
        _within("remembered", self.remembered, 0, MOST_MESSAGES)


class ConsumeOptions(TypedDict, total=False):
    """The same as keyword arguments; see `Options`."""

    concurrency: int
    credit_messages: int
    credit_bytes: int
    max_batch: int
    key: Optional[KeyFunction]
    hand_back: bool
    manual: bool
    confirm: bool
    resumable: bool
    remembered: int
    on_state: Optional[Callable[[State, str], None]]
    on_draining: Optional[Callable[[Draining], None]]
    on_drained: Optional[Callable[[DrainReport], None]]
    on_error: Optional[Callable[[Error], None]]


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least:,}..{most:,}, not {value:,}")
