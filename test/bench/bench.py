#!/usr/bin/env python3
"""Messages per second through the daemon, beside what bounds it, in one run.

Rounds are interleaved, so that a slow minute of the machine slows everything: compare the ratios, not the absolute figures.

  floor   a bare gRPC stream moving the same frames and packed ids: what a sidecar could reach
  stub    the daemon with an upstream that costs nothing, the C++ client in another process, Unix socket
  real    nats-server, stream in memory, an ack per message; the daemon and the C++ client
  plain   the same with a bare gRPC client, beside
  confirmed   each ack confirmed by nats-server
  direct  no daemon: an app on cnats with the same pulls and acks, nats-server as in real
  natsgo  no daemon: an app on nats.go's Consume; left out where Go is not installed
  memory  resident memory: the daemon idle and after its load, beside a gRPC server that does nothing

What other programs of the machine took meanwhile is told by round; a round in which it was much is called spoiled.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CREDIT = 4096
PAYLOAD = 128


class Server:
    """A program that prints "ready" (or is probed), serves until SIGTERM, and then says what it used."""

    def __init__(self, command, ready=None):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if ready is None:
            line = self.process.stdout.readline()
            if line.strip() != "ready":
                raise SystemExit(f"bench: {command[0]} did not start")
        else:
            wait_until(lambda: ready() or self.process.poll() is not None, f"{command[0]} to be ready")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit(f"bench: {self.process.args[0]} did not end")


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: waited {seconds} s for {what}")
        time.sleep(0.01)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Others:
    """How much of the machine other programs took, in cores, since the last question."""

    def __init__(self):
        self.last = self.now()

    @staticmethod
    def now():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and iowait; steal counts
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return time.monotonic(), busy - own

    def cores(self):
        then, self.last = self.last, self.now()
        return max(0.0, (self.last[1] - then[1]) / (self.last[0] - then[0]))


class Bench:
    def __init__(self, build, folder):
        self.build = build
        self.folder = folder
        self.socket = os.path.join(folder, "s.sock")

    def run(self, program, *arguments):
        return subprocess.run([str(self.build / program), *map(str, arguments)], check=True, capture_output=True, text=True,
                              timeout=120).stdout

    def consume(self, server, style, count):
        before = server.cpu_seconds()
        app = json.loads(self.run("bench_app", f"unix:{self.socket}", style, count, CREDIT))
        cpu_us = (server.cpu_seconds() - before) / count * 1e6
        return {"rate": count / app["seconds"], "cpu_us": cpu_us, "resident_mb": server.resident_mb()}

    def floor(self, count):
        server = Server([str(self.build / "bench_floor"), f"unix:{self.socket}", str(PAYLOAD), str(CREDIT)])
        try:
            return self.consume(server, "bare", count)
        finally:
            server.stop()

    def stub(self, count):
        server = Server([str(self.build / "bench_stub_daemon"), self.socket, str(PAYLOAD)])
        try:
            return self.consume(server, "sdk", count)
        finally:
            server.stop()

    def real(self, count):
        return self.through_daemon("sdk", count)

    def plain(self, count):
        return self.through_daemon("bare", count)

    def confirmed(self, count):
        return self.through_daemon("confirmed", count)

    def direct(self, count):
        return self.without_daemon("bench_direct", count)

    def natsgo(self, count):
        return self.without_daemon("../bench/natsgo", count)

    def memory(self, count):
        with contextlib.ExitStack() as ends:
            empty = Server([str(self.build / "bench_floor"), f"unix:{self.socket}", str(PAYLOAD), str(CREDIT)])
            ends.callback(empty.stop)
            empty_mb = empty.resident_mb()
        with contextlib.ExitStack() as ends:
            daemon = self.daemon(ends, self.filled_stream(ends, count))
            idle_mb = daemon.resident_mb()
            loaded_mb = self.consume(daemon, "sdk", count)["resident_mb"]
        return {"empty_mb": empty_mb, "idle_mb": idle_mb, "loaded_mb": loaded_mb}

    def through_daemon(self, style, count):
        with contextlib.ExitStack() as ends:
            return self.consume(self.daemon(ends, self.filled_stream(ends, count)), style, count)

    def without_daemon(self, program, count):
        with contextlib.ExitStack() as ends:
            app = json.loads(self.run(program, self.filled_stream(ends, count), "BENCH", count))
        return {"rate": count / app["seconds"], "cpu_us": app["cpu_seconds"] / count * 1e6}

    def filled_stream(self, ends, count):
        """The URL of a nats-server with `count` messages in the stream BENCH, until `ends` closes."""
        port = free_port()
        store = os.path.join(self.folder, "store")
        ends.callback(shutil.rmtree, store, ignore_errors=True)
        nats = Server([newest_nats_server(), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", store],
                      ready=lambda: accepts(port))
        ends.callback(nats.stop)
        url = f"nats://127.0.0.1:{port}"
        self.run("bench_publish", url, "BENCH", count, PAYLOAD)
        return url

    def daemon(self, ends, url):
        config = os.path.join(self.folder, "sluice.yaml")
        pathlib.Path(config).write_text(
            f"nats: {{servers: [\"{url}\"]}}\n"
            f"listen: {{unix: {self.socket}}}\n"
            "consumers:\n"
            "  - {name: bench, stream: BENCH, durable: bench, config: {max_ack_pending: 20000}}\n")
        daemon = Server([str(self.build / "sluice"), "serve", "--config", config],
                        ready=lambda: os.path.exists(self.socket))
        ends.callback(daemon.stop)
        return daemon


def newest_nats_server():
    for candidate in reversed(os.environ.get("SLUICE_NATS_SERVERS", "").split(":")):
        if candidate:
            return candidate
    return shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")


PARTS = {  # name -> (messages per round, label)
    "floor": (2_000_000, "bare gRPC stream, 128 B"),
    "stub": (1_000_000, "daemon, stub upstream, 128 B"),
    "real": (200_000, "daemon, nats-server, 128 B"),
    "plain": (200_000, "the same, bare client"),
    "confirmed": (200_000, "the same, acks confirmed"),
    "direct": (200_000, "no daemon, cnats, nats-server"),
    "natsgo": (200_000, "no daemon, nats.go, nats-server"),
    "memory": (200_000, "resident memory"),
}
REFERENCES = (("stub", "floor"), ("confirmed", "plain"), ("real", "direct"), ("real", "natsgo"))
SPOILED = 0.2  # cores that others took


def figures(rounds):
    rates = {part: [r["rate"] for r in results if "rate" in r] for part, results in rounds.items()}
    values = []
    for part, results in rounds.items():
        if rates[part]:
            values.append((f"rate.{part}.128", max(rates[part]), "msg/s"))
            values.append((f"cpu_us.{part}.128", min(r["cpu_us"] for r in results), "us/msg"))
    for part, reference in REFERENCES:
        if rates.get(part) and rates.get(reference):
            ratios = [rate / of for rate, of in zip(rates[part], rates[reference])]
            values.append((f"rate.{part}.128.vs_{reference}", statistics.median(ratios), "ratio"))
    if rounds.get("memory"):
        for state in ("idle", "loaded"):
            values.append((f"rss.{state}_mb", statistics.median(r[f"{state}_mb"] for r in rounds["memory"]), "MiB"))
            ratios = [r[f"{state}_mb"] / r["empty_mb"] for r in rounds["memory"]]
            values.append((f"rss.{state}.vs_empty_grpc", statistics.median(ratios), "ratio"))
    return values


def print_table(rounds):
    print(f"\n{'':32}{'best':>12}{'median':>12}{'worst':>12}   msg/s   server CPU us/msg")
    for part, results in rounds.items():
        rates = [r["rate"] for r in results if "rate" in r]
        if rates:
            print(f"{PARTS[part][1]:32}{max(rates):12,.0f}{statistics.median(rates):12,.0f}{min(rates):12,.0f}"
                  f"{min(r['cpu_us'] for r in results):28.2f}")
    for memory in rounds.get("memory", [])[:1]:
        print(f"{PARTS['memory'][1]:32}idle {memory['idle_mb']:.1f} MiB, loaded {memory['loaded_mb']:.1f}; "
              f"an empty gRPC server {memory['empty_mb']:.1f}")


def print_others(others):
    for number, cores in enumerate(others, 1):
        if cores > SPOILED:
            print(f"round {number} is spoiled: other programs took {cores:.2f} cores meanwhile")
    if max(others) <= SPOILED:
        print(f"other programs took {max(others):.2f} cores at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--output", type=pathlib.Path, default="build/bench.json")
    parser.add_argument("--only", choices=PARTS, nargs="+", help="these parts")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    parts = options.only or list(PARTS)
    if "natsgo" in parts and not (options.build / "../bench/natsgo").exists():
        print("left out: natsgo, which needs Go", file=sys.stderr)
        parts.remove("natsgo")
    others, taken = Others(), []
    rounds = {part: [] for part in parts}
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        bench = Bench(options.build.resolve(), folder)
        for number in range(1, options.rounds + 1):
            for part in parts:
                print(f"\rround {number} of {options.rounds}: {part:8}", end="", file=sys.stderr, flush=True)
                rounds[part].append(getattr(bench, part)(PARTS[part][0]))
            taken.append(others.cores())
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    print_table(rounds)
    print_others(taken)
    values = figures(rounds)
    for name, value, unit in values:
        if unit == "ratio":
            print(f"{name} {value:.2f}")
    options.output.write_text(
        json.dumps([{"name": name, "value": round(value, 4), "unit": unit} for name, value, unit in values], indent=1))


if __name__ == "__main__":
    main()
