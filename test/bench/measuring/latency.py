"""From the publisher to the app's handler, one way, by one clock; beside an app on cnats alone."""

import contextlib

from measuring.processes import last_json, run
from measuring.world import STREAM

RATES = (1000, 5000)  # messages a second
SECONDS = 3
IDLE_S = 10


def percentiles(name, told):
    return {f"{name}.p{percent}_us": value for percent, value in told["latency_us"].items()}


def through_daemon(world, nats, count, rate):
    with contextlib.ExitStack() as ends:
        daemon = world.daemon(ends, nats, deliver_policy="new")
        app = world.running_latency_app(ends, daemon, count)
        publisher = world.publisher(nats, count, 128, rate)
        told = app.process.communicate(timeout=120)[0]
        publisher.wait()
        return last_json(told)


def direct(world, nats, count, rate):
    with contextlib.ExitStack() as ends:
        app = world.running_direct(ends, nats, count)
        publisher = world.publisher(nats, count, 128, rate)
        told = app.process.communicate(timeout=120)[0]
        publisher.wait()
        return last_json(told)


def latency(world, round_number):
    samples = {}
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        for rate in RATES:
            count = world.count(rate * SECONDS, least=500)
            for name, measure in sorted({"sluice": through_daemon, "direct": direct}.items(), reverse=round_number % 2 == 0):
                world.make_stream(nats)
                samples.update(percentiles(f"latency.{name}.{rate}", measure(world, nats, count, rate)))
    return samples


def idle(world, _):
    """The first message after nothing has come for a while; the slowest of three. Both apps get the same ones."""
    gap = max(0.2, IDLE_S * world.scale)
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        world.make_stream(nats)
        daemon = world.daemon(ends, nats)
        apps = {"first_after_idle": world.running_latency_app(ends, daemon, 3), "first_after_idle.direct": world.running_direct(ends, nats, 3)}
        run([world.program("bench_publish"), nats.url, STREAM, 3, 128, "--rate", 1 / gap])
        told = {name: last_json(app.process.communicate(timeout=60)[0]) for name, app in apps.items()}
    return {f"{name}_ms": said["latency_us"]["100"] / 1e3 for name, said in told.items()}
