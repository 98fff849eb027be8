"""What the runner starts: nats-server, the daemon, drivers. Whatever happens, they end with it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import yaml

MAX_PAYLOAD = 8 << 20  # larger than gRPC's 4 MiB for a message, which an SDK has to lift
_END_WITH_RUNNER = ("setpriv", "--pdeathsig", "KILL", "--")  # of util-linux


class ProcessError(Exception):
    pass


class Process:
    """In a process group of its own, so that what a shell script starts can be ended with it."""

    def __init__(self, name, command, folder, **options):
        self.name = name
        self.log = folder / f"{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*_END_WITH_RUNNER, *map(str, command)], stderr=log, start_new_session=True,
                                            **options)

    @property
    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait(self, timeout):
        """The exit code; negative for a signal."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self.name} has not ended within {timeout:.0f} s") from None

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NatsServer:
    """On a port that stays the same when it is started again."""

    def __init__(self, program, folder):
        self._program, self._folder = program, folder
        self.port = free_port()
        self._config = folder / "nats.conf"
        self._config.write_text(
            f"listen: 127.0.0.1:{self.port}\nmax_payload: {MAX_PAYLOAD}\nmax_pending: {16 * MAX_PAYLOAD}\n"
            f"jetstream {{store_dir: {json.dumps(str(folder / 'store'))}, max_mem: 1G, max_file: 1G}}\n")
        self._process = None
        self.start()

    def start(self):
        self._process = Process("nats-server", [self._program, "-c", self._config], self._folder, stdout=subprocess.DEVNULL)
        _await_listening(self._process, lambda: socket.create_connection(("127.0.0.1", self.port), 1).close())

    def stop(self):
        self._process.signal(signal.SIGTERM)
        self._process.wait(10)

    def kill(self):
        self._process.kill()


class Daemon:
    def __init__(self, name, program, folder, config):
        self._name, self._program, self._folder = name, program, folder
        self.socket = folder / f"{name}.sock"
        self._config = folder / f"{name}.yaml"
        self._config.write_text(yaml.safe_dump({**config, "listen": {"unix": str(self.socket)}}))
        self._process = None
        self._told_to_end = False

    def start(self):
        self._told_to_end = False
        self._process = Process(self._name, [self._program, "serve", "--config", self._config], self._folder,
                                stdout=subprocess.DEVNULL)
        _await_listening(self._process, self._connect)

    def _connect(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))

    def signal(self, number):
        self._told_to_end |= number == signal.SIGTERM
        self._process.signal(number)

    def freeze(self):
        """Returns when each of its threads stands still, which is some time after the signal."""
        self.signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self._process.process.pid}/task")
        while any(task.read_text().rpartition(")")[2].split()[0] != "T" for task in tasks.glob("*/stat")):
            time.sleep(0.001)

    def ended(self, timeout):
        code = self._process.wait(timeout)
        if code != 0:
            raise ProcessError(f"{self._name} ended with {code}: {self._process.last_words()}")

    def kill(self):
        self._told_to_end = True
        if self._process:
            self._process.kill()

    @property
    def crashed(self):
        return bool(self._process) and not self._process.running and not self._told_to_end

    def last_words(self):
        return self._process.last_words()


def _await_listening(process, connect, seconds=10.0):
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect()
            return
        except OSError:
            if not process.running:
                raise ProcessError(f"{process.name} did not start: {process.last_words()}") from None
            if time.monotonic() > deadline:
                raise ProcessError(f"{process.name} did not listen within {seconds:.0f} s") from None
            time.sleep(0.002)


class Driver:
    """A driver's process: commands go in, events come out, each to `on_event` on the thread that reads them."""

    def __init__(self, name, run, folder, address, on_event, on_end=lambda: None):
        self.name = name
        self._on_event, self._on_end = on_event, on_end
        self.given_up = False  # killed on purpose: nothing that it owes is expected any more
        self.silent = False  # it has ended, and all that it said is in
        self._process = Process(f"app-{name}", [run], folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                env={**os.environ, "SLUICE_ADDRESS": address}, cwd=run.parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.process.stdout:
            try:
                event = json.loads(line)
                if not isinstance(event, dict) or "event" not in event:
                    raise ValueError
            except ValueError:
                event = {"event": "unreadable", "line": line.decode(errors="replace").strip()[:200]}
            self._on_event(self, event)
        self.silent = True
        self._on_end()

    def tell(self, command):
        try:
            self._process.process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.process.stdin.flush()
        except (OSError, ValueError):  # the other end is closed, or this one
            raise ProcessError(f"{self.name} takes no commands any more: {self._process.last_words()}") from None

    def close_input(self):
        with contextlib.suppress(OSError):
            self._process.process.stdin.close()

    def signal(self, number):
        self._process.signal(number)

    def wait(self, timeout):
        """Its exit code, once all its events are in."""
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        return code

    def kill(self):
        self.given_up = True
        self._process.kill()
        self._reader.join()
        self.close_input()
        self._process.process.stdout.close()

    @property
    def running(self):
        return self._process.running

    def last_words(self):
        return self._process.last_words()
