#!/usr/bin/env python3
"""What a message costs, and how long it takes, through the daemon; beside what bounds it, in one run.

Rounds are interleaved, so that a slow minute of the machine slows everything: compare the ratios, not the absolute figures.

  stub        the daemon with an upstream that costs nothing, the C++ client in another process, Unix socket; beside floor, a
              bare gRPC stream moving the same frames and packed ids: what a sidecar could reach
  stub-sizes  the same with 1 KiB and 16 KiB        stub-ways  over TCP, and with four app streams
  real        nats-server, stream in memory, an ack per message; beside an app on cnats alone (direct), and one on nats.go
  real-sizes  the same with 1 KiB and 16 KiB, and on a stream in files
  real-ways   app over TCP, four app streams, a bare gRPC client, and the same with confirmed acks
  ack-all     ordering: exclusive, with ack_policy: all, and with coalesce_acks
  latency     publisher to handler at 1,000 and 5,000 msg/s, beside direct        idle  the first message after 10 s of none
  memory      the daemon idle, loaded, and for each idle app stream, beside a gRPC server that does nothing
  drain       from SIGTERM to the end under load, beside nats.go
  share       three equal daemons on one durable
  growth      a message's cost with many consumers, streams, and messages in flight

What other programs of the machine took meanwhile is told; a round in which it was much is called spoiled.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

from measuring import drain, growth, latency, memory, rates, share
from measuring.figures import figure, figures
from measuring.machine import SPOILED, Others, commit, describe
from measuring.processes import BenchError
from measuring.report import table
from measuring.world import World, nats_server_version

PARTS = {  # name: (what measures it, rounds at most)
    "stub": (rates.stub, 5),
    "real": (rates.real, 5),
    "drain": (drain.drain, 5),
    "latency": (latency.latency, 3),
    "memory": (memory.memory, 3),
    "share": (share.share, 3),
    "growth": (growth.growth, 2),
    "stub-sizes": (rates.stub_sizes, 3),
    "stub-ways": (rates.stub_ways, 3),
    "real-sizes": (rates.real_sizes, 3),
    "real-ways": (rates.real_ways, 3),
    "ack-all": (rates.ack_all, 3),
    "idle": (latency.idle, 1),
}
QUICK = 0.01  # of the load


class Progress:
    """One line on a terminal; a line for each step elsewhere."""

    def __init__(self):
        self.start = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def tell(self, text):
        seconds = time.monotonic() - self.start
        line = f"{int(seconds // 60)}:{int(seconds % 60):02} {text}"
        print(f"\r{line:60}" if self.is_terminal else line, end="" if self.is_terminal else "\n", file=sys.stderr, flush=True)

    def end(self):
        if self.is_terminal:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr)


def measure(world, parts, rounds, progress):
    """The samples of each round, and who else used the machine: [(round, part, cores)]."""
    samples, taken = [], []
    others = Others()
    for number in range(1, rounds + 1):
        samples.append({})
        for part in parts:
            run, most = PARTS[part]
            if number > most:
                continue
            progress.tell(f"round {number} of {rounds}: {part}")
            others.cores()
            samples[-1].update(run(world, number))
            taken.append((number, part, others.cores()))
    return samples, taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--natsgo", type=pathlib.Path, default="build/bench/natsgo", help="the program on nats.go")
    parser.add_argument("--output", type=pathlib.Path, default="build/bench.json")
    parser.add_argument("--only", choices=PARTS, nargs="+", help="these parts")
    parser.add_argument("--rounds", type=int, default=5, help="at most")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the load: to see that all of it runs")
    options = parser.parse_args()

    natsgo = options.natsgo.resolve() if options.natsgo.exists() else None
    if natsgo is None:
        print("left out: nats.go, which needs Go", file=sys.stderr)
    parts = options.only or list(PARTS)
    if "ack-all" in parts and nats_server_version() < (2, 11):
        print("left out: ack-all, which needs nats-server 2.11", file=sys.stderr)
        parts.remove("ack-all")
    if not parts:
        raise BenchError("nothing is left to measure")
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        world = World(options.build.resolve(), folder, natsgo, QUICK if options.quick else 1.0)
        rounds, taken = measure(world, parts, options.rounds, progress)
    progress.end()
    minutes = (time.monotonic() - progress.start) / 60
    found = [{"name": "commit", "value": commit(), "unit": "text"}, {"name": "machine", "value": describe(), "unit": "text"},
             figure("machine.others_cores", max(cores for _, _, cores in taken), "cores"),
             figure("machine.spoiled_rounds", sum(cores > SPOILED for _, _, cores in taken), "rounds"), *figures(rounds)]
    print(f"{describe()}; {minutes:.1f} minutes")
    print()
    print(table(rounds, found, taken, SPOILED))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        raise SystemExit(f"bench: {error}") from None
