"""Pods restarted one after the other, surge 1, and the faults in between."""

import itertools
import signal
import threading
import time

from storm.account import Kill
from storm.kubelet import drain_ms


class Fleet:
    """`make(folder)` makes a pod. Two at most change at a time: the new one starts before the old one ends."""

    def __init__(self, folder, make, kubelet):
        self._folder, self._make, self._kubelet = folder, make, kubelet
        self._numbers = itertools.count(1)
        self._endings = []
        self.pods, self.ended, self.killed, self.kills, self.drains = [], [], [], [], []
        self.restarts = 0

    def grow(self):
        self.pods.append(self._new())

    def _new(self):
        pod = self._make(self._folder / f"pod{next(self._numbers)}")
        self._kubelet.start(pod)
        return pod

    def restart(self):
        """The oldest: its successor first."""
        self.pods.append(self._new())
        self._end_soon(self.pods.pop(0))
        self.restarts += 1

    def fail(self, what):
        """A fault: the app, the daemon or all of a pod is killed. Kubernetes starts a container again where it was, and a lost pod elsewhere."""
        pod = self.pods[0]
        victims = {"app": [pod.app], "daemon": [pod.daemon or pod.app], "node": pod.containers()}[what]
        for victim in victims:
            victim.by_fault = True
            victim.signal(signal.SIGKILL)
            victim.process.wait()
            self.killed.append(victim)
        self.kills.append(Kill(int(time.time() * 1e6), frozenset([pod.app.pid])))
        self.restarts += 1
        if what == "node":
            self.pods.pop(0)
            self.pods.append(self._new())
        elif pod.app in victims:
            pod.start_app()
        else:
            pod.start_sidecar()
            self._kubelet.await_ready(pod)

    def _end_soon(self, pod):
        ending = threading.Thread(target=self._end, args=(pod,))
        ending.start()
        self._endings.append(ending)

    def _end(self, pod):
        self._kubelet.end(pod)
        self.ended.append(pod)
        self.drains.append(drain_ms(pod))

    def note_server_fault(self):
        self.kills.append(Kill(int(time.time() * 1e6)))

    def end(self):
        for pod in self.pods:
            self._end_soon(pod)
        self.pods = []
        for ending in self._endings:
            ending.join()

    def kill_all(self):
        """Whatever happens, nothing is left running."""
        for pod in self.pods + self.ended:
            for each in pod.containers():
                if each.poll() is None:
                    each.process.kill()
                    each.process.wait()

    def containers(self):
        return [each for pod in self.ended for each in pod.containers()]
