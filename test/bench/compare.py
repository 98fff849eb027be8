#!/usr/bin/env python3
"""Two builds of the daemon beside each other, interleaved: what a change does to rates, to CPU time, and to the instructions for
each message. The apps, and all that is not the daemon, are this build's on both sides.

    compare.py --base BUILD [--build BUILD] [--rounds N]
"""

import argparse
import contextlib
import pathlib
import statistics
import tempfile

from measuring import callgrind, rates
from measuring.figures import spread
from measuring.machine import SPOILED, Others
from measuring.processes import BenchError
from measuring.world import World

LOADS = {  # name: (what runs it: the world, the samples' name)
    "stub, 128 B": lambda world, name: rates.on_stub(world, name, 128, world.count(800_000), "--plain"),
    "stub, 128 B, four streams": lambda world, name: rates.on_stub(world, name, 128, world.count(800_000), "--plain", "--streams", 4),
    "stub, 1 KiB": lambda world, name: rates.on_stub(world, name, 1024, world.count(300_000), "--plain"),
}
REAL = "nats-server, 128 B"


class Side(World):
    """A daemon of one build, with everything else of another."""

    def __init__(self, daemons, build, folder, scale):
        super().__init__(build, folder, scale=scale)
        self.daemons = daemons

    def program(self, name):
        return (self.daemons if name in ("sluice", "bench_stub_daemon") else self.build) / name


def on_nats(sides, samples, number):
    """Both daemons on one nats-server and its stream."""
    names = list(sides) if number % 2 else list(reversed(sides))
    with contextlib.ExitStack() as ends:
        some = sides[names[0]]
        nats = some.nats(ends)
        count = some.count(150_000)
        some.fill(nats, count, 128)
        for name in names:
            samples[name].append(rates.through_daemon(sides[name], nats, name, "sdk", count))


def ratio_line(label, figure, samples):
    base, head = ([sample[f"{figure}.{name}"] for sample in samples[name]] for name in ("base", "head"))
    ratios = [b / a for a, b in zip(base, head) if a > 0]
    return (f"{label:28}{figure:8}{statistics.median(base):14,.2f}{statistics.median(head):14,.2f}{statistics.median(ratios):9.3f}"
            f"   {min(ratios):.3f} to {max(ratios):.3f}   spread {spread(base):.0%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True, help="the build folder of the daemon before")
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the load")
    parser.add_argument("--no-callgrind", action="store_true")
    options = parser.parse_args()
    daemons = {"base": options.base.resolve(), "head": options.build.resolve()}
    others, most = Others(), 0.0
    print(f"{'':36}{'base':>14}{'head':>14}{'ratio':>9}   of the rounds")
    with tempfile.TemporaryDirectory(prefix="sluice-compare-") as folder:
        sides = {name: Side(build, options.build.resolve(), folder, options.scale) for name, build in daemons.items()}
        for label in (*LOADS, REAL):
            samples = {"base": [], "head": []}
            for number in range(1, options.rounds + 1):
                if label == REAL:
                    on_nats(sides, samples, number)
                    continue
                for name in ("base", "head") if number % 2 else ("head", "base"):
                    samples[name].append(LOADS[label](sides[name], name))
            most = max(most, others.cores())
            print(ratio_line(label, "rate", samples), flush=True)
            print(ratio_line(label, "cpu_us", samples), flush=True)
        if not options.no_callgrind and callgrind.valgrind_is_there():
            costs = {name: sum(callgrind.per_message(side, callgrind.stub(side)).values()) for name, side in sides.items()}
            print(f"{'stub, 128 B':20}{'instructions':16}{costs['base']:14,.0f}{costs['head']:14,.0f}{costs['head'] / costs['base']:9.3f}")
    print(f"other programs took {most:.2f} cores at most" + (": SPOILED" if most > SPOILED else ""))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        raise SystemExit(f"compare: {error}") from None
