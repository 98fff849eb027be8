"""The runner sees what a driver does wrong: the double keeps each of these scenarios, and with a fault it does not."""

import concurrent.futures
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from runner.nats import Nats
from runner.play import play
from runner.processes import NatsServer
from runner.scenario import read_all

# (what the double does wrong, a scenario that shows it, what the runner should say)
FAULTS = (
    ("handles-twice", "ack:handler", "handled 2 times"),
    ("loses", "ack:handler", "message 3 was handled 0 times"),
    ("forgets-verdicts", "payload-empty", "1 without a verdict"),
    ("acks-early", "lease-kept", "ms before the handler had ended"),
    ("acks-rejected", "reject:handler", "told ack, which no handler said"),
    ("no-reason", "reject:handler", "was rejected for ''"),
    ("no-delay", "retry-after:handler", "was tried again after"),
    ("second-counts", "second-verdict", "no end {'sequence': 1, 'second': False}"),
    ("no-progress", "in-progress", "message 1 was handled 2 times"),
    ("cuts-data", "payload-bytes", "size is"),
    ("drops-header", "headers", "headers is"),
    ("small-messages", "payload-big", "not settled"),
    ("one-too-many", "concurrency:handler", "9 handlers ran at once, 8 are allowed"),
    ("takes-all", "credit-messages", "'num_ack_pending': 12"),
    ("mixes-keys", "order-key-option", "were handled at once"),
    ("handles-redelivered", "duplicate-running", "'rejoined': 0"),
    ("resumes-nothing", "resume-running", "3 without a verdict"),
    ("ignores-drain", "drain-idle", "no drained"),
    ("hands-back", "drain-waiting", "no drained"),
    ("ignores-stop", "stop", "no closed"),
    ("never-ends", "drain-idle", "app-app has not ended within"),
    ("exits-3", "drain-idle", "app exited with 3"),
    ("chatters", "ack:handler", "app wrote a line that is no event: hello"),
)


class FaultTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="sluice-conf-faults-"))
        cls.sluice = Path(os.environ.get("SLUICE_BIN", HERE.parents[2] / "build/release/sluice"))
        known = [path for path in os.environ.get("SLUICE_NATS_SERVERS", "").split(":") if path]
        cls.program = known[-1] if known else shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
        cls.server = NatsServer(cls.program, cls.folder)
        nats = Nats(cls.server.port)
        cls.version = nats.version
        nats.close()
        cls.scenarios = {scenario.name: scenario for scenario in read_all(HERE.parent / "scenarios")}

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        shutil.rmtree(cls.folder)

    def driver(self, fault):
        run = self.folder / (fault or "none") / "run"
        run.parent.mkdir(exist_ok=True)
        run.write_text(f"#!/bin/sh\nSLUICE_DOUBLE_FAULT={fault} exec {HERE}/drivers/double/run\n")
        run.chmod(0o755)
        return run

    def play(self, fault, scenario):
        return play(self.scenarios[scenario], self.driver(fault), self.sluice, self.program, self.server)

    def test_each_fault_is_seen_and_nothing_else(self):
        faults = {(fault, scenario): says for fault, scenario, says in FAULTS}
        if self.version < (2, 10, 4):  # such a server ignores the reason of a TERM
            del faults["no-reason", "reject:handler"]
        cells = {**faults, **{("", scenario): None for _, scenario in faults}}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            played = {pool.submit(self.play, *cell): cell for cell in cells}
            for done in concurrent.futures.as_completed(played):
                fault, scenario = played[done]
                with self.subTest(fault=fault, scenario=scenario):
                    if fault:
                        self.assertIn(faults[fault, scenario], done.result() or "it is green")
                    else:
                        self.assertIsNone(done.result())


if __name__ == "__main__":
    unittest.main()
