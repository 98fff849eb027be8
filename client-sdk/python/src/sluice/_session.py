"""One consumption over all its streams: what has to be said to the daemon next, and what may be started. No threads and
no I/O of its own, so that the threads of `sluice` and the tasks of `sluice.aio` obey the same rules."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import enum
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, Protocol, Union

from . import _wire
from ._backoff import Backoff
from ._credit import CreditWindow
from ._held import Held
from ._lanes import Frame, Lanes, Queue
from ._ledger import Ledger, Settlement
from ._outbox import Outbox, Runs
from .errors import End, Error
from .options import Draining, DrainReport, Options, Outcome, State, Stats
from .v1 import consumer_pb2 as pb
from .verdicts import NAK, Verdict

log = logging.getLogger("sluice")

# A daemon that has not answered `Opened` by then is taken for hung.
OPEN_TIMEOUT = 10.0
# Beyond what a drain may take by its own deadline: the daemon's final phases and the way back.
DRAIN_GRACE = 5.0
# For a drain without a timeout of its own, until `Draining` tells the daemon's.
DRAIN_DEFAULT = 60.0
STOP_TIMEOUT = 5.0
# The daemon's default: it has given everything back by then, so a drain has nothing left to wait for.
RESUME_WINDOW = 5.0
# A stream that lasted this long was a good one: the next is tried without waiting.
LIVED = 1.0
FOREVER = 365 * 24 * 3600.0

# Answers that no amount of patience changes.
PERMANENT = frozenset({"NOT_FOUND", "INVALID_ARGUMENT", "UNIMPLEMENTED", "PERMISSION_DENIED"})


class Ports(Protocol):
    """How a session wakes those who drive it. Called with its lock held, but for `alarm`; none may wait."""

    def wake_writer(self) -> None:
        """There is something for next_request()."""

    def wake_workers(self, count: int) -> None:
        """So many messages can be started; or nothing will be any more (0)."""

    def wake_waiters(self) -> None:
        """Messages were cancelled, or it has closed."""

    def alarm(self) -> None:
        """There is something to absorb(), or for on_ended() to reconsider. From any thread, from signal handlers and
        finalizers too: takes no lock that its caller may hold."""


class Wish(enum.IntEnum):
    """What the app wants; only ever grows."""

    SERVE = 0
    DRAIN = 1
    STOP = 2


class Closing(enum.Enum):
    """Instead of a request: there will be none."""

    HALF_CLOSE = 1
    OVER = 2


@dataclasses.dataclass(frozen=True)
class SessionOptions:
    consumer: str
    client_id: str
    first_retry: float
    longest_retry: float
    consume: Options
    on_demand: bool = False
    """Holds nothing but what demand() asks for: a fetcher."""
    in_loops: bool = False
    """The app's own loops work."""
    key_of: Optional[Callable[[pb.Delivery], bytes]] = None
    """The app's `key`, if it has one."""


