"""Scenarios are read strictly: whoever mistypes is told where, and what to do."""

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from runner.located import Problem
from runner.scenario import read, read_all
from runner.script import Script, verdict
from runner.shape import duration, match, sequences

# (a scenario file, what is said of it)
MISTAKES = (
    ("", "x.yaml:1: is empty"),
    ("says: [", "x.yaml:1: is no YAML"),
    ("steps: [settled]", "x.yaml:1: 'says' is missing"),
    ("says: x", "x.yaml:1: 'steps' is missing"),
    ("says: x\nsteps: []", "x.yaml:2: 'steps' should be a list of steps"),
    ("says: x\nsteps:\n  - setled", "x.yaml:3: unknown step 'setled', did you mean 'settled'?"),
    ("says: x\nsays: y\nsteps: [settled]", "x.yaml:2: 'says' stands twice"),
    ("says: x\nlimits: 3s\nsteps: [settled]", "x.yaml:2: unknown key 'limits', did you mean 'limit'?"),
    ("says: x\nlimit: 3\nsteps: [settled]", "x.yaml:2: 'limit' should be a duration such as 300ms or 2s, not 3"),
    ("says: x\nneeds: 2.11\nsteps: [settled]", "x.yaml:2: 'needs' should be a version such as \"2.11\", not 2.11"),
    ("says: x\nsteps:\n  - consumer: stop", "x.yaml:3: 'do' should be one of pause, resume"),
    ("says: x\nstyles: [handlers]\nsteps: [settled]", "x.yaml:2: should be one of handler, async"),
    ("says: x\nsteps:\n  - consume: {concurency: 2}", "x.yaml:3: unknown key 'concurency', did you mean 'concurrency'?"),
    ("says: x\nsteps:\n  - consume:\n      concurrency: two", "x.yaml:4: 'concurrency' should be a whole number, not 'two'"),
    ("says: x\nsteps:\n  - await: {count: 2}", "x.yaml:3: 'await' needs one of ready, begin"),
    ("says: x\nsteps:\n  - await: begun", "x.yaml:3: unknown key 'begun', did you mean 'begin'?"),
    ("says: x\nsteps:\n  - fetch: {n: 2}", "x.yaml:3: 'fetch' needs 'max_wait'"),
    ("says: x\nsteps:\n  - daemon: stop", "x.yaml:3: 'do' should be one of start, drain"),
    ("says: x\nsteps:\n  - settled: 3s", "x.yaml:3: should be a mapping of within"),
    ("says: x\nsteps:\n  - {drain: , stop: }", "x.yaml:3: a step is one word"),
    ("says: x\nsteps: [settled]\nexpect:\n  attempts: {one: 2}", "x.yaml:4: 'attempts' should be numbers such as 3 or 2..5"),
    ("says: x\nsteps: [settled]\nexpect:\n  order: random", "x.yaml:4: 'order' should be one of ascending, by-key"),
    ("says: x\nsteps:\n  - publish: {headers: [name]}", "x.yaml:3: 'headers' should be a list of [name, value]"),
)


class ReadingTest(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.yaml"
            path.write_text(text)
            return read(path)

    def test_mistakes_are_told_by_file_and_line(self):
        for text, said in MISTAKES:
            with self.subTest(text=text), self.assertRaises(Problem) as problem:
                self.read(text)
            self.assertIn(said, str(problem.exception))

    def test_all_problems_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a", "b"):
                (Path(folder) / f"{name}.yaml").write_text("says: x")
            with self.assertRaises(SystemExit) as end:
                read_all(folder)
        self.assertEqual(2, len(str(end.exception).splitlines()))

    def test_one_scenario_for_each_style(self):
        self.assertEqual(["x:handler", "x:manual"],
                         [one.name for one in self.read("says: x\nstyles: [handler, manual]\nsteps: [settled]")])

    def test_the_scenarios_are_good_and_many(self):
        scenarios = read_all(HERE.parent / "scenarios")
        self.assertGreaterEqual(len(scenarios), 40)
        self.assertEqual(len(scenarios), len({one.name for one in scenarios}))

    def test_durations(self):
        self.assertEqual([0.3, 2, 90], [duration(one) for one in ("300ms", "2s", "1.5m")])

    def test_sequences(self):
        self.assertEqual({1, 3, 4, 5}, sequences([1, "3..5"]))

    def test_patterns(self):
        self.assertTrue(match({"a": ">=3", "b": {"c": "~of"}}, {"a": 3, "b": {"c": "two of three"}, "d": 0}))
        for wanted, value in ((">=3", 2), ("<=3", 4), ("2..3", 4), ("~x", "y"), (1, True), (True, 1), ({"a": 1}, {}), (">=0", None)):
            self.assertFalse(match(wanted, value), (wanted, value))

    def test_scripts(self):
        script = Script("nak|sleep 5,retry 20|hold")
        self.assertEqual([["nak"], ["retry", "20"], ["ack"], ["ack"]], [verdict(script.steps(n)) for n in (1, 2, 3, 4)])
        self.assertEqual(["reject", "no such order"], verdict(["reject no such order"]))


if __name__ == "__main__":
    unittest.main()
