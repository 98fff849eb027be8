"""What is installed: a namespace that enforces PodSecurity `restricted`, a nats-server, and the example chart."""

import pathlib
import shutil
import tempfile

import yaml

from runner.nats import Nats

from cluster.kube import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
RELEASE = "storm"
STREAM, HANDLED = "STORM", "HANDLED"
GRACE_S, DRAIN_S = 20, 10
RESTRICTED = {"runAsNonRoot": True, "runAsUser": 65533, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}


class Lab:
    def __init__(self, kube, options):
        self.kube, self._options = kube, options
        self._folder = tempfile.TemporaryDirectory()

    def make_namespace(self):
        name = self.kube.namespace
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        self.kube("apply", "-f", "-", input=yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))

    def start_nats(self):
        labels = {"app.kubernetes.io/name": "nats"}
        container = {"name": "nats", "image": self._options.test_image, "imagePullPolicy": "IfNotPresent", "command": ["/usr/sbin/nats-server"],
                     "args": ["--jetstream", "--store_dir", "/data", "--http_port", "8222"], "ports": [{"containerPort": 4222}],
                     "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8222}, "periodSeconds": 1},
                     "securityContext": RESTRICTED, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        pod = {"automountServiceAccountToken": False, "securityContext": {"fsGroup": 65533}, "containers": [container],
               "volumes": [{"name": "data", "emptyDir": {}}]}
        self.kube.apply(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nats"}, "spec": {"selector": labels, "ports": [{"port": 4222}]}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "nats"}, "spec": {
                "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod}}})
        self.kube("rollout", "status", "deployment/nats", "--timeout=120s")

    def make_streams(self, port):
        connection = Nats(port)
        for name, subjects in ((STREAM, ["storm.>"]), (HANDLED, ["handled"])):
            try:
                connection.api(f"STREAM.DELETE.{name}")
            except Exception:  # noqa: BLE001: there was none
                pass
            connection.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": subjects, "storage": "memory"})
        connection.close()

    def values(self, **changes):
        """Of the example chart: the app of the storm, three times."""
        repository, _, tag = self._options.image.rpartition(":")
        values = {
            "replicas": 3, "terminationGracePeriodSeconds": GRACE_S,
            "app": {"image": self._options.test_image, "command": ["/usr/bin/storm_app"],
                    "args": ["--handled", "nats://nats:4222/handled", "--concurrency", "16", "--work-us", str(self._options.work_us)]},
            "sluice": {"image": {"repository": repository, "tag": tag}, "drain": {"timeout": f"{DRAIN_S}s"},
                       "consumers": [{"name": "storm", "stream": STREAM, "config": {"ack_wait": f"{self._options.ack_wait}s", "max_ack_pending": 5000}}]},
        }
        for path, value in changes.items():
            *parents, last = path.split("__")
            node = values
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
        return values

    def install(self, release=RELEASE, wait=True, **changes):
        """Installs the example chart, or changes what is installed."""
        folder = pathlib.Path(self._folder.name)
        chart = folder / "example"
        if not chart.exists():
            shutil.copytree(ROOT / "deploy/helm/example", chart, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
            shutil.copytree(ROOT / "deploy/helm/sluice", chart / "charts/sluice")
        values = folder / f"{release}.yaml"
        values.write_text(yaml.safe_dump(self.values(**changes)))
        self.kube.helm("upgrade", "--install", release, chart, "--values", values, *(["--wait", "--timeout", "180s"] if wait else []))

    def uninstall(self, release):
        self.kube.helm("uninstall", release, "--wait")

    def pods(self, release=RELEASE):
        """The names of the pods that are ready, the oldest first."""
        pods = self.kube.get("pods", "-l", f"app.kubernetes.io/name={release}")["items"]
        ready = [each for each in pods if "deletionTimestamp" not in each["metadata"]
                 and any(c["type"] == "Ready" and c["status"] == "True" for c in each["status"].get("conditions", []))]
        return [each["metadata"]["name"] for each in sorted(ready, key=lambda each: each["metadata"]["creationTimestamp"])]

    def await_pods(self, count=3, release=RELEASE):
        return wait_until(lambda: len(names := self.pods(release)) == count and names, f"{count} ready pods of {release}")

    def close(self):
        self.kube("delete", "namespace", self.kube.namespace, "--wait=false", timeout=60)
        self._folder.cleanup()
