"""A daemon without NATS, on a Unix socket of its own, that does what the test says."""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, Optional

import grpc

from sluice._wire import CONSUME
from sluice.v1 import consumer_pb2 as pb

PATIENCE = 20.0  # seconds; a test that waits longer fails

Verdict = tuple[int, str]
"""An id, and what the app said: "ack", "nak", "nak 500", "term why", "in_progress"."""


class FakeStream:
    """The daemon's end of one Consume stream."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._changed = threading.Condition()
        self._responses: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._context = context
        self._open: Optional[pb.Open] = None
        self._verdicts: list[Verdict] = []
        self._drains: list[pb.Drain] = []
        self._credits: list[int] = []
        self.verdicts_before_drain = 0
        self.settle_requests = 0
        self.silent = False  # does not answer a half-close
        self._half_closed = False
        self._done = False

    # --- what the app sent ---

    def await_open(self) -> pb.Open:
        self.wait_until(lambda: self._open is not None)
        assert self._open is not None
        return self._open

    def await_verdicts(self, count: int) -> list[Verdict]:
        """At least so many."""
        self.wait_until(lambda: len(self._verdicts) >= count)
        return list(self._verdicts)

    def await_drain(self) -> pb.Drain:
        self.wait_until(lambda: bool(self._drains))
        return self._drains[0]

    def await_credit(self, messages: int) -> None:
        self.wait_until(lambda: bool(self._credits) and self._credits[-1] == messages)

    def await_half_close(self) -> None:
        self.wait_until(lambda: self._half_closed)

    def await_done(self) -> None:
        self.wait_until(lambda: self._done)

    def credit(self) -> int:
        return self._credits[-1] if self._credits else self.await_open().credit.messages

    def count(self) -> Counter[str]:
        return Counter(what for _, what in self._verdicts)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"gave up; the app said {self._verdicts}"

    # --- what the app gets ---

    def write(self, **kind: Any) -> None:
        self._responses.put(pb.ConsumeResponse(**kind))

    def opened(self, resumed: Optional[dict[int, int]] = None) -> FakeStream:
        """`resumed`: old id -> new id."""
        opened = pb.Opened(resumed=[pb.Resumed(held_id=old, id=new) for old, new in (resumed or {}).items()])
        opened.max_lease.FromSeconds(600)
        self.write(opened=opened)
        return self

    def deliver(self, first: int, count: int = 1, ids_from: int = 0, **fields: Any) -> None:
        """Stream sequences first .. first + count - 1 in one frame, stored at `sequence` seconds; ids likewise, but for
        `ids_from`. `fields` of each, or functions of the sequence."""
        deliveries = []
        for sequence in range(first, first + count):
            delivery = pb.Delivery(
                **{
                    "id": ids_from + sequence,
                    "stream_sequence": sequence,
                    "num_delivered": 1,
                    "token": b"token %d" % sequence,
                    **{name: value(sequence) if callable(value) else value for name, value in fields.items()},
                }
            )
            if "timestamp" not in fields:
                delivery.timestamp.FromSeconds(sequence)
            deliveries.append(delivery)
        self.write(deliveries=pb.Deliveries(deliveries=deliveries))

    def draining(self, reason: pb.Draining.Reason, seconds: float = 60.0) -> None:
        draining = pb.Draining(reason=reason)
        draining.deadline.FromMicroseconds(round((time.time() + seconds) * 1e6))
        self.write(draining=draining)

    def drained(self, **report: Any) -> None:
        """And ends the stream OK."""
        self.write(drained=pb.Drained(report=pb.DrainReport(**report)))
        self._responses.put(None)

    def finish(self, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, details: str = "the daemon said so") -> None:
        self._responses.put((code, details))

    # --- gRPC's threads ---

    def respond(self) -> Iterator[pb.ConsumeResponse]:
        while (response := self._responses.get()) is not None:
            if isinstance(response, tuple):
                self._context.abort(*response)
            yield response

    def read(self, requests: Iterator[pb.ConsumeRequest]) -> None:
        try:
            for request in requests:
                with self._changed:
                    self._record(request)
                    self._changed.notify_all()
            with self._changed:
                self._half_closed = True
                self._changed.notify_all()
            if not self.silent:
                self._responses.put(None)
        except Exception:  # broken off
            self._responses.put(None)

    def end(self) -> None:
        with self._changed:
            self._done = True
            self._changed.notify_all()
        self._responses.put(None)

    def _record(self, request: pb.ConsumeRequest) -> None:
        kind = request.WhichOneof("kind")
        if kind == "open":
            self._open = request.open
        elif kind == "settle":
            self.settle_requests += 1
            for run in request.settle.runs:
                self._verdicts.extend((id, _spelled(run)) for id in run.ids)
        elif kind == "credit":
            self._credits.append(request.credit.messages)
        elif kind == "drain":
            if not self._drains:
                self.verdicts_before_drain = len(self._verdicts)
            self._drains.append(request.drain)


def _spelled(run: pb.SettleRun) -> str:
    kind = run.WhichOneof("verdict")
    if kind == "nak":
        delay = run.nak.delay.ToMilliseconds()
        return f"nak {delay}" if delay else "nak"
    if kind == "term":
        return f"term {run.term.reason}".rstrip()
    return str(kind)


class FakeDaemon(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="sluice-fake-")
        self.address = f"unix:{self._folder}/sluice.sock"
        self._accepted: queue.SimpleQueue[FakeStream] = queue.SimpleQueue()
        self._server: Optional[grpc.Server] = None
        self.start()

    def start(self) -> None:
        """Comes back at the same address."""
        self._server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.max_send_message_length", -1)])
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(self.address)
        self._server.start()

    def kill(self) -> None:
        """Dies, with all its streams."""
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def accept(self) -> FakeStream:
        """The next stream that was opened."""
        return self._accepted.get(timeout=PATIENCE)

    def service(self, call: grpc.HandlerCallDetails) -> Optional[grpc.RpcMethodHandler[Any, Any]]:
        if call.method != CONSUME:
            return None
        return grpc.stream_stream_rpc_method_handler(
            self._consume,
            request_deserializer=pb.ConsumeRequest.FromString,
            response_serializer=pb.ConsumeResponse.SerializeToString,
        )

    def _consume(
        self, requests: Iterator[pb.ConsumeRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.ConsumeResponse]:
        stream = FakeStream(context)
        context.add_callback(stream.end)
        threading.Thread(target=stream.read, args=(requests,), daemon=True).start()
        self._accepted.put(stream)
        yield from stream.respond()
