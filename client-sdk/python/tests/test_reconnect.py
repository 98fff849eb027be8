"""Streams and daemons that go, and what becomes of what the app holds."""

from __future__ import annotations

import threading
from collections import Counter

import grpc
import pytest

import sluice
from fake_daemon import PATIENCE, FakeDaemon
from test_client import Kept, ack, eventually


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_comes_back_under_its_id_naming_what_it_holds(daemon: FakeDaemon, client: sluice.Client, kept: Kept) -> None:
    client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    held = [kept.next() for _ in range(3)]
    held[0].ack()
    stream.await_verdicts(1)
    stream.finish()
    opened = daemon.accept().await_open()
    assert opened.client_id == "me"
    assert sorted(named.id for named in opened.resume) == [1, 2, 3]
    assert {named.token for named in opened.resume} == {b"token 1", b"token 2", b"token 3"}


def test_what_is_resumed_is_settled_on_the_new_stream(daemon: FakeDaemon, client: sluice.Client, kept: Kept) -> None:
    consumption = client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    first, second = kept.next(), kept.next()
    stream.finish()
    successor = daemon.accept()
    first.ack()  # while there is no stream
    successor.opened({1: 1, 2: 102})
    second.nak()
    assert sorted(successor.await_verdicts(2)) == [(1, "ack"), (102, "nak")]
    stats = consumption.stats()
    assert (stats.streams, stats.lost) == (2, 0)


def test_a_verdict_that_the_daemon_never_got_is_sent_again(daemon: FakeDaemon, client: sluice.Client) -> None:
    client.consume("orders", ack)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    stream.await_verdicts(2)
    stream.finish()
    assert daemon.accept().opened({2: 2}).await_verdicts(1) == [(2, "ack")]


def test_what_is_not_resumed_is_cancelled(daemon: FakeDaemon, client: sluice.Client, kept: Kept) -> None:
    client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    first, second = kept.next(), kept.next()
    stream.finish()
    successor = daemon.accept().opened({2: 2})
    assert first.wait_cancelled(PATIENCE)
    assert not second.cancelled
    first.ack()
    second.ack()
    assert successor.await_verdicts(1) == [(2, "ack")]


def test_a_new_daemon_delivers_again_and_nothing_is_handled_twice(
    daemon: FakeDaemon, client: sluice.Client, kept: Kept
) -> None:
    consumption = client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    acked, naked, running = kept.next(), kept.next(), kept.next()
    acked.ack()
    naked.nak()
    stream.await_verdicts(2)
    daemon.kill()  # before it told NATS
    daemon.start()
    successor = daemon.accept().opened()
    successor.deliver(1, 3, ids_from=500, num_delivered=2)
    assert successor.await_verdicts(1) == [(501, "ack")], "acked again without being run"
    eventually(lambda: not running.cancelled)
    running.ack()
    assert successor.await_verdicts(2)[-1] == (503, "ack"), "the running handler's verdict counts"
    assert kept.next().sequence == 2, "what was naked is run again"
    assert kept.calls == 4
    assert consumption.stats().rejoined == 2


def test_keeps_trying_until_there_is_a_daemon(daemon: FakeDaemon, client: sluice.Client) -> None:
    client.consume("orders", ack)
    daemon.accept().opened()
    daemon.kill()
    daemon.start()
    for _ in range(3):
        daemon.accept().finish()
    stream = daemon.accept().opened()
    stream.deliver(1)
    stream.await_verdicts(1)


def test_what_waits_is_not_started_without_a_stream(daemon: FakeDaemon, client: sluice.Client) -> None:
    release, began = threading.Event(), threading.Event()
    started: list[int] = []

    def handle(message: sluice.Message) -> None:
        started.append(message.sequence)
        began.set()
        if message.sequence == 1:
            release.wait(PATIENCE)

    consumption = client.consume("orders", handle)
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    assert began.wait(PATIENCE)
    stream.finish()
    successor = daemon.accept()  # its Opened has yet to say what became of them
    release.set()
    eventually(lambda: consumption.stats().acked == 1)
    successor.opened({3: 3})
    assert successor.await_verdicts(1) == [(3, "ack")]
    successor.deliver(4)
    successor.await_verdicts(2)
    assert started == [1, 3, 4], "2 was lost before its turn"


def test_a_daemon_that_does_not_answer_is_left(
    daemon: FakeDaemon, client: sluice.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice._ending.OPEN_TIMEOUT", 0.05)
    client.consume("orders", ack)
    daemon.accept().await_done()
    daemon.accept()


def test_without_tokens_nothing_is_named_by_one(daemon: FakeDaemon, client: sluice.Client, kept: Kept) -> None:
    client.consume("orders", kept, manual=True, resumable=False)
    stream = daemon.accept()
    assert not stream.await_open().resumable
    stream.opened().deliver(1)
    kept.next().nak()
    stream.await_verdicts(1)
    stream.finish(grpc.StatusCode.INTERNAL)
    assert [(named.id, named.token) for named in daemon.accept().await_open().resume] == [(1, b"")]


def test_nothing_is_lost_or_handled_twice_over_many_streams(daemon: FakeDaemon, client: sluice.Client) -> None:
    """Handlers and streams that break at any moment: everything is acked once, on the stream that holds it."""
    streams, messages = 20, 300
    handled: Counter[int] = Counter()
    lock = threading.Lock()

    def handle(message: sluice.Message) -> None:
        with lock:
            handled[message.sequence] += 1

    client.consume("orders", handle, concurrency=4)
    held: set[int] = set()
    for ordinal in range(streams):
        stream = daemon.accept()
        resumed = {named.id: named.id for named in stream.await_open().resume if named.id in held}
        held &= resumed.keys()  # the rest was lost on the way; a real daemon hands it out again
        stream.opened(resumed)
        first = ordinal * messages + 1
        held.update(range(first, first + messages))
        stream.deliver(first, messages)
        last = ordinal == streams - 1
        stream.await_verdicts(len(held) if last else messages // 2)
        if not last:
            stream.finish()
            stream.await_done()
        for id, what in stream.await_verdicts(0):
            assert what == "ack"
            assert id in held, f"{id} was not held"
            held.remove(id)
    assert not held
    assert set(handled.values()) == {1}
