"""The rows of the table: what is played, and what comes of it."""

import dataclasses
import pathlib
import random
import statistics
import time

from runner.nats import Nats
from runner.processes import NatsServer

from storm.account import Handled, balance
from storm.kubelet import Kubelet
from storm.load import Load
from storm.pods import NatsGoPod, SluicePod
from storm.restarts import Fleet

STREAM = "STORM"
DURABLE = "storm"
QUICK_US, SLOW_US = 2_000, 300_000
CONCURRENCY = 16
# A fleet of three with 16 slow handlers each does 160 a second; it is loaded to two thirds.
SLOW_RATE = 100


@dataclasses.dataclass
class Plan:
    name: str
    mode: str = "native"
    pod: type = SluicePod
    work_us: int = QUICK_US
    ordering: str = "none"
    ack_wait_s: int = 10
    end: str = "closed"
    faults: tuple = ()

    def rate(self, asked):
        return min(asked, SLOW_RATE) if self.work_us == SLOW_US else asked

    @property
    def is_sluice(self):
        return self.pod is SluicePod


PLANS = {
    plan.name: plan
    for plan in [
        Plan("native-quick"),
        Plan("native-slow", work_us=SLOW_US),
        Plan("classic-quick", mode="classic"),
        Plan("classic-slow", mode="classic", work_us=SLOW_US),
        Plan("exclusive", ordering="exclusive", ack_wait_s=3),
        Plan("faults", faults=("app", "daemon", "node", "nats")),
        Plan("natsgo-closed-quick", pod=NatsGoPod),
        Plan("natsgo-closed-slow", pod=NatsGoPod, work_us=SLOW_US),
        Plan("natsgo-stop-quick", pod=NatsGoPod, end="stop"),
        Plan("natsgo-stop-slow", pod=NatsGoPod, work_us=SLOW_US, end="stop"),
    ]
}


@dataclasses.dataclass
class Setup:
    """What the pods of a row need to know."""

    sluice: str
    app: str
    natsgo: str
    handled: pathlib.Path
    ordering: str
    work_us: int
    end: str
    ack_wait_s: int
    drain_timeout_s: int
    concurrency: int = CONCURRENCY


class Row:
    """One row, from an empty folder to its figures."""

    def __init__(self, plan, options, folder, progress):
        self._plan, self._options, self._progress = plan, options, progress
        self._folder = pathlib.Path(folder)
        self._setup = Setup(options.sluice, options.app, options.natsgo, self._folder / "handled", plan.ordering, plan.work_us, plan.end,
                            plan.ack_wait_s, options.drain_timeout)
        self._setup.handled.touch()
        self._dice = random.Random(f"{options.seed} {plan.name}")

    def play(self):
        self._server = NatsServer(self._options.nats_server, self._folder)
        try:
            self._make_stream()
            kubelet = Kubelet(self._plan.mode, self._options.grace, self._dice)
            self._fleet = Fleet(self._folder, lambda folder: self._plan.pod(folder, self._setup, self._server.port), kubelet)
            try:
                return self._run()
            finally:
                self._fleet.kill_all()
        finally:
            self._server.kill()

    def _run(self):
        for _ in range(self._options.replicas):
            self._fleet.grow()
        load = Load(self._server.port, self._plan.rate(self._options.rate), self._options.keys)
        self._restart_until(time.monotonic() + self._options.seconds, load)
        published = load.stop()
        settled = self._settle(published)
        self._fleet.end()
        return self._figures(published, settled)

    def _make_stream(self):
        connection = Nats(self._server.port)
        connection.api(f"STREAM.CREATE.{STREAM}", {"name": STREAM, "subjects": ["storm.>"]})
        if not self._plan.is_sluice:
            connection.api(f"CONSUMER.CREATE.{STREAM}.{DURABLE}", {"stream_name": STREAM, "config": {
                "durable_name": DURABLE, "ack_policy": "explicit", "ack_wait": self._plan.ack_wait_s * 10**9, "max_ack_pending": 5000}})
        connection.close()

    def _restart_until(self, end, load):
        due = time.monotonic() + self._options.every
        while (now := time.monotonic()) < end:
            if now < due:
                time.sleep(min(due, end) - now)
                continue
            due = max(due + self._options.every, now)
            self._one_restart()
            self._progress(f"{self._plan.name}: {load.published} published, {self._fleet.restarts} restarts, {end - time.monotonic():.0f} s to go")

    def _one_restart(self):
        faults = self._plan.faults
        if not faults or self._dice.random() < 0.5:
            return self._fleet.restart()
        fault = self._dice.choice(faults)
        if fault != "nats":
            return self._fleet.fail(fault)
        self._fleet.note_server_fault()
        self._server.stop()
        self._server.start()
        self._fleet.note_server_fault()

    def _lines(self):
        # A line of a process that was killed may be half there.
        return [Handled.of(line) for line in self._setup.handled.read_text().splitlines() if line.count(" ") == 7]

    def _settle(self, published):
        """Waits until all is handled and acked. False: that could not be had in three ack waits."""
        deadline = time.monotonic() + 3 * self._plan.ack_wait_s + 10
        while time.monotonic() < deadline:
            connection = Nats(self._server.port)
            info = connection.api(f"CONSUMER.INFO.{STREAM}.{DURABLE}")
            connection.close()
            if info["num_pending"] == 0 and info["num_ack_pending"] == 0 and len(self._lines()) >= published:
                return True
            self._progress(f"{self._plan.name}: {info['num_pending'] + info['num_ack_pending']} messages to go")
            time.sleep(0.1)
        return False

    def _figures(self, published, settled):
        account = balance(published, self._lines(), self._plan.ack_wait_s, self._fleet.kills)
        containers = self._fleet.containers()
        drains = sorted(self._fleet.drains)
        return {
            "name": self._plan.name, "published": account.published, "lost": len(account.lost), "handled_twice": len(account.handled_twice),
            "redelivered": account.redelivered, "restarts": self._fleet.restarts, "late": len(account.late), "inversions": account.inversions,
            "overlaps": account.overlaps, "slowest_ms": round(account.slowest_ms), "drain_p50_ms": round(statistics.median(drains)),
            "drain_max_ms": round(drains[-1]), "sigkilled": sum(each.sigkilled for each in containers),
            "bad_exits": sum(each.poll() != 0 and not each.sigkilled and not each.by_fault for each in containers), "excused": account.excused,
            "settled": settled,
        }
