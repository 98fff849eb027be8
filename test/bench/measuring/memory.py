"""Resident memory of the daemon, beside a gRPC server that does nothing."""

import contextlib

from measuring.processes import wait_until

STREAMS = 1000


def memory(world, _):
    with contextlib.ExitStack() as ends:
        empty, _ = world.floor(ends, 128)
        samples = {"rss.empty_mb": empty.memory_mb()}
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        count = world.count(200_000)
        world.fill(nats, count, 128)
        daemon = world.daemon(ends, nats)
        samples["rss.idle_mb"] = daemon.memory_mb()
        world.app(daemon.address, "sdk", count)
        samples["rss.loaded_mb"] = daemon.memory_mb("VmHWM")  # the most it ever was
    for name, flags in (("per_stream", ()), ("per_app", ("--connections",))):
        samples[f"rss.{name}_kb"] = per_stream(world, *flags)
    return samples


def per_stream(world, *flags):
    """KiB for each of many idle streams, of one connection or of one connection each."""
    streams = max(50, int(STREAMS * world.scale))
    with contextlib.ExitStack() as ends:
        daemon, address = world.stub(ends, 128)
        with contextlib.ExitStack() as first:  # what comes with the first stream is not counted
            world.running_app(first, address, "idle")
        before = daemon.memory_mb()
        world.running_app(ends, address, "idle", "--streams", streams, *flags)
        wait_until(lambda: daemon.memory_mb() > before, "memory to be used")
        return (daemon.memory_mb() - before) * 1024 / streams
