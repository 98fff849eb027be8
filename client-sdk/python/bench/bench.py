"""Messages per second, handler style with ack, beside a bare gRPC stream of the same language in the same run.

Rounds are interleaved, so that a slow minute of the machine slows everything: compare the ratios, not the absolute
figures. `bare` (threads) and `bare_async` (asyncio, half as fast with gRPC) talk to bench_floor, which moves frames of
256 messages of 128 bytes with resume tokens and takes packed ids back, the others to bench_stub_daemon, the daemon with
an upstream that costs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator

PAYLOAD = 128
CREDIT = 4096
MEASURE = pathlib.Path(__file__).with_name("measure.py")
# What each is compared with.
STYLES = {
    "bare": "",
    "bare_async": "",
    "batches": "bare",
    "handler": "bare",
    "async_batches": "bare_async",
    "async_handler": "bare_async",
}


@contextlib.contextmanager
def serving(command: list[str]) -> Iterator[None]:
    """A program that says "ready", and serves until SIGTERM."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit(f"bench: {command[0]} did not start")
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def measure(style: str, address: str, count: int) -> int:
    command = [sys.executable, str(MEASURE), style, address, str(count)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="where bench_floor and bench_stub_daemon are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=400_000)
    options = parser.parse_args()
    rates: dict[str, list[int]] = {style: [] for style in STYLES}
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        floor, stub = f"{folder}/floor.sock", f"{folder}/stub.sock"
        with (
            serving([str(options.build / "bench_floor"), f"unix:{floor}", str(PAYLOAD), str(CREDIT)]),
            serving([str(options.build / "bench_stub_daemon"), stub, str(PAYLOAD)]),
        ):
            for _ in range(options.rounds):
                for style, of in rates.items():
                    of.append(measure(style, f"unix:{stub if STYLES[style] else floor}", options.count))
    medians = {style: statistics.median(of) for style, of in rates.items()}
    for style, median in medians.items():
        print(json.dumps({"name": f"python_{style}", "value": round(median), "unit": "msg/s"}))
        for bare in sorted({"bare", STYLES[style]}) if STYLES[style] else ():
            ratio = round(median / medians[bare], 3)
            print(json.dumps({"name": f"python_{style}_of_{bare}", "value": ratio, "unit": "ratio"}))


if __name__ == "__main__":
    main()
