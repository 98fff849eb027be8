"""The command line, as people and CI meet it."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SLUICE = os.environ.get("SLUICE_BIN", str(HERE.parents[2] / "build/release/sluice"))


def run(*arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run([sys.executable, HERE.parent / "runner.py", "--sluice", SLUICE, "--drivers-dir", HERE / "drivers", *arguments],
                          capture_output=True, text=True, env={**kept, **environment}, timeout=120)


class CommandTest(unittest.TestCase):
    def test_green(self):
        done = run("--languages", "double", "--only", "ack:*")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("4 cells, all green", done.stdout)

    def test_red_and_json(self):
        done = run("--languages", "double", "--only", "ack:handler", "--output", "json", SLUICE_DOUBLE_FAULT="loses")
        self.assertEqual(1, done.returncode, done.stderr)
        cell, = json.loads(done.stdout)
        self.assertEqual(("ack:handler", "double", False), (cell["scenario"], cell["language"], cell["green"]))
        self.assertIn("message 3 was handled 0 times", cell["why"])

    def test_a_missing_language_is_named(self):
        done = run("--languages", "double,cobol", "--only", "ack:*")
        self.assertEqual(1, done.returncode)
        self.assertIn("left out: cobol: there is no driver", done.stderr)

    def test_a_driver_that_cannot_be_played_is_named(self):
        self.assertIn("left out: double: its driver does not start (exit code 3)",
                      run("--languages", "double", SLUICE_DOUBLE_FAULT="exits-3").stderr)
        self.assertIn("left out: double: its driver writes what is no event: hello",
                      run("--languages", "double", SLUICE_DOUBLE_FAULT="chatters").stderr)

    def test_what_nats_server_is_too_old_for_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, needs in (("now", "2.1"), ("later", "99.1")):
                Path(folder, f"{name}.yaml").write_text(f'says: x\nneeds: "{needs}"\nsteps: [{{publish: 1}}, consume, settled]')
            done = run("--languages", "double", "--scenarios", folder)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("1 cells, all green", done.stdout)
        self.assertIn("left out: later: needs nats-server 99.1, this is 2.", done.stderr)

    def test_ci_has_every_language(self):
        done = run("--only", "ack:*", CI="true")
        self.assertEqual(1, done.returncode)
        self.assertIn("CI has every language", done.stderr)

    def test_what_cannot_be_played(self):
        self.assertIn("no scenario is called nothing", run("--only", "nothing").stderr)
        self.assertIn("there is no driver to play", run().stderr)
        self.assertIn("there is no daemon at", run("--sluice", "/nonexistent/sluice").stderr)

    def test_list(self):
        done = run("--list")
        self.assertEqual(0, done.returncode)
        self.assertIn("A NAKed message comes again at once", done.stdout)


if __name__ == "__main__":
    unittest.main()