class Session:
    """
    CONNECTING --Opened--> open ---(stream ends)---> CONNECTING, after a backoff
                             '---(the app's drain is over, stop(), a permanent error)---> closed

    Its driver opens streams, passes on what comes, asks what to write, and calls the hooks that take_told() names.
    Everything here may be called from any thread; what the docs say is "with the lock" wants its caller to hold it.
    """

    def __init__(self, options: SessionOptions, ports: Ports) -> None:
        consume = options.consume
        self.options = options
        self.lock = threading.Lock()  # guards all below; never held while calling out
        self._ports = ports
        self._asked: deque[Callable[[], None]] = deque()  # by the app; needs no lock
        self._backoff = Backoff(options.first_retry, options.longest_retry)
        self._credit = CreditWindow(consume.credit_messages, consume.concurrency)
        self._ledger = Ledger(self._credit.most, consume.remembered)
        self._outbox = Outbox()
        self._by_key = options.key_of is not None or consume.concurrency > 1
        self._queue = Lanes() if self._by_key else Queue()
        self._told: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._wish = Wish.SERVE
        self._drain_timeout: Optional[float] = None
        self._drain_report = DrainReport()
        self._demand = 0
        self._loops = 0  # over Messages, that run
        self._state = (State.CONNECTING, "")
        self._end: Optional[End] = None
        self._on_closed: list[Callable[[], None]] = []
        # The current stream.
        self._attempt = 0  # its ordinal, of those that were tried
        self._streaming = False
        self._writer_idle = False
        self._halted = True  # nothing new is started: the daemon may have handed it to another app
        self._give_up = FOREVER  # cancel it then
        self._max_lease = 0.0  # 0: not told
        self._drain_deadline: Optional[float] = None  # monotonic
        self._drained = False  # the daemon has given back what was left
        self._connected_since: Optional[float] = None
        self._last_connected = float("-inf")

    # --- streams, for the driver ---

    def begin(self) -> None:
        with self.lock:
            self._tell(self.options.consume.on_state, State.CONNECTING, "")

    def open(self) -> int:
        """A new stream: the first request waits for next_request(), which wants the ordinal that is returned."""
        with self.lock:
            self._absorb()
            self._attempt += 1
            self._streaming = True
            request = self._open_request(kept=self._still_kept())
            self._drained = False
            self._drain_deadline = None
            self._connected_since = None
            self._give_up = time.monotonic() + OPEN_TIMEOUT
            self._outbox.open(request)
            if self._wish is Wish.STOP:
                self._follow_wish()
            return self._attempt

    def next_request(self, attempt: int) -> Union[pb.ConsumeRequest, Runs, Closing, None]:
        """What to write next; nothing: wait for wake_writer() or alarm(), for patience() at most."""
        with self.lock:
            self._absorb()
            if attempt != self._attempt or self._outbox.closed:
                return Closing.OVER
            request = self._outbox.next()
            if request is not None:
                return request
            if self._outbox.finished:
                return Closing.HALF_CLOSE
            self._writer_idle = True
            return None

    def patience(self) -> float:
        """For how many more seconds the stream is worth waiting for."""
        with self.lock:
            return max(0.0, self._give_up - time.monotonic())

    def has_lost_patience(self, attempt: int) -> bool:
        """True, once: cancel the stream."""
        with self.lock:
            if attempt != self._attempt or time.monotonic() < self._give_up:
                return False
            self._give_up = time.monotonic() + FOREVER
            if self._wish is Wish.DRAIN:
                self._wish = Wish.STOP  # the drain has had its time
            return True

    def on_response(self, response: pb.ConsumeResponse) -> None:
        kind = response.WhichOneof("kind")
        if kind == "deliveries":
            self._on_deliveries(response.deliveries.deliveries)
        elif kind == "opened":
            self._on_opened(response.opened)
        elif kind == "settle_results":
            self._on_settle_results(response.settle_results.results)
        elif kind == "state":
            with self.lock:
                self._tell_state(_wire.to_state(response.state.kind), response.state.detail)
        elif kind == "leases_ended":
            with self.lock:
                self._send(self._ledger.on_leases_ended(response.leases_ended.ids))
                self._ports.wake_waiters()
        elif kind == "draining":
            self._on_draining(response.draining)
        elif kind == "drained":
            self._on_drained(response.drained)
        # else: of a later daemon

    def on_ended(self, end: End) -> Optional[float]:
        """The stream has ended. Returns in how many seconds to open the next; none: that was the last, close()."""
        with self.lock:
            self._halted = True
            if self._ledger.connected:
                self._last_connected = time.monotonic()
            self._ledger.on_stream_ended()
            self._outbox.close()
            self._streaming = False
            self._absorb()
            if self._is_last(end):
                return None
            self._tell_state(State.CONNECTING, end.message if not end.ok else "the stream has ended")
            if self._connected_since is not None and self._last_connected - self._connected_since >= LIVED:
                self._backoff.reset()
            return self._backoff.next()

    def gives_up(self, end: End) -> bool:
        """Whether the app has meanwhile said that it wants no other stream."""
        with self.lock:
            self._absorb()
            return self._is_last(end)

    def close(self, end: End) -> None:
        """For good. Then take_told(), then on_closed()."""
        with self.lock:
            self._ledger.close()
            self._queue.clear()
            self._end = end if self._wish is Wish.SERVE else End()
            if not self._end.ok:
                log.error("%s: %s: %s", self.options.consumer, self._end.code, self._end.message)
                self._tell(self.options.consume.on_error, Error(*self._end))
            self._tell_state(State.CLOSED, self._end.message)

    def on_closed(self) -> None:
        with self.lock:
            callbacks, self._on_closed = self._on_closed, []
            self._state = (State.CLOSED, self._state[1])
            self._closed = True
            self._ports.wake_workers(0)
            self._ports.wake_waiters()
        for callback in callbacks:
            callback()

    _closed = False

    def take_told(self) -> list[tuple[Callable[..., None], tuple[Any, ...]]]:
        """Hooks to be called now, without the lock, in order."""
        if not self._told and not self._ledger.outcomes:
            return []
        with self.lock:
            told, self._told = self._told, []
            outcomes, self._ledger.outcomes = self._ledger.outcomes, []
        return [*((resolve, outcome) for outcome in outcomes), *told]

    # --- for those who work; with the lock ---

    def take(self) -> Optional[Held]:
        """The next message, started."""
        if self._halted or (self._drain_deadline is not None and time.monotonic() >= self._drain_deadline):
            return None
        while (waiting := self._queue.pop()) is not None:
            delivery, leased, key = waiting
            held = self._ledger.start(delivery, leased)
            if held is not None:
                held.key = key
                return held
            self._queue.done(key)  # given back before its turn
        return None

    def take_many(self, most: int) -> list[Held]:
        """Up to so many."""
        if self._by_key:
            return list(itertools.islice(iter(self.take, None), most))
        if self._halted or (self._drain_deadline is not None and time.monotonic() >= self._drain_deadline):
            return []
        return self._ledger.start_many(self._queue.pop_many(most))

    def waiting(self) -> int:
        return 0 if self._halted else len(self._queue)

    def settle_started(self, held: Held, verdict: Verdict) -> None:
        """Its first verdict; the caller has seen that it has none yet."""
        if self.options.consume.confirm and held.outcome is None:
            held.outcome = concurrent.futures.Future()
        id = self._ledger.settle(held, verdict)
        if id is not None:
            self._outbox.add_verdict(id, verdict)
            if self._writer_idle:
                self._wake_writer()
        if self._by_key and held.key:
            self._queue.done(held.key)
            self._ports.wake_workers(1)

    @property
    def closed(self) -> bool:
        return self._closed

    # --- for the app; any thread ---

    def settle(self, held: Held, verdict: Verdict) -> bool:
        with self.lock:
            if held.settled:
                return False
            self.settle_started(held, verdict)
        if held.outcome is not None and self._ledger.outcomes:
            call(self.take_outcomes())
        return True

    def settle_many(self, helds: Sequence[Held], verdict: Verdict) -> None:
        """Those that have no verdict yet."""
        with self.lock:
            if self._by_key or self.options.consume.confirm:
                for held in helds:
                    if not held.settled:
                        self.settle_started(held, verdict)
            else:
                self._outbox.add_verdicts(self._ledger.settle_many(helds, verdict), verdict)
                self._wake_writer()
        if self._ledger.outcomes:
            call(self.take_outcomes())

    def take_outcomes(self) -> list[tuple[Callable[..., None], tuple[Any, ...]]]:
        with self.lock:
            outcomes, self._ledger.outcomes = self._ledger.outcomes, []
        return [(resolve, outcome) for outcome in outcomes]

    def let_go(self, held: Held) -> None:
        """NAKs a message without a verdict that nobody has any more. For finalizers: takes no lock."""

        def nak() -> None:
            if not held.settled:
                self.settle_started(held, NAK)

        self._ask(nak)

    def enter_loop(self) -> None:
        with self.lock:
            self._loops += 1

    def leave_loop(self, held: Optional[Held]) -> None:
        """`held`: whose turn it was. For finalizers: takes no lock."""

        def leave() -> None:
            self._loops -= 1
            if held is not None and not held.settled:
                self.settle_started(held, NAK)
            if self._wish is Wish.DRAIN and self._hands_back():
                self._send(self._ledger.hand_back())

        self._ask(leave)

    def in_progress(self, held: Held) -> bool:
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
            if self._drain_deadline is not None:
                ends.append(self._drain_deadline)
            return time.time() + (min(ends) - time.monotonic()) if ends else None

    def demand(self, messages: int) -> None:
        """Asks for so many beyond what is held. 0: hands back what still comes."""
        with self.lock:
            self._demand = messages
            if self._ledger.connected and self._wish is Wish.SERVE:
                self._outbox.add(pb.ConsumeRequest(credit=self._credit_message()))
                self._wake_writer()
            if messages == 0:
                self._send(self._ledger.hand_back())

    def start_drain(self, timeout: Optional[float]) -> None:
        self._ask(lambda: self._wish_for(Wish.DRAIN, timeout))

    def start_stop(self) -> None:
        self._ask(lambda: self._wish_for(Wish.STOP, None))

    def notify_closed(self, callback: Callable[[], None]) -> None:
        """`callback` is called once it is closed, by its driver, or at once. It must not wait."""
        with self.lock:
            if not self._closed:
                self._on_closed.append(callback)
                return
        callback()

    def end(self) -> End:
        return self._end or End()

    def drain_report(self) -> DrainReport:
        return self._drain_report

    def state(self) -> State:
        return self._state[0]

    def stats(self) -> Stats:
        with self.lock:
            return dataclasses.replace(self._ledger.stats)

    def on_thrown(self, error: BaseException) -> None:
        """A handler raised. Calls the hook."""
        log.warning("%s: a handler raised; its message is NAKed", self.options.consumer, exc_info=error)
        with self.lock:
            self._ledger.stats.thrown += 1
        hook = self.options.consume.on_error
        if hook is not None:
            call([(hook, (Error("INTERNAL", f"a handler raised {type(error).__name__}: {error}"),))])

    # --- within; with the lock, but for the _on_... ---

    def _ask(self, command: Callable[[], None]) -> None:
        self._asked.append(command)
        self._ports.alarm()

    def _absorb(self) -> None:
        while self._asked:
            self._asked.popleft()()

    def absorb(self) -> None:
        """Does what was asked for without the lock."""
        with self.lock:
            self._absorb()

    def _wish_for(self, wish: Wish, timeout: Optional[float]) -> None:
        if wish <= self._wish:
            return
        self._wish = wish
        if wish is Wish.STOP:
            self._halted = True
        elif timeout is not None:
            self._drain_timeout = max(timeout, 0.0)
        if self._streaming:
            self._follow_wish()

    def _follow_wish(self) -> None:
        """Tells the daemon what the app wants now. A drain waits for `Opened`."""
        now = time.monotonic()
        if self._wish is Wish.STOP:
            self._outbox.finish()
            self._give_up = now + STOP_TIMEOUT
        elif not self._ledger.connected:
            self._give_up = min(self._give_up, now + STOP_TIMEOUT)
        else:
            if self._hands_back():
                self._send(self._ledger.hand_back())
            request = pb.ConsumeRequest(drain=pb.Drain())
            if self._drain_timeout is not None:
                request.drain.timeout.FromMicroseconds(round(self._drain_timeout * 1e6))
            self._outbox.add(request)
            self._give_up = now + (DRAIN_DEFAULT if self._drain_timeout is None else self._drain_timeout) + DRAIN_GRACE
        self._wake_writer()

    def _hands_back(self) -> bool:
        """Whether a drain gives back what waits, as the app wants it so, or as there is no loop that would work it
        off."""
        return self.options.consume.hand_back or (self.options.in_loops and self._loops == 0)

    def _still_kept(self) -> bool:
        """Whether a daemon that died since can have given back nothing of what the last stream held: not by the end of
        a drain, and not by the end of its resume window."""
        now = time.monotonic()
        by_drain = self._drained or (self._drain_deadline is not None and now >= self._drain_deadline)
        return not by_drain and now - self._last_connected < RESUME_WINDOW

    def _open_request(self, kept: bool) -> pb.ConsumeRequest:
        consume = self.options.consume
        return pb.ConsumeRequest(
            open=pb.Open(
                consumer=self.options.consumer,
                client_id=self.options.client_id,
                credit=self._credit_message(),
                max_batch=consume.max_batch,
                confirm_settlements=consume.confirm,
                resumable=consume.resumable,
                resume=self._ledger.name_held(kept),
            )
        )

    def _credit_message(self) -> pb.Credit:
        messages = self._credit.messages
        if self.options.on_demand:
            messages = self._ledger.stats.in_flight + self._demand if self._demand else 0
        if self._wish is not Wish.SERVE:
            messages = 0
        return pb.Credit(messages=messages, bytes=self.options.consume.credit_bytes)

    def _is_last(self, end: End) -> bool:
        if self._wish is Wish.STOP or end.code in PERMANENT:
            return True
        if self._wish is Wish.SERVE:
            return False
        unreachable = self._ledger.stats.streams == 0 or time.monotonic() - self._last_connected > RESUME_WINDOW
        return self._drain_report.completed or unreachable

    def _on_opened(self, opened: pb.Opened) -> None:
        resumed = {one.held_id: one.id for one in opened.resumed}
        with self.lock:
            self._absorb()  # before what it says about what is held
            self._send(self._ledger.on_opened(resumed))
            self._ledger.stats.refused += len(opened.refused)
            self._max_lease = opened.max_lease.ToMicroseconds() / 1e6
            self._connected_since = time.monotonic()
            self._give_up = time.monotonic() + FOREVER
            if self._wish is not Wish.SERVE:
                self._follow_wish()
            elif self.options.on_demand and self._demand:  # may have grown since `Open`
                self._outbox.add(pb.ConsumeRequest(credit=self._credit_message()))
                self._wake_writer()
            if self._wish is not Wish.STOP:
                self._halted = False
                self._ports.wake_workers(len(self._queue))
            self._ports.wake_waiters()

    def _on_deliveries(self, deliveries: Iterable[pb.Delivery]) -> None:
        now = time.monotonic()
        arrived = list(deliveries)
        keys = [self._key_of(delivery) for delivery in arrived] if self._by_key else []
        with self.lock:
            if not self._ledger.connected:  # before `Opened`: not this contract
                return
            fresh, settlements = self._ledger.accept(arrived)
            self._send(settlements)
            if (self.options.on_demand and not self._demand) or (self._wish is Wish.DRAIN and self._hands_back()):
                self._send(self._ledger.hand_back())
                return
            if keys and fresh is not arrived:
                ids = {delivery.id for delivery in fresh}
                keys = [key for delivery, key in zip(arrived, keys) if delivery.id in ids]
            self._queue.push(Frame(fresh, now, keys))
            self._adjust_credit(now)
            self._ports.wake_workers(len(fresh))

    def _key_of(self, delivery: pb.Delivery) -> bytes:
        return delivery.key if self.options.key_of is None else self.options.key_of(delivery)

    def _adjust_credit(self, now: float) -> None:
        stats = self._ledger.stats
        changed = self._credit.update(now, stats.acked + stats.naked + stats.terminated)
        if changed is not None and self._wish is Wish.SERVE and not self.options.on_demand:
            self._outbox.add(pb.ConsumeRequest(credit=self._credit_message()))
            self._wake_writer()

    def _on_settle_results(self, results: Iterable[pb.SettleResult]) -> None:
        with self.lock:
            stats = self._ledger.stats
            for result in results:
                outcome = _wire.OUTCOMES.get(result.outcome)
                count = len(result.ids)
                if outcome is None:
                    continue
                self._ledger.confirm(result.ids, outcome)
                if outcome is Outcome.LATE:
                    stats.late += count
                    self._tell_failed(
                        "DEADLINE_EXCEEDED", f"{count} verdicts came after their lease had ended", result.detail
                    )
                elif outcome is Outcome.NOT_HELD:
                    stats.not_held += count
                    self._tell_failed(
                        "NOT_FOUND", f"{count} verdicts were for messages that the daemon does not hold", result.detail
                    )
                elif outcome is Outcome.FAILED:
                    stats.failed += count
                    self._tell_failed("UNAVAILABLE", f"{count} verdicts could not be confirmed", result.detail)

    def _on_draining(self, draining: pb.Draining) -> None:
        by_daemon = draining.reason == pb.Draining.REASON_DAEMON
        deadline = draining.deadline.ToMicroseconds() / 1e6 if draining.HasField("deadline") else None
        with self.lock:
            if deadline is not None:
                self._drain_deadline = time.monotonic() + (deadline - time.time())
                if self._wish is not Wish.STOP:
                    self._give_up = self._drain_deadline + DRAIN_GRACE
            log.info(
                "%s: draining, as %s asked for it", self.options.consumer, "the daemon" if by_daemon else "this app"
            )
            when = None if deadline is None else _wire.to_datetime(deadline)
            self._tell(self.options.consume.on_draining, Draining(by_daemon, when))

    def _on_drained(self, drained: pb.Drained) -> None:
        report = _wire.to_report(drained.report)
        with self.lock:
            self._drained = True
            self._halted = True
            given_back = self._ledger.on_given_back()
            if self._wish is Wish.DRAIN:
                self._drain_report = report
            else:
                self._ledger.stats.lost += given_back
            self._ports.wake_waiters()
            log.info("%s: drained: %s", self.options.consumer, report)
            self._tell(self.options.consume.on_drained, report)

    def _send(self, settlements: Iterable[Settlement]) -> None:
        sent = False
        for settlement in settlements:
            self._outbox.add_verdict(settlement.id, settlement.verdict)
            sent = True
        if sent:
            self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writer_idle:
            self._writer_idle = False
            self._ports.wake_writer()

    def _tell(self, hook: Optional[Callable[..., None]], *args: Any) -> None:
        if hook is not None:
            self._told.append((hook, args))

    def _tell_state(self, state: State, detail: str) -> None:
        if (state, detail) == self._state:
            return
        self._state = (state, detail)
        log.info("%s: %s%s", self.options.consumer, state.value, f": {detail}" if detail else "")
        self._tell(self.options.consume.on_state, state, detail)

    def _tell_failed(self, code: str, what: str, detail: str) -> None:
        message = f"{what}: {detail}" if detail else what
        log.warning("%s: %s", self.options.consumer, message)
        self._tell(self.options.consume.on_error, Error(code, message))


def resolve(future: concurrent.futures.Future[Outcome], outcome: Outcome) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(outcome)


def call(told: Iterable[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    """Calls hooks. What they raise harms nobody."""
    for hook, args in told:
        try:
            hook(*args)
        except Exception:
            log.exception("the hook %s raised", getattr(hook, "__name__", hook))
