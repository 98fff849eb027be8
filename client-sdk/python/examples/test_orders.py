"""The worker as it is run: killed in the middle of its work, it books each order once."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from world import PATIENCE, World, make_world

WORKER = pathlib.Path(__file__).with_name("orders.py")


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        yield world


def start(world: World, database: pathlib.Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SLUICE_ADDRESS": world.address}
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(database)], env=environment, stdout=subprocess.PIPE, text=True
    )


def booked(database: pathlib.Path) -> int:
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(database)) as connection, contextlib.suppress(sqlite3.OperationalError):
        return int(connection.execute("select count(*) from orders").fetchone()[0])
    return 0  # it has no tables yet


def test_each_order_is_booked_once(world: World, tmp_path: pathlib.Path) -> None:
    database = tmp_path / "orders.sqlite"
    orders = [json.dumps({"id": f"A-{number}", "item": "tea", "quantity": 2}).encode() for number in range(300)]
    world.publish(*orders, b"no order", orders[0])  # the last is one that was published twice
    first = start(world, database)
    give_up = time.monotonic() + PATIENCE
    while booked(database) < 50:
        assert time.monotonic() < give_up
        time.sleep(0.005)
    first.kill()
    first.communicate(timeout=PATIENCE)
    second = start(world, database)
    world.await_settled()
    second.send_signal(signal.SIGTERM)
    output, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0
    assert "rejected 1" in output
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (300,)
        assert connection.execute("select sold from stock where item = 'tea'").fetchone() == (600,)
