"""What waits, what is with a handler, and what is to be told about it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Optional

from ._backoff import Backoff
from ._credit import CreditWindow
from ._ending import Ending
from ._held import Batch, Held
from ._hooks import Call, Hooks, call
from ._lanes import Lanes, Queue
from ._ledger import Ledger, Settlement
from ._outbox import Outbox
from ._ports import Ports, SessionOptions
from .options import Outcome, Stats
from .verdicts import NAK, Reject, RetryAfter, Verdict


class Work:
    """The app's side of a Session: messages are started, and settled. From any thread; what the docs say is "with the
    lock" wants its caller to hold it."""

    def __init__(self, options: SessionOptions, ports: Ports) -> None:
        consume = options.consume
        self.options = options
        self.lock = threading.Lock()  # guards all below; never held while calling out
        self.closed = False
        self._ports = ports
        self._asked: deque[Callable[[], None]] = deque()  # by the app; needs no lock
        self._hooks = Hooks(options.consumer, consume)
        self._credit = CreditWindow(consume.credit_messages, consume.concurrency)
        self._outbox = Outbox()
        self._writer_idle = False
        self._by_key = options.key_of is not None or consume.concurrency > 1
        self._queue = Lanes() if self._by_key else Queue()
        self._ledger = Ledger(self._queue, self._credit.most, consume.remembered)
        self._halted = True  # nothing new is started: the daemon may have handed it to another app
        self._max_lease = 0.0  # seconds; 0: not told
        self._ending = Ending(Backoff(options.first_retry, options.longest_retry))

    # --- for those who work; with the lock ---

    def take(self) -> Optional[Held]:
        """The next message, started."""
        if self._rests():
            return None
        next_one = self._queue.pop()
        return None if next_one is None else self._ledger.start(*next_one)

    def take_many(self, most: int) -> list[Held]:
        """Up to so many."""
        return list(itertools.islice(iter(self.take, None), most))

    def take_batch(self, most: int) -> Optional[Batch]:
        """The same, for one verdict; at least one."""
        if self._by_key:
            helds = self.take_many(most)
            return Batch.of(helds) if helds else None
        batch = None if self._rests() else self._queue.pop_batch(most)
        if batch is not None:
            self._ledger.start_batch(batch)
        return batch

    def waiting(self) -> int:
        """How many can be taken."""
        return 0 if self._halted else len(self._queue)

    def _rests(self) -> bool:
        return self._halted or self._ending.is_past_deadline()

    # --- verdicts ---

    def settle(self, held: Held, verdict: Verdict) -> bool:
        """False: it has one."""
        with self.lock:
            if held.settled:
                return False
            self._settle(held, verdict)
        if self._ledger.outcomes:
            call(self.take_told())
        return True

    def settle_batch(self, batch: Batch, verdict: Verdict) -> None:
        """Those of it that have no verdict yet."""
        with self.lock:
            if self.options.consume.confirm:
                self._ledger.part(batch)
            ids = self._ledger.settle_batch(batch, verdict)
            if ids is not None:
                self._outbox.add_verdicts(ids, verdict)
                self._wake_writer()
            else:
                for held in self._ledger.part(batch).values():
                    if not held.settled:
                        self._settle(held, verdict)
        if self._ledger.outcomes:
            call(self.take_told())

    def part(self, batch: Batch) -> dict[int, Held]:
        """Its messages one by one, by Delivery.id. Without the lock."""
        if batch.helds is not None:
            return batch.helds
        with self.lock:
            return self._ledger.part(batch)

    def let_go(self, held: Held) -> None:
        """NAKs a message without a verdict that nobody has any more. For finalizers: takes no lock."""
        self._ask(lambda: None if held.settled else self._settle(held, NAK))

    def in_progress(self, held: Held) -> bool:
        """False: it has a verdict."""
        with self.lock:
            if held.settled:
                return False
            held.leased = time.monotonic()
            known = self._ledger.connected and held.stream == self._ledger.stream
            if known and held.progress_in <= self._outbox.taken:  # else not now, or still queued
                held.progress_in = self._outbox.add_in_progress(held.id)
                self._wake_writer()
            return True

    def outcome(self, held: Held) -> concurrent.futures.Future[Outcome]:
        with self.lock:
            if held.outcome is None:
                held.outcome = concurrent.futures.Future()
            return held.outcome

    def deadline(self, held: Held) -> Optional[float]:
        """When the lease ends, or the drain; in Unix seconds."""
        with self.lock:
            ends = [held.leased + self._max_lease] if self._max_lease else []
            if self._ending.drain_deadline is not None:
                ends.append(self._ending.drain_deadline)
            return time.time() + (min(ends) - time.monotonic()) if ends else None

    def _settle(self, held: Held, verdict: Verdict) -> None:
        """With the lock; its first."""
        if self.options.consume.confirm and held.outcome is None:
            held.outcome = concurrent.futures.Future()
        id = self._ledger.settle(held, verdict)
        if id is not None:
            self._outbox.add_verdict(id, verdict)
            self._wake_writer()
        if held.key:
            self._queue.done(held.key)
            self._ports.wake_workers(1)

    # --- what is told ---

    def take_told(self) -> list[Call]:
        """What is to be called now, without the lock, in order."""
        with self.lock:
            outcomes, self._ledger.outcomes = self._ledger.outcomes, []
            return [*((_resolve, outcome) for outcome in outcomes), *self._hooks.take()]

    def verdict_of(self, raised: Exception) -> Verdict:
        """What a handler raised: a decision, or an error, of which the hook is told."""
        if isinstance(raised, (RetryAfter, Reject)):
            return raised.verdict
        with self.lock:
            self._ledger.stats.thrown += 1
        self._hooks.call_thrown(raised)
        return NAK

    def stats(self) -> Stats:
        with self.lock:
            return dataclasses.replace(self._ledger.stats)

    # --- within; with the lock ---

    def _ask(self, command: Callable[[], None]) -> None:
        """Without the lock: it is done by the next who has it."""
        self._asked.append(command)
        self._ports.alarm()

    def _absorb(self) -> None:
        while self._asked:
            self._asked.popleft()()

    def _send(self, settlements: Iterable[Settlement]) -> None:
        for settlement in settlements:
            self._outbox.add_verdict(settlement.id, settlement.verdict)
        self._wake_writer()

    def _hand_back(self) -> None:
        """All that waits."""
        self._send(self._ledger.hand_back())

    def _wake_writer(self) -> None:
        if self._writer_idle:
            self._writer_idle = False
            self._ports.wake_writer()


def _resolve(future: concurrent.futures.Future[Outcome], outcome: Outcome) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(outcome)
