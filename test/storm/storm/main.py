"""From the command line to the table."""

import argparse
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "conformance"))

from storm.rows import PLANS, Row  # noqa: E402: the runner's NATS connection is found by the path above

ROOT = pathlib.Path(__file__).resolve().parents[3]
COLUMNS = ["name", "published", "lost", "handled_twice", "redelivered", "restarts", "late", "inversions", "overlaps", "slowest_ms", "drain_p50_ms",
           "drain_max_ms", "sigkilled", "bad_exits"]
HEADS = ["", "published", "lost", "twice", "redelivered", "restarts", "late", "inversions", "overlaps", "slowest ms", "drain p50", "max ms", "sigkilled",
         "bad exits"]
EPILOG = """
Columns: twice: handled again though no process was killed in between · late: waited 0.9 ack waits or more from being stored · inversions, overlaps: by key,
handlers that began out of order, or ran at once · drain: the app from its SIGTERM, and the daemon from its own, to their ends · sigkilled: by the
kubelet, at the end of the grace period · bad exits: exit codes that are not 0.

Examples:
  storm.py --for 60s
  storm.py --for 10m --rows native-quick,natsgo-closed-quick
  storm.py --rows faults --seed 7 --every 1s
"""


def duration(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 60s, 10m or 1h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def newest_nats_server():
    """`make` lists the nats-servers there are, the newest last."""
    listed = [path for path in os.environ.get("SLUICE_NATS_SERVERS", "").split(":") if path]
    return listed[-1] if listed else shutil.which("nats-server") or "/usr/sbin/nats-server"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="storm.py", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG,
                                     description="Plays a kubelet on real processes: pods are restarted under load, and every message is accounted for.")
    parser.add_argument("--for", dest="seconds", type=duration, default=60.0, metavar="60s", help="how long each row takes [60s]")
    parser.add_argument("--rows", default=",".join(PLANS), help=f"of {', '.join(PLANS)} [all]")
    parser.add_argument("--every", type=duration, default=2.0, metavar="2s", help="a restart so often [2s]")
    parser.add_argument("--rate", type=int, default=500, help="messages a second [500; with slow handlers at most 100]")
    parser.add_argument("--replicas", type=int, default=3, help="pods [3]")
    parser.add_argument("--keys", type=int, default=50, help="keys of the messages [50]")
    parser.add_argument("--grace", type=float, default=15.0, help="the pods' grace period, in seconds [15]")
    parser.add_argument("--drain-timeout", type=int, default=8, help="drain.timeout of the daemons, in seconds [8]")
    parser.add_argument("--seed", type=int, default=1, help="of the kubelet's delays and the faults [1]")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="where the programs are [build/release]")
    parser.add_argument("--natsgo", default=str(ROOT / "build/storm/natsgo"), help="the app on nats.go; its rows are left out, by name, where there is none")
    parser.add_argument("--nats-server", default=newest_nats_server(), help="the nats-server [the last of $SLUICE_NATS_SERVERS, else the one on the PATH]")
    parser.add_argument("--output", type=pathlib.Path, help="writes the rows as JSON to this file")
    parser.add_argument("--keep", type=pathlib.Path, help="leaves logs and accounts in this folder")
    for column in ("lost", "handled-twice", "late", "sigkilled", "bad-exits"):
        parser.add_argument(f"--max-{column}", type=int, default=0, help="most in a row of Sluice's [0]")
    options = parser.parse_args(arguments)
    options.sluice, options.app = options.build / "sluice", options.build / "storm_app"
    options.rows = options.rows.split(",")
    for name in options.rows:
        if name not in PLANS:
            parser.error(f"there is no row {name!r}; choose of {', '.join(PLANS)}")
    return options


def main(arguments=None):
    options = parse(arguments)
    rows, failures = [], []
    for name in options.rows:
        plan = PLANS[name]
        if not plan.is_sluice and not pathlib.Path(options.natsgo).exists():
            print(f"left out: {name}, as {options.natsgo} is not there; it needs Go", file=sys.stderr)
            continue
        folder = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="storm")) / name
        folder.mkdir(parents=True)
        begin = time.monotonic()
        row = Row(plan, options, folder, progress).play()
        progress("")
        row["took_s"] = round(time.monotonic() - begin)
        rows.append(row)
        print_row(row, first=len(rows) == 1)
        failed = faults_of(plan, row, options)
        failures += failed
        if not options.keep and not failed:
            shutil.rmtree(folder.parent)
        elif failed:
            print(f"  logs and accounts: {folder}", file=sys.stderr)
        if options.output:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(json.dumps(rows, indent=1) + "\n")
    for failure in failures:
        print(f"storm: {failure}", file=sys.stderr)
    return 1 if failures else 0


def faults_of(plan, row, options):
    """What must not be, in words. The rows of nats.go are shown beside, and judged by nobody."""
    if not plan.is_sluice:
        return []
    limits = {"lost": options.max_lost, "handled_twice": options.max_handled_twice, "late": options.max_late, "sigkilled": options.max_sigkilled,
              "bad_exits": options.max_bad_exits}
    if plan.ordering == "exclusive":
        limits.update(inversions=0, overlaps=0)
    found = [f"{row['name']}: {row[column]} {column.replace('_', ' ')}, and at most {most} may be" for column, most in limits.items() if row[column] > most]
    if not row["settled"]:
        found.append(f"{row['name']}: messages are left that nobody has acked after three ack waits")
    return found


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def print_row(row, first):
    widths = [20] + [max(len(head), 8) for head in HEADS[1:]]
    if first:
        print("  ".join(head.rjust(width) if i else head.ljust(width) for i, (head, width) in enumerate(zip(HEADS, widths))))
    print("  ".join(str(row[column]).rjust(width) if i else row[column].ljust(width) for i, (column, width) in enumerate(zip(COLUMNS, widths))), flush=True)
