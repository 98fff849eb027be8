"""What every scenario keeps, whatever else it is about. Each rule yields a sentence for each breach."""

import base64
import zlib
from collections import defaultdict

from runner.script import NAKS, verdict
from runner.shape import match

SLACK_NS = 100_000_000  # between a driver's word and the wire: the two are told by different programs


def breaches(account, scenario, nats_version):
    for rule in (_readable, _content, _attempts, _verdicts, _apart, _delays, _wire, _order, _at_once, _events, _counts):
        yield from rule(account, scenario)
    if nats_version >= (2, 10, 4):  # before, the server does not know the reason of a TERM
        yield from _reasons(account, scenario)


def _readable(account, scenario):
    for driver, event in account.events:
        if event["event"] == "unreadable":
            yield f"{driver.name} wrote a line that is no event: {event['line']}"


def _content(account, scenario):
    """Byte for byte what was published."""
    for attempt in account.attempts:
        sequence, begin, sent = attempt.sequence, attempt.begin, account.published.get(attempt.sequence)
        if sent is None:
            yield f"message {sequence} was handled, but never published"
            continue
        wanted = {"subject": _text(sent.subject), "headers": [[_text(name), _text(value)] for name, value in sent.headers],
                  "size": len(sent.data), "crc32": zlib.crc32(sent.data)}
        if len(sent.data) <= 1024:
            wanted["data"] = _text(sent.data)
        if sequence in account.stored_ns:
            wanted["timestamp_ns"] = account.stored_ns[sequence]
        if any((consumer or {}).get("ordering") == "key" for consumer in scenario.consumers.values()):
            wanted["key"] = _text(sent.key.encode())
        for field, value in wanted.items():
            if begin.get(field) != value:
                yield f"message {sequence}: {field} is {str(begin.get(field))[:80]!r}, published was {str(value)[:80]!r}"


def _text(data):
    return base64.b64encode(data).decode()


def _attempts(account, scenario):
    """As often as the script says; that is, none lost and none handled twice."""
    begun = defaultdict(int)
    for attempt in account.attempts:
        begun[attempt.sequence] += 1
    for sequence, sent in account.published.items():
        wanted = scenario.attempts.get(sequence, len(sent.script.attempts))
        if not match(wanted, begun[sequence]):
            yield f"message {sequence} was handled {begun[sequence]} times, not {wanted}"


def _verdicts(account, scenario):
    """Each attempt that was not cancelled has ended as its script says."""
    for attempt in account.attempts:
        sent = account.published.get(attempt.sequence)
        if sent is None or attempt.app.given_up:
            continue
        if attempt.end is None:
            yield f"message {attempt.sequence}: its handler in {attempt.app.name} has not ended"
        elif not attempt.cancelled:
            steps = sent.script.steps(attempt.number)
            if "hold" in steps:
                steps = (attempt.released or "").split(",")
            wanted = verdict(steps)[0]
            if attempt.end.get("verdict") != wanted:
                yield f"message {attempt.sequence}: attempt {attempt.number} ended with {attempt.end.get('verdict')}, not {wanted}"


def _apart(account, scenario):
    """Two attempts at a message are never at once, and none comes after one that acked it."""
    for attempts in _by_sequence(account):
        for earlier, later in zip(attempts, attempts[1:]):
            if earlier.cancelled or earlier.app.given_up or earlier.end is None:
                continue
            if later.began_ns < earlier.ended_ns:
                yield f"message {later.sequence} was handled by {earlier.app.name} and {later.app.name} at once"
            elif earlier.end.get("verdict") == "ack":
                yield f"message {later.sequence} was handled again after it had been acked"


def _delays(account, scenario):
    """`retry 200` comes again after 200 ms, not sooner."""
    for attempts in _by_sequence(account):
        for earlier, later in zip(attempts, attempts[1:]):
            words = verdict(_steps(account, earlier))
            if words[0] == "retry" and earlier.end and not earlier.cancelled:
                waited_ms = (later.began_ns - earlier.ended_ns) / 1e6
                if waited_ms < float(words[1]) - 10:
                    yield f"message {later.sequence} was tried again after {waited_ms:.0f} ms, not {words[1]}"


