from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import sluice
from fake_daemon import FakeDaemon

MakeClient = Callable[..., sluice.Client]


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    daemon = FakeDaemon()
    yield daemon
    daemon.close()


@pytest.fixture
def client(daemon: FakeDaemon) -> Iterator[sluice.Client]:
    with sluice.Client(daemon.address, client_id="me", first_retry=0.001, longest_retry=0.01) as client:
        yield client
