"""The programs of the bench: servers, daemons, apps, publishers."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

from measuring.machine import cpu_seconds
from measuring.processes import Server, accepts, free_port, last_json, run, wait_until

CREDIT = 4096  # messages that an app holds at most
STREAM = "BENCH"


class World:
    """One build. `scale` shrinks every load, for a try."""

    def __init__(self, build, folder, natsgo=None, scale=1.0):
        self.build = pathlib.Path(build)
        self.folder = pathlib.Path(folder)
        self.natsgo = natsgo
        self.scale = scale
        self.socket = self.folder / "s.sock"

    def program(self, name):
        return self.build / name

    def count(self, messages, least=2000):
        return max(least, int(messages * self.scale))

    # --- without JetStream ---

    def floor(self, ends, payload, tcp=False):
        """The bare gRPC server, and its address."""
        address = f"127.0.0.1:{free_port()}" if tcp else f"unix:{self.socket}"
        return self.until(ends, Server([self.program("bench_floor"), address, payload, CREDIT])), address

    def stub(self, ends, payload, *flags, tcp=False):
        """The daemon with an upstream that costs nothing, and its address."""
        address = f"127.0.0.1:{free_port()}" if tcp else f"unix:{self.socket}"
        if tcp:
            flags = (*flags, "--tcp", address)
        return self.until(ends, Server([self.program("bench_stub_daemon"), self.socket, payload, *flags])), address

    # --- with JetStream ---

    def nats(self, ends):
        """A nats-server of its own, with its url."""
        port = free_port()
        store = self.folder / f"store-{port}"
        ends.callback(shutil.rmtree, store, ignore_errors=True)
        server = Server([newest_nats_server(), "-a", "127.0.0.1", "-p", port, "-js", "-sd", store], ready=lambda: accepts(port))
        self.until(ends, server)
        server.url = f"nats://127.0.0.1:{port}"
        return server

    def fill(self, nats, count, payload, *flags):
        run([self.program("bench_publish"), nats.url, STREAM, count, payload, *flags])

    def make_stream(self, nats):
        self.fill(nats, 0, 0, "--make")

    def fill_existing(self, nats, count, payload):
        run([self.program("bench_publish"), nats.url, STREAM, count, payload, "--keep"])

    def publisher(self, nats, count, payload, rate):
        return subprocess.Popen([str(part) for part in (self.program("bench_publish"), nats.url, STREAM, count, payload, "--rate", rate)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def daemon(self, ends, nats, durable="sluice", tcp=False, number=1, **config):
        """The real one, with a consumer "bench"; `config` is the durable's, or what else has its place there."""
        sock = self.folder / f"d{number}.sock"
        with contextlib.suppress(FileNotFoundError):
            sock.unlink()
        listen = {"unix": str(sock)}
        if tcp:
            listen["tcp"] = f"127.0.0.1:{free_port()}"
        consumer = {"name": "bench", "stream": STREAM, "durable": durable, **config.pop("consumer", {}),
                    "config": {"max_ack_pending": 20000, **config}}
        settings = self.folder / f"d{number}.yaml"
        settings.write_text(json.dumps({"nats": {"servers": [nats.url]}, "listen": listen, "consumers": [consumer]}))  # JSON is YAML
        server = Server([self.program("sluice"), "serve", "--config", settings], ready=sock.exists)
        server.address = listen["tcp"] if tcp else f"unix:{sock}"
        server.admin = f"unix:{sock}"
        wait_until(lambda: self.counts(server) is not None, "the daemon to answer")
        return self.until(ends, server)

    def counts(self, daemon):
        """What the daemon says of its consumer; None: not yet."""
        asked = subprocess.run([str(self.program("sluice")), "status", "--address", daemon.admin, "--output", "json"], capture_output=True, text=True)
        if asked.returncode != 0:
            return None
        return json.loads(asked.stdout)["consumers"][0].get("counts", {})

    def count_of(self, daemon, name):
        return int((self.counts(daemon) or {}).get(name, 0))

    # --- apps ---

    def app(self, address, style, count, *flags, server=None, credit=CREDIT):
        """How an app fared with `count` messages: messages a second, and the CPU time of `server` for each, in us."""
        before = cpu_seconds(server.pid) if server else 0
        told = last_json(run([self.program("bench_app"), address, style, count, credit, *flags, *(("--server", server.pid) if server else ())]))
        cpu = told.get("server_cpu_seconds") or (cpu_seconds(server.pid) - before if server else 0)
        return {"rate": told["messages"] / told["seconds"], "cpu_us": cpu / told["messages"] * 1e6}

    def running_app(self, ends, address, style, *flags, credit=CREDIT):
        """One that goes on until the end."""
        app = Server([self.program("bench_app"), address, style, 10**15, credit, *flags], ready=(lambda: True) if style != "idle" else None)
        ends.callback(app.kill)
        return app

    def running_latency_app(self, ends, daemon, count):
        """One that ends after `count` messages, and tells how long they took."""
        app = Server([self.program("bench_app"), daemon.address, "sdk", count, 0, "--latency"], ready=lambda: True)
        ends.callback(app.kill)
        wait_until(lambda: self.count_of(daemon, "streams") == 1, "the app to attach")
        return app

    def running_direct(self, ends, nats, count):
        app = Server([self.program("bench_direct"), nats.url, STREAM, count, "--latency"])
        ends.callback(app.kill)
        return app

    def without_daemon(self, program, nats, count):
        told = last_json(run([program, nats.url, STREAM, count]))
        return {"rate": count / told["seconds"], "cpu_us": told["cpu_seconds"] / count * 1e6}

    @staticmethod
    def until(ends, server):
        ends.callback(server.stop)
        return server


def newest_nats_server():
    for candidate in reversed(os.environ.get("SLUICE_NATS_SERVERS", "").split(":")):
        if candidate:
            return candidate
    return shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")


def nats_server_version():
    """(2, 15, 2)"""
    told = run([newest_nats_server(), "--version"])
    return tuple(int(part) for part in re.search(r"v(\d+)\.(\d+)\.(\d+)", told).groups())
