#!/usr/bin/env python3
"""A short run of the whole bench: every part runs, and bench.json has every name that others rely on.

    short_run.py BUILD_FOLDER [NATSGO]
"""

import json
import pathlib
import subprocess
import sys
import tempfile

NAMES = {
    "rate.stub.128.vs_floor", "rate.real.128.vs_direct", "cpu_us.stub.128", "latency.added.p50_us", "latency.added.p99_us",
    "first_after_idle_ms", "rss.idle.vs_empty_grpc", "rss.loaded.vs_empty_grpc", "rss.per_stream_kb", "share.max_of_three",
    "growth.consumers_100.vs_1", "growth.streams_1000.vs_1", "growth.in_flight_100k.vs_10"}
WITH_GO = {"rate.real.128.vs_natsgo", "drain.loaded.vs_natsgo"}


def main():
    build = pathlib.Path(sys.argv[1])
    natsgo = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else build / "there-is-none"
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "bench.json"
        subprocess.run([sys.executable, pathlib.Path(__file__).parent / "bench.py", "--quick", "--rounds", "1", "--build", build, "--natsgo", natsgo,
                        "--output", output], check=True)
        found = json.loads(output.read_text())
    values = {each["name"]: each["value"] for each in found}
    missing = (NAMES | (WITH_GO if natsgo.exists() else set())) - values.keys()
    if missing:
        raise SystemExit(f"bench.json lacks {', '.join(sorted(missing))}")
    wrong = [name for name in NAMES if not name.startswith("latency.added") and values[name] <= 0]
    if wrong or any(set(each) != {"name", "value", "unit"} for each in found):
        raise SystemExit(f"bench.json is wrong: {', '.join(wrong) or 'an entry is not name, value and unit'}")
    print(f"{len(found)} figures")


if __name__ == "__main__":
    main()
