"""One consumption over all its streams: what has to be said to the daemon next, and what may be started. No threads and
no I/O of its own, so that the threads of `sluice` and the tasks of `sluice.aio` obey the same rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Optional, Union

from . import _wire
from ._ending import Wish
from ._held import Held
from ._lanes import Frame
from ._outbox import Runs
from ._ports import Closing, Ports, SessionOptions
from ._work import Work
from .errors import End
from .options import Draining, DrainReport, Outcome, State
from .v1 import consumer_pb2 as pb
from .verdicts import NAK

# Bytes of a message: the last verdicts keep those frames in memory whose messages are smaller, on average.
LARGE = 1024


class Session(Work):
    """
    CONNECTING --Opened--> open ---(stream ends)---> CONNECTING, after a backoff
                             '---(the app's drain is over, stop(), a permanent error)---> closed

    Its driver opens streams, passes on what comes, asks what to write, and calls what take_told() returns.
    """

    def __init__(self, options: SessionOptions, ports: Ports) -> None:
        super().__init__(options, ports)
        self._end = End()
        self._on_closed: list[Callable[[], None]] = []
        self._demand = 0  # messages, beyond what is held
        self._loops = 0  # over Messages, that run
        self._attempt = 0  # ordinal of the current stream, of those that were tried
        self._streaming = False

    # --- streams, for the driver ---

    def begin(self) -> None:
        with self.lock:
            self._hooks.begin()

    def open(self) -> int:
        """A new stream: the first request waits for next_request(), which wants the ordinal that is returned."""
        with self.lock:
            self._absorb()
            self._attempt += 1
            self._streaming = True
            kept = self._ending.open(time.monotonic())
            self._outbox.open(self._open_request(kept))
            if self._ending.wish is Wish.STOP:
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
            return max(0.0, self._ending.give_up - time.monotonic())

    def has_lost_patience(self, attempt: int) -> bool:
        """True, once: cancel the stream."""
        with self.lock:
            return attempt == self._attempt and self._ending.has_lost_patience(time.monotonic())

    def on_ended(self, end: End) -> Optional[float]:
        """The stream has ended. Returns in how many seconds to open the next; none: that was the last, close()."""
        with self.lock:
            self._halted = True
            self._streaming = False
            self._ending.on_ended(time.monotonic())
            self._ledger.on_stream_ended()
            self._outbox.close()
            self._absorb()
            if self._is_last(end):
                return None
            self._hooks.tell_state(State.CONNECTING, "the stream has ended" if end.ok else end.message)
            return self._ending.next_wait()

    def gives_up(self, end: End) -> bool:
        """Whether the app has meanwhile said that it wants no other stream."""
        with self.lock:
            self._absorb()
            return self._is_last(end)

    def close(self, end: End) -> None:
        """For good. Then take_told(), then on_closed()."""
        with self.lock:
            self._halted = True
            self._ledger.close()
            if self._ending.wish is Wish.SERVE:
                self._end = end
                self._hooks.tell_refused(end.code, end.message)
            self._hooks.tell_state(State.CLOSED, self._end.message)

    def on_closed(self) -> None:
        with self.lock:
            self.closed = True
            callbacks, self._on_closed = self._on_closed, []
            self._ports.wake_workers(0)
            self._ports.wake_waiters()
        for callback in callbacks:
            callback()

    def absorb(self) -> None:
        """Does what was asked for without the lock."""
        with self.lock:
            self._absorb()

    # --- for the app; any thread ---

    def start_drain(self, timeout: Optional[float]) -> None:
        self._ask(lambda: self._wish(Wish.DRAIN, timeout))

    def start_stop(self) -> None:
        self._ask(lambda: self._wish(Wish.STOP, None))

    def demand(self, messages: int) -> None:
        """Asks for so many beyond what is held. 0: hands back what waits, and what still comes."""
        with self.lock:
            self._demand = messages
            self._tell_credit()
            if messages == 0:
                self._hand_back()

    def enter_loop(self) -> None:
        with self.lock:
            self._loops += 1

    def leave_loop(self, held: Optional[Held]) -> None:
        """`held`: whose turn it was. For finalizers: takes no lock."""

        def leave() -> None:
            self._loops -= 1
            if held is not None and not held.settled:
                self._settle(held, NAK)
            if self._hands_back():
                self._hand_back()

        self._ask(leave)

    def notify_closed(self, callback: Callable[[], None]) -> None:
        """`callback` is called once it is closed, by its driver, or at once. It must not wait."""
        with self.lock:
            if not self.closed:
                self._on_closed.append(callback)
                return
        callback()

    def end(self) -> End:
        return self._end

    def drain_report(self) -> DrainReport:
        return self._ending.report

    def state(self) -> State:
        return self._hooks.state

    # --- what comes; for the driver ---

    def on_response(self, received: _wire.Received) -> None:
        response = received.response
        kind = response.WhichOneof("kind")
        if kind == "deliveries":
            self._on_deliveries(response.deliveries.deliveries, received.size)
        elif kind == "opened":
            self._on_opened(response.opened)
        elif kind == "settle_results":
            self._on_settle_results(response.settle_results.results)
        elif kind == "state":
            with self.lock:
                self._hooks.tell_state(_wire.to_state(response.state.kind), response.state.detail)
        elif kind == "leases_ended":
            with self.lock:
                self._send(self._ledger.on_leases_ended(response.leases_ended.ids))
                self._ports.wake_waiters()
        elif kind == "draining":
            self._on_draining(response.draining)
        elif kind == "drained":
            self._on_drained(response.drained)
        # else: of a later daemon

    def _on_opened(self, opened: pb.Opened) -> None:
        resumed = {one.held_id: one.id for one in opened.resumed}
        with self.lock:
            self._absorb()  # before what it says about what is held
            self._send(self._ledger.on_opened(resumed))
            self._ledger.stats.refused += len(opened.refused)
            self._max_lease = opened.max_lease.ToMicroseconds() / 1e6
            self._ending.on_opened(time.monotonic())
            if self._ending.wish is not Wish.SERVE:
                self._follow_wish()
            elif self._demand:  # it may have changed since `Open`
                self._tell_credit()
            if self._ending.wish is not Wish.STOP:
                self._halted = False
                self._ports.wake_workers(len(self._queue))
            self._ports.wake_waiters()

    def _on_deliveries(self, deliveries: Iterable[pb.Delivery], size: int) -> None:
        now = time.monotonic()
        arrived = list(deliveries)
        large = size > LARGE * len(arrived)
        keys = {delivery.id: self._key_of(delivery) for delivery in arrived} if self._by_key else {}
        with self.lock:
            if not self._ledger.connected:  # before `Opened`: not this contract
                return
            # What waits for its key leaves handlers without anything to do.
            held = 0 if any(keys.values()) else self._ledger.stats.in_flight
            fresh, settlements = self._ledger.accept(arrived)
            self._send(settlements)
            self._queue.push(Frame(fresh, now, [keys[delivery.id] for delivery in fresh] if keys else (), large))
            if self._hands_back() or (self.options.on_demand and not self._demand):
                self._hand_back()
                return
            self._adjust_credit(now, held)
            self._ports.wake_workers(len(fresh))

    def _on_settle_results(self, results: Iterable[pb.SettleResult]) -> None:
        with self.lock:
            stats, tell = self._ledger.stats, self._hooks.tell_failed
            for result in results:
                outcome = _wire.OUTCOMES.get(result.outcome)
                count = len(result.ids)
                if outcome is not None:
                    self._ledger.confirm(result.ids, outcome)
                if outcome is Outcome.LATE:
                    stats.late += count
                    tell("DEADLINE_EXCEEDED", f"{count} verdicts came after their lease had ended", result.detail)
                elif outcome is Outcome.NOT_HELD:
                    stats.not_held += count
                    tell("NOT_FOUND", f"{count} verdicts were for what the daemon does not hold", result.detail)
                elif outcome is Outcome.FAILED:
                    stats.failed += count
                    tell("UNAVAILABLE", f"{count} verdicts could not be confirmed", result.detail)

    def _on_draining(self, draining: pb.Draining) -> None:
        by_daemon = draining.reason == pb.Draining.REASON_DAEMON
        with self.lock:
            if not draining.HasField("deadline"):
                self._hooks.tell_draining(Draining(by_daemon, None))
                return
            deadline = draining.deadline.ToMicroseconds() / 1e6
            self._ending.on_draining(time.monotonic() + (deadline - time.time()))
            self._hooks.tell_draining(Draining(by_daemon, _wire.to_datetime(deadline)))

    def _on_drained(self, drained: pb.Drained) -> None:
        report = _wire.to_report(drained.report)
        with self.lock:
            self._halted = True
            given_back = self._ledger.on_given_back()
            if self._ending.wish is Wish.SERVE:
                self._ledger.stats.lost += given_back
            self._ending.on_drained(report)
            self._ports.wake_waiters()
            self._hooks.tell_drained(report)

    # --- within; with the lock, but for _key_of() ---

    def _wish(self, wish: Wish, timeout: Optional[float]) -> None:
        if not self._ending.wants(wish, timeout):
            return
        if wish is Wish.STOP:
            self._halted = True
        if self._streaming:
            self._follow_wish()

    def _follow_wish(self) -> None:
        """Tells the daemon what the app wants now. A drain waits for `Opened`."""
        self._ending.expect_end(time.monotonic(), self._ledger.connected)
        if self._ending.wish is Wish.STOP:
            self._outbox.finish()
        elif self._ledger.connected:
            request = pb.ConsumeRequest(drain=pb.Drain())
            if self._ending.drain_timeout is not None:
                request.drain.timeout.FromMicroseconds(round(self._ending.drain_timeout * 1e6))
            self._outbox.add(request)
            if self._hands_back():  # only now: before the drain it would be given to this app again
                self._hand_back()
        self._wake_writer()

    def _hands_back(self) -> bool:
        """Whether the app drains, and what waits is to be given back: as it wants it so, or as there is no loop that
        would work it off."""
        nobody_works = self.options.in_loops and self._loops == 0
        return self._ending.wish is Wish.DRAIN and (self.options.consume.hand_back or nobody_works)

    def _is_last(self, end: End) -> bool:
        return self._ending.is_last(time.monotonic(), end, self._ledger.stats.streams)

    def _open_request(self, kept: bool) -> pb.ConsumeRequest:
        consume = self.options.consume
        return pb.ConsumeRequest(
            open=pb.Open(
                consumer=self.options.consumer,
                client_id=self.options.client_id,
                credit=self._credit_now(),
                max_batch=consume.max_batch,
                confirm_settlements=consume.confirm,
                resumable=consume.resumable,
                resume=self._ledger.name_held(kept),
            )
        )

    def _credit_now(self) -> pb.Credit:
        messages = self._credit.messages
        if self.options.on_demand:
            messages = self._ledger.stats.in_flight + self._demand if self._demand else 0
        if self._ending.wish is not Wish.SERVE:
            messages = 0
        return pb.Credit(messages=messages, bytes=self.options.consume.credit_bytes)

    def _tell_credit(self) -> None:
        if self._ledger.connected and self._ending.wish is Wish.SERVE:
            self._outbox.add(pb.ConsumeRequest(credit=self._credit_now()))
            self._wake_writer()

    def _adjust_credit(self, now: float, held: int) -> None:
        stats = self._ledger.stats
        changed = self._credit.update(now, stats.acked + stats.naked + stats.terminated, held)
        if changed is not None and not self.options.on_demand:
            self._tell_credit()

    def _key_of(self, delivery: pb.Delivery) -> bytes:
        return delivery.key if self.options.key_of is None else self.options.key_of(delivery)
