#!/usr/bin/env python3
"""Where the daemon's instructions go for a message, on the stub upstream, by callgrind. Without the kernel's part.

The figure is the same each time, whatever else uses the machine; what it says of time is a hint.
"""

import argparse
import pathlib
import tempfile

from measuring import callgrind
from measuring.processes import BenchError
from measuring.world import World


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--style", default="bare", choices=("bare", "sdk"), help="the app; sdk asks for tokens")
    parser.add_argument("--functions", type=int, default=0, help="name so many of the functions that cost most")
    options = parser.parse_args()
    if not callgrind.valgrind_is_there():
        raise BenchError("valgrind is not installed")
    with tempfile.TemporaryDirectory(prefix="sluice-profile-") as folder:
        world = World(options.build.resolve(), folder)
        costs = callgrind.per_message(world, callgrind.stub(world), options.style)
    total = sum(costs.values())
    print(f"| {'instructions for each message':40} | {'':>6} | {'':>5} |\n|---|---|---|")
    for place, cost in callgrind.by_place(costs):
        if cost >= total / 200:
            print(f"| {place:40} | {cost:6.0f} | {cost / total:5.0%} |")
    print(f"| {'all':40} | {total:6.0f} |       |")
    for (obj, function), cost in sorted(costs.items(), key=lambda item: -item[1])[:options.functions]:
        print(f"{cost:8.1f}  {callgrind.place_of(obj, function)[:24]:24}  {function[:100] or pathlib.Path(obj).name}")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        raise SystemExit(f"profile: {error}") from None
