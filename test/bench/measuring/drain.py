"""A drain under load: from SIGTERM to the end of the process, with everything settled; beside nats.go's Drain() and Closed().

Messages are published all the while: at twice what the handlers can do, or more, so that there is always a queue, or at four
fifths of it, so that it is the handlers that wait.
"""

import collections
import contextlib

from measuring.processes import BenchError, Server, wait_until
from measuring.world import STREAM

# `work_ms` of each of the `handlers` for a message, `rate` messages a second are published, and as soon as `flowing`
# have been handled it ends: by then the buffers of whoever has any are full.
Load = collections.namedtuple("Load", "handlers work_ms rate flowing")
LOADS = {
    "loaded": Load(16, 3, 10_000, 2_000),
    "one_handler": Load(1, 3, 1_000, 300),
    "slack": Load(16, 3, 4_000, 1_000),
    "slack_at_once": Load(1, 0, 5_000, 1_000),
}


def through_daemon(world, nats, name, load):
    with contextlib.ExitStack() as ends:
        daemon = world.daemon(ends, nats, durable=f"sluice-{name}", deliver_policy="new")
        world.running_app(ends, daemon.address, "sdk", "--concurrency", load.handlers, "--work-us", load.work_ms * 1000, credit=0)
        wait_until(lambda: world.count_of(daemon, "acked") >= load.flowing, "messages to flow")
        seconds, code = daemon.seconds_to_end()
        if code != 0:
            raise BenchError(f"the daemon's drain ended with exit code {code}")
        return seconds * 1e3


def nats_go(world, nats, load):
    with contextlib.ExitStack() as ends:
        app = Server([world.natsgo, "-drain", "-handlers", load.handlers, "-work", f"{load.work_ms}ms", "-flowing", load.flowing, nats.url, STREAM])
        ends.callback(app.kill)
        seconds, code = app.seconds_to_end()
        if code != 0:
            raise BenchError(f"nats.go's drain ended with exit code {code}")
        return seconds * 1e3


def drain(world, round_number):
    samples = {}
    for name, load in LOADS.items() if round_number % 2 else reversed(LOADS.items()):
        with contextlib.ExitStack() as ends:
            nats = world.nats(ends)
            world.make_stream(nats)
            publisher = world.publisher(nats, 10**9, 128, load.rate)
            ends.callback(publisher.wait)
            ends.callback(publisher.kill)
            if world.natsgo:
                samples[f"drain.{name}.natsgo_ms"] = nats_go(world, nats, load)
            samples[f"drain.{name}_ms"] = through_daemon(world, nats, name, load)
    return samples
