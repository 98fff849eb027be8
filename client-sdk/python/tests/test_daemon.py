"""The same client with the real daemon and a real nats-server."""

from __future__ import annotations

import asyncio
import pathlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

import sluice
import sluice.aio
from test_client import eventually
from world import World, make_world


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        yield world


def payloads(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_everything_is_handled_once_and_a_drain_confirms_it(world: World) -> None:
    world.publish(*payloads(500))
    seen: Counter[bytes] = Counter()
    with sluice.Client(world.address) as client:
        consumption = client.consume("orders", lambda message: seen.update([message.data]))
        eventually(lambda: len(seen) == 500)
        report = consumption.drain(5)
    assert report.completed
    assert set(seen.values()) == {1}
    world.await_settled()


def test_on_asyncio_too(world: World) -> None:
    world.publish(*payloads(500))
    seen: Counter[bytes] = Counter()

    async def main() -> None:
        all_seen = asyncio.Event()

        async def handle(message: sluice.aio.Message) -> None:
            await asyncio.sleep(0)
            seen[message.data] += 1
            if len(seen) == 500:
                all_seen.set()

        async with sluice.aio.Client(world.address) as client:
            consumption = client.consume("orders", handle, concurrency=10)
            await all_seen.wait()
            assert (await consumption.drain(5)).completed

    asyncio.run(asyncio.wait_for(main(), 20))
    assert set(seen.values()) == {1}
    world.await_settled()


def test_each_verdict_is_confirmed(world: World) -> None:
    world.publish(*payloads(3))
    with sluice.Client(world.address) as client, client.fetcher("orders", confirm=True) as orders:
        messages = orders.fetch(3, max_wait=20)
        assert len(messages) == 3
        messages[0].ack()
        messages[1].term("no")
        messages[2].nak()
        outcomes = [message.outcome().result(20) for message in messages]
        assert outcomes == [sluice.Outcome.CONFIRMED] * 3
        again = orders.fetch(3, max_wait=20)
        assert [message.num_delivered for message in again] == [2]
        again[0].ack()
        assert again[0].outcome().result(20) is sluice.Outcome.CONFIRMED
    world.await_settled()


def test_an_unknown_consumer_ends_it_with_the_known_names(world: World) -> None:
    with sluice.Client(world.address) as client:
        with pytest.raises(sluice.Error, match="orders") as raised:
            next(iter(client.messages("ordres")))
        assert raised.value.code == "NOT_FOUND"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_daemon_that_is_replaced_under_load_costs_nothing(world: World, how: signal.Signals) -> None:
    """Killed, or drained: its successor takes over, and nothing is lost or handled twice."""
    seen: Counter[bytes] = Counter()
    lock = threading.Lock()

    def handle(message: sluice.Message) -> None:
        time.sleep(0.001)  # so that there is something under way
        with lock:
            seen[message.data] += 1

    world.publish(*payloads(600))
    with sluice.Client(world.address) as client:
        consumption = client.consume("orders", handle, concurrency=4, credit_messages=32)
        eventually(lambda: len(seen) >= 100)
        world.signal_daemon(how)
        world.start_daemon()
        eventually(lambda: len(seen) == 600)
        consumption.drain(5)
    assert set(seen.values()) == {1}
    world.await_settled()
