"""The account sees what it is there to see."""

import unittest

from storm.account import Handled, Kill, balance

SECOND = 1_000_000


def done(number, *, key=0, at=0, took=1000, num_delivered=1, waited=1000, pid=1):
    return Handled(number, key, number, num_delivered, at - waited, at, at + took, pid)


class AccountTest(unittest.TestCase):
    def test_all_is_well(self):
        account = balance(3, [done(n, at=n * 10_000) for n in (1, 2, 3)], 10)
        self.assertEqual((account.lost, account.handled_twice, account.late, account.inversions, account.overlaps, account.redelivered),
                         ([], [], [], 0, 0, 0))
        self.assertEqual(account.slowest_ms, 1)

    def test_lost(self):
        self.assertEqual(balance(3, [done(1), done(3)], 10).lost, [2])

    def test_twice(self):
        account = balance(1, [done(1), done(1, at=SECOND, num_delivered=2)], 10)
        self.assertEqual(account.handled_twice, [1])
        self.assertEqual(account.redelivered, 1)

    def test_what_nobody_published(self):
        self.assertEqual(balance(1, [done(1), done(7)], 10).handled_twice, [7])

    def test_a_kill_excuses_what_was_done_shortly_before_it_by_its_victim(self):
        again = done(1, at=12 * SECOND, num_delivered=2, pid=2)
        for at, pid, excused in [(9 * SECOND, 1, 1), (5 * SECOND, 1, 0), (9 * SECOND, 3, 0)]:
            with self.subTest(at=at, pid=pid):
                account = balance(1, [done(1, at=at, pid=pid), again], 10, [Kill(10 * SECOND, frozenset([1]))])
                self.assertEqual((account.excused, len(account.handled_twice)), (excused, 1 - excused))

    def test_a_fault_of_the_server_excuses_all(self):
        account = balance(1, [done(1, at=9 * SECOND, pid=3), done(1, at=12 * SECOND)], 10, [Kill(10 * SECOND)])
        self.assertEqual(account.handled_twice, [])

    def test_late(self):
        lines = [done(1, waited=9 * SECOND), done(2, waited=8 * SECOND)]
        self.assertEqual(balance(2, lines, 10).late, [1])

    def test_what_a_kill_left_behind_waits_by_design(self):
        late = done(1, at=20 * SECOND, waited=10 * SECOND)
        self.assertEqual(balance(1, [late], 10, [Kill(15 * SECOND)]).late, [])
        self.assertEqual(balance(1, [late], 10, [Kill(5 * SECOND)]).late, [1])

    def test_inversions_are_by_key(self):
        lines = [done(2, key=1, at=10_000), done(1, key=1, at=20_000), done(3, key=2, at=5_000)]
        self.assertEqual(balance(3, lines, 10).inversions, 1)
        lines = [done(2, key=1, at=10_000), done(1, key=2, at=20_000)]
        self.assertEqual(balance(2, lines, 10).inversions, 0)

    def test_overlaps_are_by_key(self):
        lines = [done(1, key=1, at=10_000, took=15_000), done(2, key=1, at=20_000), done(3, key=2, at=12_000)]
        self.assertEqual(balance(3, lines, 10).overlaps, 1)


if __name__ == "__main__":
    unittest.main()
