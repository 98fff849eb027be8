"""The arithmetic of the bench, and what its files promise."""

import pathlib
import unittest

from measuring import callgrind, figures, machine, pages, report

def value_of(found, name):
    return next(each["value"] for each in found if each["name"] == name)


class Figures(unittest.TestCase):
    def test_a_value_is_the_median_of_its_rounds_and_a_rate_has_its_best_and_worst(self):
        found = figures.figures([{"rate.real.128": 100.0}, {"rate.real.128": 300.0}, {"rate.real.128": 120.0}])
        self.assertEqual([value_of(found, f"rate.real.128{end}") for end in ("", ".best", ".worst")], [120, 300, 100])

    def test_a_ratio_is_of_the_same_round(self):
        # A slow second round slows both sides. Of the medians it would be 0.8.
        rounds = [{"rate.stub.128": 50.0, "rate.floor.128": 100.0}, {"rate.stub.128": 5.0, "rate.floor.128": 10.0},
                  {"rate.stub.128": 40.0, "rate.floor.128": 50.0}]
        self.assertEqual(value_of(figures.figures(rounds), "rate.stub.128.vs_floor"), 0.5)

    def test_a_round_without_one_side_has_no_ratio(self):
        rounds = [{"rate.real.128": 90.0}, {"rate.real.128": 80.0, "rate.direct.128": 100.0}]
        found = figures.figures(rounds)
        self.assertEqual(value_of(found, "rate.real.128.vs_direct"), 0.8)
        self.assertNotIn("rate.real.128.vs_natsgo", [each["name"] for each in found])

    def test_latency_beyond_direct_is_a_difference(self):
        rounds = [{"latency.sluice.5000.p50_us": 150.0, "latency.direct.5000.p50_us": 100.0}]
        self.assertEqual(value_of(figures.figures(rounds), "latency.added.p50_us"), 50)

    def test_units(self):
        for name, unit in (("rate.real.128", "msg/s"), ("rate.real.128.vs_direct", "ratio"), ("cpu_us.stub.128", "us/msg"), ("latency.direct.1000.p99_us", "us"),
                           ("growth.one.cpu_us", "us/msg"), ("growth.streams_1000.vs_1", "ratio"), ("rss.per_stream_kb", "KiB"), ("share.max_of_three", "of all")):
            self.assertEqual(figures.unit_of(name), unit, name)

    def test_a_target_is_missed_on_its_wrong_side_only(self):
        found = [{"name": "rate.stub.128.vs_floor", "value": 0.5}, {"name": "share.max_of_three", "value": 0.4}]
        self.assertEqual({name: reached for name, _, _, reached in figures.verdicts(found)},
                         {"rate.stub.128.vs_floor": True, "share.max_of_three": False})

    def test_a_spoiled_round_is_named(self):
        self.assertIn("SPOILED by other programs: real in round 2", report.others_lines([(1, "real", 0.1), (2, "real", 0.5)], machine.SPOILED)[0])
        self.assertIn("no round is spoiled", report.others_lines([(1, "real", 0.1)], machine.SPOILED)[0])


class Callgrind(unittest.TestCase):
    def test_costs_are_a_functions_own_and_not_its_callees(self):
        text = "\n".join(("ob=(1) /lib/libgrpc.so.29", "fn=(1) grpc_call", "10 5", "cfn=(2) memcpy", "calls=3 20", "11 900", "+1 2", "",
                          "ob=(2) /bin/daemon", "fn=(3) sluice::core::Session::Flush()", "* 7", "fn=(1)", "4 1"))
        self.assertEqual(callgrind.self_costs(text), {("/lib/libgrpc.so.29", "grpc_call"): 7, ("/bin/daemon", "sluice::core::Session::Flush()"): 7,
                                                      ("/bin/daemon", "grpc_call"): 1})

    def test_a_cost_has_one_place(self):
        self.assertEqual(callgrind.place_of("/bin/daemon", "sluice::core::Session::Flush()"), "core: deliveries, leases, verdicts")
        self.assertEqual(callgrind.place_of("/lib/libnats.so.3.4", "natsConn_publish"), "cnats")


class Blocks(unittest.TestCase):
    def test_the_page_gets_its_blocks_and_nothing_else_changes(self):
        self.assertEqual(pages.filled("a\n<!-- bench: targets -->\nold\n<!-- /bench -->\nb", {}, {"found": [{"name": "share.max_of_three", "value": 0.34}]}),
                         "a\n<!-- bench: targets -->\n| figure | measured | wanted |  |\n|---|---|---|---|\n"
                         "| `share.max_of_three` | 0.34 | ≤ 0.3667 | reached |\n<!-- /bench -->\nb")

    def test_spoiled_figures_are_said_to_be(self):
        values = {"machine": "two cores", "machine.spoiled_rounds": 3, "machine.others_cores": 1.5}
        facts = {"day": "2026-01-01", "commit": "abc"}
        self.assertIn("not to be quoted", "".join(pages.measured(values, facts)))
        self.assertNotIn("not to be quoted", "".join(pages.measured({**values, "machine.spoiled_rounds": 0}, facts)))

    def test_a_block_without_figures_stays(self):
        page = "<!-- bench: drain -->\nold\n<!-- /bench -->"
        self.assertEqual(pages.filled(page, {}, {"found": []}), page)

    def test_every_block_of_the_page_is_known(self):
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs/performance.md").read_text()
        names = [match[1] for match in pages.BLOCK.findall(page)]
        self.assertEqual(sorted(names), sorted(pages.BLOCKS))


if __name__ == "__main__":
    unittest.main()
