"""How pods are ended. Each is played under load, and has a row of its own."""

import os
import shlex
import subprocess
import time

from cluster.kube import wait_until
from cluster.lab import RELEASE

SELECTOR = f"app.kubernetes.io/name={RELEASE}"


def rollouts(lab, count=5):
    """kubectl rollout restart"""
    for _ in range(count):
        lab.kube("rollout", "restart", f"deployment/{RELEASE}")
        lab.kube("rollout", "status", f"deployment/{RELEASE}", "--timeout=180s", timeout=200)
    return 3 * count


def deletions(lab, count=20):
    """kubectl delete pod, one after the other"""
    for _ in range(count):
        lab.kube("delete", "pod", lab.await_pods()[0], "--wait=false")
        lab.await_pods()
    return count


def deletions_now(lab, count=5):
    """kubectl delete pod --now: a second for all of it, then SIGKILL"""
    for _ in range(count):
        lab.kube("delete", "pod", lab.await_pods()[0], "--now", "--wait=false")
        lab.await_pods()
    return count


def node_drain(lab):
    """kubectl drain, of the pods with the sidecar; then uncordon"""
    node = lab.kube.get("pod", lab.await_pods()[0])["spec"]["nodeName"]
    drain = lab.kube.popen("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--pod-selector", SELECTOR, "--timeout=180s")
    # A budget of one pod at a time holds an eviction back until the next pod is ready, and on a node of its own none can be: so it is uncordoned.
    time.sleep(1)
    while drain.poll() is None:
        lab.kube("uncordon", node)
        time.sleep(0.5)
    lab.kube("uncordon", node)
    lab.await_pods()
    return 3


def kubelet_restart(lab):
    """the kubelet is restarted in the middle of a drain, by $KUBELET_RESTART"""
    lab.kube("delete", "pod", lab.await_pods()[0], "--wait=false")
    wait_until(lambda: any("deletionTimestamp" in each["metadata"] for each in lab.kube.get("pods", "-l", SELECTOR)["items"]), "a pod that ends")
    subprocess.run(shlex.split(os.environ["KUBELET_RESTART"]), check=True, capture_output=True)
    lab.await_pods()
    return 1


def app_ignores_sigterm(lab):
    """an app that ignores SIGTERM: killed at the end of the grace period"""
    lab.install(app__args=[*lab.values()["app"]["args"], "--ignore-sigterm"])
    lab.await_pods()
    rollouts(lab, 1)
    lab.install()
    lab.await_pods()
    return 9


def config_change(lab):
    """a change of the ConfigMap, by helm upgrade: rolls out"""
    lab.install(sluice__log={"level": "debug"})
    lab.await_pods()
    lab.install()
    lab.await_pods()
    return 6


def job(lab):
    """a Job of 200 messages, beside the fleet: completes by itself"""
    lab.install("storm-job", wait=False, kind="Job", app__args=[*lab.values()["app"]["args"], "--count", "200"])
    wait_until(lambda: lab.kube.get("job", "storm-job")["status"].get("succeeded") == 1, "the Job's end", 180)
    lab.uninstall("storm-job")
    return 1


def cron_job(lab):
    """a CronJob, started by hand: completes by itself"""
    lab.install("storm-cron", wait=False, kind="CronJob", app__args=[*lab.values()["app"]["args"], "--count", "200"])
    lab.kube("create", "job", "storm-cron-now", "--from=cronjob/storm-cron")
    wait_until(lambda: lab.kube.get("job", "storm-cron-now")["status"].get("succeeded") == 1, "the CronJob's end", 180)
    lab.kube("delete", "job", "storm-cron-now", "--wait=false")
    lab.uninstall("storm-cron")
    return 1


# Those of which JetStream itself must repeat something: a process was killed with work in its hands.
KILLED = {"deletions_now", "app_ignores_sigterm"}
ALL = {each.__name__: each for each in (rollouts, deletions, node_drain, kubelet_restart, config_change, job, cron_job, deletions_now, app_ignores_sigterm)}


def missing(name):
    """Why a scenario cannot be played here; empty: it can."""
    if name == "kubelet_restart" and not os.environ.get("KUBELET_RESTART"):
        return "$KUBELET_RESTART does not say how"
    return ""
