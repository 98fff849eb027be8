"""A scenario as its file tells it. README.md explains the keys; here is what they may hold."""

import dataclasses
import pathlib

from runner.located import Problem, load
from runner.shape import (ListOf, Record, anything, apply, boolean, content, duration, header_list, integer, one_of, pattern,
                          sequences, text, unknown, version)

STYLES = ("handler", "async", "manual", "iterator", "fetch")
EVENTS = ("ready", "begin", "end", "cancelled", "result", "fetched", "state", "draining", "error", "drained", "closed", "stats")
# Of `consume`: what is handed on to the driver as it is.
OPTIONS = dict(concurrency=integer, credit_messages=integer, credit_bytes=integer, max_batch=integer, hand_back=boolean,
               confirm=boolean, resumable=boolean, client_id=text, remembered=integer, key=text, break_after=integer)

_WHO = dict(app=text)  # which process; `app` if it is not said
_WHICH = dict(_WHO, **{"as": text})  # and which consumption in it; `a`
_MESSAGES = Record(bare="count", count=integer, script=text, subject=content, data=content, size=integer, headers=header_list,
                   keys=ListOf(text))
_EVENT = {event: pattern for event in EVENTS}

STEPS = {
    "publish": ListOf(_MESSAGES),
    "load": Record(bare="per_second", per_second=integer, script=text, keys=ListOf(text)),
    "load-ends": Record(),
    "consume": Record(consumer=text, style=one_of(*STYLES), daemon=text, **OPTIONS, **_WHICH),
    "fetch": Record(bare="n", n=integer, max_wait=duration, **_WHICH),
    "drain": Record(timeout=duration, **_WHICH),
    "stop": Record(**_WHICH),
    "run": Record(**_WHICH),
    "stats": Record(expect=pattern, **_WHICH),
    "release": Record(bare="sequence", sequence=sequences, steps=text),
    "release-rest": Record(steps=text),
    "await": Record(count=integer, within=duration, after=duration, **_WHICH, **_EVENT),
    "settled": Record(within=duration),
    "server": Record(within=duration, consumer=text, num_pending=pattern, num_ack_pending=pattern, num_waiting=pattern),
    "consumer": Record(bare="do", do=one_of("pause", "resume"), consumer=text),
    "daemon": Record(bare="do", do=one_of("start", "drain", "ended", "restart", "kill", "freeze"), name=text),
    "nats": Record(bare="do", do=one_of("start", "stop")),
    "stream": Record(bare="do", do=one_of("create")),
    "app": Record(bare="do", do=one_of("close", "kill", "term", "int", "exited"), code=integer, **_WHO),
}
REQUIRED = {"load": ("per_second",), "fetch": ("n", "max_wait"), "release": ("sequence",), "consumer": ("do",),
            "daemon": ("do",), "nats": ("do",), "stream": ("do",), "app": ("do",)}

EXPECT = Record(
    attempts=anything, at_once=Record(most=integer, least=integer), order=one_of("ascending", "by-key"), held=integer,
    wire=pattern, num_delivered=Record(most=integer), share=pattern,
    never=ListOf(Record(**_EVENT)), seen=ListOf(Record(**_EVENT)))

TOP = Record(says=text, needs=version, styles=ListOf(one_of(*STYLES)), limit=duration, without=ListOf(one_of("daemon", "stream")),
             consumers=anything, daemon=anything, steps=anything, expect=EXPECT)


@dataclasses.dataclass(frozen=True)
class Step:
    do: str
    given: dict
    where: str  # file:line


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    says: str
    needs: tuple  # the oldest nats-server that it can be played with
    style: str  # of every consume that does not say one
    limit: float  # seconds
    without: list
    consumers: dict  # of the daemon's configuration: name -> what is not default
    daemon: dict  # the rest of it
    steps: list
    attempts: dict  # sequence -> how often it is handled, where the script does not tell
    expect: dict

    @property
    def own_nats(self):
        return any(step.do == "nats" for step in self.steps)


def read(path):
    """The file's scenarios: one for each of its styles."""
    top = TOP(load(path), path.name, 1)
    for key in ("says", "steps"):
        if key not in top:
            raise Problem(path.name, 1, f"'{key}' is missing")
    steps = list(_steps(top["steps"], path.name))
    styles = top.get("styles", ["handler"])
    expect = top.get("expect", {})
    return [Scenario(name=path.stem if len(styles) == 1 else f"{path.stem}:{style}", says=top["says"], style=style,
                     needs=top.get("needs", ()),
                     limit=top.get("limit", 30.0), without=top.get("without", []),
                     consumers=top.get("consumers", {"orders": {}}), daemon=top.get("daemon", {}), steps=steps,
                     attempts=_attempts(expect.get("attempts", {}), path.name), expect=expect) for style in styles]


def read_all(folder):
    """Every file's scenarios; all problems at once."""
    scenarios, problems = [], []
    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        try:
            scenarios += read(path)
        except Problem as problem:
            problems.append(str(problem))
    if problems:
        raise SystemExit("\n".join(problems))
    return scenarios


def _steps(steps, file):
    if not isinstance(steps, list) or not steps:
        raise Problem(file, getattr(steps, "line", 1), "'steps' should be a list of steps")
    for step, line in zip(steps, steps.lines):
        if isinstance(step, str):
            step = {step: None}
        if not isinstance(step, dict) or len(step) != 1:
            raise Problem(file, line, "a step is one word, or one word with what it needs: - await: drained")
        (do, given), = step.items()
        if do not in STEPS:
            raise Problem(file, line, unknown("step", do, STEPS))
        if do == "await" and isinstance(given, str):
            given = {given: None}
        given = apply(STEPS[do], given, file, line, do)
        missing = [key for key in REQUIRED.get(do, ()) if key not in given]
        if missing:
            raise Problem(file, line, f"'{do}' needs '{missing[0]}'")
        if do == "await" and len(given.keys() & set(EVENTS)) != 1:
            raise Problem(file, line, f"'await' needs one of {', '.join(EVENTS)}")
        yield Step(do, given, f"{file}:{line}")


def _attempts(given, file):
    found = {}
    for which, times in (given.items() if isinstance(given, dict) else ()):
        for sequence in apply(sequences, which, file, given.lines[which], "attempts"):
            found[sequence] = times
    return found
