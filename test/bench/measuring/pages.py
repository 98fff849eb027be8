"""The blocks of docs/performance.md that are figures: each a function of the values of bench.json, as lines of Markdown."""

import re

from measuring.figures import verdicts
from measuring.report import LABELS, number

BLOCK = re.compile(r"(<!-- bench: (\S+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)] if rows else []


def measured(values, facts):
    if "machine" not in values:
        return []
    spoiled = int(values.get("machine.spoiled_rounds", 0))
    lines = [f"Measured on {facts['day']}, at commit {facts['commit']}: {values['machine']}."]
    if spoiled:
        lines += ["", f"**Spoiled: not to be quoted.** In {spoiled} measurements other programs took more than 0.2 cores, at most "
                      f"{values['machine.others_cores']:.1f}. `make bench bench-docs` on an idle machine replaces all figures."]
    return lines


def targets(values, facts):
    return table(("figure", "measured", "wanted", ""), [(f"`{name}`", number(value), bound.replace(">=", "≥").replace("<=", "≤"), "reached" if reached else "**missed**")
                                                       for name, value, bound, reached in verdicts(facts["found"])])


def rates(values, _):
    rows = []
    for row, label in LABELS.items():
        if f"rate.{row}" in values:
            ratio = ", ".join(f"{values[name]:.2f} × {name.rsplit('.vs_', 1)[1].replace('natsgo', 'nats.go')}" for name in values if name.startswith(f"rate.{row}.vs_"))
            rows.append((label, f"{values[f'rate.{row}.best']:,.0f}", f"{values[f'rate.{row}']:,.0f}", f"{values[f'cpu_us.{row}']:.2f}", ratio))
    return table(("", "best, msg/s", "median, msg/s", "CPU, µs/msg", "within each round"), rows)


def latency(values, _):
    rows = []
    for rate in (1000, 5000):
        for way, label in (("sluice", "through Sluice"), ("direct", "cnats alone")):
            cells = [values.get(f"latency.{way}.{rate}.p{percent}_us") for percent in ("50", "99", "99.9")]
            if all(cell is not None for cell in cells):
                rows.append((f"{rate:,} msg/s, {label}", *(f"{cell:,.0f}" for cell in cells)))
        at = "" if rate == 5000 else ".1000"
        cells = [values.get(f"latency.added{at}.p{percent}_us") for percent in ("50", "99", "99.9")]
        if all(cell is not None for cell in cells):
            rows.append((f"{rate:,} msg/s, **beyond cnats alone**", *(f"**{cell:,.0f}**" for cell in cells)))
    return table(("µs, one way", "p50", "p99", "p99.9"), rows)


def drain(values, _):
    rows = [(label, f"{values[f'drain.{load}_ms']:.1f} ms", *((f"{values[f'drain.{load}.natsgo_ms']:.1f} ms", f"{values[f'drain.{load}.vs_natsgo']:.2f}")
                                                              if f"drain.{load}.vs_natsgo" in values else ("-", "-")))
            for load, label in (("loaded", "16 handlers of 3 ms, 10,000 msg/s"), ("one_handler", "one handler of 3 ms, 1,000 msg/s"),
                                ("slack", "16 handlers of 3 ms that wait, 4,000 msg/s"), ("slack_at_once", "one handler that acks at once, 5,000 msg/s")) if f"drain.{load}_ms" in values]
    return table(("", "Sluice", "nats.go", "within each round"), rows)


def rest(names):
    """A block of single figures."""
    def block(values, _):
        return table(("", "median"), [(label, number(values[name]) + unit) for name, label, unit in names if name in values])

    return block


BLOCKS = {
    "measured": measured,
    "targets": targets,
    "rates": rates,
    "latency": latency,
    "memory": rest((
        ("rss.empty_mb", "a gRPC server that does nothing", " MiB"), ("rss.idle_mb", "the daemon, idle", " MiB"), ("rss.loaded_mb", "the daemon, at most, under load", " MiB"),
        ("rss.per_stream_kb", "for each idle app stream, 1,000 of one connection", " KiB"),
        ("rss.per_app_kb", "for each idle app, 1,000 with a connection of their own", " KiB"))),
    "drain": drain,
    "single": rest((
        ("first_after_idle_ms", "first message after 10 s of none, the slowest of three", " ms"), ("first_after_idle.direct_ms", "the same message, cnats alone", " ms"),
        ("share.max_of_three", "of three equal daemons on one durable, the share of the luckiest", ""))),
    "growth": rest((
        ("growth.one.cpu_us", "one consumer, one stream", " µs/msg"), ("growth.consumers_100.cpu_us", "100 consumers, a stream each", " µs/msg"),
        ("growth.streams_1000_idle.cpu_us", "one stream, beside 1,000 idle ones", " µs/msg"), ("growth.streams_1000.cpu_us", "1,000 streams that share the messages", " µs/msg"),
        ("growth.in_flight_10.cpu_us", "10 messages held all the time", " µs/msg"), ("growth.in_flight_100k.cpu_us", "100,000 held", " µs/msg"),
        ("growth.in_flight_100k_leases.cpu_us", "100,000 held, each extended two or three times", " µs/msg"))),
}


def filled(text, values, facts):
    """The page with each block made anew; one without figures stays as it is."""
    def block(match):
        lines = BLOCKS[match[2]](values, facts)
        return match[1] + "".join(f"{line}\n" for line in lines) + match[3] if lines else match[0]

    return BLOCK.sub(block, text)
