"""Between the contract's messages and the app's."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from .options import DrainReport, Outcome, State
from .v1 import consumer_pb2 as pb

CONSUME = "/sluice.v1.ConsumerService/Consume"

CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),  # a frame may be one message of any size the server allows
    ("grpc.max_send_message_length", -1),
    # Finds a daemon that hangs, or a node that is gone. A stream that flows sends none.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The waiting between attempts is the session's; gRPC's own (up to 2 min) must not add to it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # the time an attempt may take
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),  # the daemon is next door
]


class Received(NamedTuple):
    response: pb.ConsumeResponse
    size: int  # bytes


def to_received(raw: bytes) -> Received:
    return Received(pb.ConsumeResponse.FromString(raw), len(raw))


OUTCOMES = {
    pb.SettleResult.OUTCOME_CONFIRMED: Outcome.CONFIRMED,
    pb.SettleResult.OUTCOME_LATE: Outcome.LATE,
    pb.SettleResult.OUTCOME_NOT_HELD: Outcome.NOT_HELD,
    pb.SettleResult.OUTCOME_FAILED: Outcome.FAILED,
}

_STATES = {
    pb.State.KIND_NATS_DOWN: State.NATS_DOWN,
    pb.State.KIND_CONSUMER_MISSING: State.CONSUMER_MISSING,
    pb.State.KIND_CONSUMER_INVALID: State.CONSUMER_INVALID,
    pb.State.KIND_PAUSED: State.PAUSED,
    pb.State.KIND_PINNED_ELSEWHERE: State.PINNED_ELSEWHERE,
    pb.State.KIND_PROBING: State.PROBING,
}


def to_state(kind: pb.State.Kind) -> State:
    return _STATES.get(kind, State.SERVING)


def to_report(report: pb.DrainReport) -> DrainReport:
    return DrainReport(
        completed=True,
        deadline_exceeded=report.deadline_exceeded,
        awaited=report.awaited,
        acked=report.acked,
        terminated=report.terminated,
        naked=report.naked,
        expired=report.expired,
        late=report.late,
        released=report.released,
        unsettled=report.unsettled,
        dead_lettered=report.dead_lettered,
        phases={phase.phase: phase.duration.ToMicroseconds() / 1e6 for phase in report.phases},
    )


def to_datetime(unix_seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(unix_seconds, datetime.timezone.utc)


def to_text(content: bytes) -> str:
    """NATS promises no character set: bytes that are no UTF-8 become lone surrogates, as with os.fsdecode()."""
    return content.decode("utf-8", "surrogateescape")
