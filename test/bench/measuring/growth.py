"""What a message costs the daemon as there is more of everything: consumers, app streams, messages in flight. On the stub
upstream, so that it is the daemon's own cost, with as many messages in all, as fast as they go."""

import contextlib

CREDIT = 1024  # of each stream


def cost(world, name, count, *flags, daemon_flags=(), others=(), credit=CREDIT):
    with contextlib.ExitStack() as ends:
        daemon, address = world.stub(ends, 128, *daemon_flags)
        if others:
            world.running_app(ends, address, "idle", *others)
        return {f"growth.{name}.cpu_us": world.app(address, "bare", count, *flags, server=daemon, credit=credit)["cpu_us"]}


def growth(world, round_number):
    count = world.count(1_000_000)
    many = max(50, int(1000 * world.scale))
    held = world.count(100_000)
    samples = {}
    runs = [
        lambda: cost(world, "one", count),
        lambda: cost(world, "consumers_100", count, "--consumers", 100, daemon_flags=("--consumers", 100)),
        lambda: cost(world, "streams_1000", count // 4, "--streams", many),
        lambda: cost(world, "streams_1000_idle", count, others=("--streams", many)),
        lambda: cost(world, "in_flight_10", count, "--hold", 10),
        lambda: cost(world, "in_flight_100k", count, "--hold", held),
        # Its ack wait is so short that each message is extended a few times while it is held.
        lambda: cost(world, "in_flight_100k_leases", count, "--hold", held, daemon_flags=("--ack-wait-ms", 200)),
    ]
    for run in runs if round_number % 2 else reversed(runs):
        samples.update(run())
    return samples
