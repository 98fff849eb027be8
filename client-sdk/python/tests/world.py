"""A nats-server and the real daemon, for tests against both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Optional, TypeVar

import nats
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

T = TypeVar("T")

PATIENCE = 20.0  # seconds

# What is in the daemon when it is killed waits for the ack wait, which has to end well before the PATIENCE of a test.
CONFIG = """
nats:
  servers: [nats://127.0.0.1:{port}]
listen:
  unix: {folder}/sluice.sock
consumers:
  - name: orders
    stream: ORDERS
    config: {{ack_wait: 5s}}
"""


class World:
    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self.address = f"unix:{folder}/sluice.sock"
        self._daemon: Optional[subprocess.Popen[bytes]] = None
        self._sluice = _daemon()
        (folder / "sluice.yaml").write_text(CONFIG.format(port=self._port, folder=folder))
        self._server = self._spawn(
            "nats-server",
            _program("nats-server"),
            "-a",
            "127.0.0.1",
            "-p",
            str(self._port),
            "-js",
            "-sd",
            str(folder / "jetstream"),
        )

    def start(self) -> None:
        _wait_until(lambda: _accepts(self._port), "nats-server")
        self._with_jetstream(lambda js: js.add_stream(StreamConfig(name="ORDERS", subjects=["orders.>"])))
        self.start_daemon()

    def start_daemon(self) -> None:
        self._daemon = self._spawn("daemon", self._sluice, "serve", "--config", str(self._folder / "sluice.yaml"))

    def signal_daemon(self, number: signal.Signals) -> None:
        """And waits for its end."""
        assert self._daemon is not None
        self._daemon.send_signal(number)
        self._daemon.wait(PATIENCE)

    def publish(self, *payloads: bytes) -> None:
        async def publish(js: JetStreamContext) -> None:
            for payload in payloads:
                await js.publish("orders.new", payload)

        self._with_jetstream(publish)

    def unsettled(self) -> int:
        """Messages that the consumer still has to have acked."""

        async def count(js: JetStreamContext) -> int:
            info = await js.consumer_info("ORDERS", "orders")
            return (info.num_pending or 0) + (info.num_ack_pending or 0)

        return self._with_jetstream(count)

    def await_settled(self) -> None:
        _wait_until(lambda: self.unsettled() == 0, "everything to be settled")

    def close(self) -> None:
        for process in (self._daemon, self._server):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(PATIENCE)

    def _spawn(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _with_jetstream(self, do: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        async def main() -> T:
            connection = await nats.connect(f"nats://127.0.0.1:{self._port}")
            try:
                return await do(connection.jetstream())
            finally:
                await connection.close()

        return asyncio.run(main())


@contextlib.contextmanager
def make_world(folder: pathlib.Path) -> Iterator[World]:
    world = World(folder)
    try:
        world.start()
        yield world
    finally:
        world.close()


def _daemon() -> str:
    path = os.environ.get("SLUICE_BIN", "")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"no daemon at {path!r}: build it (make build at the top), or name it in SLUICE_BIN")
    return path


def _program(name: str) -> str:
    path = shutil.which(name, path=os.environ["PATH"] + os.pathsep + "/usr/sbin")
    if path is None:
        raise RuntimeError(f"no {name} on the PATH: apt-get install {name}")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {PATIENCE:g} s for {what}")
        time.sleep(0.01)
