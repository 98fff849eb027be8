"""A session driven by threads."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Callable, Optional, TypeVar

import grpc

from . import _tracing, _wire
from ._held import Batch, Held
from ._hooks import call
from ._outbox import Runs
from ._ports import Closing, SessionOptions
from ._session import Session
from .errors import End
from .message import Message, OwnedMessage
from .v1 import consumer_pb2 as pb
from .verdicts import verdict_of

log = logging.getLogger("sluice")

Work = Callable[["Subscription"], None]
T = TypeVar("T")


class Subscription:
    """One consumption: its session's own thread, which opens and reads the streams and calls the hooks, and the threads
    of the handlers. gRPC has another thread for each stream, which waits for something to write in _requests()."""

    def __init__(self, options: SessionOptions, channel: grpc.Channel) -> None:
        self.session = Session(options, self)
        self.message_type = OwnedMessage if options.consume.manual else Message
        self._consume = channel.stream_stream(
            _wire.CONSUME,
            request_serializer=pb.ConsumeRequest.SerializeToString,
            response_deserializer=_wire.to_received,
        )
        self._work = threading.Condition(self.session.lock)
        self._idle = 0  # workers that wait
        self._waiters = threading.Condition(self.session.lock)
        # SimpleQueues, as putting into one is safe in signal handlers and finalizers.
        self._alarm: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._written: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, workers: int = 0, work: Optional[Work] = None) -> None:
        self._spawn("session", self._run)
        for ordinal in range(workers):
            assert work is not None
            self._spawn(f"handler-{ordinal + 1}", lambda: work(self))

    def _spawn(self, role: str, target: Callable[[], None]) -> None:
        name = f"sluice-{self.session.options.consumer}-{role}"
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    # --- ports of the session ---

    def wake_writer(self) -> None:
        self._written.put(None)

    def wake_workers(self, count: int) -> None:
        if count == 0:
            self._work.notify_all()
        elif self._idle:
            self._work.notify(min(count, self._idle))

    def wake_waiters(self) -> None:
        self._waiters.notify_all()

    def alarm(self) -> None:
        self._written.put(None)
        self._alarm.put(None)

    # --- the session's own thread ---

    def _run(self) -> None:
        session = self.session
        session.begin()
        call(session.take_told())
        while True:
            end = self._run_stream()
            wait = session.on_ended(end)
            call(session.take_told())
            if wait is None or self._sleeps_in_vain(wait, end):
                break
        session.close(end)
        call(session.take_told())
        session.on_closed()

    def _run_stream(self) -> End:
        written: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._written = written
        attempt = self.session.open()
        try:
            made: Future[grpc.Call] = Future()
            responses = self._consume(self._requests(attempt, written, made))
            made.set_result(responses)
            for received in responses:
                self.session.on_response(received)
                call(self.session.take_told())
            return End()
        except grpc.RpcError as error:
            return End(error.code().name, error.details() or "")
        except Exception as error:  # a channel that was closed, an exhausted machine: tried again like a broken stream
            log.exception("%s: the stream could not be read", self.session.options.consumer)
            return End("INTERNAL", str(error))
        finally:
            written.put(None)

    def _sleeps_in_vain(self, seconds: float, end: End) -> bool:
        """Waits before the next stream. True: the app does not want one any more."""
        while seconds > 0:
            try:
                self._alarm.get(timeout=seconds)
            except queue.Empty:
                break
            if self.session.gives_up(end):
                return True
        return self.session.gives_up(end)

    # --- gRPC's thread ---

    def _requests(
        self, attempt: int, written: queue.SimpleQueue[None], made: Future[grpc.Call]
    ) -> Iterator[pb.ConsumeRequest]:
        """gRPC asks for the next one when the one before is on its way."""
        session = self.session
        while True:
            request = session.next_request(attempt)
            if isinstance(request, Runs):
                yield request.request()
            elif isinstance(request, pb.ConsumeRequest):
                yield request
            elif request is Closing.HALF_CLOSE:
                self._watch_the_end(attempt, made)
                return
            elif request is Closing.OVER:
                return
            else:
                try:
                    written.get(timeout=min(session.patience(), threading.TIMEOUT_MAX))
                except queue.Empty:
                    if session.has_lost_patience(attempt):
                        made.result().cancel()

    def _watch_the_end(self, attempt: int, made: Future[grpc.Call]) -> None:
        """Nothing more will be written, so nobody waits here any more; but the daemon may not answer."""

        def cancel() -> None:
            if self.session.has_lost_patience(attempt):
                made.result().cancel()

        timer = threading.Timer(self.session.patience(), cancel)
        timer.daemon = True
        timer.start()
        made.result().add_callback(timer.cancel)

    # --- threads of handlers, and of the app ---

    def next_message(self) -> Optional[Message]:
        """The next one; waits for it. Nothing: it has closed."""
        session = self.session
        with session.lock:
            held = self._await(session.take)
        return None if held is None else self.message_type(held.delivery, held, self)

    def next_batch(self, most: int) -> Optional[Batch]:
        """As many as there are, at least one; waits for it. Nothing: it has closed."""
        with self.session.lock:
            return self._await(lambda: self.session.take_batch(most))

    def messages_of(self, batch: Batch) -> list[Message]:
        return list(map(self.message_type, batch.deliveries, itertools.repeat(batch), itertools.repeat(self)))

    def _await(self, take: Callable[[], Optional[T]]) -> Optional[T]:
        taken = take()
        while taken is None and not self.session.closed:
            self._idle += 1
            self._work.wait()
            self._idle -= 1
            taken = take()
        return taken

    def await_waiting(self, count: int, until: float) -> None:
        """With the lock: until so many wait, or it has closed, or it is `until` (monotonic)."""
        session = self.session
        while session.waiting() < count and not session.closed and (left := until - time.monotonic()) > 0:
            self._idle += 1
            self._work.wait(left)
            self._idle -= 1

    def wait_closed(self, timeout: Optional[float]) -> bool:
        with self.session.lock:
            return self._waiters.wait_for(lambda: self.session.closed, timeout)

    def wait_cancelled(self, held: Held, timeout: Optional[float]) -> bool:
        with self.session.lock:
            return self._waiters.wait_for(lambda: held.cancelled, timeout)

    def join(self, give_up: float) -> None:
        """Waits for its threads, until `give_up` (monotonic)."""
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))

    def is_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def is_worker(self) -> bool:
        return threading.current_thread() in self._threads


def work_off(handler: Callable[[Message], object], manual: bool) -> Work:
    """What each thread of the handlers does: one message after the other."""

    def work(subscription: Subscription) -> None:
        session = subscription.session
        while True:
            message = subscription.next_message()
            if message is None:
                return
            try:
                verdict = verdict_of(_call(handler, message))
            except Exception as raised:
                verdict = session.verdict_of(raised)
            if not manual or verdict.kind != "ack":
                session.settle(message._held, verdict)
            del message  # before waiting for the next: it may be the last hold on it

    return work


def work_off_batches(handler: Callable[[list[Message]], object], most: int) -> Work:
    """The same with as many messages as there are, `most` at once."""

    def work(subscription: Subscription) -> None:
        session = subscription.session
        while True:
            batch = subscription.next_batch(most)
            if batch is None:
                return
            try:
                verdict = verdict_of(handler(subscription.messages_of(batch)))
            except Exception as raised:
                verdict = session.verdict_of(raised)
            session.settle_batch(batch, verdict)
            del batch

    return work


def _call(handler: Callable[[Message], object], message: Message) -> object:
    context = _tracing.context_of(message) if _tracing.AVAILABLE else None
    if context is None:
        return handler(message)
    with _tracing.attached(context):
        return handler(message)
