"""For main(): until a signal."""

from __future__ import annotations

import asyncio
import signal
from typing import Optional

from ..options import DrainReport
from ..running import total
from ..verdicts import Duration
from ._consumption import Consumption


async def run(*consumptions: Consumption, timeout: Optional[Duration] = None) -> DrainReport:
    """Waits for SIGTERM or SIGINT, drains, returns the report; or returns when the consumption ends by itself. With
    several consumptions it drains all of them at once, and the report is their sum. A second SIGINT kills the process.
    `timeout`: see `Consumption.drain`."""
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    ended = asyncio.ensure_future(asyncio.gather(*(consumption.closed() for consumption in consumptions)))
    ended.add_done_callback(lambda _: signalled.set())
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, signalled.set)
    try:
        await signalled.wait()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for consumption in consumptions:
            consumption.start_drain(timeout)
        await ended
    finally:
        ended.cancel()
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
    return total([consumption.drain_report for consumption in consumptions])
