"""What both clients make of an address and a client id."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from typing import Any, Callable, Optional, TypeVar

from ._hooks import log
from ._ports import SessionOptions
from .options import KeyFunction, Options
from .v1 import consumer_pb2 as pb
from .verdicts import to_utf8

DEFAULT_ADDRESS = "unix:///run/sluice/sluice.sock"
LONGEST_CLIENT_ID = 128

FIRST_RETRY = 0.1
LONGEST_RETRY = 5.0

MessageT = TypeVar("MessageT")


class Identity:
    """Whom to talk to, and as whom."""

    def __init__(
        self, address: Optional[str], client_id: Optional[str], first_retry: float, longest_retry: float
    ) -> None:
        self.address = address or os.environ.get("SLUICE_ADDRESS") or DEFAULT_ADDRESS
        self.client_id = to_utf8(client_id or _make_client_id(), LONGEST_CLIENT_ID)
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._consumptions: dict[str, int] = {}

    def session_options(
        self,
        consumer: str,
        options: Mapping[str, Any],
        make_message: Callable[[pb.Delivery], object],
        on_demand: bool = False,
        in_loops: bool = False,
    ) -> SessionOptions:
        consume = Options(**options)
        return SessionOptions(
            consumer=consumer,
            client_id=self._client_id_for(consumer),
            first_retry=self._first_retry,
            longest_retry=self._longest_retry,
            consume=consume,
            on_demand=on_demand,
            in_loops=in_loops,
            key_of=None if consume.key is None else _key_of(consume.key, make_message),
        )

    def _client_id_for(self, consumer: str) -> str:
        """A second consumption of the same consumer is another instance to the daemon."""
        ordinal = self._consumptions.get(consumer, 0) + 1
        self._consumptions[consumer] = ordinal
        if ordinal == 1:
            return self.client_id
        suffix = f"-{ordinal}"
        return to_utf8(self.client_id, LONGEST_CLIENT_ID - len(suffix)) + suffix


def check_batches(most: int, manual: bool) -> None:
    if most < 1:
        raise ValueError(f"batch must be at least 1, not {most}")
    if manual:
        raise ValueError(
            "a batch has one verdict at its end: settle its exceptions by message.nak(), and leave out manual"
        )


def _make_client_id() -> str:
    return f"{to_utf8(socket.gethostname(), 64)}-{os.getpid()}-{secrets.token_hex(8)}"


def _key_of(key: KeyFunction, make_message: Callable[[pb.Delivery], object]) -> Callable[[pb.Delivery], bytes]:
    def key_of(delivery: pb.Delivery) -> bytes:
        try:
            found = key(make_message(delivery))
        except Exception:
            log.exception("the key function raised: the message is taken as one without a key")
            return b""
        return found.encode("utf-8", "surrogateescape") if isinstance(found, str) else found or b""

    return key_of
