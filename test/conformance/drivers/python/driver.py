"""The Python SDK in the hands of the conformance runner. See ../../README.md."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Optional, TypeVar, Union

import sluice
import sluice.aio
from script import Message, Play, Scripts, emit

T = TypeVar("T")
Consumption = Union[sluice.Consumption, sluice.aio.Consumption]


class Driver:
    """A thread reads the commands and does them; the main thread has the event loop, and the signals of `run`."""

    def __init__(self) -> None:
        self._scripts = Scripts()
        self._clients: dict[Optional[str], sluice.Client] = {}
        self._aio_clients: dict[Optional[str], sluice.aio.Client] = {}
        self._consumptions: dict[str, Consumption] = {}
        self._plays: dict[str, Callable[[Message], Play]] = {}

    async def main(self) -> int:
        emit("ready")
        self._main_loop = asyncio.get_running_loop()
        self._exit_code: asyncio.Future[int] = self._main_loop.create_future()
        _in_background(self._read)
        return await self._exit_code

    def _read(self) -> None:
        for line in sys.stdin:
            self._do(json.loads(line))
        for client in self._clients.values():
            client.close()
        self._in_loop(self._finish())

    async def _finish(self) -> None:
        for client in self._aio_clients.values():
            await client.close()
        if not self._exit_code.done():
            self._exit_code.set_result(0)

    def _do(self, command: dict[str, Any]) -> None:
        name = command.get("as", "")
        try:
            getattr(self, "_" + command["do"])(name, command)
        except Exception as error:
            logging.exception("%s", command)
            emit("error", **{"as": name}, message=f"{type(error).__name__}: {error}")

    # --- commands ---

    def _consume(self, name: str, command: dict[str, Any]) -> None:
        options = dict(command.get("options", {}))
        client_id = options.pop("client_id", None)
        break_after = options.pop("break_after", 0)
        if isinstance(options.get("key"), str):
            options["key"] = _key_function(options["key"])
        consumer, style, confirm = command["consumer"], command["style"], bool(options.get("confirm"))
        self._plays[name] = lambda message: Play(
            self._scripts, name, consumer, style not in ("handler", "async"), confirm, message
        )
        options.update(_hooks(name))
        if style == "async":
            self._consume_async(name, consumer, client_id, confirm, options)
            return
        client = self._clients.setdefault(client_id, sluice.Client(client_id=client_id))
        consumption: sluice.Consumption
        if style == "iterator":
            consumption = messages = client.messages(consumer, **options)
            _in_background(lambda: self._loop(name, messages, break_after))
        elif style == "fetch":
            consumption = client.fetcher(consumer, **options)
        else:
            consumption = client.consume(
                consumer, lambda message: self._handle(name, message), manual=style == "manual", **options
            )
        self._consumptions[name] = consumption
        _in_background(lambda: _tell_closed(name, consumption.closed()))

    def _consume_async(
        self, name: str, consumer: str, client_id: Optional[str], confirm: bool, options: dict[str, Any]
    ) -> None:
        client = self._aio_clients.setdefault(client_id, sluice.aio.Client(client_id=client_id))

        async def handle(message: sluice.aio.Message) -> None:
            if confirm:
                self._in_loop(self._tell_outcome(name, message))
            for seconds in self._plays[name](message).steps():
                await asyncio.sleep(seconds)

        async def tell_closed() -> None:
            _tell_closed(name, await consumption.closed())

        async def consume() -> sluice.aio.Consumption:
            return client.consume(consumer, handle, **options)

        self._consumptions[name] = consumption = self._in_loop(consume()).result()
        self._in_loop(tell_closed())

    async def _tell_outcome(self, name: str, message: sluice.aio.Message) -> None:
        outcome = await message.outcome()
        emit("result", **{"as": name}, sequence=message.sequence, outcome=outcome.value)

    def _fetch(self, name: str, command: dict[str, Any]) -> None:
        fetcher = self._consumptions[name]
        assert isinstance(fetcher, sluice.Fetcher)

        def fetch() -> None:
            try:
                messages = fetcher.fetch(command["n"], max_wait=command["max_wait_ms"] / 1000)
            except sluice.Error as error:
                logging.info("fetch: %s", error)
                messages = []
            count = len(messages)
            messages.reverse()
            while messages:
                self._take_turn(name, messages.pop())
            emit("fetched", **{"as": name}, count=count)

        _in_background(fetch)

    def _release(self, _name: str, command: dict[str, Any]) -> None:
        self._scripts.released(command["sequence"]).put(command["steps"])

    def _drain(self, name: str, command: dict[str, Any]) -> None:
        timeout = command["timeout_ms"] / 1000 if "timeout_ms" in command else None
        consumption = self._consumptions[name]
        if isinstance(consumption, sluice.Consumption):
            drain = consumption.drain
            _in_background(lambda: _tell_drained(name, drain(timeout)))
            return
        drain_async = consumption.drain

        async def drain_and_tell() -> None:
            _tell_drained(name, await drain_async(timeout))

        self._in_loop(drain_and_tell())

    def _stop(self, name: str, _command: dict[str, Any]) -> None:
        consumption = self._consumptions[name]
        if isinstance(consumption, sluice.Consumption):
            _in_background(consumption.stop)
        else:
            self._in_loop(consumption.stop())

    def _stats(self, name: str, _command: dict[str, Any]) -> None:
        emit("stats", **{"as": name}, stats=dataclasses.asdict(self._consumptions[name].stats()))

    def _run(self, name: str, _command: dict[str, Any]) -> None:
        consumption = self._consumptions[name]
        if isinstance(consumption, sluice.Consumption):
            self._main_loop.call_soon_threadsafe(self._run_sync, name, consumption)
        else:
            self._in_loop(self._run_async(name, consumption))

    def _run_sync(self, name: str, consumption: sluice.Consumption) -> None:
        report = sluice.run(consumption)  # has the main thread from now on
        _tell_drained(name, report)
        _tell_closed(name, consumption.closed())
        for client in self._clients.values():
            client.close()  # waits for handlers that were cancelled
        self._exit_code.set_result(0 if report.completed else 1)

    async def _run_async(self, name: str, consumption: sluice.aio.Consumption) -> None:
        report = await sluice.aio.run(consumption)
        _tell_drained(name, report)
        _tell_closed(name, await consumption.closed())
        for client in self._aio_clients.values():
            await client.close()
        self._exit_code.set_result(0 if report.completed else 1)

    def _in_loop(self, what: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return asyncio.run_coroutine_threadsafe(what, self._main_loop)

    # --- messages ---

    def _handle(self, name: str, message: sluice.Message) -> None:
        for seconds in self._plays[name](message).steps():
            time.sleep(seconds)

    def _take_turn(self, name: str, message: sluice.Message) -> None:
        """In a loop of one's own, an error of the work is the loop's to catch."""
        try:
            self._handle(name, message)
        except RuntimeError as error:
            logging.info("%s", error)

    def _loop(self, name: str, messages: sluice.Messages, break_after: int) -> None:
        count = 0
        try:
            for message in messages:
                self._take_turn(name, message)
                count += 1
                if count == break_after:
                    break
        except sluice.Error as error:
            logging.info("the loop has ended: %s", error)
        if break_after and count == break_after:
            _tell_drained(name, messages.drain())


def _hooks(name: str) -> dict[str, Any]:
    return {
        "on_state": lambda state, detail: emit("state", **{"as": name}, state=state.value, detail=detail),
        "on_draining": lambda draining: emit("draining", **{"as": name}, by_daemon=draining.by_daemon),
        "on_error": lambda error: emit("error", **{"as": name}, message=str(error)),
    }


def _key_function(key: str) -> Callable[[Message], Optional[str]]:
    if key == "subject":
        return lambda message: message.subject
    name = key.partition(":")[2]
    return lambda message: message.header(name)


_told_closed: set[str] = set()


def _tell_closed(name: str, end: Optional[sluice.End]) -> None:
    assert end is not None
    if name not in _told_closed:  # also after `run`, which waits for the same end
        _told_closed.add(name)
        emit("closed", **{"as": name}, code=end.code, message=end.message)


def _tell_drained(name: str, report: sluice.DrainReport) -> None:
    emit("drained", **{"as": name}, report=dataclasses.asdict(report))


def _in_background(what: Callable[[], object]) -> None:
    threading.Thread(target=what, daemon=True).start()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    code = asyncio.run(Driver().main())
    sys.stdout.flush()
    os._exit(code)  # whatever handlers still do
