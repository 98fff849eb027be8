"""From the command line to the table."""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time

from runner.nats import Nats, NatsError
from storm.account import Handled, Kill, balance
from storm.load import Load

from cluster import image, scenarios
from cluster.kube import Kube, KubeError, wait_until
from cluster.lab import HANDLED, STREAM, Lab
from cluster.timeline import Timeline

COLUMNS = ["scenario", "published", "lost", "twice", "late", "redelivered", "slowest_ms", "pods", "app_p50", "app_max", "pod_p50", "pod_max",
           "drain_p50", "drain_max", "exits"]
EPILOG = """
pods: that ended · app, pod: ms from the deletion until the app had ended, and until the pod was gone, as the API server tells · drain: ms, by the daemons'
own reports · exits: exit codes of the apps, and of the sidecars.

Environment: KUBECONFIG; KUBECTL, HELM: how they are called; LOAD_IMAGE: a command that brings a docker-archive into the cluster, given its path;
KUBELET_RESTART: a command that restarts the kubelet (its scenario is left out without).

Examples:
  cluster.py --image registry/sluice:1 --test-image registry/sluice-test:1
  LOAD_IMAGE="kind load image-archive" cluster.py --archive sluice.tar --archive sluice-test.tar
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="cluster.py", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG,
                                     description="The example chart on a real Kubernetes, its pods ended in every way there is.")
    parser.add_argument("--image", default="docker.io/local/sluice:1", help="Sluice's image [docker.io/local/sluice:1]")
    parser.add_argument("--test-image", default="docker.io/local/sluice-test:1", help="of test/cluster/Dockerfile [docker.io/local/sluice-test:1]")
    parser.add_argument("--archive", action="append", default=[], help="a docker-archive to look into and to load first, by $LOAD_IMAGE")
    parser.add_argument("--namespace", default="sluice-cluster-test", help="made, and deleted at the end [sluice-cluster-test]")
    parser.add_argument("--only", default=",".join(scenarios.ALL), help=f"of {', '.join(scenarios.ALL)} [all]")
    parser.add_argument("--rate", type=int, default=200, help="messages a second [200]")
    parser.add_argument("--work-us", type=int, default=20_000, help="work for each message, in microseconds [20000]")
    parser.add_argument("--ack-wait", type=int, default=30, help="of the consumer, in seconds [30]")
    parser.add_argument("--output", type=pathlib.Path, help="writes the rows and the timelines as JSON to this file")
    parser.add_argument("--keep", action="store_true", help="leaves the namespace")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    for name in options.only:
        if name not in scenarios.ALL:
            parser.error(f"there is no scenario {name!r}; choose of {', '.join(scenarios.ALL)}")
    return options


def main(arguments=None):
    options = parse(arguments)
    try:
        return Session(options).run()
    except (KubeError, NatsError) as error:
        print(f"cluster.py: {error}", file=sys.stderr)
        return 1


class Session:
    def __init__(self, options):
        self._options = options
        self._kube = Kube(options.namespace)
        self._lab = Lab(self._kube, options)
        self._rows, self._failures = [], []

    def run(self):
        self._load_images()
        print(f"Kubernetes {self._kube.version()}, {self._options.rate} messages a second, {self._options.work_us / 1000:g} ms of work for each", flush=True)
        self._lab.make_namespace()
        try:
            self._lab.start_nats()
            with self._kube.forwarded("service/nats", 4222) as self._lab.port:
                self._lab.make_streams()
                self._lab.install()
                self._lab.await_pods()
                self._lab.check_restrictions()
                for name in self._options.only:
                    self._play(name)
        finally:
            if not self._options.keep:
                self._lab.close()
        for failure in self._failures:
            print(f"cluster.py: {failure}", file=sys.stderr)
        return 1 if self._failures else 0

    def _load_images(self):
        archives = self._options.archive
        if archives and not any([image.check(archive, self._options.image) for archive in archives]):
            raise KubeError(f"no archive has {self._options.image}")
        for archive in archives:
            subprocess.run([*shlex.split(os.environ["LOAD_IMAGE"]), archive], check=True, stdout=subprocess.DEVNULL)

    def _play(self, name):
        if why := scenarios.missing(name):
            print(f"left out: {name}: {why}", file=sys.stderr)
            return
        first = self._lab.handled()
        timeline = Timeline(self._kube, "sluice.io/sidecar=true")
        load = Load(self._lab.port, self._options.rate, keys=50, name=name)
        try:
            pods = scenarios.ALL[name](self._lab, timeline)
        finally:
            published = load.stop()
        settled = self._settle(first, published)
        wait_until(timeline.is_complete, "the end of the pods that end")
        timeline.close()
        kills = [Kill(int(at * 1e6)) for at in timeline.kills()] if name in scenarios.KILLED else []
        account = balance(published, self._handled(first), self._options.ack_wait, kills)
        self._report(name, account, pods, timeline, settled)

    # Numbers start anew in each scenario, and the streams go on: `first` is where its lines begin.
    def _settle(self, first, published):
        deadline = time.monotonic() + 3 * self._options.ack_wait
        while time.monotonic() < deadline:
            info = self._lab.ask(f"CONSUMER.INFO.{STREAM}.storm")
            if info["num_pending"] == 0 and info["num_ack_pending"] == 0 and self._lab.handled() - first >= published:
                return True
            time.sleep(0.2)
        return False

    def _handled(self, first):
        connection = Nats(self._lab.port)
        lines, inbox = [], "cluster.lines"
        total = self._lab.handled() - first
        connection.subscribe(inbox, lambda _subject, data: lines.append(data))
        if total:
            connection.api(f"CONSUMER.CREATE.{HANDLED}", {"stream_name": HANDLED, "config": {
                "deliver_subject": inbox, "ack_policy": "none", "deliver_policy": "by_start_sequence", "opt_start_seq": first + 1}})
        wait_until(lambda: len(lines) >= total, "what the apps say that they have done")
        connection.close()
        return [Handled.of(line.decode()) for line in lines]

    def _report(self, name, account, pods, timeline, settled):
        ended = timeline.ended()
        apps, gone, drains = ([each[key] for each in ended if each[key] is not None] for key in ("app_ms", "gone_ms", "drain_ms"))
        row = {"scenario": name, "published": account.published, "lost": len(account.lost), "twice": len(account.handled_twice), "late": len(account.late),
               "redelivered": account.redelivered, "slowest_ms": round(account.slowest_ms), "pods": len(ended), "app_p50": middle(apps), "app_max": most(apps),
               "pod_p50": middle(gone), "pod_max": most(gone), "drain_p50": middle(drains), "drain_max": most(drains),
               "exits": f"{codes(ended, 'app_exit')} {codes(ended, 'sluice_exit')}"}
        self._rows.append({**row, "excused": account.excused, "timeline": ended})
        widths = [20] + [max(len(column), 5) for column in COLUMNS[1:]]
        if len(self._rows) == 1:
            print("  ".join(column.replace("_", " ").rjust(width) for column, width in zip(COLUMNS, widths)))
        print("  ".join(str(row[column]).rjust(width) for column, width in zip(COLUMNS, widths)), flush=True)
        self._failures += [f"{name}: {what}" for what in faults(row, pods, ended, timeline.restarts(), settled, name in scenarios.KILLED)]
        if self._options.output:
            self._options.output.parent.mkdir(parents=True, exist_ok=True)
            self._options.output.write_text(json.dumps(self._rows, indent=1) + "\n")


def faults(row, pods, ended, restarts, settled, killed):
    """What is wrong with a scenario, in words."""
    found = [f"{row[column]} {column}" for column in ("lost", "twice", "late") if row[column]]
    if not settled:
        found.append("messages are left that nobody has acked")
    if len(ended) != pods:
        found.append(f"{len(ended)} pods ended, not {pods}")
    if restarts:
        found.append(f"containers restarted {restarts} times")
    for each in ended:
        if each["sluice_exit"] != 0 or (each["app_exit"] != 0 and not killed):
            found.append(f"{each['pod']}: the app's exit code was {each['app_exit']}, the sidecar's {each['sluice_exit']}")
    return found


def middle(values):
    return round(statistics.median(values)) if values else "-"


def most(values):
    return max(values, default="-")


def codes(ended, key):
    return ",".join(sorted({str(each[key]) for each in ended})) or "-"
