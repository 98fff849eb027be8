"""How many messages to ask for."""

from __future__ import annotations

from typing import Optional

# As much as a frame carries sixteen times over: more makes nothing quicker.
MOST = 4096
INTERVAL = 0.05
SECONDS = 0.25


class CreditWindow:
    """When the app does not say: what its handlers finish in a quarter of a second. Enough that quick ones never wait
    for the daemon, and so little that slow ones finish what they hold within a drain."""

    def __init__(self, fixed: int, concurrency: int) -> None:
        """`fixed`: the app's own choice; 0: none."""
        self._adapts = fixed == 0
        self._least = max(8, 4 * concurrency)
        self.messages = self._least if self._adapts else fixed
        self.most = max(MOST, self._least) if self._adapts else fixed
        self._measured_at = float("-inf")
        self._measured_settled = 0

    def update(self, now: float, settled: int) -> Optional[int]:
        """When messages arrive: `settled` is the count of verdicts so far. Returns the new credit, if it is to
        change."""
        elapsed = now - self._measured_at
        if not self._adapts or elapsed < INTERVAL:
            return None
        rate = (settled - self._measured_settled) / elapsed
        self._measured_at = now
        self._measured_settled = settled
        if elapsed > 10 * INTERVAL:  # it has rested: says nothing about how quick the handlers are
            return None
        wanted = int(min(max(rate * SECONDS, self._least), self.most))
        if self.messages // 2 < wanted < self.messages * 2:  # not worth a request
            return None
        self.messages = wanted
        return wanted
