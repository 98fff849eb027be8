"""The timelines, on small processes."""

import pathlib
import random
import sys
import tempfile
import time
import unittest

from storm.kubelet import Kubelet, drain_ms
from storm.pods import Container

# Says that it is there by making a file; on SIGTERM goes on for so long, or for ever.
SLEEPER = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(float(sys.argv[2]))
    sys.exit(0)
signal.signal(signal.SIGTERM, end if sys.argv[2] != "never" else signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""


class Pod:
    def __init__(self, folder, app="0", daemon="0", hook="0"):
        self._folder, self._app, self._daemon, self._hook = pathlib.Path(folder), app, daemon, hook
        self.app = self.daemon = self.hooked_at = None

    def _sleeper(self, name, seconds):
        return Container(name, [sys.executable, "-c", SLEEPER, self._folder / name, seconds], self._folder / f"{name}.log")

    def start_sidecar(self):
        self.daemon = self._sleeper("daemon", self._daemon)

    def started(self):
        return (self._folder / "daemon").exists()

    def start_app(self):
        self.app = self._sleeper("app", self._app)

    def ready(self):
        return self.started() and (self._folder / "app").exists()

    def hook(self, _mode):
        self.hooked_at = time.monotonic()
        return Container("hook", ["sleep", self._hook], self._folder / "hook.log")

    def containers(self):
        return [self.daemon, self.app]


class KubeletTest(unittest.TestCase):
    def play(self, mode, grace=20.0, **pod):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        pod = Pod(folder.name, **pod)
        kubelet = Kubelet(mode, grace, random.Random(1))
        kubelet.start(pod)
        kubelet.end(pod)
        self.assertIsNotNone(pod.app.poll())
        self.assertIsNotNone(pod.daemon.poll())
        return pod

    def test_a_native_sidecar_gets_sigterm_after_its_hook_and_the_app(self):
        for app, hook in [("0.4", "0"), ("0", "0.4")]:
            with self.subTest(app=app, hook=hook):
                pod = self.play("native", app=app, hook=hook)
                self.assertGreater(pod.daemon.signalled_at, pod.app.ended_at)
                self.assertGreater(pod.daemon.signalled_at, pod.hooked_at + float(hook))
                self.assertEqual((pod.app.poll(), pod.daemon.poll()), (0, 0))
                self.assertFalse(pod.app.sigkilled or pod.daemon.sigkilled)

    def test_a_classic_one_gets_it_after_its_hook_though_the_app_lives(self):
        pod = self.play("classic", app="1.5", hook="0.1")
        self.assertLess(pod.daemon.signalled_at, pod.app.ended_at)

    def test_who_ignores_sigterm_is_killed_at_the_end_of_the_grace_period(self):
        pod = self.play("native", grace=0.5, app="never")
        self.assertTrue(pod.app.sigkilled)
        self.assertFalse(pod.daemon.sigkilled)
        self.assertGreater(pod.daemon.signalled_at, pod.app.ended_at)

    def test_the_sidecar_has_two_seconds_in_any_case(self):
        pod = self.play("native", grace=0.1, app="never", daemon="never")
        self.assertTrue(pod.daemon.sigkilled)
        self.assertGreater(pod.daemon.ended_at - pod.daemon.signalled_at, 1.9)

    def test_a_drain_is_what_the_pod_itself_took(self):
        pod = self.play("native", app="0.3", daemon="0.2", hook="1")
        self.assertGreaterEqual(drain_ms(pod), 500)
        self.assertLess(drain_ms(pod), 1000 * (pod.daemon.ended_at - pod.app.signalled_at))


if __name__ == "__main__":
    unittest.main()
