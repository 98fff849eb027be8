"""The trace of a message is the handler's, where the OpenTelemetry API is installed."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from opentelemetry import trace

import sluice
import sluice.aio
from fake_daemon import PATIENCE, FakeDaemon
from sluice.v1 import consumer_pb2 as pb

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = [
    pb.Header(name=b"Traceparent", value=f"00-{TRACE}-b7ad6b7169203331-01".encode()),
    pb.Header(name=b"tracestate", value=b"vendor=1"),
]


def current() -> trace.SpanContext:
    return trace.get_current_span().get_span_context()


def test_on_threads(daemon: FakeDaemon, client: sluice.Client) -> None:
    seen: list[trace.SpanContext] = []
    client.consume("orders", lambda _message: seen.append(current()))
    stream = daemon.accept().opened()
    stream.deliver(1, headers=HEADERS)
    stream.deliver(2)
    stream.await_verdicts(2)
    assert f"{seen[0].trace_id:032x}" == TRACE
    assert seen[0].is_remote
    assert seen[0].trace_state == {"vendor": "1"}
    assert not seen[1].is_valid, "it does not spill into the next"


def test_in_tasks(daemon: FakeDaemon) -> None:
    seen: Future[trace.SpanContext] = Future()

    async def handle(_message: sluice.aio.Message) -> None:
        await asyncio.sleep(0)
        seen.set_result(current())

    async def main() -> None:
        async with sluice.aio.Client(daemon.address) as client:
            client.consume("orders", handle)
            (await asyncio.to_thread(daemon.accept)).opened().deliver(1, headers=HEADERS)
            await asyncio.wrap_future(seen)

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert f"{seen.result().trace_id:032x}" == TRACE
