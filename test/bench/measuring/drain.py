"""A drain under load: from SIGTERM to the end of the process, with everything settled; beside nats.go's Drain() and Closed().

The load is published all the while, at four fifths of what the handlers can do, or at 5,000 msg/s where they ack at once.
"""

import contextlib

from measuring.processes import BenchError, Server, wait_until
from measuring.world import STREAM

LOADS = {  # name: (handlers, ms that each takes for a message, messages a second)
    "loaded": (16, 3, 4000),
    "one_handler": (1, 3, 250),
    "at_once": (1, 0, 5000),
}
FLOWING = 200  # messages, after which it counts as under load; as natsgo/drain.go has it


def through_daemon(world, nats, name, handlers, work_ms):
    with contextlib.ExitStack() as ends:
        daemon = world.daemon(ends, nats, durable=f"sluice-{name}", deliver_policy="new")
        world.running_app(ends, daemon.address, "sdk", "--concurrency", handlers, "--work-us", work_ms * 1000, credit=0)
        wait_until(lambda: world.count_of(daemon, "acked") >= FLOWING, "messages to flow")
        seconds, code = daemon.seconds_to_end()
        if code != 0:
            raise BenchError(f"the daemon's drain ended with exit code {code}")
        return seconds * 1e3


def nats_go(world, nats, handlers, work_ms):
    with contextlib.ExitStack() as ends:
        app = Server([world.natsgo, "-drain", "-handlers", handlers, "-work", f"{work_ms}ms", nats.url, STREAM])
        ends.callback(app.kill)
        seconds, code = app.seconds_to_end()
        if code != 0:
            raise BenchError(f"nats.go's drain ended with exit code {code}")
        return seconds * 1e3


def drain(world, round_number):
    samples = {}
    for name, (handlers, work_ms, rate) in LOADS.items() if round_number % 2 else reversed(LOADS.items()):
        with contextlib.ExitStack() as ends:
            nats = world.nats(ends)
            world.make_stream(nats)
            publisher = world.publisher(nats, 10**9, 128, rate)
            ends.callback(publisher.wait)
            ends.callback(publisher.kill)
            if world.natsgo:
                samples[f"drain.{name}.natsgo_ms"] = nats_go(world, nats, handlers, work_ms)
            samples[f"drain.{name}_ms"] = through_daemon(world, nats, name, handlers, work_ms)
    return samples
