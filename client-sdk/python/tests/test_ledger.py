"""The rules by which nothing is handled twice, one at a time."""

from __future__ import annotations

from typing import Optional

import pytest

from sluice._held import Batch, Held
from sluice._lanes import Frame, Queue
from sluice._ledger import Ledger, Settlement
from sluice.v1 import consumer_pb2 as pb
from sluice.verdicts import ACK, NAK, Verdict, term

CREDIT = 4
REMEMBERED = 8


class Book(Ledger):
    """A ledger with a stream, and words for what tests do with it."""

    def __init__(self) -> None:
        self.queue = Queue()
        super().__init__(self.queue, CREDIT, REMEMBERED)
        self.on_opened({})
        self.told: list[Settlement] = []  # by the last receive()

    def receive(
        self, id: int, sequence: int, num_delivered: int = 1, stored: int = 0, token: bytes = b""
    ) -> pb.Delivery:
        delivery = pb.Delivery(
            id=id, stream_sequence=sequence, num_delivered=num_delivered, token=token or b"token of %d" % id
        )
        delivery.timestamp.FromSeconds(stored or sequence)
        fresh, self.told = self.accept([delivery])
        self.queue.push(Frame(fresh, 0.0))
        return delivery

    def begin(self, id: int, sequence: int, num_delivered: int = 1, stored: int = 0) -> Held:
        delivery = self.receive(id, sequence, num_delivered, stored)
        assert self._leaves_the_queue(delivery)
        return self.start(delivery, Frame([], 0.0), b"")

    def finish(self, id: int, sequence: int, verdict: object = ACK, stored: int = 0) -> None:
        self.settle(self.begin(id, sequence, stored=stored), verdict)  # type: ignore[arg-type]

    def starts(self, delivery: pb.Delivery) -> bool:
        if not self._leaves_the_queue(delivery):
            return False
        self.start(delivery, Frame([], 0.0), b"")
        return True

    def begin_batch(self, *ids: int) -> Batch:
        for id in ids:
            self.receive(id, id)
        batch = self.queue.pop_batch(len(ids))
        assert batch is not None
        self.start_batch(batch)
        return batch

    def finish_batch(self, batch: Batch, verdict: Verdict = ACK) -> list[Optional[int]]:
        ids = self.settle_batch(batch, verdict)
        if ids is not None:
            return list(ids)
        return [self.settle(held, verdict) for held in self.part(batch).values() if not held.settled]

    def _leaves_the_queue(self, delivery: pb.Delivery) -> bool:
        id = delivery.id
        waits = id in {one.id for one in self.queue}
        self.queue.revise(lambda waiting: None if waiting == id else waiting)
        delivery.id = id
        return waits

    def reopen(self, resumed: Optional[dict[int, int]] = None) -> list[Settlement]:
        self.on_stream_ended()
        return self.on_opened(resumed or {})

    def named(self, kept: bool = True) -> list[int]:
        return [held.id for held in self.name_held(kept)]

    def with_token(self, kept: bool) -> list[int]:
        return sorted(held.id for held in self.name_held(kept) if held.token == b"token of %d" % held.id)


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_verdict_is_told_under_its_id(book: Book) -> None:
    held = book.begin(7, 100)
    assert book.stats.in_flight == 1
    assert book.settle(held, ACK) == 7
    assert (book.stats.in_flight, book.stats.acked) == (0, 1)


def test_resuming_names_what_is_held_and_the_last_verdicts(book: Book) -> None:
    book.begin(1, 1)
    book.receive(2, 2)
    book.finish(3, 3)
    assert book.named() == [1, 2, 3]


def test_only_what_may_be_settled_elsewhere_is_named_with_its_token(book: Book) -> None:
    """A second NAK through another daemon would take the message from its new holder; so would a verdict on what the
    first daemon has given back."""
    book.begin(1, 1)
    book.receive(2, 2)
    book.finish(3, 3)
    book.finish(4, 4, NAK)
    book.finish(5, 5, term("no"))
    assert sorted(book.named()) == [1, 2, 3, 4, 5]
    assert book.with_token(kept=True) == [1, 2, 3, 5]
    assert book.with_token(kept=False) == [3]


def test_what_fits_into_a_request_is_named_the_held_first_then_the_last_verdicts(book: Book) -> None:
    book.finish(1, 1)
    book.finish(2, 2)
    book.receive(3, 3)
    assert book.named() == [3, 2, 1]
    for id in range(4, 11):
        book.receive(id, id, token=b"t" * (2 << 20))
    assert pb.Open(resume=book.name_held(kept=True)).ByteSize() <= 16 << 20
    assert 3 in book.named()


def test_only_as_many_verdicts_are_remembered_as_asked(book: Book) -> None:
    for id in range(1, REMEMBERED + 4):
        book.finish(id, id)
    assert sorted(book.named()) == list(range(4, REMEMBERED + 4))


