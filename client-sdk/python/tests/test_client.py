"""Handlers, loops and fetches against a daemon played by the test."""

from __future__ import annotations

import gc
import logging
import os
import queue
import threading
import time
from concurrent.futures import Future
from typing import Any, Optional

import grpc
import pytest

import sluice
from fake_daemon import PATIENCE, FakeDaemon
from sluice.v1 import consumer_pb2 as pb


def ack(_message: sluice.Message) -> None:
    pass


class Kept:
    """A manual handler that keeps what it gets until the test settles it."""

    def __init__(self) -> None:
        self.calls = 0
        self._messages: queue.SimpleQueue[sluice.Message] = queue.SimpleQueue()

    def __call__(self, message: sluice.Message) -> None:
        self.calls += 1
        self._messages.put(message)

    def next(self) -> sluice.Message:
        return self._messages.get(timeout=PATIENCE)


def eventually(condition: Any) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


# --- opening ---


def test_opens_with_what_the_options_say(daemon: FakeDaemon, client: sluice.Client) -> None:
    client.consume("orders", ack, concurrency=100, max_batch=7, credit_bytes=12345, confirm=True)
    opened = daemon.accept().await_open()
    assert (opened.consumer, opened.client_id, opened.max_batch) == ("orders", "me", 7)
    assert (opened.credit.messages, opened.credit.bytes) == (400, 12345)
    assert opened.confirm_settlements
    assert opened.resumable
    assert not opened.resume


def test_a_second_consumption_of_a_consumer_has_an_id_of_its_own(client: sluice.Client) -> None:
    assert client.consume("orders", ack).client_id == "me"
    assert client.consume("orders", ack).client_id == "me-2"
    assert client.consume("parcels", ack).client_id == "me"


def test_the_address_comes_from_the_environment_when_it_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ADDRESS", "unix:///elsewhere")
    assert sluice.Client().address == "unix:///elsewhere"
    monkeypatch.delenv("SLUICE_ADDRESS")
    assert sluice.Client().address == "unix:///run/sluice/sluice.sock"


def test_generated_ids_differ_and_are_within_bounds() -> None:
    ids = {sluice.Client().client_id for _ in range(3)}
    assert len(ids) == 3
    assert all(len(id.encode()) <= 128 and str(os.getpid()) in id for id in ids)
    assert len(sluice.Client(client_id="é" * 100).client_id.encode()) == 128


def test_an_async_handler_is_refused_with_a_hint(client: sluice.Client) -> None:
    async def handle(_message: sluice.Message) -> None: ...

    with pytest.raises(TypeError, match=r"sluice\.aio\.Client"):
        client.consume("orders", handle)


def test_an_unknown_option_is_refused(client: sluice.Client) -> None:
    with pytest.raises(TypeError, match="concurency"):
        client.consume("orders", ack, concurency=3)  # type: ignore[call-arg]


# --- verdicts ---


def test_how_a_handler_ends_is_its_verdict(daemon: FakeDaemon, client: sluice.Client) -> None:
    def handle(message: sluice.Message) -> Optional[sluice.Reject]:
        if message.sequence == 2:
            raise sluice.RetryAfter(1.5)
        if message.sequence == 3:
            raise sluice.Reject("bad order")
        if message.sequence == 4:
            raise sluice.RetryAfter
        return sluice.Reject() if message.sequence == 5 else None

    consumption = client.consume("orders", handle)
    stream = daemon.accept().opened()
    stream.deliver(1, 6)
    assert stream.await_verdicts(6) == [
        (1, "ack"),
        (2, "nak 1500"),
        (3, "term bad order"),
        (4, "nak"),
        (5, "term"),
        (6, "ack"),
    ]
    assert consumption.stats().thrown == 0


