"""Sluice for Python: consume durable JetStream consumers through the Sluice daemon beside your app.

    import sluice

    def handle(message: sluice.Message) -> None:
        print(message.subject, message.data)

    with sluice.Client() as client:  # $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock
        sluice.run(client.consume("orders", handle, concurrency=8))

`sluice.aio` is the same for asyncio.
"""

from . import aio
from .client import Client
from .consumption import Consumption, Messages
from .errors import End, Error
from .fetcher import Fetcher
from .message import Message
from .options import ConsumeOptions, Draining, DrainReport, Options, Outcome, State, Stats
from .running import run
from .verdicts import Reject, RetryAfter

__all__ = [
    "Client",
    "ConsumeOptions",
    "Consumption",
    "DrainReport",
    "Draining",
    "End",
    "Error",
    "Fetcher",
    "Message",
    "Messages",
    "Options",
    "Outcome",
    "Reject",
    "RetryAfter",
    "State",
    "Stats",
    "aio",
    "run",
]
