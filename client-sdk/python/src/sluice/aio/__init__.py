"""Sluice for asyncio: the same nouns as in `sluice`, with async handlers, `async for` and `await`.

async def handle(message: sluice.aio.Message) -> None:
    await work(message.data)

async def main() -> None:
    async with sluice.aio.Client() as client:
        await sluice.aio.run(client.consume("orders", handle, concurrency=100))
"""

from ._client import Client
from ._consumption import Consumption, Fetcher, Messages
from ._message import Message
from ._running import run

__all__ = ["Client", "Consumption", "Fetcher", "Message", "Messages", "run"]
