"""What was published, what handlers began and ended, and what the server was told, message by message."""

import contextlib
import dataclasses
import threading
import time

from runner.processes import ProcessError
from runner.script import Script
from runner.shape import match


@dataclasses.dataclass(frozen=True)
class Published:
    subject: bytes
    headers: list  # of (name, value)
    data: bytes
    script: Script
    key: str


@dataclasses.dataclass
class Attempt:
    app: object  # the Driver
    consumption: str
    sequence: int
    number: int  # of this app's attempts at this message, from 1
    begin: dict
    end: dict = None
    cancelled: bool = False  # it was told so, or says so
    released: str = None  # the steps that it was let go on with

    @property
    def began_ns(self):
        return self.begin.get("time_ns", 0)

    @property
    def ended_ns(self):
        return self.end.get("time_ns", 0) if self.end else None


@dataclasses.dataclass(frozen=True)
class Told:
    """A verdict as it passed on the wire to nats-server."""

    time_ns: int
    consumer: str
    sequence: int
    delivery: int  # of the message, from 1
    word: str  # ack nak term progress
    detail: str  # a NAK's delay, a TERM's reason


WORDS = {"+ACK": "ack", "-NAK": "nak", "+TERM": "term", "+WPI": "progress"}


class Account:
    def __init__(self):
        self.changed = threading.Condition()  # guards all of this
        self.published = {}  # sequence -> Published
        self.events = []  # (driver, event), as they came
        self.attempts = []
        self.ended = 0  # attempts
        self.told = []
        self._settled = set()  # (sequence, delivery)
        self.told_lossy = False  # nats-server was away: what passed meanwhile was not heard
        self.stored_ns = {}  # sequence -> when JetStream stored it, of some of them
        self.most_held = 0  # messages that waited for a verdict, as the server said
        self._release_rest = None

    def publish(self, nats, messages):
        sequences = nats.publish([(one.subject, one.headers, one.data) for one in messages])
        with self.changed:
            self.published.update(zip(sequences, messages))
            self.changed.notify_all()

    def take_event(self, driver, event):
        """On the thread that reads the driver's events."""
        with self.changed:
            self.events.append((driver, event))
            kind = event["event"]
            if kind == "begin":
                self._begin(driver, event)
            elif kind in ("end", "cancelled"):
                attempt = self._running(driver, event.get("as"), event.get("sequence"))
                if attempt and kind == "end":
                    self.ended += 1
                    attempt.end = event
                    attempt.cancelled |= bool(event.get("cancelled"))
                elif attempt:
                    attempt.cancelled = True
            self.changed.notify_all()

    def wake(self):
        with self.changed:
            self.changed.notify_all()

    def take_told(self, subject, data):
        """On the NATS connection's thread: $JS.ACK.[domain.account.]stream.consumer.delivered.sequence.(3 more)"""
        tokens = subject.split(".")
        at = 6 if len(tokens) >= 11 else 4
        if data in (b"", b"+NXT") or len(tokens) < 9:
            return
        word, _, detail = data.decode(errors="replace").partition(" ")
        told = Told(time.time_ns(), tokens[at - 1], int(tokens[at + 1]), int(tokens[at]), WORDS.get(word, word), detail)
        with self.changed:
            # To have its verdicts confirmed the daemon may ack what it has acked or terminated: that says nothing new.
            if (told.sequence, told.delivery) in self._settled:
                return
            if told.word in ("ack", "term"):
                self._settled.add((told.sequence, told.delivery))
            self.told.append(told)
            self.changed.notify_all()

    def _begin(self, driver, event):
        sequence = event.get("sequence")
        number = 1 + sum(1 for one in self.attempts if one.app is driver and one.sequence == sequence)
        attempt = Attempt(driver, event.get("as"), sequence, number, event)
        self.attempts.append(attempt)
        if self._release_rest:
            self._release(attempt, self._release_rest)

    def _running(self, driver, consumption, sequence):
        for attempt in reversed(self.attempts):
            if attempt.app is driver and attempt.sequence == sequence and attempt.consumption == consumption and not attempt.end:
                return attempt
        return None

    def release(self, sequences, steps):
        with self.changed:
            for attempt in self.attempts:
                if not attempt.end and attempt.sequence in sequences:
                    self._release(attempt, steps)

    def release_rest(self, steps):
        """What is held, and what will be."""
        with self.changed:
            self._release_rest = steps
            for attempt in self.attempts:
                if not attempt.end:
                    self._release(attempt, steps)

    @staticmethod
    def _release(attempt, steps):
        if not attempt.released and not attempt.app.given_up:
            attempt.released = steps
            with contextlib.suppress(ProcessError):  # it has just ended, which is seen elsewhere
                attempt.app.tell({"do": "release", "sequence": attempt.sequence, "steps": steps})

    def count(self, kind, pattern, app=None, consumption=None):
        return sum(1 for driver, event in self.events
                   if event["event"] == kind and (app is None or driver.name == app)
                   and (consumption is None or event.get("as") == consumption) and match(pattern, event))

    def last_events(self, app, most=4):
        """For people: what an app said last."""
        told = [event for driver, event in self.events if driver.name == app][-most:]
        return "; ".join(" ".join(str(event[key]) for key in ("event", "sequence", "verdict", "state", "code", "message",
                                                              "outcome", "count", "report", "stats", "line") if key in event)
                         for event in told) or "nothing"
