"""The rules of the account that no single driver can be made to break at will."""

import base64
import sys
import types
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runner.account import Account, Published
from runner.rules import breaches
from runner.script import Script

MS = 1_000_000


class App:
    def __init__(self, name):
        self.name, self.given_up, self.told = name, False, []

    def tell(self, command):
        self.told.append(command)


class RulesTest(unittest.TestCase):
    def setUp(self):
        self.account = Account()
        self.one, self.two = App("one"), App("two")

    def publish(self, sequence, script="ack", key=""):
        self.account.published[sequence] = Published(b"s", [], b"x", Script(script), key)

    def begin(self, app, sequence, at_ms, **fields):
        data = base64.b64encode(b"x").decode()
        self.account.take_event(app, {"event": "begin", "as": "a", "sequence": sequence, "subject": base64.b64encode(b"s").decode(),
                                      "headers": [], "size": 1, "crc32": zlib.crc32(b"x"), "data": data, "time_ns": at_ms * MS,
                                      **fields})

    def end(self, app, sequence, at_ms, verdict="ack", cancelled=False, told=True):
        self.account.take_event(app, {"event": "end", "as": "a", "sequence": sequence, "verdict": verdict, "cancelled": cancelled,
                                      "time_ns": at_ms * MS})
        if told:
            word = {"ack": b"+ACK", "nak": b"-NAK", "retry": b"-NAK", "reject": b"+TERM"}[verdict]
            delivery = sum(1 for one in self.account.attempts if one.sequence == sequence)
            self.account.take_told(f"$JS.ACK.S.orders.{delivery}.{sequence}.9.9.0", word)

    def handle(self, app, sequence, from_ms, to_ms, **how):
        self.begin(app, sequence, from_ms)
        self.end(app, sequence, to_ms, **how)

    def said(self, attempts=None, **expect):
        scenario = types.SimpleNamespace(attempts=attempts or {}, expect=expect, consumers={"orders": {}})
        return list(breaches(self.account, scenario, (2, 10, 4)))

    def test_all_is_well(self):
        self.publish(1)
        self.publish(2, "nak|ack")
        self.handle(self.one, 1, 0, 5)
        self.handle(self.one, 2, 5, 6, verdict="nak")
        self.handle(self.two, 2, 7, 8, verdict="nak")
        self.handle(self.two, 2, 9, 10)
        self.assertEqual([], self.said(attempts={2: 3}))

    def test_two_apps_at_once(self):
        self.publish(1)
        self.begin(self.one, 1, 0)
        self.begin(self.two, 1, 4)
        self.end(self.one, 1, 5)
        self.end(self.two, 1, 9)
        self.assertIn("message 1 was handled by one and two at once", self.said(attempts={1: 2}))

    def test_what_was_cancelled_may_run_on(self):
        self.publish(1)
        self.begin(self.one, 1, 0)
        self.account.take_event(self.one, {"event": "cancelled", "as": "a", "sequence": 1})
        self.begin(self.two, 1, 4)
        self.end(self.two, 1, 5)
        self.end(self.one, 1, 9)
        self.assertEqual([], self.said(attempts={1: 2}))

    def test_again_after_an_ack(self):
        self.publish(1)
        self.handle(self.one, 1, 0, 1)
        self.handle(self.two, 1, 2, 3)
        self.assertIn("message 1 was handled again after it had been acked", self.said(attempts={1: 2}))

    def test_the_killed_may_not_have_been_heard(self):
        self.publish(1)
        self.handle(self.one, 1, 0, 1, told=False)
        self.one.given_up = True
        self.handle(self.two, 1, 2, 3)
        self.assertEqual([], self.said(attempts={1: 2}))

    def test_a_handler_that_never_ended(self):
        self.publish(1)
        self.begin(self.one, 1, 0)
        self.assertEqual(["message 1: its handler in one has not ended"], self.said())

    def test_another_verdict_than_asked_for(self):
        self.publish(1, "reject why")
        self.handle(self.one, 1, 0, 1)
        self.assertIn("message 1: attempt 1 ended with ack, not reject", self.said())

    def test_what_was_never_published(self):
        self.handle(self.one, 7, 0, 1)
        self.assertIn("message 7 was handled, but never published", self.said())

    def test_verdicts_that_the_server_never_heard(self):
        self.publish(1)
        self.handle(self.one, 1, 0, 1, told=False)
        self.assertEqual(["message 1: the server was not told ack"], self.said())
        self.publish(2, "nak|ack")
        self.handle(self.one, 2, 2, 3, verdict="nak", told=False)
        self.handle(self.one, 2, 4, 5)
        self.assertIn("message 2: the server was told 0 naks of 1", self.said())

    def test_what_the_daemon_repeats_counts_once(self):
        self.publish(1)
        self.handle(self.one, 1, 0, 1)
        self.account.take_told("$JS.ACK.S.orders.1.1.9.9.0", b"+ACK")
        self.account.take_told("$JS.ACK.hub.account.S.orders.1.1.9.9.0.x", b"+ACK")
        self.assertEqual([], self.said(wire={"ack": 1}))

    def test_order(self):
        for sequence, key in ((1, "a"), (2, "b"), (3, "a")):
            self.publish(sequence, key=key)
        self.handle(self.one, 3, 0, 1)
        self.handle(self.one, 2, 0, 1)
        self.handle(self.one, 1, 2, 3)
        self.assertIn("message 1 began after 3, both of a", self.said(order="by-key"))
        self.assertNotIn("message 2 began after 3", " ".join(self.said(order="by-key")))
        self.assertIn("message 2 began after 3, both of ('one', 'a')", self.said(order="ascending"))

    def test_a_key_at_once(self):
        for sequence in (1, 2):
            self.publish(sequence, key="a")
        self.begin(self.one, 1, 0)
        self.begin(self.two, 2, 3)
        self.end(self.one, 1, 4)
        self.end(self.two, 2, 5)
        self.assertIn("messages 1 and 2, both of key a, were handled at once", self.said(order="by-key"))

    def test_counts(self):
        self.publish(1)
        self.begin(self.one, 1, 0, num_delivered=3)
        self.end(self.one, 1, 1)
        self.account.most_held = 5
        said = self.said(at_once={"least": 2}, held=4, share={"one": 2}, wire={"ack": 2}, num_delivered={"most": 1},
                         never=[{"end": {"verdict": "ack"}}], seen=[{"closed": {}}])
        self.assertEqual(["only 1 handlers ran at once, 2 should have", "there was an event that should not be: end {'verdict': 'ack'}",
                          "there was no event closed", "5 messages were with the app at once, not 4",
                          "the server was told ack 1 times, not 2", "one handled 1 messages, not 2",
                          "message 1 was delivered 3 times"], said)

    def test_releases(self):
        self.publish(1, "hold")
        self.publish(2, "hold|ack")
        self.begin(self.one, 1, 0)
        self.account.release({1}, "reject no")
        self.account.release_rest("ack")
        self.begin(self.one, 2, 0)
        self.assertEqual([(1, "reject no"), (2, "ack")], [(one["sequence"], one["steps"]) for one in self.one.told])


if __name__ == "__main__":
    unittest.main()
