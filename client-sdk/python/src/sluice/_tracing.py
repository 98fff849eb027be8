"""The trace that a message belongs to, where the OpenTelemetry API is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .message import BaseMessage

try:
    from opentelemetry import context as otel
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True
    _propagator = TraceContextTextMapPropagator()

_HEADERS = ("traceparent", "tracestate")


def context_of(message: BaseMessage) -> Any:
    """None: it belongs to no trace."""
    if not AVAILABLE or not message._delivery.headers:
        return None
    # NATS keeps the case that a publisher wrote, and W3C says that it does not matter.
    carrier = {name.lower(): value for name, value in message.headers if name.lower() in _HEADERS}
    return _propagator.extract(carrier) if "traceparent" in carrier else None


@contextlib.contextmanager
def attached(context: Any) -> Iterator[None]:
    """Makes it the current context, of this thread or task."""
    token = otel.attach(context)
    try:
        yield
    finally:
        otel.detach(token)
