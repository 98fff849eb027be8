"""What a scenario plays in: its own stream, daemon and apps."""

import calendar
import contextlib
import itertools
import threading
import time

from runner.account import Account
from runner.nats import Nats, NatsError
from runner.processes import Daemon, Driver, NatsServer

WITHIN = 10.0  # seconds that an await waits, unless it says otherwise
DAEMON = "daemon"  # the name of the one that is there without being named
_numbers = itertools.count(1)


class Red(Exception):
    """The scenario has failed; one line says why."""


class World:
    def __init__(self, scenario, run, sluice, nats_program, server, folder, patience):
        self.scenario, self.run, self.folder = scenario, run, folder
        self.account = Account()
        self.drivers, self.past_drivers = {}, []
        self.patience = patience  # of every time limit, for slow machines
        self.deadline = time.monotonic() + scenario.limit * patience
        self.stream = f"C{next(_numbers)}"
        self.subject = self.stream.lower()
        self._own_server = NatsServer(nats_program, folder) if scenario.own_nats else None
        self.server = self._own_server or server
        self.nats = None
        self._sluice, self._daemons = sluice, {}
        self.load, self.load_ends, self.load_failed = None, threading.Event(), None

    def begin(self):
        self.connect()
        if "stream" not in self.scenario.without:
            self.create_stream()
        if "daemon" not in self.scenario.without:
            self.daemon().start()

    def end(self):
        self.end_load()
        for driver in [*self.drivers.values(), *self.past_drivers]:
            driver.kill()
        for daemon in self._daemons.values():
            daemon.kill()
        if self.nats:
            with contextlib.suppress(NatsError):  # it may never have been there, and its server may be down
                self.nats.api(f"STREAM.DELETE.{self.stream}")
            self.nats.close()
        if self._own_server:
            self._own_server.kill()

    def end_load(self):
        self.load_ends.set()
        if self.load:
            self.load.join()

    def connect(self):
        self.nats = Nats(self.server.port)
        self.nats.subscribe(f"$JS.ACK.{self.stream}.>", self.account.take_told)
        self.nats.subscribe(f"$JS.ACK.*.*.{self.stream}.>", self.account.take_told)

    def create_stream(self):
        storage = "file" if self.scenario.own_nats else "memory"
        self.nats.api(f"STREAM.CREATE.{self.stream}", {
            "name": self.stream, "subjects": [f"{self.subject}.>"], "retention": "limits", "storage": storage,
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "discard": "old", "num_replicas": 1})

    def _configuration(self):
        consumers = []
        for name, given in self.scenario.consumers.items():
            # Short pulls, as the drain of an idle consumer waits for the open one.
            consumer = {"name": name, "stream": self.stream, "pull": {"expires": "200ms"}, **_plain(given or {}, self.subject)}
            consumers.append(consumer)
        return {"nats": {"servers": [f"nats://127.0.0.1:{self.server.port}"]}, "log": {"format": "text"},
                "consumers": consumers, **_plain(self.scenario.daemon, self.subject)}

    def daemon(self, name=DAEMON):
        """Made, but not started, when it is first named."""
        if name not in self._daemons:
            self._daemons[name] = Daemon(name, self._sluice, self.folder, self._configuration())
        return self._daemons[name]

    @property
    def crashed(self):
        """The daemon that has ended without having been told to; or none."""
        return next((daemon for daemon in self._daemons.values() if daemon.crashed), None)

    # Apps

    def driver(self, name, daemon=DAEMON):
        """Started when it is first named, beside that daemon."""
        if name not in self.drivers:
            driver = Driver(name, self.run, self.folder, f"unix://{self.daemon(daemon).socket}", self.account.take_event, self.account.wake)
            self.drivers[name] = driver
            self.wait(lambda: self.account.count("ready", {}, name) or driver.silent, 20.0)
            if not self.account.count("ready", {}, name):
                raise Red(f"{name} did not get ready: {driver.last_words()}")
        return self.drivers[name]

    def wait(self, condition, within=None):
        """Until the account has changed so that `condition` holds. Returns whether it does."""
        deadline = min(self.deadline, time.monotonic() + (within or WITHIN) * self.patience)
        with self.account.changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.account.changed.wait(left)
            return True

    # JetStream

    def _durable(self, name):
        return (self.scenario.consumers.get(name) or {}).get("durable", name)

    def pause_consumer(self, name, paused):
        """Until it is resumed, or for an hour."""
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)) if paused else "0001-01-01T00:00:00Z"
        answer = self.nats.api(f"CONSUMER.PAUSE.{self.stream}.{self._durable(name)}", {"pause_until": until})
        if answer["paused"] != paused:
            raise NatsError(f"the consumer should be {'paused' if paused else 'resumed'}, nats-server says {answer}")

    def consumer_info(self, name):
        """None as long as it is not there."""
        try:
            info = self.nats.api(f"CONSUMER.INFO.{self.stream}.{self._durable(name)}")
        except NatsError:
            return None
        self.account.most_held = max(self.account.most_held, info["num_ack_pending"])
        return {key: info[key] for key in ("num_pending", "num_ack_pending", "num_waiting")}

    def stored_ns(self, sequence):
        """When JetStream stored the message, in nanoseconds of the Unix clock."""
        time_of_it = self.nats.api(f"STREAM.MSG.GET.{self.stream}", {"seq": sequence})["message"]["time"]
        seconds, _, fraction = time_of_it.rstrip("Z").partition(".")
        return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction.ljust(9, "0"))

    def await_settled(self, within=None):
        """Until each message has its verdict, as the server sees it, and each handler has ended. As long as something is
        done, it waits for more than `within`."""
        began, done = time.monotonic(), -1
        while True:
            infos = {name: self.consumer_info(name) for name in self.scenario.consumers}
            with self.account.changed:
                running = [one.sequence for one in self.account.attempts if not one.end and not one.app.given_up]
                if done != self.account.ended and within is None:
                    began, done = time.monotonic(), self.account.ended
            if not running and all(info and not info["num_pending"] and not info["num_ack_pending"] for info in infos.values()):
                return
            if time.monotonic() > min(self.deadline, began + (within or WITHIN) * self.patience):
                state = ", ".join(f"{name}: {info['num_pending']} pending, {info['num_ack_pending']} without a verdict" if info
                                  else f"{name}: is not there" for name, info in infos.items())
                raise Red(f"not settled ({state}; handlers run for {running[:5]})")
            time.sleep(0.01)


def _plain(value, subject):
    """Of YAML's types, with the stream's subject in the place of $subject."""
    if isinstance(value, dict):
        return {key: _plain(one, subject) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, subject) for one in value]
    return value.replace("$subject", subject) if isinstance(value, str) else value
