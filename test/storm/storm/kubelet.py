"""How Kubernetes starts and ends a pod, on processes, with the delays that a real kubelet 1.34 has shown.

Native: the sidecar first, the app once it has started. The end: at 0 the app gets SIGTERM and the sidecar's preStop hook runs; once both the hook and
the app have ended, the sidecar gets SIGTERM. What runs at the end of the grace period is killed; the sidecar has 2 s from its SIGTERM in any case.
Classic: both containers start at once. The end: the app gets SIGTERM, the sidecar its own after its hook, whatever the app does; at the end of the
grace period both are killed.
"""

import signal
import time

# Seconds, as measured on a kubelet 1.34.4: from the one thing to the other.
HOOK_DELAY = (0.0, 0.17)  # the app's SIGTERM, and the hook, of one pod
SIDECAR_DELAY = (0.01, 0.45)  # the end of hook and app, and the sidecar's SIGTERM
LAST_CHANCE_S = 2.0  # between a sidecar's SIGTERM and its SIGKILL, whatever the grace period
POLL_S = 0.005
START_TIMEOUT_S = 30.0


class Kubelet:
    def __init__(self, mode, grace_s, dice):
        self._mode, self._grace_s, self._dice = mode, grace_s, dice

    def start(self, pod):
        """Returns when the pod is ready."""
        pod.start_sidecar()
        if self._mode == "native":
            self._await(pod.started, "started")
        pod.start_app()
        self.await_ready(pod)

    def await_ready(self, pod):
        self._await(pod.ready, "ready")

    def end(self, pod):
        """Returns when nothing of the pod runs any more."""
        begin = time.monotonic()
        end_of_grace = begin + self._grace_s
        pod.app.signal(signal.SIGTERM)
        hook = None
        if pod.daemon and pod.daemon.poll() is None:
            time.sleep(self._dice.uniform(*HOOK_DELAY))
            hook = pod.hook(self._mode)
        if self._mode == "native":
            self._await_ends([hook, pod.app], end_of_grace)
            pod.app.kill()
        else:
            self._await_ends([hook], end_of_grace)
        if hook:
            hook.kill()
        self._end_sidecar(pod, end_of_grace)
        self._await_ends([pod.app], end_of_grace)
        pod.app.kill()

    def _end_sidecar(self, pod, end_of_grace):
        if not pod.daemon or pod.daemon.poll() is not None:
            return
        time.sleep(self._dice.uniform(*SIDECAR_DELAY))
        pod.daemon.signal(signal.SIGTERM)
        self._await_ends([pod.daemon], max(end_of_grace, time.monotonic() + LAST_CHANCE_S))
        pod.daemon.kill()

    @staticmethod
    def _await(condition, what):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"a pod was not {what} within {START_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    @staticmethod
    def _await_ends(containers, deadline):
        while any(each and each.poll() is None for each in containers) and time.monotonic() < deadline:
            time.sleep(POLL_S)


def drain_ms(pod):
    """What its end took of the pod's own time: the app from its SIGTERM on, then the daemon from its own; not what the kubelet waits in between."""
    spans = [each.ended_at - each.signalled_at for each in pod.containers() if each.signalled_at and each.ended_at]
    return 1000 * sum(spans)
