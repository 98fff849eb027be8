"""What a handler does with a message: what its header `Script` says. See ../../README.md."""

from __future__ import annotations

import base64
import collections
import json
import queue
import sys
import threading
import time
import zlib
from collections.abc import Generator
from typing import Any, Union

import opentelemetry.trace

import sluice
import sluice.aio

Message = Union[sluice.Message, sluice.aio.Message]

_output = threading.Lock()


def emit(event: str, **fields: Any) -> None:
    line = json.dumps({"event": event, **fields})
    with _output:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Scripts:
    """Of one process: counts the attempts, and keeps what is released."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[tuple[str, int], int] = collections.Counter()
        self._released: dict[int, queue.SimpleQueue[str]] = {}

    def steps_of(self, consumer: str, message: Message) -> list[str]:
        with self._lock:
            self._attempts[consumer, message.sequence] += 1
            attempt = self._attempts[consumer, message.sequence]
        attempts = (message.header("Script") or "ack").split("|")
        return attempts[min(attempt, len(attempts)) - 1].split(",")

    def released(self, sequence: int) -> queue.SimpleQueue[str]:
        with self._lock:
            return self._released.setdefault(sequence, queue.SimpleQueue())


class Play:
    """One message in the hands of a handler."""

    def __init__(
        self, scripts: Scripts, name: str, consumer: str, manual: bool, confirm: bool, message: Message
    ) -> None:
        self.message = message
        self.verdict = ""
        self._scripts = scripts
        self._name = name
        self._manual = manual  # verdicts by methods
        self._steps = collections.deque(scripts.steps_of(consumer, message))
        self._told_cancelled = False
        self._decision: Union[BaseException, None] = None
        self._second: dict[str, bool] = {}
        if confirm and isinstance(message, sluice.Message):
            sequence = message.sequence  # not the message: its last hold may be the one that is let go of
            message.outcome().add_done_callback(
                lambda outcome: emit("result", **{"as": name}, sequence=sequence, outcome=outcome.result().value)
            )

    def steps(self) -> Generator[float, None, None]:
        """Yields the seconds to wait before it goes on. Raises what the handler is to raise."""
        self._begin()
        while self._steps:
            what, _, argument = self._steps.popleft().strip().partition(" ")
            if what == "sleep":
                yield from self._sleep(float(argument) / 1000)
            elif what == "hold":
                yield from self._hold()
            elif what == "progress":
                self.message.in_progress()
            elif what == "again":
                self._second = {"second": self.message.nak()}
            elif what == "throw":
                self.verdict, self._decision = what, RuntimeError("the script says so")
            else:
                self._settle(what, argument)
        if not self.verdict:
            self._settle("ack", "")
        emit(
            "end",
            **self._named(),
            verdict=self.verdict,
            cancelled=self.message.cancelled,
            time_ns=time.time_ns(),
            **self._second,
        )
        if self._decision is not None:
            raise self._decision

    def _settle(self, what: str, argument: str) -> None:
        self.verdict = what
        message = self.message
        if what == "ack":
            if self._manual:
                message.ack()
        elif what in ("nak", "retry"):
            delay = float(argument or 0) / 1000
            if self._manual:
                message.nak(delay)
            else:
                self._decision = sluice.RetryAfter(delay)
        elif what == "reject":
            if self._manual:
                message.term(argument)
            else:
                self._decision = sluice.Reject(argument)
        elif what != "forget":
            raise ValueError(f"no such step: {what}")

    def _sleep(self, seconds: float) -> Generator[float, None, None]:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            yield min(left, 0.01)
            self._look_for_cancelled()

    def _hold(self) -> Generator[float, None, None]:
        released = self._scripts.released(self.message.sequence)
        while True:
            try:
                self._steps = collections.deque(released.get_nowait().split(","))
                return
            except queue.Empty:
                pass
            if self._look_for_cancelled():
                self._steps = collections.deque(["ack"])
                return
            yield 0.005

    def _look_for_cancelled(self) -> bool:
        if self.message.cancelled and not self._told_cancelled:
            self._told_cancelled = True
            emit("cancelled", **self._named())
        return self._told_cancelled

    def _begin(self) -> None:
        message = self.message
        emit(
            "begin",
            **self._named(),
            consumer_sequence=message.consumer_sequence,
            num_delivered=message.num_delivered,
            num_pending=message.num_pending,
            timestamp_ns=message.timestamp_ns,
            subject=_base64(message.subject),
            headers=[[_base64(name), _base64(value)] for name, value in message.headers],
            key=_base64(message.key),
            size=len(message.data),
            crc32=zlib.crc32(message.data),
            trace=_trace_id(),
            time_ns=time.time_ns(),
            **({"data": _base64(message.data)} if len(message.data) <= 1024 else {}),
        )

    def _named(self) -> dict[str, Any]:
        return {"as": self._name, "sequence": self.message.sequence}


def _trace_id() -> str:
    """Of the current context; empty: there is none."""
    span = opentelemetry.trace.get_current_span().get_span_context()
    return opentelemetry.trace.format_trace_id(span.trace_id) if span.is_valid else ""


def _base64(content: Union[str, bytes]) -> str:
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogateescape")
    return base64.b64encode(content).decode()
