"""What can go wrong for good. Everything else is retried for ever."""

from __future__ import annotations

from typing import NamedTuple


class End(NamedTuple):
    """Why a consumption has ended."""

    code: str = "OK"
    """As gRPC spells it. OK after a drain or a stop; else NOT_FOUND, INVALID_ARGUMENT, UNIMPLEMENTED or
    PERMISSION_DENIED."""
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.code == "OK"


class Error(Exception):
    """Told to `on_error`; raised by loops and fetches whose consumption the daemon has refused.

    `code`, as gRPC spells it: INTERNAL a handler raised · DEADLINE_EXCEEDED verdicts came too late · NOT_FOUND verdicts
    that the daemon knew no message for, or no such consumer · UNAVAILABLE verdicts that could not be confirmed ·
    INVALID_ARGUMENT, UNIMPLEMENTED, PERMISSION_DENIED the daemon refuses.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
