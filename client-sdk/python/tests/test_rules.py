"""Rules without I/O: the outbox, the credit, the waiting times, the lanes, verdicts and options."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

import sluice
from sluice import _credit
from sluice._backoff import Backoff
from sluice._credit import CreditWindow
from sluice._lanes import Frame, Lanes, Queue
from sluice._outbox import MOST_IDS, Outbox, Runs
from sluice.options import ConsumeOptions, Options
from sluice.v1 import consumer_pb2 as pb
from sluice.verdicts import ACK, NAK, Verdict, nak, term, verdict_of


class TestVerdicts:
    def test_a_nak_is_brought_into_0_to_24_hours(self) -> None:
        assert nak(-1) == NAK
        assert nak(1.5) == Verdict("nak", 1500)
        assert nak(datetime.timedelta(days=3)) == Verdict("nak", 24 * 3600 * 1000)

    def test_a_reason_is_one_line_of_at_most_1024_bytes(self) -> None:
        assert term("a\r\nb").reason == "a  b"
        assert len(term("é" * 1000).reason.encode()) == 1024
        assert term("\ud800!").reason == "?!"

    def test_a_result_acks_unless_it_says_otherwise(self) -> None:
        assert verdict_of(None) is ACK
        assert verdict_of(False) is ACK
        assert verdict_of(sluice.RetryAfter(2)) == nak(2)
        assert verdict_of(sluice.Reject("no")) == term("no")


class TestOptions:
    def test_the_keyword_arguments_are_the_options(self) -> None:
        assert set(ConsumeOptions.__annotations__) == {field.name for field in dataclasses.fields(Options)}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("concurrency", 0),
            ("concurrency", 10_001),
            ("max_batch", 257),
            ("credit_messages", -1),
            ("credit_bytes", 1 << 31),
        ],
    )
    def test_what_is_out_of_bounds_is_refused_by_its_name(self, name: str, value: int) -> None:
        with pytest.raises(ValueError, match=f"{name} must be"):
            Options(**{name: value})  # type: ignore[arg-type]


class TestBackoff:
    def test_none_first_then_doubling_to_the_longest_less_up_to_a_quarter(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda _least, most: most)
        backoff = Backoff(0.1, 0.5)
        assert [backoff.next() for _ in range(5)] == [0.0, 0.1, 0.2, 0.4, 0.5]
        backoff.reset()
        assert backoff.next() == 0.0

    def test_it_is_never_shortened_by_more(self) -> None:
        backoff = Backoff(1.0, 1.0)
        backoff.next()
        assert all(0.75 <= backoff.next() <= 1.0 for _ in range(100))


class TestCreditWindow:
    def test_begins_with_four_for_each_handler_and_at_least_eight(self) -> None:
        assert CreditWindow(0, 1).messages == 8
        assert CreditWindow(0, 100).messages == 400
        assert CreditWindow(0, 10_000).most == 40_000

    def test_what_the_app_says_stays(self) -> None:
        window = CreditWindow(17, 1)
        assert window.update(100.0, 0, 0) is None
        assert window.update(100.1, 100_000, 0) is None
        assert (window.messages, window.most) == (17, 17)

    def test_follows_what_is_done_in_a_quarter_of_a_second(self) -> None:
        window = CreditWindow(0, 1)
        window.update(100.0, 0, 0)
        assert window.update(100.125, 400, 0) == 32, "fourfold, and no more at once"
        assert window.update(100.25, 450, 0) == 100
        assert window.update(100.375, 525, 0) is None, "not off by a factor of two"
        assert window.update(100.5, 537, 0) == 24
        assert window.update(100.625, 537, 0) == 8, "never less than the least"
        assert [window.update(101 + i / 8, 10_000_000 * i, 0) for i in range(1, 6)][-1] == _credit.MOST

    def test_gives_up_what_no_handler_waits_for(self) -> None:
        window = CreditWindow(0, 1)
        window.update(100.0, 0, 0)
        steps = [  # each 125 ms: verdicts, held when messages come, the credit then
            (5_000, 4, 8),  # the first messages do not make it grow
            *((5_000, 0, credit) for credit in (32, 128, 512, 2048)),
            (5_000, 1_801, 448),  # 1,800 are more by 800 than 25 ms take, and that was half of it
            (5_000, 1_001, 448),
            (5_000, 20, 448),  # it was just in time
            (50, 2, 100),  # never more than is done in a quarter of a second
        ]
        settled = 0
        for i, (more, held, credit) in enumerate(steps, 1):
            settled += more
            window.update(100.0 + i / 8, settled, held)
            assert window.messages == credit, f"step {i}"

    def test_one_time_without_anything_to_do_is_enough_to_grow(self) -> None:
        window = CreditWindow(0, 2)
        window.update(100.0, 0, 0)
        assert window.update(100.1, 400, 3) is None
        assert window.update(100.12, 400, 1) is None, "too early, but one of two had nothing"
        assert window.update(100.2, 800, 3) == 32

    def test_is_measured_every_50_ms_and_not_after_a_rest(self) -> None:
        window = CreditWindow(0, 1)
        window.update(100.0, 0, 0)
        assert window.update(100.04, 4000, 0) is None
        assert window.update(101.0, 4000, 0) is None
        assert window.update(101.1, 8000, 0) == 32


class TestOutbox:
    def open(self) -> Outbox:
        outbox = Outbox()
        outbox.open(pb.ConsumeRequest(open=pb.Open(consumer="orders")))
        assert outbox.next() is not None
        return outbox

    def runs(self, outbox: Outbox) -> list[tuple[str, list[int]]]:
        request = outbox.next()
        assert isinstance(request, Runs)
        return [(str(run.WhichOneof("verdict")), list(run.ids)) for run in request.request().settle.runs]

    def test_what_is_queued_goes_out_together_in_runs(self) -> None:
        outbox = self.open()
        outbox.add_verdict(1, ACK)
        outbox.add_verdict(2, ACK)
        outbox.add_verdict(3, nak(1))
        outbox.add_verdicts([4, 5], ACK)
        assert self.runs(outbox) == [("ack", [1, 2]), ("nak", [3]), ("ack", [4, 5])]
        assert outbox.next() is None

    def test_equal_verdicts_share_a_run_others_do_not(self) -> None:
        outbox = self.open()
        for verdict in (nak(1), nak(1), nak(2), term("a"), term("b")):
            outbox.add_verdict(1, verdict)
        assert [len(ids) for _, ids in self.runs(outbox)] == [2, 1, 1, 1]

    def test_a_request_is_bounded(self) -> None:
        outbox = self.open()
        outbox.add_verdicts(range(MOST_IDS + 1), ACK)
        outbox.add_verdict(9, ACK)
        assert [len(ids) for _, ids in self.runs(outbox)] == [MOST_IDS]
        assert self.runs(outbox) == [("ack", [MOST_IDS, 9])]

    def test_order_is_kept_around_other_requests(self) -> None:
        outbox = self.open()
        outbox.add_verdict(1, ACK)
        outbox.add(pb.ConsumeRequest(credit=pb.Credit(messages=5)))
        outbox.add_verdict(2, ACK)
        assert self.runs(outbox) == [("ack", [1])]
        assert isinstance(outbox.next(), pb.ConsumeRequest)
        assert self.runs(outbox) == [("ack", [2])]

    def test_what_is_taken_is_not_added_to(self) -> None:
        outbox = self.open()
        outbox.add_verdict(1, ACK)
        taken = outbox.next()
        outbox.add_verdict(2, ACK)
        assert isinstance(taken, Runs)
        assert taken.size == 1
        assert self.runs(outbox) == [("ack", [2])]

    def test_the_ordinal_of_an_in_progress_tells_when_it_is_taken(self) -> None:
        outbox = self.open()
        ordinal = outbox.add_in_progress(1)
        assert ordinal > outbox.taken
        outbox.next()
        assert ordinal == outbox.taken

    def test_a_new_stream_forgets_what_is_left_of_the_old_one(self) -> None:
        outbox = self.open()
        ordinal = outbox.add_in_progress(1)
        outbox.close()
        assert outbox.next() is None
        outbox.open(pb.ConsumeRequest(open=pb.Open()))
        assert isinstance(outbox.next(), pb.ConsumeRequest)
        assert outbox.next() is None
        assert outbox.taken > ordinal, "ordinals never come twice"


def frame(*keys: str) -> Frame:
    """Its ids count from 1, or from the number after the key."""
    deliveries = [pb.Delivery(id=int(key[1:] or 0) or place) for place, key in enumerate(keys, 1)]
    return Frame(deliveries, 7.0, [key[:1].strip().encode() for key in keys])


def pop(queue: Queue) -> int:
    """The id of the next one; 0: none."""
    popped = queue.pop()
    return popped[0].id if popped else 0


class TestQueue:
    def test_gives_in_order_of_arrival_over_frames(self) -> None:
        queue = Queue()
        queue.push(frame(" 1", " 2"))
        queue.push(frame())
        queue.push(frame(" 3"))
        assert len(queue) == 3
        assert [pop(queue) for _ in range(4)] == [1, 2, 3, 0]
        assert len(queue) == 0

    def test_a_batch_is_taken_over_frames(self) -> None:
        queue = Queue()
        queue.push(frame(" 1", " 2", " 3"))
        queue.push(frame(" 4", " 5"))
        pop(queue)
        batch = queue.pop_batch(3)
        assert batch is not None
        assert batch.ids == [delivery.id for delivery in batch.deliveries] == [2, 3, 4]
        assert len(queue) == 1
        assert pop(queue) == 5
        assert queue.pop_batch(3) is None

    def test_what_waits_is_renamed_or_dropped(self) -> None:
        queue = Queue()
        queue.push(frame(" 1", " 2", " 3"))
        queue.push(frame(" 4"))
        pop(queue)
        assert queue.revise({2: 52}.get) == [3, 4]
        assert [delivery.id for delivery in queue] == [52]
        assert [len(queue), pop(queue), pop(queue)] == [1, 52, 0]


class TestLanes:
    def test_one_of_a_key_at_a_time_in_order(self) -> None:
        lanes = Lanes()
        lanes.push(frame("a1", "a2", "b3", "a4"))
        assert [pop(lanes), pop(lanes), pop(lanes)] == [1, 3, 0]
        lanes.done(b"a")
        assert [pop(lanes), pop(lanes)] == [2, 0]
        lanes.done(b"b")
        assert pop(lanes) == 0
        lanes.done(b"a")
        assert pop(lanes) == 4
        assert len(lanes) == 0

    def test_what_has_no_key_waits_for_nobody(self) -> None:
        lanes = Lanes()
        lanes.push(frame(" 1", " 2"))
        assert [pop(lanes), pop(lanes)] == [1, 2]
        lanes.done(b"")

    def test_a_key_that_is_done_is_forgotten(self) -> None:
        lanes = Lanes()
        lanes.push(frame("a1"))
        pop(lanes)
        lanes.done(b"a")
        assert not lanes._behind
        lanes.push(frame("a2"))
        assert pop(lanes) == 2

    def test_what_waits_is_renamed_or_dropped_and_its_successor_follows(self) -> None:
        lanes = Lanes()
        lanes.push(frame("a1", "a2", "a3", "b4", "b5"))
        assert pop(lanes) == 1
        assert sorted(lanes.revise({3: 53, 5: 55}.get)) == [2, 4]
        assert sorted(delivery.id for delivery in lanes) == [53, 55]
        assert [len(lanes), pop(lanes), pop(lanes)] == [2, 55, 0]
        lanes.done(b"a")
        assert [pop(lanes), pop(lanes)] == [53, 0]
