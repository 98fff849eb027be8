"""What is installed: a namespace that enforces PodSecurity `restricted`, a nats-server, and the example chart."""

import json
import pathlib
import re
import shutil
import tempfile

from runner.nats import Nats, NatsError

from cluster.kube import KubeError, wait_until
from cluster.nats import NatsPod

ROOT = pathlib.Path(__file__).resolve().parents[3]
RELEASE = "storm"
STREAM, HANDLED = "STORM", "HANDLED"
GRACE_S, DRAIN_S = 20, 10
LOGIN = "nats-login"


class Lab:
    def __init__(self, kube, options):
        self.kube, self._options = kube, options
        self.nats = NatsPod(kube, options.test_image)
        self.users = {"blue": "the sky"}
        self._folder = tempfile.TemporaryDirectory()
        self.port = 0  # where the nats-server can be reached from here

    def make_namespace(self):
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        self.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.kube.namespace, "labels": labels}})

    def start_nats(self):
        self.nats.start(self.users)
        self.log_in_as("blue")

    def log_in_as(self, user):
        """The Secret that the sidecars log in with."""
        self.kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": LOGIN}, "stringData": {"user": user, "password": self.users[user]}})

    def admit(self, **users):
        """Whom the nats-server lets in from now on."""
        self.users = users
        self.nats.admit(users)

    def make_streams(self):
        connection = Nats(self.port)
        for name, subjects in ((STREAM, ["storm.>"]), (HANDLED, ["handled"])):
            try:
                connection.api(f"STREAM.DELETE.{name}")
            except NatsError:
                pass  # there was none
            connection.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": subjects, "storage": "memory"})
        connection.close()

    def handled(self):
        """The last sequence of the lines in which the apps say what they have done."""
        return self.ask(f"STREAM.INFO.{HANDLED}")["state"]["last_seq"]

    def ask(self, subject):
        """JetStream, patiently: the way there may be broken for a while."""
        def answer():
            try:
                connection = Nats(self.port)
                try:
                    return connection.api(subject)
                finally:
                    connection.close()
            except (NatsError, OSError):
                return None
        return wait_until(answer, f"an answer to {subject}")

    def await_handled(self, count):
        """So many more."""
        wanted = self.handled() + count
        wait_until(lambda: self.handled() >= wanted, f"{count} more messages handled")

    def values(self, **changes):
        """Of the example chart: the app of the storm, three times."""
        repository, _, tag = self._options.image.rpartition(":")
        values = {
            "replicas": 3, "terminationGracePeriodSeconds": GRACE_S,
            "app": {"image": self._options.test_image, "command": ["/usr/bin/storm_app"],
                    "args": ["--handled", "nats://nats:4222/handled", "--concurrency", "16", "--work-us", str(self._options.work_us)]},
            "sluice": {"image": {"repository": repository, "tag": tag}, "drain": {"timeout": f"{DRAIN_S}s"},
                       "nats": {"servers": ["nats://nats:4222"], "existingSecret": LOGIN, "userKey": "user", "passwordKey": "password"},
                       "consumers": [{"name": "storm", "stream": STREAM, "config": {"ack_wait": f"{self._options.ack_wait}s", "max_ack_pending": 5000}}]},
        }
        for path, value in changes.items():
            *parents, last = path.split("__")
            node = values
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
        return values

    def install(self, release=RELEASE, wait=True, more_args=(), **changes):
        """Installs the example chart, or changes what is installed."""
        folder = pathlib.Path(self._folder.name)
        chart = folder / "example"
        if not chart.exists():
            shutil.copytree(ROOT / "deploy/helm/example", chart, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
            shutil.copytree(ROOT / "deploy/helm/sluice", chart / "charts/sluice")
        values = folder / f"{release}.json"
        wanted = self.values(**changes)
        wanted["app"]["args"] += more_args
        values.write_text(json.dumps(wanted))
        self.kube.helm("upgrade", "--install", release, chart, "--values", values, *(["--wait", "--timeout", "180s"] if wait else []))

    def uninstall(self, release):
        self.kube.helm("uninstall", release)
        wait_until(lambda: not self.all_pods(release), f"the end of the pods of {release}")

    def all_pods(self, release=RELEASE):
        return self.kube.get("pods", "-l", f"app.kubernetes.io/name={release}")["items"]

    def pods(self, release=RELEASE):
        """The names of the pods that are ready, the oldest first."""
        ready = [each for each in self.all_pods(release) if "deletionTimestamp" not in each["metadata"]
                 and any(c["type"] == "Ready" and c["status"] == "True" for c in each["status"].get("conditions", []))]
        return [each["metadata"]["name"] for each in sorted(ready, key=lambda each: each["metadata"]["creationTimestamp"])]

    def await_pods(self, count=3, release=RELEASE):
        return wait_until(lambda: len(names := self.pods(release)) == count and names, f"{count} ready pods of {release}")

    def await_no_ending_pods(self, release=RELEASE):
        wait_until(lambda: not any("deletionTimestamp" in each["metadata"] for each in self.all_pods(release)), "the end of the pods that end")

    def check_restrictions(self):
        """The image as it runs: there is no shell, and nothing that can be written but what is mounted."""
        pod = self.pods()[0]
        status = json.loads(self.kube("exec", pod, "-c", "sluice", "--", "/usr/bin/sluice", "status", "--output", "json"))
        if not status:
            raise KubeError("the daemon does not tell its status")
        for shell in ("/bin/sh", "/bin/bash", "/usr/bin/sh"):
            try:
                self.kube("exec", pod, "-c", "sluice", "--", shell, "-c", "true")
            except KubeError as error:
                if "no such file" not in str(error):
                    raise
            else:
                raise KubeError(f"the image has {shell}")

    def await_job(self, name):
        def is_complete():
            status = self.kube.get("job", name)["status"]
            if status.get("failed"):
                raise KubeError(f"a pod of the Job {name} failed")
            return status.get("succeeded") == 1
        wait_until(is_complete, f"the end of the Job {name}", 180)

    def metric(self, pod, name):
        """Of its daemon, summed over its labels."""
        text = self.kube("get", "--raw", f"/api/v1/namespaces/{self.kube.namespace}/pods/{pod}:9422/proxy/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))

    def close(self):
        self.kube("delete", "namespace", self.kube.namespace, "--timeout=180s", timeout=200)
        self._folder.cleanup()
