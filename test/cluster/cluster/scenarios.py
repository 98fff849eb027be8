"""How pods are ended, and what changes under them. Each is played under load, and has a row of its own. Returns how many pods it ended."""

import os
import shlex
import subprocess
import time

from cluster.kube import KubeError, wait_until
from cluster.lab import RELEASE

SELECTOR = f"app.kubernetes.io/name={RELEASE}"
# Until the kubelet has brought a Secret or ConfigMap into a pod: its sync period, a minute with jitter, and what it keeps of the API server's answers.
MOUNTED_S = 240
RELOADS = "sluice_config_reloads_total"


def rollouts(lab, _timeline, count=5):
    """kubectl rollout restart"""
    for _ in range(count):
        lab.kube("rollout", "restart", f"deployment/{RELEASE}")
        lab.kube("rollout", "status", f"deployment/{RELEASE}", "--timeout=180s", timeout=200)
    return 3 * count


def deletions(lab, _timeline, count=20):
    """kubectl delete pod, one after the other"""
    for _ in range(count):
        lab.kube("delete", "pod", lab.await_pods()[0], "--wait=false")
        lab.await_pods()
    return count


def deletions_now(lab, _timeline, count=5):
    """kubectl delete pod --now: a second for all of it, then SIGKILL"""
    for _ in range(count):
        lab.kube("delete", "pod", lab.await_pods()[0], "--now", "--wait=false")
        lab.await_pods()
    return count


def node_drain(lab, _timeline):
    """kubectl drain, of the pods with the sidecar; then uncordon"""
    node = lab.kube.get("pod", lab.await_pods()[0])["spec"]["nodeName"]
    drain = lab.kube.popen("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--pod-selector", SELECTOR, "--timeout=180s")
    # A budget of one pod at a time holds an eviction back until the next pod is ready, and on a node of its own none can be: so it is uncordoned.
    wait_until(lambda: lab.kube.get("node", node)["spec"].get("unschedulable") or drain.poll() is not None, "a node that is cordoned")
    while drain.poll() is None:
        lab.kube("uncordon", node)
        time.sleep(0.5)
    lab.kube("uncordon", node)
    if drain.returncode:
        raise KubeError(f"kubectl drain failed: {drain.stdout.read()[-800:]}")
    lab.await_pods()
    return 3


def kubelet_restart(lab, timeline):
    """the kubelet is restarted in the middle of a drain, by $KUBELET_RESTART: some messages take 8 s, so that there is a middle"""
    lab.install(more_args=["--slow-every", "100", "--slow-us", "8000000"])
    victim = lab.await_pods()[0]
    lab.await_no_ending_pods()
    lab.await_handled(2000)
    lab.kube("delete", "pod", victim, "--wait=false")
    wait_until(lambda: "deletion" in timeline.pods[victim], "a pod that ends")
    subprocess.run(shlex.split(os.environ["KUBELET_RESTART"]), check=True, stdout=subprocess.DEVNULL)
    restarted = time.time()
    lab.await_pods()
    wait_until(timeline.is_complete, "the end of the pod")
    if timeline.pods[victim]["app"]["finished"] < restarted:
        raise KubeError("the drain was over before the kubelet was restarted")
    lab.install()
    lab.await_pods()
    return 7


def app_ignores_sigterm(lab, _timeline):
    """an app that ignores SIGTERM: killed at the end of the grace period"""
    lab.install(more_args=["--ignore-sigterm"])
    lab.await_pods()
    lab.kube("rollout", "restart", f"deployment/{RELEASE}")
    lab.kube("rollout", "status", f"deployment/{RELEASE}", "--timeout=180s", timeout=200)
    lab.install()
    lab.await_pods()
    return 9


def config_change(lab, _timeline):
    """a change of the ConfigMap, by helm upgrade: rolls out"""
    lab.install(sluice__log={"level": "debug"})
    lab.await_pods()
    lab.install()
    lab.await_pods()
    return 6


def config_reload(lab, timeline):
    """the same with rolloutOnChange: false: each daemon takes it over as it is"""
    lab.install(sluice__rolloutOnChange=False)
    pods = lab.await_pods()
    wait_until(timeline.is_complete, "the end of the pods before")
    lab.install(sluice__rolloutOnChange=False, sluice__log={"level": "warning"})
    wait_until(lambda: all(lab.metric(pod, RELOADS) == 1 for pod in pods), "the daemons' reload", MOUNTED_S)
    lab.install()
    lab.await_pods()
    return 6


def credential_rotation(lab, _timeline):
    """another user and password in the Secret, the old ones refused once each daemon has moved"""
    lab.admit(blue="the sky", green="the grass")
    lab.log_in_as("green")
    wait_until(lambda: sorted(lab.nats.sidecars().values()) == ["green"] * 3, "each daemon's new login, and no other", MOUNTED_S)
    lab.admit(green="the grass")
    lab.await_handled(1000)
    return 0


def password_replaced(lab, _timeline):
    """the same user with another password, the old one refused before the kubelet has brought the new one"""
    before = max(lab.nats.sidecars())
    user = next(iter(lab.users))
    lab.admit(**{user: f"{lab.users[user]}, again"})
    lab.log_in_as(user)
    # A pod that changes is looked at at once, with its Secrets.
    lab.kube("annotate", "pod", "-l", SELECTOR, f"sluice.io/login={time.time():.0f}", "--overwrite")
    wait_until(lambda: len([number for number in lab.nats.sidecars() if number > before]) == 3, "each daemon's new login", MOUNTED_S)
    lab.await_handled(1000)
    return 0


def job(lab, _timeline):
    """a Job of 200 messages, beside the fleet: completes by itself"""
    lab.install("storm-job", wait=False, kind="Job", more_args=["--count", "200"])
    lab.await_job("storm-job")
    lab.uninstall("storm-job")
    return 1


def cron_job(lab, _timeline):
    """a CronJob, started by hand: completes by itself"""
    lab.install("storm-cron", wait=False, kind="CronJob", schedule="0 0 29 2 *", more_args=["--count", "200"])
    lab.kube("create", "job", "storm-cron-now", "--from=cronjob/storm-cron")
    lab.await_job("storm-cron-now")
    lab.kube("delete", "job", "storm-cron-now")
    lab.uninstall("storm-cron")
    return 1


# Those in which a process may be killed with work in its hands, which JetStream itself must repeat.
KILLED = {"deletions_now", "app_ignores_sigterm"}
ALL = {each.__name__: each for each in (rollouts, deletions, node_drain, kubelet_restart, config_change, config_reload, credential_rotation,
                                        password_replaced, job, cron_job, deletions_now, app_ignores_sigterm)}


def missing(name):
    """Why a scenario cannot be played here; empty: it can."""
    if name == "kubelet_restart" and not os.environ.get("KUBELET_RESTART"):
        return "$KUBELET_RESTART does not say how"
    return ""
