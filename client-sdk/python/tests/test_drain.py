"""Drains that the app asks for, and drains of the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from typing import Callable, TypeVar

import grpc
import pytest

import sluice
from fake_daemon import PATIENCE, FakeDaemon
from sluice.v1 import consumer_pb2 as pb
from test_client import Kept, ack, eventually

T = TypeVar("T")
REPORT = {"awaited": 3, "acked": 2, "naked": 1}


def in_background(what: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    threading.Thread(target=lambda: future.set_result(what()), daemon=True).start()
    return future


class Waiting:
    """A handler that waits for its release."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()

    def __call__(self, _message: sluice.Message) -> None:
        self.started.set()
        assert self.release.wait(PATIENCE)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_works_off_what_it_has_and_returns_the_report(
    daemon: FakeDaemon, client: sluice.Client, waiting: Waiting
) -> None:
    consumption = client.consume("orders", waiting)
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    assert waiting.started.wait(PATIENCE)
    drain = in_background(lambda: consumption.drain(7.5))
    assert stream.await_drain().timeout.ToMilliseconds() == 7500
    stream.draining(pb.Draining.REASON_APP)
    waiting.release.set()
    stream.await_verdicts(3)
    phase = pb.PhaseDuration(phase="SETTLING")
    phase.duration.FromMilliseconds(5)
    stream.drained(**REPORT, phases=[phase])
    report = drain.result(PATIENCE)
    assert (report.completed, report.awaited, report.acked, report.naked) == (True, 3, 2, 1)
    assert report.phases == {"SETTLING": 0.005}
    assert stream.count() == {"ack": 3}
    assert consumption.closed() == sluice.End()


def test_without_a_timeout_the_daemons_counts(daemon: FakeDaemon, client: sluice.Client) -> None:
    consumption = client.consume("orders", ack)
    stream = daemon.accept().opened()
    consumption.start_drain()
    assert not stream.await_drain().HasField("timeout")
    stream.drained()
    assert consumption.closed(PATIENCE) == sluice.End()


def test_may_hand_back_what_waits(daemon: FakeDaemon, client: sluice.Client, waiting: Waiting) -> None:
    consumption = client.consume("orders", waiting, hand_back=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    assert waiting.started.wait(PATIENCE)
    consumption.start_drain()
    assert stream.await_verdicts(2) == [(2, "nak"), (3, "nak")]
    stream.await_drain()
    assert stream.verdicts_before_drain == 0, "the daemon would give them to this app again"
    waiting.release.set()
    assert stream.await_verdicts(3)[-1] == (1, "ack")
    stream.drained()


def test_a_loop_works_off_what_waits_and_ends(daemon: FakeDaemon, client: sluice.Client) -> None:
    messages = client.messages("orders")
    stream = daemon.accept().opened()
    stream.deliver(1, 4)
    count = 0
    for message in messages:
        count += 1
        if count == 2:
            messages.start_drain()
        message.ack()
        if count == 4:
            stream.await_drain()
            stream.await_verdicts(4)
            stream.drained(**REPORT)
    assert count == 4
    assert messages.drain_report.completed


def test_without_a_loop_what_waits_is_handed_back(daemon: FakeDaemon, client: sluice.Client) -> None:
    messages = client.messages("orders")
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    for message in messages:
        message.ack()
        break
    messages.start_drain()
    assert stream.await_verdicts(3) == [(1, "ack"), (2, "nak"), (3, "nak")]
    stream.await_drain()
    stream.deliver(4)  # on its way meanwhile
    assert stream.await_verdicts(4)[-1] == (4, "nak")
    stream.drained()


def test_leaving_the_loop_during_a_drain_hands_back(daemon: FakeDaemon, client: sluice.Client) -> None:
    messages = client.messages("orders")
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    for message in messages:
        messages.start_drain()
        stream.await_drain()
        message.ack()
        break
    assert sorted(stream.await_verdicts(3)) == [(1, "ack"), (2, "nak"), (3, "nak")]
    stream.drained()


def test_a_fetcher_drains(daemon: FakeDaemon, client: sluice.Client) -> None:
    fetcher = client.fetcher("orders")
    stream = daemon.accept().opened()
    drain = in_background(fetcher.drain)
    stream.await_drain()
    stream.drained(**REPORT)
    assert drain.result(PATIENCE).completed
    assert fetcher.fetch(1, max_wait=PATIENCE) == []


def test_of_the_daemon_finishes_the_work_and_goes_to_its_successor(
    daemon: FakeDaemon, client: sluice.Client, waiting: Waiting
) -> None:
    notices: list[sluice.Draining] = []
    reports: list[sluice.DrainReport] = []
    consumption = client.consume("orders", waiting, on_draining=notices.append, on_drained=reports.append)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    assert waiting.started.wait(PATIENCE)
    stream.draining(pb.Draining.REASON_DAEMON)
    eventually(lambda: notices)
    assert notices[0].by_daemon
    assert notices[0].deadline is not None
    assert notices[0].deadline.timestamp() > time.time()
    waiting.release.set()
    assert stream.await_verdicts(2) == [(1, "ack"), (2, "ack")]
    stream.drained(**REPORT)
    eventually(lambda: reports)
    assert reports[0].awaited == 3
    daemon.accept().finish(details="draining")
    successor = daemon.accept().opened()
    successor.deliver(10)
    successor.await_verdicts(1)
    assert not consumption.drain_report.completed, "it was not the app's"


def test_after_the_daemons_drain_a_handler_that_still_runs_is_cancelled(
    daemon: FakeDaemon, client: sluice.Client
) -> None:
    kept = Kept()
    client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1)
    message = kept.next()
    stream.draining(pb.Draining.REASON_DAEMON)
    stream.drained(naked=1)
    assert message.wait_cancelled(PATIENCE)
    assert not daemon.accept().await_open().resume, "it has been given back"


