"""How long a stream, and a consumption, are waited for."""

from __future__ import annotations

import pytest

from sluice import _ending
from sluice._backoff import Backoff
from sluice._ending import Ending, Wish
from sluice.errors import End
from sluice.options import DrainReport

BROKEN = End("UNAVAILABLE", "broken")


@pytest.fixture
def ending() -> Ending:
    return Ending(Backoff(1.0, 8.0))


def test_a_wish_only_grows(ending: Ending) -> None:
    assert ending.wants(Wish.DRAIN, -1.0)
    assert ending.drain_timeout == 0.0
    assert not ending.wants(Wish.DRAIN, 7.0)
    assert ending.wants(Wish.STOP, None)
    assert not ending.wants(Wish.DRAIN, 7.0)
    assert (ending.wish, ending.drain_timeout) == (Wish.STOP, 0.0)


def test_a_stream_has_ten_seconds_to_open_and_then_for_ever(ending: Ending) -> None:
    ending.open(100.0)
    assert ending.give_up == 110.0
    ending.on_opened(105.0)
    assert not ending.has_lost_patience(105.0 + 24 * 3600)


def test_patience_is_lost_once_and_ends_a_drain(ending: Ending) -> None:
    ending.open(100.0)
    ending.on_opened(100.0)
    ending.wants(Wish.DRAIN, 2.0)
    ending.expect_end(200.0, connected=True)
    assert not ending.has_lost_patience(206.9)
    assert ending.has_lost_patience(207.0)
    assert not ending.has_lost_patience(208.0)
    assert ending.is_last(208.0, BROKEN, streams=1)


def test_a_drain_without_a_timeout_waits_for_the_daemons(ending: Ending) -> None:
    ending.wants(Wish.DRAIN, None)
    ending.expect_end(200.0, connected=True)
    assert ending.give_up == 265.0
    ending.on_draining(230.0)
    assert ending.give_up == 235.0


def test_a_stop_waits_five_seconds_whatever_the_drain(ending: Ending) -> None:
    ending.wants(Wish.STOP, None)
    ending.expect_end(200.0, connected=True)
    ending.on_draining(300.0)
    assert ending.give_up == 205.0


@pytest.mark.parametrize("code", sorted(_ending.PERMANENT))
def test_some_answers_are_final(ending: Ending, code: str) -> None:
    assert ending.is_last(100.0, End(code, ""), streams=0)
    assert not ending.is_last(100.0, BROKEN, streams=0)
    assert not ending.is_last(100.0, End(), streams=3)


def test_a_drain_is_over_when_it_is_reported_or_nothing_is_kept_any_more(ending: Ending) -> None:
    ending.wants(Wish.DRAIN, None)
    assert ending.is_last(100.0, BROKEN, streams=0), "nothing was ever held"
    ending.open(100.0)
    ending.on_opened(100.0)
    ending.on_ended(101.0)
    assert not ending.is_last(106.0, BROKEN, streams=1)
    assert ending.is_last(106.1, BROKEN, streams=1), "the resume window is over"
    ending.on_drained(DrainReport(completed=True))
    assert ending.is_last(101.0, End(), streams=1)


def test_what_no_daemon_can_have_given_back_is_kept(ending: Ending) -> None:
    def reopened(after: float) -> bool:
        ending.on_ended(200.0)
        return ending.open(200.0 + after)

    assert not ending.open(100.0), "there was no stream before"
    ending.on_opened(100.0)
    assert reopened(4.9)
    assert not ending.open(205.1), "the resume window is over"
    ending.on_opened(205.2)
    ending.on_drained(DrainReport())
    assert not reopened(0.1)


def test_a_report_of_the_daemons_own_drain_is_not_the_apps(ending: Ending) -> None:
    ending.on_drained(DrainReport(completed=True))
    assert not ending.report.completed


def test_only_a_stream_that_lived_is_followed_at_once(ending: Ending) -> None:
    assert ending.next_wait() == 0.0
    for lived, at_once in ((0.5, False), (1.0, True)):
        ending.open(100.0)
        ending.on_opened(100.0)
        ending.on_ended(100.0 + lived)
        assert (ending.next_wait() == 0.0) is at_once