def _wire(account, scenario):
    """The server was told each verdict, and not before its handler had ended."""
    told = defaultdict(lambda: defaultdict(list))
    for one in account.told:
        told[one.sequence][one.word].append(one.time_ns)
    ordered = any((consumer or {}).get("ordering") for consumer in scenario.consumers.values())
    for attempts in _by_sequence(account):
        sequence, words = attempts[0].sequence, told[attempts[0].sequence]
        gone = any(one.app.given_up and one.end is None for one in attempts)
        for verdicts, word in ((("ack",), "ack"), (("reject",), "term"), (NAKS + ("forget",), "nak")):
            ended = [one for one in attempts if one.end and one.end.get("verdict") in verdicts]
            counted = [one for one in ended if not one.cancelled and not one.app.given_up]
            if word == "nak":  # the daemon gives back, too; and it tries again itself where there is an order
                if not ordered and not account.told_lossy and not scenario.attempts \
                        and len(words["nak"]) < sum(1 for one in counted if one.end["verdict"] != "forget"):
                    yield f"message {sequence}: the server was told {len(words['nak'])} naks of {len(counted)}"
            elif words[word] and not ended and not gone:
                yield f"message {sequence}: the server was told {word}, which no handler said"
            elif counted and not words[word] and not account.told_lossy:
                yield f"message {sequence}: the server was not told {word}"
            elif words[word] and ended and not gone and min(words[word]) < min(one.ended_ns for one in ended) - SLACK_NS:
                early_ms = (min(one.ended_ns for one in ended) - min(words[word])) / 1e6
                yield f"message {sequence}: the server was told {word} {early_ms:.0f} ms before the handler had ended"


def _reasons(account, scenario):
    """The reason of a reject arrives: its first 1,024 bytes at most."""
    told = {one.sequence: one.detail for one in account.told if one.word == "term"}
    for attempt in account.attempts:
        words = verdict(_steps(account, attempt))
        if words[0] == "reject" and attempt.sequence in told:
            reason = words[1] if len(words) > 1 else ""
            said = told[attempt.sequence]
            if said != reason and not (len(reason.encode()) > 1024 and len(said) > 900 and reason.startswith(said)):
                yield f"message {attempt.sequence} was rejected for {said[:60]!r}, not for {reason[:60]!r}"


def _order(account, scenario):
    order = scenario.expect.get("order")
    groups = defaultdict(list)
    for attempt in sorted(account.attempts, key=lambda one: one.began_ns):
        sent = account.published.get(attempt.sequence)
        group = sent.key if sent and order == "by-key" else (attempt.app.name, attempt.consumption)
        groups[group].append(attempt)
    for group, attempts in groups.items() if order else ():
        for earlier, later in zip(attempts, attempts[1:]):
            if later.sequence < earlier.sequence:
                yield f"message {later.sequence} began after {earlier.sequence}, both of {group}"
            elif order == "by-key" and earlier.end and later.began_ns < earlier.ended_ns:
                yield f"messages {earlier.sequence} and {later.sequence}, both of key {group}, were handled at once"


def _at_once(account, scenario):
    wanted = scenario.expect.get("at_once", {})
    groups = defaultdict(list)
    for attempt in account.attempts:
        if attempt.end:
            groups[attempt.app.name, attempt.consumption] += [(attempt.began_ns, 1), (attempt.ended_ns, -1)]
    most = 0
    for steps in groups.values():
        running = 0
        for _, step in sorted(steps):
            running += step
            most = max(most, running)
    if "most" in wanted and most > wanted["most"]:
        yield f"{most} handlers ran at once, {wanted['most']} are allowed"
    if "least" in wanted and most < wanted["least"]:
        yield f"only {most} handlers ran at once, {wanted['least']} should have"


def _events(account, scenario):
    for events in scenario.expect.get("never", ()):
        for kind, pattern in events.items():
            if account.count(kind, pattern):
                yield f"there was an event that should not be: {kind} {pattern or ''}".strip()
    for events in scenario.expect.get("seen", ()):
        for kind, pattern in events.items():
            if not account.count(kind, pattern):
                yield f"there was no event {kind} {pattern or ''}".strip()


def _counts(account, scenario):
    expect = scenario.expect
    if "held" in expect and account.most_held > expect["held"]:
        yield f"{account.most_held} messages were with the app at once, not {expect['held']}"
    for word, wanted in expect.get("wire", {}).items():
        said = len({(one.sequence, one.delivery) for one in account.told if one.word == word})
        if not match(wanted, said):
            yield f"the server was told {word} {said} times, not {wanted}"
    for app, wanted in expect.get("share", {}).items():
        share = sum(1 for one in account.attempts if one.app.name == app)
        if not match(wanted, share):
            yield f"{app} handled {share} messages, not {wanted}"
    most = expect.get("num_delivered", {}).get("most")
    for attempt in account.attempts if most else ():
        if attempt.begin.get("num_delivered", 0) > most:
            yield f"message {attempt.sequence} was delivered {attempt.begin['num_delivered']} times"


def _steps(account, attempt):
    sent = account.published.get(attempt.sequence)
    steps = sent.script.steps(attempt.number) if sent else []
    return (attempt.released or "").split(",") if "hold" in steps else steps


def _by_sequence(account):
    groups = defaultdict(list)
    for attempt in account.attempts:
        groups[attempt.sequence].append(attempt)
    for attempts in groups.values():
        yield sorted(attempts, key=lambda one: one.began_ns)