def test_the_deadline_of_a_message_is_that_of_the_drain(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    draining = threading.Event()
    client.consume("orders", kept, manual=True, on_draining=lambda _notice: draining.set())
    stream = daemon.accept().opened()
    stream.deliver(1)
    message = kept.next()
    soon = time.time() + 70
    assert message.deadline is not None
    assert message.deadline.timestamp() > soon
    stream.draining(pb.Draining.REASON_DAEMON)
    assert draining.wait(PATIENCE)
    assert message.deadline.timestamp() < soon


def test_past_the_deadline_nothing_is_started(daemon: FakeDaemon, client: sluice.Client, waiting: Waiting) -> None:
    draining = threading.Event()
    consumption = client.consume("orders", waiting, on_draining=lambda _notice: draining.set())
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    assert waiting.started.wait(PATIENCE)
    stream.draining(pb.Draining.REASON_DAEMON, seconds=0)
    assert draining.wait(PATIENCE)
    waiting.release.set()
    stream.await_verdicts(1)
    stream.drained()
    daemon.accept().opened()
    eventually(lambda: consumption.stats().streams == 2)
    stats = consumption.stats()
    assert (stats.acked, stats.lost, stats.in_flight) == (1, 2, 0)


def test_goes_on_after_a_reconnect_without_new_messages(
    daemon: FakeDaemon, client: sluice.Client, waiting: Waiting
) -> None:
    consumption = client.consume("orders", waiting)
    stream = daemon.accept().opened()
    stream.deliver(1)
    assert waiting.started.wait(PATIENCE)
    consumption.start_drain()
    stream.await_drain()
    stream.finish()
    successor = daemon.accept()
    assert successor.await_open().HasField("credit")
    assert successor.await_open().credit.messages == 0
    successor.opened({1: 1})
    successor.await_drain()
    waiting.release.set()
    successor.await_verdicts(1)
    successor.drained(**REPORT)
    assert consumption.closed(PATIENCE) == sluice.End()
    assert consumption.drain_report.completed


def test_without_a_daemon_has_nothing_to_wait_for(daemon: FakeDaemon, client: sluice.Client) -> None:
    daemon.kill()
    assert not client.consume("orders", ack).drain().completed


def test_a_daemon_that_is_silent_is_left(
    daemon: FakeDaemon, client: sluice.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice._ending.DRAIN_GRACE", 0.05)
    consumption = client.consume("orders", ack)
    stream = daemon.accept().opened()
    drain = in_background(lambda: consumption.drain(0))
    stream.await_drain()
    stream.await_done()
    assert not drain.result(PATIENCE).completed


def test_a_drain_may_be_started_by_a_signal_handler(daemon: FakeDaemon, client: sluice.Client) -> None:
    """It takes no lock that the interrupted thread may hold."""
    messages = client.messages("orders")
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: messages.start_drain())
    try:
        stream = daemon.accept().opened()
        with messages._session.lock:
            os.kill(os.getpid(), signal.SIGUSR1)
        stream.await_drain()
        stream.drained()
        assert messages.closed(PATIENCE) == sluice.End()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_run_drains_at_a_signal(daemon: FakeDaemon, client: sluice.Client) -> None:
    first, second = client.consume("orders", ack), client.consume("parcels", ack)
    streams = [daemon.accept().opened(), daemon.accept().opened()]
    before = signal.getsignal(signal.SIGTERM)

    def play() -> None:
        eventually(lambda: signal.getsignal(signal.SIGTERM) is not before)
        os.kill(os.getpid(), signal.SIGTERM)
        for stream in streams:
            stream.await_drain()
            stream.drained(**REPORT)

    in_background(play)
    report = sluice.run(first, second)
    assert (report.completed, report.awaited, report.acked) == (True, 6, 4)
    assert signal.getsignal(signal.SIGTERM) is before
    assert first.drain_report.awaited == 3


def test_run_ends_with_the_consumption(daemon: FakeDaemon, client: sluice.Client) -> None:
    consumption = client.consume("orders", ack)
    daemon.accept().finish(grpc.StatusCode.PERMISSION_DENIED, "no")
    assert not sluice.run(consumption).completed
    end = consumption.closed()
    assert end is not None
    assert end.code == "PERMISSION_DENIED"


PROGRAM = """
import signal, sluice, sys, threading, time

def tell_when_caught():
    while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        time.sleep(0.001)
    print("ready", flush=True)

with sluice.Client(sys.argv[1]) as client:
    consumption = client.consume("orders", lambda message: message.wait_cancelled(60))
    threading.Timer(0, tell_when_caught).start()
    sluice.run(consumption)
"""


def test_a_second_ctrl_c_kills(daemon: FakeDaemon) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, daemon.address], stdout=subprocess.PIPE) as app:
        assert app.stdout is not None
        assert app.stdout.readline() == b"ready\n"
        stream = daemon.accept().opened()
        stream.deliver(1)
        app.send_signal(signal.SIGTERM)
        stream.await_drain()
        app.send_signal(signal.SIGINT)
        assert app.wait(PATIENCE) == -signal.SIGINT
