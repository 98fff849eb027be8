"""One scenario with one language: its steps, then its account."""

import shutil
import tempfile
from pathlib import Path

from runner import steps
from runner.nats import NatsError
from runner.processes import ProcessError
from runner.rules import breaches
from runner.world import Red, World

TIMED = 3  # of the messages are asked for when they were stored


def play(scenario, run, sluice, nats_program, server, keep=None, patience=1.0):
    """None if it is green, else a line that says why not."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-conf-"))
    red = None
    try:
        world = World(scenario, run, sluice, nats_program, server, folder, patience)
        try:
            world.begin()
            red = _play(world)
        finally:
            world.end()
        return red
    except (Red, NatsError, ProcessError) as error:
        red = str(error)
        return red
    finally:
        if red and keep:
            target = keep / f"{scenario.name.replace(':', '-')}-{run.parent.name}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target, ignore=lambda _, names: [name for name in names if name == "store" or name.endswith(".sock")])
        shutil.rmtree(folder, ignore_errors=True)


def _play(world):
    for step in world.scenario.steps:
        try:
            steps.perform(world, step)
        except (Red, NatsError, ProcessError) as error:
            return f"{step.where}: {step.do}: {error}"
    try:
        if world.account.published:
            world.await_settled()
        for driver in world.drivers.values():
            _finish(driver, world.patience)
        if daemon := world.crashed:
            raise Red(f"the daemon has ended: {daemon.last_words()}")
        for sequence in sorted(world.account.published)[:TIMED]:
            world.account.stored_ns[sequence] = world.stored_ns(sequence)
    except (Red, NatsError, ProcessError) as error:
        return f"at the end: {error}"
    with world.account.changed:
        found = list(breaches(world.account, world.scenario, world.nats.version))
    if found:
        return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")
    return None


def _finish(driver, patience):
    """When its input ends it stops what it consumes and exits 0."""
    if driver.given_up:
        return
    driver.close_input()
    code = driver.wait(10 * patience)
    if code != 0:
        raise Red(f"{driver.name} exited with {code}: {driver.last_words()}")
