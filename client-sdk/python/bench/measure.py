"""measure.py STYLE ADDRESS COUNT: messages per second of one app that acks COUNT messages, from the first to the
last."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import grpc.aio

import sluice
import sluice.aio
from sluice.v1 import consumer_pb2 as pb

CREDIT = 4096
CONSUME = "/sluice.v1.ConsumerService/Consume"
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1)]
OPEN = pb.ConsumeRequest(open=pb.Open(consumer="bench", resumable=True, credit=pb.Credit(messages=CREDIT)))


class Count:
    """Counts messages up to a number, and the time they take."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._count = count
        self._first = 0.0
        self.rate = 0.0
        self.done = threading.Event()

    def add(self, messages: int) -> None:
        if self._left == self._count:
            self._first = time.perf_counter()
        self._left -= messages
        if self._left <= 0 and not self.rate:
            self.rate = (self._count - self._left) / (time.perf_counter() - self._first)
            self.done.set()


def bare(address: str, count: Count) -> None:
    """A bare gRPC stream that does the same frames and packed ids, and nothing else."""
    settled: queue.SimpleQueue[list[int]] = queue.SimpleQueue()

    def requests() -> Iterator[pb.ConsumeRequest]:
        yield OPEN
        while ids := settled.get():
            while not settled.empty():
                ids.extend(settled.get())
            yield acked(ids)

    channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
    stream = channel.stream_stream(CONSUME, pb.ConsumeRequest.SerializeToString, pb.ConsumeResponse.FromString)(
        requests()
    )
    for response in stream:
        ids = [delivery.id for delivery in response.deliveries.deliveries]
        settled.put(ids)
        count.add(len(ids))
        if count.done.is_set():
            break
    stream.cancel()


def bare_async(address: str, count: Count) -> None:
    """The same with asyncio."""

    async def main() -> None:
        channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        stream = channel.stream_stream(CONSUME, pb.ConsumeRequest.SerializeToString, pb.ConsumeResponse.FromString)()
        await stream.write(OPEN)
        settled: asyncio.Queue[list[int]] = asyncio.Queue()

        async def write() -> None:
            while True:
                ids = await settled.get()
                while not settled.empty():
                    ids.extend(settled.get_nowait())
                await stream.write(acked(ids))

        writer = asyncio.ensure_future(write())
        while not count.done.is_set():
            response = await stream.read()
            assert isinstance(response, pb.ConsumeResponse)
            ids = [delivery.id for delivery in response.deliveries.deliveries]
            settled.put_nowait(ids)
            count.add(len(ids))
        writer.cancel()
        stream.cancel()

    asyncio.run(main())


def acked(ids: list[int]) -> pb.ConsumeRequest:
    return pb.ConsumeRequest(settle=pb.Settle(runs=[pb.SettleRun(ids=ids, ack=pb.Ack())]))


def handler(address: str, count: Count) -> None:
    with sluice.Client(address) as client:
        client.consume("bench", lambda _message: count.add(1), credit_messages=CREDIT)
        count.done.wait()


def batches(address: str, count: Count) -> None:
    with sluice.Client(address) as client:
        client.consume_batches("bench", lambda messages: count.add(len(messages)), credit_messages=CREDIT)
        count.done.wait()


def async_handler(address: str, count: Count) -> None:
    async def handle(_message: sluice.aio.Message) -> None:
        count.add(1)

    async def main() -> None:
        async with sluice.aio.Client(address) as client:
            client.consume("bench", handle, credit_messages=CREDIT)
            await asyncio.to_thread(count.done.wait)

    asyncio.run(main())


def async_batches(address: str, count: Count) -> None:
    async def handle(messages: list[sluice.aio.Message]) -> None:
        count.add(len(messages))

    async def main() -> None:
        async with sluice.aio.Client(address) as client:
            client.consume_batches("bench", handle, credit_messages=CREDIT)
            await asyncio.to_thread(count.done.wait)

    asyncio.run(main())


STYLES: dict[str, Callable[[str, Count], None]] = {
    "bare": bare,
    "bare_async": bare_async,
    "handler": handler,
    "batches": batches,
    "async_handler": async_handler,
    "async_batches": async_batches,
}


def main() -> None:
    style, address, messages = sys.argv[1:]
    count = Count(int(messages))
    STYLES[style](address, count)
    print(round(count.rate))


if __name__ == "__main__":
    main()
