"""What each step of a scenario does in its world."""

import signal
import threading
import time

from runner.account import Published
from runner.nats import NatsError
from runner.scenario import EVENTS, OPTIONS
from runner.script import Script
from runner.shape import match
from runner.world import DAEMON, WITHIN, Red

MOST_AHEAD = 300  # messages that a load is ahead of the handlers


def perform(world, step):
    _STEPS[step.do](world, step.given)


def _message(world, given, number):
    """The `number`th of its kind, from 0."""
    keys = given.get("keys")
    key = keys[number % len(keys)] if keys else ""
    headers = [(b"Script", given["script"].encode())] if "script" in given else []
    headers += [(b"Key", key.encode())] if key else []
    headers += given.get("headers", [])
    suffix = given.get("subject", b"message")
    data = given.get("data", b"hello")
    if "size" in given:
        data = bytes((number + position) % 251 for position in range(251)) * (given["size"] // 251 + 1)
        data = data[:given["size"]]
    return Published(world.subject.encode() + b"." + suffix, headers, data, Script(given.get("script")), key)


def _publish(world, given):
    for one in given:
        world.account.publish(world.nats, [_message(world, one, number) for number in range(one.get("count", 1))])


def _load(world, given):
    """Publishes in the background, at an even pace, until the load ends; never more than the apps can catch up with."""
    def publish():
        account, number = world.account, 0
        due = time.monotonic()
        while not world.load_ends.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / given["per_second"], time.monotonic() - 0.1)
            if len(account.published) - account.ended < MOST_AHEAD:
                try:
                    account.publish(world.nats, [_message(world, given, number)])
                except NatsError as error:
                    world.load_failed = error
                    return
                number += 1

    world.load = threading.Thread(target=publish, daemon=True)
    world.load.start()


def _load_ends(world, given):
    world.end_load()
    if world.load_failed:
        raise world.load_failed


def _command(world, given, do, **more):
    driver = world.driver(given.get("app", "app"), given.get("daemon", DAEMON))
    driver.tell({"do": do, "as": given.get("as", "a"), **more})


def _consume(world, given):
    options = {key: given[key] for key in OPTIONS if key in given}
    _command(world, given, "consume", consumer=given.get("consumer", next(iter(world.scenario.consumers))),
             style=given.get("style", world.scenario.style), options=options)


def _fetch(world, given):
    _command(world, given, "fetch", n=given["n"], max_wait_ms=round(given["max_wait"] * 1000))


def _drain(world, given):
    timeout = {"timeout_ms": round(given["timeout"] * 1000)} if "timeout" in given else {}
    _command(world, given, "drain", **timeout)


def _stats(world, given):
    """Asks until they are as expected."""
    app, consumption, wanted = given.get("app", "app"), given.get("as", "a"), given.get("expect", {})
    deadline = min(world.deadline, time.monotonic() + WITHIN * world.patience)
    while True:
        asked = world.account.count("stats", {}, app, consumption)
        _command(world, given, "stats")
        if not world.wait(lambda: world.account.count("stats", {}, app, consumption) > asked):
            raise Red("there was no answer")
        stats = [event for driver, event in world.account.events
                 if driver.name == app and event["event"] == "stats" and event.get("as") == consumption][-1].get("stats")
        if match(wanted, stats):
            return
        if time.monotonic() > deadline:
            raise Red(f"expected {dict(wanted)}, the SDK says {stats}")
        time.sleep(0.05)


def _release(world, given):
    world.account.release(given["sequence"], given.get("steps", "ack"))


def _release_rest(world, given):
    world.account.release_rest(given.get("steps", "ack"))


def _await(world, given):
    kind = next(event for event in EVENTS if event in given)
    app, count = given.get("app"), given.get("count", 1)
    began = time.monotonic()

    def arrived():
        return world.account.count(kind, given[kind], app, given.get("as")) >= count

    if not world.wait(lambda: arrived() or _all_ended(world), given.get("within")) or not arrived():
        what = " ".join(str(word) for word in (kind, dict(given[kind]) or "", f"x {count}" if count > 1 else "") if word)
        names = [app] if app else list(world.drivers)
        said = " | ".join(f"{name} said last: {world.account.last_events(name)}" for name in names)
        raise Red(f"no {what} within {time.monotonic() - began:.1f} s; {said}")
    if time.monotonic() - began < given.get("after", 0) - 0.01:
        raise Red(f"{kind} came after {(time.monotonic() - began) * 1000:.0f} ms, too early")


def _all_ended(world):
    """Nobody is left who could say what is waited for."""
    return bool(world.drivers) and all(driver.silent for driver in world.drivers.values())


def _settled(world, given):
    world.await_settled(given.get("within"))


def _server(world, given):
    name = given.get("consumer", next(iter(world.scenario.consumers)))
    wanted = {key: given[key] for key in ("num_pending", "num_ack_pending", "num_waiting") if key in given}
    deadline = min(world.deadline, time.monotonic() + given.get("within", WITHIN) * world.patience)
    while not match(wanted, info := world.consumer_info(name)):
        if time.monotonic() > deadline:
            raise Red(f"the server says {info}, not {wanted}")
        time.sleep(0.01)


def _consumer(world, given):
    world.pause_consumer(given.get("consumer", next(iter(world.scenario.consumers))), given["do"] == "pause")


def _daemon(world, given):
    daemon, do = world.daemon(given.get("name", DAEMON)), given["do"]
    if do == "start":
        daemon.start()
    elif do == "kill":
        daemon.kill()
    elif do == "freeze":
        daemon.freeze()
    if do in ("drain", "restart"):
        daemon.signal(signal.SIGTERM)
    if do in ("ended", "restart"):
        daemon.ended(WITHIN * world.patience)
    if do == "restart":
        daemon.start()


def _nats(world, given):
    if given["do"] == "start":
        world.server.start()
        world.connect()
        return
    world.account.told_lossy = True
    world.nats.close()
    getattr(world.server, given["do"])()


def _stream(world, given):
    world.create_stream()


def _app(world, given):
    name = given.get("app", "app")
    driver, do = world.driver(name), given["do"]
    if do == "close":
        driver.close_input()
    elif do == "kill":
        driver.kill()
    elif do in ("term", "int"):
        driver.signal(signal.SIGTERM if do == "term" else signal.SIGINT)
    if do in ("close", "exited"):
        code = driver.wait(WITHIN * world.patience)
        if code != given.get("code", 0):
            raise Red(f"{name} exited with {code}, not {given.get('code', 0)}: {driver.last_words()}")
        driver.close_input()
        world.past_drivers.append(world.drivers.pop(name))


_STEPS = {
    "publish": _publish, "load": _load, "load-ends": _load_ends, "consume": _consume, "fetch": _fetch, "drain": _drain,
    "stop": lambda world, given: _command(world, given, "stop"), "run": lambda world, given: _command(world, given, "run"),
    "stats": _stats, "release": _release, "release-rest": _release_rest, "await": _await, "settled": _settled,
    "server": _server, "consumer": _consumer, "daemon": _daemon, "nats": _nats, "stream": _stream, "app": _app,
}
