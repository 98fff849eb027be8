"""What a session is given, and how it wakes those who drive it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional, Protocol

if TYPE_CHECKING:
    from .options import Options
    from .v1.consumer_pb2 import Delivery


class Ports(Protocol):
    """Called with the session's lock held, but for `alarm`; none may wait."""

    def wake_writer(self) -> None:
        """There is something for next_request()."""

    def wake_workers(self, count: int) -> None:
        """So many messages can be started; or nothing will be any more (0)."""

    def wake_waiters(self) -> None:
        """Messages were cancelled, or it has closed."""

    def alarm(self) -> None:
        """There is something to absorb(), or for gives_up() to reconsider. From any thread, from signal handlers and
        finalizers too: takes no lock that its caller may hold."""


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
    key_of: Optional[Callable[[Delivery], bytes]] = None
    """The app's `key`, if it has one."""
