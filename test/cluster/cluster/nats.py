"""A nats-server in a pod, with JetStream and users, whose configuration can change while it runs."""

import json

from cluster.kube import KubeError, wait_until

RESTRICTED = {"runAsNonRoot": True, "runAsUser": 65533, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
# Who gives no name, as the load and the apps' sink, may do all; the sidecars log in.
CONFIG = """
http_port: 8222
jetstream {{ store_dir: /data/jetstream }}
no_auth_user: anybody
authorization {{ users: [ {users} ] }}
"""
MONITORING = 8222


def config(users):
    logins = [("anybody", "anybody"), *users.items()]
    return CONFIG.format(users=", ".join(f'{{ user: {json.dumps(user)}, password: {json.dumps(password)} }}' for user, password in logins))


class NatsPod:
    def __init__(self, kube, image):
        self._kube, self._image = kube, image

    def start(self, users):
        labels = {"app.kubernetes.io/name": "nats"}
        # The configuration lies where it can be written: no waiting for the kubelet when it changes.
        start = "cp /etc/nats/nats.conf /data/nats.conf && exec /usr/sbin/nats-server --config /data/nats.conf"
        container = {"name": "nats", "image": self._image, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", start],
                     "ports": [{"containerPort": 4222}], "readinessProbe": {"httpGet": {"path": "/healthz", "port": MONITORING}, "periodSeconds": 1},
                     "securityContext": RESTRICTED,
                     "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "config", "mountPath": "/etc/nats"}]}
        pod = {"automountServiceAccountToken": False, "securityContext": {"fsGroup": 65533}, "containers": [container],
               "volumes": [{"name": "data", "emptyDir": {}}, {"name": "config", "secret": {"secretName": "nats-server"}}]}
        self._kube.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nats-server"}, "stringData": {"nats.conf": config(users)}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nats"}, "spec": {"selector": labels, "ports": [{"port": 4222}]}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "nats"}, "spec": {
                "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod}}})
        self._kube("rollout", "status", "deployment/nats", "--timeout=120s", timeout=150)

    def admit(self, users):
        """Only these from now on: the server disconnects the others."""
        before = self._monitor("varz")["config_load_time"]
        self._kube("exec", "-i", "deployment/nats", "--", "/bin/sh", "-c", "cat >/data/nats.conf && kill -HUP 1", input=config(users))
        wait_until(lambda: self._monitor("varz")["config_load_time"] != before, "nats-server's reload", 30)

    def sidecars(self):
        """The connections of the daemons: number -> who they are logged in as."""
        connections = self._monitor("connz?auth=1&limit=1024")["connections"]
        return {each["cid"]: each.get("authorized_user", "") for each in connections if each.get("name") == "sluice"}

    def _monitor(self, path):
        pods = [each["metadata"]["name"] for each in self._kube.get("pods", "-l", "app.kubernetes.io/name=nats")["items"]]
        if len(pods) != 1:
            raise KubeError(f"there is one nats-server, and its pods are {pods}")
        return json.loads(self._kube("get", "--raw", f"/api/v1/namespaces/{self._kube.namespace}/pods/{pods[0]}:{MONITORING}/proxy/{path}"))
