"""What became of each message, from what the publisher stored and what the apps say they have done."""

import collections
import dataclasses

# An ack is on its way for milliseconds; a busy machine is given this long. What a killed process had done within it may be done again.
ACK_UNDER_WAY_US = 3_000_000
# JetStream counts a redelivery after the ack wait from the first delivery; what waited this part of it has waited for it.
NEARLY = 0.9


@dataclasses.dataclass(frozen=True)
class Handled:
    """A line of an app: a message that it has done."""

    number: int
    key: int
    sequence: int
    num_delivered: int
    stored_us: int
    begin_us: int
    end_us: int
    pid: int

    @staticmethod
    def of(line):
        return Handled(*map(int, line.split()))


@dataclasses.dataclass(frozen=True)
class Kill:
    """A fault that excuses what was done shortly before it and is done again: a process was killed, or the server was."""

    at_us: int
    pids: frozenset = frozenset()  # of apps whose verdicts may have got lost; empty: of all


@dataclasses.dataclass
class Account:
    published: int
    lost: list
    handled_twice: list
    excused: int
    redelivered: int
    late: list
    inversions: int
    overlaps: int
    slowest_ms: float


def balance(published, handled, ack_wait_s, kills=()):
    """`published`: how many, numbered from 1. `handled`: of all apps, in any order."""
    by_number = collections.defaultdict(list)
    for each in handled:
        by_number[each.number].append(each)
    twice, excused = [], 0
    for number, lines in by_number.items():
        lines.sort(key=lambda each: each.end_us)
        for before, again in zip(lines, lines[1:]):
            if _excuse(before, again, kills):
                excused += 1
            else:
                twice.append(number)
    strangers = [number for number in by_number if not 1 <= number <= published]
    waits = [each.begin_us - each.stored_us for each in handled]
    inversions, overlaps = _order(handled)
    return Account(
        published=published,
        lost=[number for number in range(1, published + 1) if number not in by_number],
        handled_twice=twice + strangers,
        excused=excused,
        redelivered=sum(each.num_delivered > 1 for each in handled),
        late=[each.number for each in handled if each.begin_us - each.stored_us >= NEARLY * ack_wait_s * 1e6 and not _after_kill(each, kills)],
        inversions=inversions,
        overlaps=overlaps,
        slowest_ms=max(waits, default=0) / 1000,
    )


def _excuse(before, again, kills):
    return any(
        kill.at_us - ACK_UNDER_WAY_US <= before.end_us <= kill.at_us + ACK_UNDER_WAY_US / 10 and again.begin_us >= kill.at_us
        and (not kill.pids or before.pid in kill.pids)
        for kill in kills
    )


def _after_kill(each, kills):
    """What a killed pod held waits for the ack wait by JetStream's own design: nobody is left who could give it back."""
    return any(each.stored_us <= kill.at_us <= each.begin_us for kill in kills)


def _order(handled):
    """By key: beginnings that are not in the order of the stream, and handlers that ran at once."""
    inversions = overlaps = 0
    by_key = collections.defaultdict(list)
    for each in handled:
        by_key[each.key].append(each)
    for lines in by_key.values():
        lines.sort(key=lambda each: each.begin_us)
        latest, busy_until, seen = 0, 0, set()
        for each in lines:
            overlaps += each.begin_us < busy_until
            inversions += each.sequence < latest and each.sequence not in seen
            latest, busy_until = max(latest, each.sequence), max(busy_until, each.end_us)
            seen.add(each.sequence)
    return inversions, overlaps
