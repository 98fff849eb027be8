"""For main(): until a signal."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Optional

from .consumption import Consumption
from .options import DrainReport
from .verdicts import Duration


def run(*consumptions: Consumption, timeout: Optional[Duration] = None) -> DrainReport:
    """Waits for SIGTERM or SIGINT, drains, returns the report; or returns when the consumption ends by itself. With
    several consumptions it drains all of them at once, and the report is their sum.

    A second SIGINT kills the process. `timeout`: see `Consumption.drain`. In the main thread only, as signals are
    Python's there."""
    # True: a signal. A SimpleQueue, as it is safe to put into from a signal handler, unlike an Event.
    news: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with _caught(signal.SIGTERM, news):
        with _caught(signal.SIGINT, news):
            _await(consumptions, news)
        with _default(signal.SIGINT):
            for consumption in consumptions:
                consumption.start_drain(timeout)
            for consumption in consumptions:
                consumption.closed()
    return total([consumption.drain_report for consumption in consumptions])


def _await(consumptions: tuple[Consumption, ...], news: queue.SimpleQueue[bool]) -> None:
    """Until a signal, or the end of all of them."""
    for consumption in consumptions:
        consumption._session.notify_closed(lambda: news.put(False))
    while not all(consumption.is_closed for consumption in consumptions):
        if news.get():
            return


def total(reports: list[DrainReport]) -> DrainReport:
    if len(reports) == 1:
        return reports[0]
    counts = ("awaited", "acked", "terminated", "naked", "expired", "late", "released", "unsettled", "dead_lettered")
    phases: dict[str, float] = {}
    for report in reports:
        for phase, seconds in report.phases.items():
            phases[phase] = max(phases.get(phase, 0.0), seconds)
    return DrainReport(
        completed=all(report.completed for report in reports),
        deadline_exceeded=any(report.deadline_exceeded for report in reports),
        phases=phases,
        **{count: sum(getattr(report, count) for report in reports) for count in counts},
    )


@contextmanager
def _caught(number: signal.Signals, news: queue.SimpleQueue[bool]) -> Iterator[None]:
    def on_signal(_number: int, _frame: Optional[FrameType]) -> None:
        news.put(True)

    before = signal.signal(number, on_signal)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _default(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)
