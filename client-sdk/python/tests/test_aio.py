"""The same for asyncio: what its tasks do differently from threads."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
import pytest

import sluice
import sluice.aio
from fake_daemon import PATIENCE, FakeDaemon, FakeStream
from sluice.v1 import consumer_pb2 as pb
from test_client import eventually

T = TypeVar("T")


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(asyncio.wait_for(main(), PATIENCE))


async def background(what: Callable[..., T], *args: Any) -> T:
    """For what waits."""
    return await asyncio.to_thread(what, *args)


@asynccontextmanager
async def connected(daemon: FakeDaemon) -> AsyncIterator[sluice.aio.Client]:
    async with sluice.aio.Client(daemon.address, client_id="me", first_retry=0.001, longest_retry=0.01) as client:
        yield client


async def accept(daemon: FakeDaemon) -> FakeStream:
    return (await background(daemon.accept)).opened()


def test_how_a_handler_ends_is_its_verdict(daemon: FakeDaemon) -> None:
    errors: list[sluice.Error] = []

    async def handle(message: sluice.aio.Message) -> object:
        await asyncio.sleep(0)
        if message.sequence == 2:
            raise sluice.RetryAfter(1.5)
        if message.sequence == 3:
            return sluice.Reject("bad order")
        if message.sequence == 4:
            raise KeyError("out of ink")
        return None

    async def main() -> None:
        async with connected(daemon) as client:
            consumption = client.consume("orders", handle, on_error=errors.append)
            stream = await accept(daemon)
            stream.deliver(1, 4)
            verdicts = await background(stream.await_verdicts, 4)
            assert verdicts == [(1, "ack"), (2, "nak 1500"), (3, "term bad order"), (4, "nak")]
            assert consumption.stats().thrown == 1
            assert [error.code for error in errors] == ["INTERNAL"]

    run(main)


def test_a_handler_that_never_awaits_lets_others_have_their_turn(daemon: FakeDaemon) -> None:
    async def handle(_message: sluice.aio.Message) -> None: ...

    async def main() -> None:
        async with connected(daemon) as client:
            client.consume("orders", handle, credit_messages=4096)
            stream = await accept(daemon)
            for first in range(1, 20 * 256, 256):
                stream.deliver(first, 256)
            await background(stream.await_verdicts, 20 * 256)
            assert stream.settle_requests < 20 * 256 / 4

    run(main)


def test_as_many_handlers_run_as_asked(daemon: FakeDaemon) -> None:
    running = most = 0

    async def handle(_message: sluice.aio.Message) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    async def main() -> None:
        async with connected(daemon) as client:
            client.consume("orders", handle, concurrency=8)
            stream = await accept(daemon)
            stream.deliver(1, 100)
            await background(stream.await_verdicts, 100)
            assert most == 8

    run(main)


def test_batches(daemon: FakeDaemon) -> None:
    async def handle(messages: list[sluice.aio.Message]) -> None:
        messages[1].nak(0.5)

    async def main() -> None:
        async with connected(daemon) as client:
            client.consume_batches("orders", handle)
            stream = await accept(daemon)
            stream.deliver(1, 3)
            assert sorted(await background(stream.await_verdicts, 3)) == [(1, "ack"), (2, "nak 500"), (3, "ack")]

    run(main)


def test_a_manual_handler_settles_later_from_any_thread(daemon: FakeDaemon) -> None:
    async def handle(message: sluice.aio.Message) -> None:
        if message.sequence == 1:
            threading.Thread(target=message.term, args=("late",), daemon=True).start()

    async def main() -> None:
        async with connected(daemon) as client:
            client.consume("orders", handle, manual=True)
            stream = await accept(daemon)
            stream.deliver(1, 2)
            assert sorted(await background(stream.await_verdicts, 2)) == [(1, "term late"), (2, "nak")], (
                "2 was let go of"
            )

    run(main)


def test_outcomes_and_cancellation_can_be_awaited(daemon: FakeDaemon) -> None:
    async def main() -> None:
        async with connected(daemon) as client:
            messages = client.messages("orders", manual=True, confirm=True)
            stream = await accept(daemon)
            stream.deliver(1, 2)
            turns = messages.__aiter__()
            first, second = await turns.__anext__(), await turns.__anext__()
            first.ack()
            await background(stream.await_verdicts, 1)
            stream.write(
                settle_results=pb.SettleResults(
                    results=[pb.SettleResult(outcome=pb.SettleResult.OUTCOME_CONFIRMED, ids=[1])]
                )
            )
            assert await first.outcome() is sluice.Outcome.CONFIRMED
            assert not await second.wait_cancelled(0.001)
            stream.write(leases_ended=pb.LeasesEnded(ids=[2]))
            assert await second.wait_cancelled()

    run(main)


def test_a_loop_naks_what_gets_no_verdict_and_leaving_it_hands_back(daemon: FakeDaemon) -> None:
    async def main() -> None:
        async with connected(daemon) as client:
            messages = client.messages("orders")
            stream = await accept(daemon)
            stream.deliver(1, 4)
            async for message in messages:
                if message.sequence == 1:
                    message.ack()
                if message.sequence == 3:
                    break
            verdicts = sorted(await background(stream.await_verdicts, 3))
            assert verdicts == [(1, "ack"), (2, "nak"), (3, "nak")]
            messages.start_drain()
            assert (await background(stream.await_verdicts, 4))[-1] == (4, "nak")
            stream.drained(acked=1)
            assert await messages.closed() == sluice.End()

    run(main)


def test_a_loop_over_what_the_daemon_refuses_raises(daemon: FakeDaemon) -> None:
    async def main() -> None:
        async with connected(daemon) as client:
            messages = client.messages("ordres")
            (await background(daemon.accept)).finish(grpc.StatusCode.NOT_FOUND, "there is: orders")
            with pytest.raises(sluice.Error, match="there is: orders"):
                await messages.__aiter__().__anext__()

    run(main)


def test_fetches(daemon: FakeDaemon) -> None:
    async def main() -> None:
        async with connected(daemon) as client:
            fetcher = client.fetcher("orders")
            stream = await accept(daemon)
            assert await fetcher.fetch(5, max_wait=0.01) == []
            fetched = asyncio.ensure_future(fetcher.fetch(2, max_wait=PATIENCE))
            await background(stream.await_credit, 2)
            stream.deliver(1, 2)
            messages = await fetched
            await background(stream.await_credit, 0)
            stream.deliver(3)
            messages.pop(0).ack()
            assert sorted(await background(stream.await_verdicts, 2)) == [(1, "ack"), (3, "nak")]
            messages.clear()
            assert (await background(stream.await_verdicts, 3))[-1] == (2, "nak")

    run(main)


def test_comes_back_and_goes_on(daemon: FakeDaemon) -> None:
    async def main() -> None:
        released = asyncio.Event()

        async def handle(_message: sluice.aio.Message) -> None:
            await released.wait()

        async with connected(daemon) as client:
            consumption = client.consume("orders", handle)
            stream = await accept(daemon)
            stream.deliver(1, 2)
            await background(eventually, lambda: consumption.stats().in_flight == 2)
            stream.finish()
            successor = await background(daemon.accept)
            named = (await background(successor.await_open)).resume
            assert sorted(held.id for held in named) == [1, 2]
            successor.opened({1: 51, 2: 52})
            released.set()
            assert await background(successor.await_verdicts, 2) == [(51, "ack"), (52, "ack")]
            daemon.kill()
            daemon.start()
            (await accept(daemon)).deliver(3)

    run(main)


def test_a_daemon_that_does_not_answer_is_left(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice._ending.OPEN_TIMEOUT", 0.05)

    async def main() -> None:
        async with connected(daemon) as client:
            client.messages("orders")
            await background((await background(daemon.accept)).await_done)
            await background(daemon.accept)

    run(main)


def test_a_daemon_that_is_silent_is_left(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice._ending.STOP_TIMEOUT", 0.05)

    async def main() -> None:
        async with connected(daemon) as client:
            consumption = client.messages("orders")
            stream = await accept(daemon)
            stream.silent = True
            await background(eventually, lambda: consumption.stats().streams == 1)
            await consumption.stop()
            await background(stream.await_done)

    run(main)


def test_run_drains_at_a_signal(daemon: FakeDaemon) -> None:
    async def handle(message: sluice.aio.Message) -> None:
        if message.sequence == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    async def main() -> None:
        async with connected(daemon) as client:
            consumption = client.consume("orders", handle)
            stream = await accept(daemon)
            ran = asyncio.ensure_future(sluice.aio.run(consumption))
            await asyncio.sleep(0)
            stream.deliver(1, 2)
            await background(stream.await_drain)
            await background(stream.await_verdicts, 2)
            stream.drained(awaited=2, acked=2)
            report = await ran
            assert (report.completed, report.acked) == (True, 2)

    before = signal.getsignal(signal.SIGTERM)
    run(main)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_loop_that_ends_ends_its_consumptions(daemon: FakeDaemon) -> None:
    consumptions: list[sluice.aio.Consumption] = []

    async def main() -> None:
        client = sluice.aio.Client(daemon.address)
        consumptions.append(client.messages("orders"))
        await accept(daemon)

    run(main)
    assert consumptions[0].is_closed


def test_a_plain_handler_is_refused_with_a_hint(daemon: FakeDaemon) -> None:
    async def main() -> None:
        async with connected(daemon) as client:
            with pytest.raises(TypeError, match=r"sluice\.Client"):
                client.consume("orders", lambda _message: None)  # type: ignore[arg-type, return-value]

    run(main)
