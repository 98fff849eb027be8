"""Programs that serve while something is measured."""

import json
import pathlib
import signal
import socket
import subprocess
import threading
import time

PATIENCE_S = 60


class BenchError(Exception):
    """A sentence for whoever started the bench."""


class Server:
    """A program that prints "ready" (or is probed), and serves until SIGTERM."""

    def __init__(self, command, ready=None):
        self.name = pathlib.Path(command[0]).name
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if ready is None:
            self.await_ready()
        else:
            wait_until(lambda: ready() or self.process.poll() is not None, f"{self.name} to be ready")
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} did not start")

    def await_ready(self):
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if line.strip() != "ready":
            self.process.kill()
            self.process.wait()
            raise BenchError(f"{self.name} did not get ready")

    @property
    def pid(self):
        return self.process.pid

    def memory_mb(self, field="VmRSS"):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(f"{field}:")).split()[1]) / 1024

    def seconds_to_end(self):
        """Asks it to end; how long it took, and its exit code."""
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait()  # without a time-out, which would poll
        took = time.monotonic() - asked
        watchdog.cancel()
        return took, code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self.name} did not end") from None
        finally:
            self.kill()


def run(command):
    """What it prints; it has to end well."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} took longer than 120 s") from None
    if done.returncode != 0:
        raise BenchError(f"{pathlib.Path(command[0]).name} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def wait_until(condition, what, seconds=PATIENCE_S):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
