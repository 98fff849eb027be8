"""Messages per second, and the CPU time of the serving process for each.

A part is a function of the world and the number of its round, and gives samples: {name: value}. What is compared runs in
the same part, one after the other; every other round the other way around.
"""

import contextlib

SIZES = {128: 1.0, 1024: 0.4, 16384: 0.05}  # bytes: how many messages, beside those of 128 bytes


def named(name, measured):
    return {f"rate.{name}": measured["rate"], f"cpu_us.{name}": measured["cpu_us"]}


def both_ways(round_number, runs):
    """The samples of all `runs`, in turn from the first or from the last."""
    samples = {}
    for run in runs if round_number % 2 else list(reversed(runs)):
        samples.update(run())
    return samples


# --- the stub upstream, beside the floor ---

def on_floor(world, name, payload, count, *flags, tcp=False):
    with contextlib.ExitStack() as ends:
        server, address = world.floor(ends, payload, tcp)
        return named(name, world.app(address, "bare", count, *flags, server=server))


def on_stub(world, name, payload, count, *flags, tcp=False):
    with contextlib.ExitStack() as ends:
        server, address = world.stub(ends, payload, tcp=tcp)
        return named(name, world.app(address, "sdk", count, *flags, server=server))


def stub(world, round_number):
    count = world.count(1_200_000)
    return both_ways(round_number, [
        lambda: on_floor(world, "floor.128", 128, 2 * count),
        lambda: on_stub(world, "stub.128", 128, count, "--plain"),
        lambda: on_stub(world, "stub_tokens.128", 128, count),
    ])


def stub_sizes(world, round_number):
    runs = []
    for payload in (1024, 16384):
        count = world.count(1_200_000 * SIZES[payload])
        runs += [lambda p=payload, c=count: on_floor(world, f"floor.{p}", p, c),
                 lambda p=payload, c=count: on_stub(world, f"stub.{p}", p, c, "--plain")]
    return both_ways(round_number, runs)


def stub_ways(world, round_number):
    count = world.count(800_000)
    return both_ways(round_number, [
        lambda: on_floor(world, "floor.128.tcp", 128, 2 * count, tcp=True),
        lambda: on_stub(world, "stub.128.tcp", 128, count, "--plain", tcp=True),
        lambda: on_floor(world, "floor.128.streams_4", 128, 2 * count, "--streams", 4),
        lambda: on_stub(world, "stub.128.streams_4", 128, count, "--plain", "--streams", 4),
    ])


# --- a real nats-server, beside apps without a daemon ---

def through_daemon(world, nats, name, style, count, *flags, tcp=False, **config):
    with contextlib.ExitStack() as ends:
        daemon = world.daemon(ends, nats, durable=name.replace(".", "-"), tcp=tcp, **config)
        return named(name, world.app(daemon.address, style, count, *flags, server=daemon))


def beside(world, nats, name, count):
    """The apps without a daemon."""
    runs = [lambda: named(f"direct.{name}", world.without_daemon(world.program("bench_direct"), nats, count))]
    if world.natsgo:
        runs.append(lambda: named(f"natsgo.{name}", world.without_daemon(world.natsgo, nats, count)))
    return runs


def on_nats(world, round_number, name, payload, count, *flags, more=()):
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        world.fill(nats, count, payload, *flags)
        return both_ways(round_number, [
            lambda: through_daemon(world, nats, f"real.{name}", "sdk", count),
            *beside(world, nats, name, count),
            *(lambda run=run: run(nats, count) for run in more)])


def real(world, round_number):
    return on_nats(world, round_number, "128", 128, world.count(200_000))


def real_sizes(world, round_number):
    samples = on_nats(world, round_number, "1024", 1024, world.count(120_000))
    samples.update(on_nats(world, round_number, "16384", 16384, world.count(15_000)))
    samples.update(on_nats(world, round_number, "128.file", 128, world.count(150_000), "--file"))
    return samples


def real_ways(world, round_number):
    """Other ways through the daemon, on one stream."""
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        count = world.count(150_000)
        world.fill(nats, count, 128)
        return both_ways(round_number, [
            lambda: through_daemon(world, nats, "real.128.tcp", "sdk", count, tcp=True),
            lambda: through_daemon(world, nats, "real.128.streams_4", "sdk", count, "--streams", 4),
            lambda: through_daemon(world, nats, "plain.128", "bare", count),
            lambda: through_daemon(world, nats, "confirmed.128", "confirmed", count),
        ])


def ack_all(world, round_number):
    """`ordering: exclusive` with ack_policy: all, an ACK for each message and one for all that was finished in a row."""
    with contextlib.ExitStack() as ends:
        nats = world.nats(ends)
        count = world.count(150_000)
        world.fill(nats, count, 128, "--keys", 20_000)
        consumer = {"ordering": "exclusive", "key": {"subject_token": 3}, "max_unacked": 20_000}

        def run(name, policy, **more):
            return through_daemon(world, nats, f"{name}.128", "sdk", count, ack_policy=policy, consumer={**consumer, **more})

        explicit = {key: value for key, value in consumer.items() if key != "max_unacked"}
        return both_ways(round_number, [
            lambda: through_daemon(world, nats, "exclusive.128", "sdk", count, ack_policy="explicit", consumer=explicit),
            lambda: run("ack_all", "all"),
            lambda: run("coalesced", "all", coalesce_acks=True),
        ])
