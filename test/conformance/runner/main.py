"""The command line: every scenario with every language that can be played here."""

import argparse
import concurrent.futures
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner.languages import LANGUAGES, find
from runner.matrix import Matrix
from runner.play import play
from runner.processes import NatsServer
from runner.scenario import read_all

HERE = Path(__file__).resolve().parent.parent


def main():
    options = _options()
    scenarios = [one for one in read_all(options.scenarios)
                 if not options.only or any(fnmatch.fnmatch(one.name, glob) for glob in options.only)]
    if not scenarios:
        raise SystemExit(f"no scenario is called {' or '.join(options.only or ['*'])}")
    if options.list:
        for scenario in scenarios:
            print(f"{scenario.name:32}{scenario.says}")
        return 0
    scenarios = _playable(scenarios, options)
    languages = _languages(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    # A shell without job control has it ignored in the background, and what is started here would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = sys.stderr if options.output == "json" else sys.stdout
    matrix = Matrix(scenarios, languages, out)
    began = time.monotonic()
    matrix.print_head()
    _play_all(options, scenarios, languages, matrix)
    matrix.print_foot(time.monotonic() - began)
    if options.output == "json":
        print(matrix.as_json())
    if matrix.red and options.keep:
        print(f"logs of what is red: {options.keep}", file=sys.stderr)
    return 1 if matrix.red else 0


def _playable(scenarios, options):
    """Those that this nats-server is new enough for; the others are named."""
    said = subprocess.run([options.nats_server, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)*", said)[0]
    version = tuple(map(int, found.split(".")))
    for scenario in scenarios:
        if scenario.needs > version:
            print(f"left out: {scenario.name}: needs nats-server {'.'.join(map(str, scenario.needs))}, this is {found}", file=sys.stderr)
    return [scenario for scenario in scenarios if scenario.needs <= version]


def _play_all(options, scenarios, languages, matrix):
    folder = Path(tempfile.mkdtemp(prefix="sluice-conf-nats-"))
    server = NatsServer(options.nats_server, folder)
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        cells = {pool.submit(_timed, scenario, language, options, server): (scenario, language)
                 for scenario in scenarios for language in languages}
        for done in concurrent.futures.as_completed(cells):
            scenario, language = cells[done]
            matrix.add(scenario.name, language.name, *done.result())
    finally:
        pool.shutdown(cancel_futures=True)
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _timed(scenario, language, options, server):
    began = time.monotonic()
    try:
        why = play(scenario, language.run, options.sluice, options.nats_server, server, options.keep, options.patience)
    except Exception as error:  # a defect of the runner's own turns this cell red, and not the others
        why = f"the runner failed: {type(error).__name__}: {error}"
    return why, time.monotonic() - began


def _languages(options):
    wanted = options.languages.split(",") if options.languages else LANGUAGES
    found = find(wanted, options.drivers_dir)
    for language in found:
        if language.missing:
            print(f"left out: {language.name}: {language.missing}", file=sys.stderr)
    playable = [language for language in found if not language.missing]
    if len(playable) < len(found) and (options.languages or os.environ.get("CI")):
        raise SystemExit("a language that was asked for is missing" if options.languages else "CI has every language")
    if not playable:
        raise SystemExit("there is no driver to play: make -C client-sdk/<language> driver")
    return playable


def _options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--languages", help=f"with commas; without: of {','.join(LANGUAGES)} those that can be played here")
    parser.add_argument("--only", action="append", metavar="GLOB", help="scenarios of this name, as in 'drain*'; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="played at once (2)")
    parser.add_argument("--sluice", type=Path, default=HERE.parent.parent / "build/release/sluice", help="the daemon's binary")
    parser.add_argument("--nats-server", type=Path, default=_newest_nats_server(),
                        help="without: the newest of $SLUICE_NATS_SERVERS, else that of the PATH")
    parser.add_argument("--patience", type=float, default=1.0, metavar="FACTOR", help="of every time limit, for a busy machine (1)")
    parser.add_argument("--drivers-dir", action="append", metavar="DIR", help="where <language>/run is; may be repeated")
    parser.add_argument("--scenarios", type=Path, default=HERE / "scenarios", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keeps the logs of what is red there")
    parser.add_argument("--list", action="store_true", help="says what each scenario is about, and plays none")
    options = parser.parse_args()
    options.drivers_dir = options.drivers_dir or [HERE / "drivers"]
    options.sluice = options.sluice.resolve()
    if not options.list and not os.access(options.sluice, os.X_OK):
        raise SystemExit(f"there is no daemon at {options.sluice}: make build")
    if not options.list and not options.nats_server:
        raise SystemExit("there is no nats-server: install it, or name one with --nats-server")
    return options


def _newest_nats_server():
    known = [path for path in os.environ.get("SLUICE_NATS_SERVERS", "").split(":") if path]
    found = known[-1] if known else shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
    return Path(found) if found else None
