"""A session driven by tasks of one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Optional, TypeVar

import grpc

from .. import _tracing, _wire
from .._held import Batch
from .._hooks import call
from .._outbox import Runs
from .._ports import Closing, SessionOptions
from .._session import Session
from ..errors import End
from ..v1 import consumer_pb2 as pb
from ..verdicts import verdict_of
from ._message import Message, OwnedMessage

log = logging.getLogger("sluice")

Work = Callable[["Subscription"], Coroutine[Any, Any, None]]
T = TypeVar("T")

# A handler that never awaits anything lets others have their turn after so many messages.
TURN = 64


class Subscription:
    """One consumption: its session's task, which opens and reads the streams and calls the hooks, a task that writes,
    and the tasks of the handlers. Made on its loop's thread; verdicts may come from others."""

    def __init__(self, options: SessionOptions, channel: grpc.aio.Channel) -> None:
        self.session = Session(options, self)
        self.message_type = OwnedMessage if options.consume.manual else Message
        self._consume = channel.stream_stream(
            _wire.CONSUME,
            request_serializer=pb.ConsumeRequest.SerializeToString,
            response_deserializer=_wire.to_received,
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._writable = asyncio.Event()
        self._alarmed = asyncio.Event()
        self._idle: deque[asyncio.Future[None]] = deque()  # workers that wait
        self._waiters: list[asyncio.Future[None]] = []  # for a change
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, workers: int = 0, work: Optional[Work] = None) -> None:
        self._spawn("session", self._run())
        for ordinal in range(workers):
            assert work is not None
            self._spawn(f"handler-{ordinal + 1}", work(self))

    def _spawn(self, role: str, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        task.set_name(f"sluice-{self.session.options.consumer}-{role}")
        self._tasks.append(task)

    # --- ports of the session ---

    def wake_writer(self) -> None:
        self._on_loop(self._writable.set)

    def wake_workers(self, count: int) -> None:
        self._on_loop(lambda: self._wake_idle(count))

    def wake_waiters(self) -> None:
        self._on_loop(self._wake_all)

    def alarm(self) -> None:
        def alarmed() -> None:
            self.session.absorb()
            self._writable.set()
            self._alarmed.set()

        self._soon(alarmed)

    def _on_loop(self, what: Callable[[], object]) -> None:
        if threading.get_ident() == self._thread:
            what()
        else:
            self._soon(what)

    def _soon(self, what: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and all that ran on it
            self._loop.call_soon_threadsafe(what)

    def _wake_idle(self, count: int) -> None:
        wanted = count or len(self._idle)
        while wanted and self._idle:
            future = self._idle.popleft()
            if not future.done():
                future.set_result(None)
                wanted -= 1

    def _wake_all(self) -> None:
        waiters, self._waiters = self._waiters, []
        for future in waiters:
            _finish(future)

    # --- the session's task ---

    async def _run(self) -> None:
        session = self.session
        session.begin()
        call(session.take_told())
        end = End("CANCELLED", "the event loop has ended")
        try:
            while True:
                end = await self._run_stream()
                wait = session.on_ended(end)
                call(session.take_told())
                if wait is None or await self._sleeps_in_vain(wait, end):
                    break
        finally:
            session.close(end)
            call(session.take_told())
            session.on_closed()

    async def _run_stream(self) -> End:
        attempt = self.session.open()
        stream = self._consume()
        writer = self._loop.create_task(self._write(stream, attempt))
        try:
            while True:
                received = await stream.read()
                if not isinstance(received, _wire.Received):  # EOF
                    return End()
                self.session.on_response(received)
                call(self.session.take_told())
        except grpc.aio.AioRpcError as error:
            return End(error.code().name, error.details() or "")
        except asyncio.CancelledError:
            if (
                writer.done() and not writer.cancelled()
            ):  # it has lost patience, and cancelled the stream: not this task
                return End("CANCELLED", "the daemon did not answer in time")
            stream.cancel()
            raise
        except Exception as error:  # a channel that was closed, an exhausted machine: tried again like a broken stream
            log.exception("%s: the stream could not be read", self.session.options.consumer)
            return End("INTERNAL", str(error))
        finally:
            writer.cancel()

    async def _write(self, stream: grpc.aio.StreamStreamCall[Any, _wire.Received], attempt: int) -> None:
        """Returns once it has cancelled the stream, or cannot write to it any more."""
        session = self.session
        while True:
            request = session.next_request(attempt)
            try:
                if isinstance(request, Runs):
                    await stream.write(request.request())
                elif isinstance(request, pb.ConsumeRequest):
                    await stream.write(request)
                elif request is Closing.HALF_CLOSE:
                    await stream.done_writing()
                    await asyncio.sleep(session.patience())
                elif request is Closing.OVER:
                    return
                else:
                    await self._await_writable(session.patience())
            except (grpc.RpcError, asyncio.InvalidStateError):
                return  # the reader learns why
            if session.has_lost_patience(attempt):
                stream.cancel()
                return

    async def _await_writable(self, seconds: float) -> None:
        self._writable.clear()
        timer = self._loop.call_later(seconds, self._writable.set)
        await self._writable.wait()
        timer.cancel()

    async def _sleeps_in_vain(self, seconds: float, end: End) -> bool:
        """Waits before the next stream. True: the app does not want one any more."""
        until = self._loop.time() + seconds
        while not self.session.gives_up(end) and (left := until - self._loop.time()) > 0:
            self._alarmed.clear()
            timer = self._loop.call_later(left, self._alarmed.set)
            await self._alarmed.wait()
            timer.cancel()
        return self.session.gives_up(end)

    # --- tasks of handlers, and of the app ---

    async def next_message(self) -> Optional[Message]:
        """The next one; waits for it. Nothing: it has closed."""
        held = await self._await(self.session.take)
        return None if held is None else self.message_type(held.delivery, held, self)

    async def next_batch(self, most: int) -> Optional[Batch]:
        """As many as there are, at least one; waits for it. Nothing: it has closed."""
        return await self._await(lambda: self.session.take_batch(most))

    def messages_of(self, batch: Batch) -> list[Message]:
        return list(map(self.message_type, batch.deliveries, itertools.repeat(batch), itertools.repeat(self)))

    async def _await(self, take: Callable[[], Optional[T]]) -> Optional[T]:
        session = self.session
        while True:
            with session.lock:
                taken = take()
            if taken is not None or session.closed:
                return taken
            await self._await_work()

    async def _await_work(self) -> None:
        future = self._loop.create_future()
        self._idle.append(future)
        try:
            await future
        finally:
            if future.cancelled() and future in self._idle:
                self._idle.remove(future)

    async def await_waiting(self, count: int, until: float) -> None:
        """Until so many wait, or it has closed, or it is `until` (the loop's time)."""
        session = self.session
        while session.waiting() < count and not session.closed and (left := until - self._loop.time()) > 0:
            future = self._loop.create_future()
            self._idle.append(future)
            timer = self._loop.call_later(left, _finish, future)
            try:
                await future
            finally:
                timer.cancel()

    async def join(self, seconds: float) -> None:
        """Waits for its tasks, and cancels what is left then."""
        _, left = await asyncio.wait(self._tasks, timeout=seconds)
        for task in left:
            task.cancel()

    def is_alive(self) -> bool:
        return not all(task.done() for task in self._tasks)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        while not condition():
            future = self._loop.create_future()
            self._waiters.append(future)
            await future


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def work_off(handler: Callable[[Message], Awaitable[object]], manual: bool) -> Work:
    """What each task of the handlers does: one message after the other."""

    async def work(subscription: Subscription) -> None:
        session = subscription.session
        turns = 0
        while True:
            message = await subscription.next_message()
            if message is None:
                return
            try:
                verdict = verdict_of(await _call(handler, message))
            except Exception as raised:
                verdict = session.verdict_of(raised)
            if not manual or verdict.kind != "ack":
                session.settle(message._held, verdict)
            del message  # before waiting for the next: it may be the last hold on it
            turns += 1
            if turns % TURN == 0:
                await asyncio.sleep(0)

    return work


def work_off_batches(handler: Callable[[list[Message]], Awaitable[object]], most: int) -> Work:
    """The same with as many messages as there are, `most` at once."""

    async def work(subscription: Subscription) -> None:
        session = subscription.session
        while True:
            batch = await subscription.next_batch(most)
            if batch is None:
                return
            try:
                verdict = verdict_of(await handler(subscription.messages_of(batch)))
            except Exception as raised:
                verdict = session.verdict_of(raised)
            session.settle_batch(batch, verdict)
            del batch
            await asyncio.sleep(0)

    return work


async def _call(handler: Callable[[Message], Awaitable[object]], message: Message) -> object:
    context = _tracing.context_of(message) if _tracing.AVAILABLE else None
    if context is None:
        return await handler(message)
    with _tracing.attached(context):
        return await handler(message)