def test_what_is_resumed_goes_on_under_its_new_id(book: Book) -> None:
    held = book.begin(1, 1)
    waiting = book.receive(2, 2)
    assert book.reopen({1: 50, 2: 51}) == []
    assert not held.cancelled
    assert book.settle(held, ACK) == 50
    assert waiting.id == 51
    assert book.starts(waiting)


def test_a_verdict_that_got_lost_is_told_again_in_order(book: Book) -> None:
    first, second = book.begin(1, 1), book.begin(2, 2)
    book.on_stream_ended()
    assert book.settle(second, term("no")) is None
    assert book.settle(first, ACK) is None
    assert book.on_opened({1: 51, 2: 52}) == [(52, term("no")), (51, ACK)]
    assert sorted(book.named()) == [51, 52], "it may get lost once more"


def test_what_is_not_resumed_is_dropped_or_cancelled(book: Book) -> None:
    running, waiting = book.begin(1, 1), book.receive(2, 2)
    book.reopen()
    assert running.cancelled
    assert not book.starts(waiting), "another app may have it by now"
    assert book.settle(running, ACK) is None
    assert (book.stats.lost, book.stats.in_flight) == (2, 0)
    assert book.named() == [], "the ids mean nothing to this stream"


def test_a_message_that_comes_back_to_its_running_handler_is_not_run_twice(book: Book) -> None:
    running = book.begin(1, 9)
    book.reopen()
    assert not book.starts(book.receive(60, 9, num_delivered=2))
    assert not running.cancelled
    assert book.settle(running, ACK) == 60
    assert (book.stats.rejoined, book.stats.in_flight) == (1, 0)


def test_what_has_come_back_is_named_with_the_token_of_its_new_attempt(book: Book) -> None:
    """A token names one attempt: by the first one's, the daemon's successor would not find what this app holds now."""
    running, settled = book.begin(1, 9), book.begin(2, 10)
    book.reopen()
    book.receive(60, 9, num_delivered=2)
    book.receive(61, 10, num_delivered=2)
    book.settle(settled, ACK)
    assert sorted(book.named()) == [60, 61]
    assert book.with_token(kept=True) == [60, 61]
    book.settle(running, term("no"))
    assert book.with_token(kept=True) == [60, 61]


def test_of_a_batch_what_has_come_back_is_named_with_the_token_of_its_new_attempt(book: Book) -> None:
    batch = book.begin_batch(1, 2)
    book.reopen()
    book.receive(60, 1, num_delivered=2)
    book.receive(61, 2, num_delivered=2)
    assert book.with_token(kept=True) == [60, 61]
    assert book.finish_batch(batch) == [60, 61]
    assert book.with_token(kept=True) == [60, 61]


def test_a_message_that_comes_back_after_its_ack_got_lost_is_acked_again(book: Book) -> None:
    book.finish(1, 9)
    book.reopen()
    assert not book.starts(book.receive(60, 9, num_delivered=2))
    assert book.told == [(60, ACK)]
    assert book.named() == [60]


def test_a_verdict_given_to_nobody_counts_when_the_message_comes_back(book: Book) -> None:
    orphan = book.begin(1, 9)
    book.reopen()
    assert book.settle(orphan, term("no")) is None
    assert not book.starts(book.receive(60, 9, num_delivered=2))
    assert book.told == [(60, term("no"))]


def test_what_is_resumed_after_its_verdict_is_not_run_when_it_comes_back(book: Book) -> None:
    """The daemon's successor adopted it, but JetStream had sent it again already, before the ack was there."""
    book.finish(1, 9)
    assert book.reopen({1: 51}) == [(51, ACK)]
    assert not book.starts(book.receive(60, 9, num_delivered=2))
    assert book.told == [(60, ACK)]


@pytest.mark.parametrize("many", [False, True])
def test_what_is_settled_after_it_was_resumed_is_not_run_when_it_comes_back(book: Book, many: bool) -> None:
    """The same, with a verdict that came later."""
    if many:
        book.receive(1, 9)
        book.reopen({1: 51})
        batch = book.queue.pop_batch(1)
        assert batch is not None
        book.start_batch(batch)
        assert book.finish_batch(batch) == [51]
    else:
        held = book.begin(1, 9)
        book.reopen({1: 51})
        assert book.settle(held, ACK) == 51
    assert not book.starts(book.receive(60, 9, num_delivered=2))
    assert book.told == [(60, ACK)]


def test_what_was_naked_is_run_again(book: Book) -> None:
    book.finish(1, 9, NAK)
    book.reopen()
    assert book.starts(book.receive(60, 9, num_delivered=2))
    assert book.told == []


def test_a_first_attempt_is_run_whatever_its_sequence(book: Book) -> None:
    book.finish(1, 9)
    book.reopen()
    assert book.starts(book.receive(60, 9, num_delivered=1))


def test_the_same_sequence_in_a_stream_made_anew_is_another_message(book: Book) -> None:
    book.finish(1, 9, stored=1000)
    running = book.begin(2, 10, stored=1000)
    book.reopen()
    assert book.starts(book.receive(60, 9, num_delivered=2, stored=2000))
    assert book.starts(book.receive(61, 10, num_delivered=2, stored=2000))
    assert running.cancelled


