"""kubectl and helm, as commands."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import threading
import time


class KubeError(Exception):
    pass


def _words(name, default):
    return shlex.split(os.environ.get(name, default))


class Kube:
    """In one namespace. $KUBECTL and $HELM say how they are called; $KUBECONFIG where the cluster is."""

    def __init__(self, namespace):
        self.namespace = namespace
        self._kubectl, self._helm = _words("KUBECTL", "kubectl"), _words("HELM", "helm")

    def __call__(self, *arguments, **options):
        """Runs kubectl; its output."""
        return self._run([*self._kubectl, "--namespace", self.namespace, *arguments], **options)

    def helm(self, *arguments):
        return self._run([*self._helm, "--namespace", self.namespace, *arguments], timeout=300)

    def apply(self, *objects):
        self("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, *arguments):
        return json.loads(self("get", *arguments, "-o", "json"))

    def version(self):
        return json.loads(self("version", "-o", "json"))["serverVersion"]["gitVersion"].removeprefix("v")

    def popen(self, *arguments, **options):
        return subprocess.Popen([*self._kubectl, "--namespace", self.namespace, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                **options)

    @contextlib.contextmanager
    def forwarded(self, what, port):
        """A port of the cluster on this machine, always the same: kubectl ends when the kubelet does, and is started again."""
        over = threading.Event()
        process, local = self._forward(what, "", port)

        def keep():
            nonlocal process
            while True:
                for _line in process.stdout:
                    pass  # it has one for each connection, and stops when nobody reads them
                process.wait()
                if over.is_set():
                    return
                with contextlib.suppress(KubeError):
                    process, _ = self._forward(what, local, port)
                    if over.is_set():
                        process.kill()
                over.wait(0.2)
        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield local
        finally:
            over.set()
            process.kill()
            thread.join(10)

    def _forward(self, what, local, port):
        process = self.popen("port-forward", "--address", "127.0.0.1", what, f"{local}:{port}")
        for line in process.stdout:
            if found := re.search(r"127\.0\.0\.1:(\d+)", line):
                return process, int(found[1])
        process.wait()
        raise KubeError(f"cannot forward {what}:{port}; is it running?")

    @staticmethod
    def _run(command, timeout=120, **options):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout, **options)
        if done.returncode:
            raise KubeError(f"{' '.join(map(str, command[:6]))} ...: {(done.stderr or done.stdout).strip()[-800:]}")
        return done.stdout


def wait_until(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise KubeError(f"{what}: not within {seconds} s")
        time.sleep(0.1)
    return value