def test_a_handler_that_raises_naks_and_is_told(
    daemon: FakeDaemon, client: sluice.Client, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[sluice.Error] = []

    def handle(message: sluice.Message) -> None:
        if message.sequence == 1:
            raise KeyError("out of ink")

    consumption = client.consume("orders", handle, on_error=errors.append)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    assert stream.await_verdicts(2) == [(1, "nak"), (2, "ack")]
    assert [error.code for error in errors] == ["INTERNAL"]
    assert "out of ink" in errors[0].message
    assert consumption.stats().thrown == 1
    assert "out of ink" in caplog.text


def test_a_message_is_delivered_exactly(daemon: FakeDaemon, client: sluice.Client) -> None:
    raw = b"\x00\xff\xc3\x28 any"
    seen: Future[sluice.Message] = Future()
    client.consume("orders", seen.set_result)
    stream = daemon.accept().opened()
    headers = [pb.Header(name=b"A", value=b"1"), pb.Header(name=b"b", value=raw), pb.Header(name=b"A", value=b"2")]
    delivery = {"stream_sequence": 10, "consumer_sequence": 11, "num_delivered": 12, "num_pending": 13, "id": 99}
    stamp = pb.Delivery().timestamp
    stamp.FromNanoseconds(5_000_000_007)
    stream.deliver(10, subject=raw, data=raw, key=b"k", headers=headers, timestamp=stamp, **delivery)
    message = seen.result(PATIENCE)
    assert message.subject.encode("utf-8", "surrogateescape") == raw
    assert message.data == raw
    assert message.key == "k"
    assert [name for name, _ in message.headers] == ["A", "b", "A"]
    assert message.headers[1][1].encode("utf-8", "surrogateescape") == raw
    assert (message.header("A"), message.header("a")) == ("1", None)
    assert (message.sequence, message.consumer_sequence, message.num_delivered, message.num_pending) == (10, 11, 12, 13)
    assert message.timestamp_ns == 5_000_000_007
    assert message.timestamp.timestamp() == 5.0
    assert not message.cancelled
    assert message.deadline is not None
    assert message.deadline.timestamp() > time.time() + 9 * 60
    assert "sequence=10" in repr(message)


def test_big_payloads_pass(daemon: FakeDaemon, client: sluice.Client) -> None:
    sizes: list[int] = []
    client.consume("orders", lambda message: sizes.append(len(message.data)))
    stream = daemon.accept().opened()
    stream.deliver(1, data=b"x" * (20 << 20))
    stream.await_verdicts(1)
    assert sizes == [20 << 20]


def test_quick_verdicts_share_requests(daemon: FakeDaemon, client: sluice.Client) -> None:
    client.consume("orders", ack, concurrency=4)
    stream = daemon.accept().opened()
    for first in range(1, 40 * 256, 256):
        stream.deliver(first, 256)
    stream.await_verdicts(40 * 256)
    assert stream.count() == {"ack": 40 * 256}
    assert len({id for id, _ in stream.await_verdicts(0)}) == 40 * 256
    assert stream.settle_requests < 40 * 256 / 4


def test_the_credit_follows_the_handlers(daemon: FakeDaemon, client: sluice.Client) -> None:
    client.consume("orders", ack)
    stream = daemon.accept().opened()
    assert stream.credit() == 8
    first = 1
    while stream.credit() <= 8:
        stream.deliver(first, 8)
        stream.await_verdicts(first + 7)
        first += 8
    assert stream.credit() <= 4096


@pytest.mark.parametrize("keyed", [False, True])
def test_the_credit_grows_while_a_handler_waits_or_keys_may_be_waited_for(
    daemon: FakeDaemon, client: sluice.Client, keyed: bool
) -> None:
    kept = []  # more than there are handlers

    def handle(message: sluice.Message) -> None:
        if message.sequence <= 3:
            kept.append(message)
        else:
            message.ack()

    client.consume("orders", handle, manual=True, concurrency=2)
    stream = daemon.accept().opened()
    key = (lambda sequence: b"%d" % sequence) if keyed else b""
    stream.deliver(1, 3, key=key)
    following, end = 4, time.monotonic() + 0.3  # each 50 ms say something about it
    while stream.credit() <= 8 and time.monotonic() < end:
        stream.deliver(following, 8, key=key)
        stream.await_verdicts(following + 4)
        following += 8
    assert (stream.credit() > 8) == keyed


def test_as_many_handlers_run_as_asked(daemon: FakeDaemon, client: sluice.Client) -> None:
    together = threading.Barrier(8, timeout=PATIENCE)
    lock = threading.Lock()
    running = most = 0

    def handle(message: sluice.Message) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if message.sequence <= 8:
            together.wait()
        with lock:
            running -= 1

    client.consume("orders", handle, concurrency=8)
    stream = daemon.accept().opened()
    stream.deliver(1, 40)
    stream.await_verdicts(40)
    assert stream.count() == {"ack": 40}
    assert most == 8


def test_a_slow_handler_holds_back_no_neighbour_of_its_frame(daemon: FakeDaemon, client: sluice.Client) -> None:
    release = threading.Event()
    client.consume("orders", lambda message: release.wait(PATIENCE) if message.sequence == 1 else None, concurrency=2)
    stream = daemon.accept().opened()
    stream.deliver(1, 100)
    assert 1 not in [id for id, _ in stream.await_verdicts(99)]
    release.set()
    stream.await_verdicts(100)


def test_messages_of_a_key_run_one_at_a_time_in_order(daemon: FakeDaemon, client: sluice.Client) -> None:
    running: set[str] = set()
    order: dict[str, list[int]] = {}
    clashes: list[str] = []
    lock = threading.Lock()

    def handle(message: sluice.Message) -> None:
        key = message.subject
        with lock:
            if key in running:
                clashes.append(key)
            running.add(key)
            order.setdefault(key, []).append(message.sequence)
        time.sleep(0.001)
        with lock:
            running.discard(key)

    client.consume("orders", handle, concurrency=8, key=lambda message: message.subject)
    stream = daemon.accept().opened()
    for sequence in range(1, 61):
        stream.deliver(sequence, subject=b"key %d" % (sequence % 3))
    stream.await_verdicts(60)
    assert stream.count() == {"ack": 60}
    assert not clashes
    assert all(sequences == sorted(sequences) for sequences in order.values())


def test_a_key_function_that_raises_counts_as_no_key(daemon: FakeDaemon, client: sluice.Client) -> None:
    def key(message: sluice.Message) -> str:
        assert not message.ack(), "it has not been started"
        raise ValueError("no key")

    client.consume("orders", ack, concurrency=2, key=key)
    stream = daemon.accept().opened()
    stream.deliver(1)
    assert stream.await_verdicts(1) == [(1, "ack")]


def test_batches_are_acked_together_but_for_their_exceptions(daemon: FakeDaemon, client: sluice.Client) -> None:
    sizes: list[int] = []

    def handle(messages: list[sluice.Message]) -> None:
        sizes.append(len(messages))
        if messages[0].sequence == 101:
            raise ValueError("all of them")
        if messages[0].sequence == 201:
            raise sluice.RetryAfter(1)
        messages[1].nak(0.5)

    client.consume_batches("orders", handle)
    stream = daemon.accept().opened()
    for first in (1, 101, 201):
        stream.deliver(first, 3)
        stream.await_verdicts(first // 100 * 3 + 3)
    assert sorted(stream.await_verdicts(9)[:3]) == [(1, "ack"), (2, "nak 500"), (3, "ack")]
    assert stream.await_verdicts(9)[3:] == [
        (101, "nak"),
        (102, "nak"),
        (103, "nak"),
        (201, "nak 1000"),
        (202, "nak 1000"),
        (203, "nak 1000"),
    ]
    assert sizes == [3, 3, 3]


def test_a_batch_is_no_larger_than_asked(daemon: FakeDaemon, client: sluice.Client) -> None:
    sizes: list[int] = []
    client.consume_batches("orders", lambda messages: sizes.append(len(messages)), batch=10)
    stream = daemon.accept().opened()
    stream.deliver(1, 25)
    stream.await_verdicts(25)
    assert sizes == [10, 10, 5]
    with pytest.raises(ValueError, match="batch"):
        client.consume_batches("orders", lambda _messages: None, batch=0)


# --- manual ---


def test_a_manual_handler_settles_later_from_any_thread(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    first, second = kept.next(), kept.next()
    assert second.term("late")
    assert not second.ack(), "only the first verdict counts"
    assert first.ack()
    assert (first.settled, first.subject) == (True, ""), "its content stays"
    assert stream.await_verdicts(2) == [(2, "term late"), (1, "ack")]


def test_a_message_that_is_let_go_of_naks(daemon: FakeDaemon, client: sluice.Client) -> None:
    client.consume("orders", lambda message: message.ack() if message.sequence == 2 else None, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 3)
    assert sorted(stream.await_verdicts(3)) == [(1, "nak"), (2, "ack"), (3, "nak")]


def test_a_message_that_the_garbage_collector_finds_naks(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1)
    knot: list[Any] = [kept.next()]
    knot.append(knot)
    del knot
    gc.collect()
    assert stream.await_verdicts(1) == [(1, "nak")]


def test_a_manual_handler_that_raises_naks(daemon: FakeDaemon, client: sluice.Client) -> None:
    def handle(_message: sluice.Message) -> None:
        raise sluice.Reject("no")

    client.consume("orders", handle, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1)
    assert stream.await_verdicts(1) == [(1, "term no")]


def test_in_progress_is_told_and_not_piled_up(daemon: FakeDaemon, client: sluice.Client) -> None:
    def handle(message: sluice.Message) -> None:
        assert all(message.in_progress() for _ in range(10_000))

    client.consume("orders", handle)
    stream = daemon.accept().opened()
    stream.deliver(1)
    stream.wait_until(lambda: stream.count()["ack"] == 1)
    verdicts = stream.await_verdicts(2)
    assert verdicts[0] == (1, "in_progress")
    assert len(verdicts) < 5_000


def test_with_confirm_each_verdict_has_an_outcome(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    client.consume("orders", kept, manual=True, confirm=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 4)
    messages = [kept.next() for _ in range(4)]
    early = messages[0].outcome()
    for message in messages:
        message.ack()
    stream.await_verdicts(4)
    outcomes = (
        pb.SettleResult.OUTCOME_CONFIRMED,
        pb.SettleResult.OUTCOME_LATE,
        pb.SettleResult.OUTCOME_NOT_HELD,
        pb.SettleResult.OUTCOME_FAILED,
    )
    stream.write(
        settle_results=pb.SettleResults(
            results=[pb.SettleResult(outcome=o, ids=[i]) for i, o in enumerate(outcomes, 1)]
        )
    )
    assert early.result(PATIENCE) is sluice.Outcome.CONFIRMED
    assert [message.outcome().result(PATIENCE).value for message in messages] == [
        "CONFIRMED",
        "LATE",
        "NOT_HELD",
        "FAILED",
    ]


def test_an_outcome_that_cannot_come_any_more_is_failed(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    consumption = client.consume("orders", kept, manual=True, confirm=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    sent, held = kept.next(), kept.next()
    sent.ack()
    stream.await_verdicts(1)
    consumption.stop()
    assert sent.outcome().result(PATIENCE) is sluice.Outcome.FAILED
    held.ack()
    assert held.outcome().result(PATIENCE) is sluice.Outcome.FAILED


def test_without_confirm_there_is_no_outcome(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    client.consume("orders", kept, manual=True)
    daemon.accept().opened().deliver(1)
    with pytest.raises(RuntimeError, match="confirm=True"):
        kept.next().outcome()


# --- what is told ---


def test_an_ended_lease_is_seen_by_the_handler(daemon: FakeDaemon, client: sluice.Client) -> None:
    started = threading.Event()
    seen: Future[bool] = Future()

    def handle(message: sluice.Message) -> None:
        assert not message.wait_cancelled(0)
        started.set()
        seen.set_result(message.wait_cancelled(PATIENCE))

    client.consume("orders", handle)
    stream = daemon.accept().opened()
    stream.deliver(1)
    assert started.wait(PATIENCE)
    stream.write(leases_ended=pb.LeasesEnded(ids=[1]))
    assert seen.result(PATIENCE)
    assert stream.await_verdicts(1) == [(1, "ack")], "a late ack is forwarded"


def test_states_and_failed_verdicts_are_told(
    daemon: FakeDaemon, client: sluice.Client, caplog: pytest.LogCaptureFixture
) -> None:
    states: list[tuple[str, str]] = []
    errors: list[str] = []

    def on_state(state: sluice.State, detail: str) -> None:
        states.append((state.value, detail))
        raise ValueError("a hook that raises harms nobody")

    consumption = client.consume("orders", ack, on_state=on_state, on_error=lambda error: errors.append(error.code))
    stream = daemon.accept().opened()
    stream.write(state=pb.State(kind=pb.State.KIND_NATS_DOWN, detail="no route"))
    outcomes = (
        pb.SettleResult.OUTCOME_LATE,
        pb.SettleResult.OUTCOME_NOT_HELD,
        pb.SettleResult.OUTCOME_FAILED,
        pb.SettleResult.OUTCOME_CONFIRMED,
    )
    stream.write(
        settle_results=pb.SettleResults(results=[pb.SettleResult(outcome=outcome, ids=[1]) for outcome in outcomes])
    )
    eventually(lambda: len(errors) == 3)
    assert states == [("CONNECTING", ""), ("NATS_DOWN", "no route")]
    assert errors == ["DEADLINE_EXCEEDED", "NOT_FOUND", "UNAVAILABLE"]
    stats = consumption.stats()
    assert (stats.late, stats.not_held, stats.failed) == (1, 1, 1)
    assert consumption.state is sluice.State.NATS_DOWN
    assert "a hook that raises" in caplog.text


def test_a_permanent_error_ends_it(daemon: FakeDaemon, client: sluice.Client) -> None:
    errors: list[sluice.Error] = []
    consumption = client.consume("ordres", ack, on_error=errors.append)
    daemon.accept().finish(grpc.StatusCode.NOT_FOUND, 'no consumer "ordres"; there is: orders')
    end = consumption.closed(PATIENCE)
    assert end is not None
    assert (end.code, end.ok) == ("NOT_FOUND", False)
    assert "there is: orders" in errors[0].message
    assert consumption.is_closed
    assert consumption.state is sluice.State.CLOSED


def test_closed_may_give_up_waiting(client: sluice.Client) -> None:
    assert client.consume("orders", ack).closed(timeout=0.01) is None


# --- loops ---


def test_a_loop_gives_the_messages_and_naks_what_gets_no_verdict(daemon: FakeDaemon, client: sluice.Client) -> None:
    messages = client.messages("orders")
    stream = daemon.accept().opened()
    stream.deliver(1, 4)
    for message in messages:
        if message.sequence == 1:
            message.ack()
        if message.sequence == 3:
            break
    assert sorted(stream.await_verdicts(3)) == [(1, "ack"), (2, "nak"), (3, "nak")]


def test_a_loop_ends_with_its_consumption(daemon: FakeDaemon, client: sluice.Client) -> None:
    messages = client.messages("orders")
    counted: Future[int] = Future()
    threading.Thread(target=lambda: counted.set_result(sum(message.ack() for message in messages)), daemon=True).start()
    stream = daemon.accept().opened()
    stream.deliver(1, 5)
    stream.await_verdicts(5)
    messages.stop()
    assert counted.result(PATIENCE) == 5


def test_a_loop_over_what_the_daemon_refuses_raises(daemon: FakeDaemon, client: sluice.Client) -> None:
    messages = client.messages("ordres")
    daemon.accept().finish(grpc.StatusCode.NOT_FOUND, "there is: orders")
    with pytest.raises(sluice.Error, match="there is: orders"):
        next(iter(messages))


def test_several_loops_share_the_messages(daemon: FakeDaemon, client: sluice.Client) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    messages = client.messages("orders")

    def loop() -> None:
        for message in messages:
            both.wait()  # one of the two each
            message.ack()

    for _ in range(2):
        threading.Thread(target=loop, daemon=True).start()
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    stream.await_verdicts(2)
    assert stream.count() == {"ack": 2}


def test_leaving_the_block_hands_back(daemon: FakeDaemon, client: sluice.Client) -> None:
    with client.messages("orders", manual=True) as messages:
        stream = daemon.accept().opened()
        stream.deliver(1, 2)
        kept = next(iter(messages))
    stream.await_half_close()
    assert kept.cancelled
    assert kept.ack(), "the verdict is the first, though nobody is told"
    assert stream.count() == {}


# --- fetches ---


def test_a_fetch_asks_for_what_it_returns_and_holds_nothing_afterwards(
    daemon: FakeDaemon, client: sluice.Client
) -> None:
    fetcher = client.fetcher("orders")
    stream = daemon.accept().opened()
    assert stream.credit() == 0
    fetched: Future[list[sluice.Message]] = Future()
    threading.Thread(target=lambda: fetched.set_result(fetcher.fetch(3, max_wait=PATIENCE)), daemon=True).start()
    stream.await_credit(3)
    stream.deliver(1, 3)
    messages = fetched.result(PATIENCE)
    stream.await_credit(0)
    assert [message.sequence for message in messages] == [1, 2, 3]
    assert all(message.ack() for message in messages[:2])
    messages.clear()
    assert sorted(stream.await_verdicts(3)) == [(1, "ack"), (2, "ack"), (3, "nak")]


def test_what_comes_after_a_fetch_is_handed_back(daemon: FakeDaemon, client: sluice.Client) -> None:
    fetcher = client.fetcher("orders")
    stream = daemon.accept().opened()
    assert fetcher.fetch(5, max_wait=0.01) == []
    stream.deliver(1, 2)
    assert stream.await_verdicts(2) == [(1, "nak"), (2, "nak")]
    assert fetcher.stats().in_flight == 0


def test_what_is_held_counts_beside_what_is_asked_for(daemon: FakeDaemon, client: sluice.Client) -> None:
    fetcher = client.fetcher("orders")
    stream = daemon.accept().opened()
    fetched: queue.SimpleQueue[list[sluice.Message]] = queue.SimpleQueue()
    kept = []
    for first in (1, 3):
        threading.Thread(target=lambda: fetched.put(fetcher.fetch(2, max_wait=PATIENCE)), daemon=True).start()
        stream.await_credit(first + 1)
        stream.deliver(first, 2)
        kept += fetched.get(timeout=PATIENCE)
    assert [message.sequence for message in kept] == [1, 2, 3, 4]


def test_a_fetch_from_what_the_daemon_refuses_raises(daemon: FakeDaemon, client: sluice.Client) -> None:
    fetcher = client.fetcher("ordres")
    daemon.accept().finish(grpc.StatusCode.NOT_FOUND, "there is: orders")
    with pytest.raises(sluice.Error, match="there is: orders"):
        fetcher.fetch(1, max_wait=PATIENCE)
    with pytest.raises(ValueError, match="n must be"):
        fetcher.fetch(0)


# --- the end ---


def test_stopping_hands_back_and_drops_later_verdicts(daemon: FakeDaemon, client: sluice.Client) -> None:
    kept = Kept()
    consumption = client.consume("orders", kept, manual=True)
    stream = daemon.accept().opened()
    stream.deliver(1, 2)
    first, second = kept.next(), kept.next()
    first.ack()
    stream.await_verdicts(1)
    consumption.stop()
    stream.await_half_close()
    assert second.cancelled
    second.ack()
    assert stream.count() == {"ack": 1}
    assert consumption.closed() == sluice.End("OK", "")


def test_a_handler_may_not_wait_for_itself(daemon: FakeDaemon, client: sluice.Client) -> None:
    told: Future[BaseException] = Future()

    def handle(_message: sluice.Message) -> None:
        try:
            consumption.drain()
        except RuntimeError as error:
            told.set_result(error)

    consumption = client.consume("orders", handle)
    daemon.accept().opened().deliver(1)
    assert "start_drain()" in str(told.result(PATIENCE))


def test_a_silent_daemon_is_left_after_a_stop(
    daemon: FakeDaemon, client: sluice.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice._ending.STOP_TIMEOUT", 0.05)
    consumption = client.consume("orders", ack)
    stream = daemon.accept().opened()
    stream.silent = True
    eventually(lambda: consumption.stats().streams == 1)
    consumption.stop()
    stream.await_done()


def test_closing_waits_for_the_handlers(daemon: FakeDaemon, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    started, ended = threading.Event(), threading.Event()

    def handle(message: sluice.Message) -> None:
        started.set()
        message.wait_cancelled(PATIENCE)
        ended.set()

    with sluice.Client(daemon.address) as client:
        client.consume("orders", handle)
        daemon.accept().opened().deliver(1)
        assert started.wait(PATIENCE)
    assert ended.is_set()
    assert "orders: CLOSED" in caplog.text