def test_within_a_stream_a_message_that_comes_back_is_run(book: Book) -> None:
    book.finish(1, 9)
    assert book.starts(book.receive(2, 9, num_delivered=2)), "the daemon knew of the ack"


def test_an_ended_lease_cancels_what_runs_and_gives_back_what_waits(book: Book) -> None:
    running, waiting, other = book.begin(1, 1), book.receive(2, 2), book.begin(3, 3)
    assert book.on_leases_ended([1, 2, 99]) == [(2, NAK)]
    assert running.cancelled
    assert not book.starts(waiting)
    assert not other.cancelled
    assert book.settle(running, ACK) == 1, "a late ack is forwarded"


def test_a_late_verdict_counts_for_the_next_attempt_too(book: Book) -> None:
    running = book.begin(1, 1)
    book.on_leases_ended([1])
    book.settle(running, ACK)
    assert not book.starts(book.receive(2, 1, num_delivered=2))
    assert book.told == [(2, ACK)]


def test_an_attempt_after_an_ended_lease_joins_the_running_handler_and_frees_the_old_id(book: Book) -> None:
    running = book.begin(1, 1)
    book.on_leases_ended([1])
    book.receive(2, 1, num_delivered=2)
    assert book.told == [(1, NAK)]
    assert book.settle(running, ACK) == 2


def test_handing_back_takes_what_waits_ascending(book: Book) -> None:
    book.receive(3, 3)
    running = book.begin(2, 2)
    book.receive(1, 1)
    assert book.hand_back() == [(1, NAK), (3, NAK)]
    assert book.settle(running, ACK) == 2
    assert book.stats.in_flight == 0


def test_after_the_daemons_drain_nobody_waits_for_what_is_held(book: Book) -> None:
    running, waiting = book.begin(1, 1), book.receive(2, 2)
    assert book.on_given_back() == 2
    assert running.cancelled
    assert not book.starts(waiting)
    assert book.settle(running, ACK) is None
    assert book.named() == []


def test_a_closed_one_tells_nothing(book: Book) -> None:
    running, waiting = book.begin(1, 1), book.receive(2, 2)
    book.close()
    assert running.cancelled
    assert not book.starts(waiting)
    assert book.settle(running, ACK) is None


def test_a_batch_is_settled_as_its_messages_would_be(book: Book) -> None:
    batch = book.begin_batch(1, 2, 3, 4)
    assert book.stats.in_flight == 4
    assert book.finish_batch(batch) == [1, 2, 3, 4]
    assert batch.helds is None, "it was never parted"
    assert (book.stats.acked, book.stats.in_flight) == (4, 0)
    assert book.named() == [4, 3, 2, 1]
    assert all(held.settled for held in book.part(batch).values())


def test_a_verdict_of_its_own_parts_a_batch(book: Book) -> None:
    batch = book.begin_batch(1, 2, 3, 4)
    book.settle(book.part(batch)[2], NAK)
    assert book.finish_batch(batch) == [1, 3, 4]
    assert (book.stats.acked, book.stats.naked, book.stats.in_flight) == (3, 1, 0)
    assert book.named() == [4, 3, 1, 2]
    assert book.finish_batch(batch) == []


def test_a_batch_outlives_its_stream_message_by_message(book: Book) -> None:
    batch = book.begin_batch(1, 2)
    book.reopen({1: 51})
    first, second = book.part(batch)[1], book.part(batch)[2]
    assert (first.cancelled, second.cancelled) == (False, True)
    assert book.finish_batch(batch) == [51, None]
    assert not book.starts(book.receive(60, 2, num_delivered=2)), "its ack is in doubt"
    assert book.told == [(60, ACK)]


def test_an_ended_lease_cancels_one_of_a_batch(book: Book) -> None:
    batch = book.begin_batch(1, 2)
    assert book.on_leases_ended([2]) == []
    assert [held.cancelled for held in book.part(batch).values()] == [False, True]


def test_after_the_daemons_drain_nobody_waits_for_a_batch(book: Book) -> None:
    batch = book.begin_batch(1, 2)
    assert book.on_given_back() == 2
    assert all(held.cancelled for held in book.part(batch).values())
    assert book.finish_batch(batch) == [None, None]


def test_of_a_large_one_only_what_names_it_is_remembered(book: Book) -> None:
    """The rest is freed with its frame."""
    delivery = pb.Delivery(id=7, stream_sequence=9, data=b"d" * 4096, token=b"token of 7")
    delivery.timestamp.FromSeconds(9)
    held = book.start(delivery, Frame([], 0.0, large=True), b"")
    book.settle(held, ACK)
    (given,) = book._given
    assert (given.delivery.data, given.delivery.token) == (b"", b"token of 7")
    book.reopen()
    assert not book.starts(book.receive(60, 9, num_delivered=2))
