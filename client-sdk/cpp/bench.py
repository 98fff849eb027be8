#!/usr/bin/env python3
"""The C++ client's rate with an ack for each message, beside a bare gRPC stream of the same frames, resume tokens included, and
packed ids.

    bench.py BUILD_FOLDER

Prints a JSON line for each figure: {"name", "value", "unit"}. Rounds are interleaved, so that a slow minute of the machine
slows everything; ratios are of the medians.
"""

import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 5
MESSAGES = 2_000_000
CREDIT = 4096
PAYLOAD = 128  # bytes; in frames of 256 messages

# name: the program that serves, and the app's style and flags
BARE = "bare_stream"
STYLES = {BARE: ("bench_floor", "bare", "--resumable"), "handler": ("bench_stub_daemon", "sdk"), "batch": ("bench_stub_daemon", "batch")}


def rate(build, folder, server, style, *flags):
    socket = f"{folder}/s.sock"
    command = [build / server, f"unix:{socket}", PAYLOAD, CREDIT] if server == "bench_floor" else [build / server, socket, PAYLOAD]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as serving:
        try:
            if serving.stdout.readline().strip() != "ready":
                raise SystemExit(f"bench: {server} did not start")
            app = [build / "bench_app", f"unix:{socket}", style, MESSAGES, CREDIT, *flags]
            ran = subprocess.run(list(map(str, app)), check=True, stdout=subprocess.PIPE, text=True, timeout=120)
            return MESSAGES / json.loads(ran.stdout)["seconds"]
        finally:
            serving.send_signal(signal.SIGTERM)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    build = pathlib.Path(sys.argv[1])
    rates = {name: [] for name in STYLES}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, app in STYLES.items():
                rates[name].append(rate(build, folder, *app))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, value in medians.items():
        print(json.dumps({"name": f"cpp_{name}", "value": round(value), "unit": "msg/s"}))
    for name in STYLES:
        if name != BARE:
            print(json.dumps({"name": f"cpp_{name}_ratio", "value": round(medians[name] / medians[BARE], 3), "unit": f"of cpp_{BARE}"}))


if __name__ == "__main__":
    main()
