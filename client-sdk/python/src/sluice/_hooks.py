"""What the app is told: collected with the Session's lock, called without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Optional

from .errors import Error
from .options import Draining, DrainReport, Options, State

log = logging.getLogger("sluice")

Call = tuple[Callable[..., object], tuple[Any, ...]]
"""Something to be called, and with what."""


class Hooks:
    """The hooks of one consumption, and its log. Guarded by the Session's lock."""

    def __init__(self, consumer: str, options: Options) -> None:
        self._consumer = consumer
        self._options = options
        self._told: list[Call] = []
        self._detail = ""
        self.state = State.CONNECTING

    def begin(self) -> None:
        self._tell(self._options.on_state, self.state, "")

    def take(self) -> list[Call]:
        told, self._told = self._told, []
        return told

    def tell_state(self, state: State, detail: str) -> None:
        """Each change once."""
        if (state, detail) == (self.state, self._detail):
            return
        self.state, self._detail = state, detail
        log.info("%s: %s%s", self._consumer, state.value, f": {detail}" if detail else "")
        self._tell(self._options.on_state, state, detail)

    def tell_draining(self, draining: Draining) -> None:
        log.info("%s: draining, as %s wants it", self._consumer, "the daemon" if draining.by_daemon else "this app")
        self._tell(self._options.on_draining, draining)

    def tell_drained(self, report: DrainReport) -> None:
        log.info("%s: drained: %s", self._consumer, report)
        self._tell(self._options.on_drained, report)

    def tell_failed(self, code: str, what: str, detail: str) -> None:
        """Verdicts that were in vain."""
        message = f"{what}: {detail}" if detail else what
        log.warning("%s: %s", self._consumer, message)
        self._tell(self._options.on_error, Error(code, message))

    def tell_refused(self, code: str, message: str) -> None:
        """The end, for good."""
        log.error("%s: %s: %s", self._consumer, code, message)
        self._tell(self._options.on_error, Error(code, message))

    def call_thrown(self, error: BaseException) -> None:
        """A handler raised. For its own thread, without the lock."""
        log.warning("%s: a handler raised; its message is NAKed", self._consumer, exc_info=error)
        if self._options.on_error is not None:
            told = Error("INTERNAL", f"a handler raised {type(error).__name__}: {error}")
            call([(self._options.on_error, (told,))])

    def _tell(self, hook: Optional[Callable[..., None]], *args: Any) -> None:
        if hook is not None:
            self._told.append((hook, args))


def call(told: Iterable[Call]) -> None:
    """Calls hooks. What they raise harms nobody."""
    for hook, args in told:
        try:
            hook(*args)
        except Exception:
            log.exception("the hook %s raised", getattr(hook, "__name__", hook))
