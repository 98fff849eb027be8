"""Three equal daemons on one durable: what the luckiest of them gets. A third is fair."""

import contextlib

from measuring.processes import wait_until

PODS = 3


def share(world, _):
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        world.make_stream(nats)
        daemons = [world.daemon(ends, nats, number=number) for number in range(1, PODS + 1)]
        for daemon in daemons:
            world.running_app(ends, daemon.address, "sdk")
            wait_until(lambda d=daemon: world.count_of(d, "streams") == 1, "the app to attach")
        count = world.count(100_000)
        world.fill_existing(nats, count, 128)
        acked = []

        def all_acked():
            acked[:] = [world.count_of(daemon, "acked") for daemon in daemons]
            return sum(acked) >= count

        wait_until(all_acked, "all messages to be acked")
        return {"share.max_of_three": max(acked) / sum(acked)}
