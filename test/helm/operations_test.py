#!/usr/bin/env python3
"""The alerts and the dashboard ask for what a running daemon shows, and each alert has its runbook. SLUICE_BIN is the daemon."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = yaml.safe_load((ROOT / "deploy/alerts/sluice.rules.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/dashboards/sluice.json").read_text())
# What Prometheus adds when it scrapes a pod.
SCRAPED = {"namespace", "pod"}


def queries():
    """(where, expression) of all that is asked."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", re.sub(r"label_values\((.*), (\w+)\)", r"\1 by (\2)", variable["query"])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape():
    """The metrics of a running daemon: {name: labels}."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = pathlib.Path(folder) / "sluice.yaml"
        config.write_text(f"nats: {{servers: [\"nats://127.0.0.1:{free_port()}\"]}}\nlisten: {{unix: {folder}/sluice.sock}}\n"
                          f"admin: {{listen: \"127.0.0.1:{port}\"}}\nconsumers: [{{name: orders, stream: ORDERS}}]\n")
        daemon = subprocess.Popen([os.environ.get("SLUICE_BIN", ROOT / "build/release/sluice"), "serve", "--config", config], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                        text = answer.read().decode()
                        break
                except (urllib.error.URLError, OSError):
                    if daemon.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    metrics = {}
    for name, labels in re.findall(r"^(\w+)(?:\{([^}]*)\})? ", text, re.MULTILINE):
        metrics.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return metrics


class Operations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.metrics = scrape()

    def test_every_query_asks_for_metrics_that_there_are(self):
        asked = 0
        for where, query in queries():
            names = set(re.findall(r"\b(?:sluice|process)_\w+", query))
            self.assertTrue(names, where)
            for name in names:
                asked += 1
                self.assertIn(name, self.metrics, f"{where}: there is no metric {name}")
        self.assertGreater(asked, 50)

    def test_every_query_uses_labels_that_there_are(self):
        for where, query in queries():
            known = SCRAPED.union(*(self.metrics[name] for name in re.findall(r"\b(?:sluice|process)_\w+", query)))
            asked = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", query))
            for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", query):
                asked.update(part.strip() for part in group.split(","))
            self.assertLessEqual(asked, known, where)

    def test_every_alert_has_its_runbook(self):
        listed = (ROOT / "docs/operations.md").read_text()
        for rule in RULES:
            runbook = ROOT / f"docs/operations/{rule['alert']}.md"
            self.assertTrue(runbook.exists(), runbook)
            self.assertTrue(rule["annotations"]["runbook_url"].endswith(f"docs/operations/{rule['alert']}.md"))
            self.assertIn(" ".join(rule["expr"].split()), runbook.read_text(), rule["alert"])
            self.assertIn(f"[`{rule['alert']}`]", listed)

    def test_every_alert_fires_in_a_test_and_does_not_in_another(self):
        tests = {each["name"] for each in yaml.safe_load((ROOT / "deploy/alerts/sluice.rules.test.yaml").read_text())["tests"]}
        for rule in RULES:
            self.assertLessEqual({f"{rule['alert']} fires", f"{rule['alert']} does not"}, tests)


if __name__ == "__main__":
    unittest.main()
