"""How many messages to ask for."""

from __future__ import annotations

from typing import Optional

# As much as a frame carries sixteen times over: more makes nothing quicker.
MOST = 4096
INTERVAL = 0.05
MOST_SECONDS = 0.25
SPARE_SECONDS = 0.025
GROWTH = 4  # at once: a hiccup on the way may be all that it was


class CreditWindow:
    """When the app does not say. Enough that its handlers never wait for the daemon, and no more, as a drain finishes
    what is held, and siblings could have it meanwhile. So where a handler had nothing to do, for all that they finish
    in MOST_SECONDS, which the way to the server may take; and where something was held all the time that no handler
    had begun, for so much less that it is what they finish in SPARE_SECONDS."""

    def __init__(self, fixed: int, concurrency: int) -> None:
        """`fixed`: the app's own choice; 0: none."""
        self._adapts = fixed == 0
        self._concurrency = concurrency
        self._least = max(8, 4 * concurrency)
        self.messages = self._least if self._adapts else fixed
        self.most = max(MOST, self._least) if self._adapts else fixed
        self._measured_at = float("-inf")
        self._measured_settled = 0
        self._least_held = float("inf")  # since then

    def update(self, now: float, settled: int, held: int) -> Optional[int]:
        """When messages arrive: `settled` is the count of verdicts so far, `held` the messages that were here before
        them; 0 if handlers may have nothing to do all the same. Returns the new credit, if it is to change."""
        self._least_held = min(self._least_held, held)
        elapsed = now - self._measured_at
        if not self._adapts or elapsed < INTERVAL:
            return None
        rate = (settled - self._measured_settled) / elapsed
        self._measured_at = now
        self._measured_settled = settled
        spare = self._least_held - self._concurrency
        self._least_held = float("inf")
        if elapsed > 10 * INTERVAL:  # it has rested: says nothing about how quick the handlers are
            return None
        wanted = int(min(max(self._wanted(rate, spare), self._least), self.most))
        if self.messages // 2 < wanted < self.messages * 2:  # not worth a request
            return None
        self.messages = wanted
        return wanted

    def _wanted(self, rate: float, spare: float) -> float:
        # The daemon asks for more when half of it is free: of a message less to ask for, half is missing when that
        # comes.
        most = rate * MOST_SECONDS
        if spare < 0:
            return min(GROWTH * self.messages, most)
        surplus = max(spare - rate * SPARE_SECONDS, 0)
        return min(self.messages - 2 * surplus, most)
