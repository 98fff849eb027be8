"""What runs in a pod: a daemon and an app, or an app on nats.go alone."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request


END_WITH_STORM = ("setpriv", "--pdeathsig", "KILL", "--")  # of util-linux


class PodError(Exception):
    pass


class Container:
    """A process, with the times of its end."""

    def __init__(self, name, argv, log, env=None):
        self.name, self.log = name, log
        with open(log, "ab") as file:
            self.process = subprocess.Popen([*END_WITH_STORM, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                            env={**os.environ, **(env or {})})
        self.signalled_at = None  # SIGTERM
        self.ended_at = None
        # Of its own, as who plays the kubelet is busy elsewhere when a quick one ends.
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self.sigkilled = False  # by the kubelet, at the end of the grace period
        self.by_fault = False  # by a fault of the storm's

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        if self.poll() is None:
            if number == signal.SIGTERM:
                self.signalled_at = time.monotonic()
            self.process.send_signal(number)

    def poll(self):
        code = self.process.poll()
        if code is not None:
            self._watcher.join()
        return code

    def _watch(self):
        self.process.wait()
        self.ended_at = time.monotonic()

    def kill(self):
        """As the kubelet does when time is up."""
        if self.poll() is None:
            self.sigkilled = True
            self.process.kill()
            self.process.wait()
            self.poll()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SluicePod:
    """The daemon as a sidecar, and an app on the C++ client."""

    def __init__(self, folder, setup, nats_port):
        self.folder, self.setup = pathlib.Path(folder), setup
        self.folder.mkdir(parents=True)
        self._address = f"unix://{self.folder}/sluice.sock"
        self._port = free_port()
        self._config = self.folder / "sluice.yaml"
        self._config.write_text(self._yaml(nats_port))
        self.daemon = self.app = None

    def _yaml(self, nats_port):
        setup = self.setup
        order = {"none": "", "key": "    ordering: key\n    key: {subject_token: 2}\n",
                 "exclusive": "    ordering: exclusive\n    key: {subject_token: 2}\n    exclusive: {priority_timeout: 2s}\n"}[setup.ordering]
        return (
            f"nats: {{servers: [\"nats://127.0.0.1:{nats_port}\"], reconnect_wait: 100ms}}\n"
            f"listen: {{unix: {self.folder}/sluice.sock}}\n"
            f"admin: {{listen: \"127.0.0.1:{self._port}\"}}\n"
            f"drain: {{timeout: {setup.drain_timeout_s}s}}\n"
            f"consumers:\n  - name: storm\n    stream: STORM\n{order}"
            f"    config: {{ack_wait: {setup.ack_wait_s}s, max_ack_pending: 5000, filter_subjects: [\"storm.>\"]}}\n"
        )

    def start_sidecar(self):
        self.daemon = Container("daemon", [self.setup.sluice, "serve", "--config", self._config], self.folder / "daemon.log")

    def started(self):
        return self._probe("/startupz")

    def start_app(self):
        self.app = Container("app", [self.setup.app, "--handled", self.setup.handled, "--concurrency", self.setup.concurrency, "--work-us",
                                     self.setup.work_us], self.folder / "app.log", {"SLUICE_ADDRESS": self._address})

    def ready(self):
        return self._probe("/readyz")

    def hook(self, mode):
        wait = ["--wait", "--timeout", f"{self.setup.drain_timeout_s}s"] if mode == "classic" else []
        return Container("hook", [self.setup.sluice, "drain", *wait], self.folder / "hook.log", {"SLUICE_ADDRESS": self._address})

    def containers(self):
        return [each for each in (self.daemon, self.app) if each]

    def _probe(self, path):
        """As the kubelet asks: anything but a 2xx is no."""
        if self.daemon.poll() is not None:
            raise PodError(f"the daemon ended with {self.daemon.poll()}; see {self.daemon.log}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=1) as answer:
                return 200 <= answer.status < 300
        except (urllib.error.URLError, OSError):
            return False


class NatsGoPod:
    """An app on nats.go. `end`: how it ends, "closed" or "stop"."""

    def __init__(self, folder, setup, nats_port):
        self.folder, self.setup, self._nats_port = pathlib.Path(folder), setup, nats_port
        self.folder.mkdir(parents=True)
        self.daemon = self.app = None

    def start_sidecar(self):
        pass

    def started(self):
        return True

    def start_app(self):
        setup = self.setup
        self.app = Container("app", [setup.natsgo, "-nats", f"nats://127.0.0.1:{self._nats_port}", "-handled", setup.handled, "-concurrency",
                                     setup.concurrency, "-work-us", setup.work_us, "-end", setup.end], self.folder / "app.log")

    def ready(self):
        return True

    def hook(self, _mode):
        return None

    def containers(self):
        return [self.app] if self.app else []
