"""What is to become of a message: ack, nak or term."""

from __future__ import annotations

import datetime
from typing import Union

Duration = Union[float, datetime.timedelta]
"""Seconds, or a timedelta."""

# Limits of sluice.v1: a verdict beyond them would end the stream.
LONGEST_DELAY = 24 * 3600.0
LONGEST_REASON = 1024


def to_seconds(duration: Duration) -> float:
    if isinstance(duration, datetime.timedelta):
        return duration.total_seconds()
    return float(duration)


class Verdict:
    """A value: what an app decides about one message. Made by `nak()`, `term()` and `ACK`."""

    __slots__ = ("delay_ms", "kind", "reason")

    def __init__(self, kind: str, delay_ms: int = 0, reason: str = "") -> None:
        self.kind = kind  # "ack", "nak" or "term"
        self.delay_ms = delay_ms
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Verdict):
            return NotImplemented
        return (self.kind, self.delay_ms, self.reason) == (other.kind, other.delay_ms, other.reason)

    def __hash__(self) -> int:
        return hash((self.kind, self.delay_ms, self.reason))

    def __repr__(self) -> str:
        return " ".join([self.kind, *([str(self.delay_ms)] if self.delay_ms else []), self.reason]).rstrip()


ACK = Verdict("ack")
NAK = Verdict("nak")


def nak(delay: Duration = 0) -> Verdict:
    """Not before `delay` from now, brought into 0..24 h. 0: at once, or by the consumer's redelivery policy."""
    seconds = min(max(to_seconds(delay), 0.0), LONGEST_DELAY)
    return Verdict("nak", round(seconds * 1000)) if seconds else NAK


def term(reason: str = "") -> Verdict:
    """`reason` is for people: cut at 1,024 bytes, line breaks become spaces."""
    line = reason.replace("\r", " ").replace("\n", " ")
    return Verdict("term", reason=to_utf8(line, LONGEST_REASON))


def to_utf8(text: str, most: int) -> str:
    """What protobuf takes as a string: no lone surrogates, and at most so many bytes of UTF-8."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


class RetryAfter(Exception):
    """Raised or returned by a handler: nak, to be delivered again not before `delay` (seconds or a timedelta, at most
    24 h)."""

    def __init__(self, delay: Duration = 0) -> None:
        super().__init__(f"retry after {to_seconds(delay):g} s")
        self.verdict = nak(delay)


class Reject(Exception):
    """Raised or returned by a handler: term, never to be delivered again. `reason` is for people, at most 1,024
    bytes."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.verdict = term(reason)


def verdict_of(result: object) -> Verdict:
    """What a handler's return value says: `RetryAfter` and `Reject` what they are, anything else an ack."""
    if result is not None and isinstance(result, (RetryAfter, Reject)):
        return result.verdict
    return ACK
