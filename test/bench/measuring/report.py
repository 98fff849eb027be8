"""The table for people."""

import statistics

from measuring.figures import by_round, derived, spread, verdicts

LABELS = {
    "floor.128": "bare gRPC stream, 128 B", "stub.128": "daemon, stub upstream, 128 B", "stub_tokens.128": "the same, with resume tokens",
    "floor.1024": "bare gRPC stream, 1 KiB", "stub.1024": "daemon, stub upstream, 1 KiB",
    "floor.16384": "bare gRPC stream, 16 KiB", "stub.16384": "daemon, stub upstream, 16 KiB",
    "floor.128.tcp": "bare gRPC stream, 128 B, TCP", "stub.128.tcp": "daemon, stub upstream, 128 B, TCP",
    "floor.128.streams_4": "bare gRPC stream, 128 B, four streams", "stub.128.streams_4": "daemon, stub upstream, 128 B, four streams",
    "real.128": "daemon, nats-server, 128 B", "direct.128": "no daemon, cnats, 128 B", "natsgo.128": "no daemon, nats.go, 128 B",
    "real.1024": "daemon, nats-server, 1 KiB", "direct.1024": "no daemon, cnats, 1 KiB", "natsgo.1024": "no daemon, nats.go, 1 KiB",
    "real.16384": "daemon, nats-server, 16 KiB", "direct.16384": "no daemon, cnats, 16 KiB", "natsgo.16384": "no daemon, nats.go, 16 KiB",
    "real.128.file": "daemon, nats-server, 128 B, file stream", "direct.128.file": "no daemon, cnats, 128 B, file stream",
    "natsgo.128.file": "no daemon, nats.go, 128 B, file stream",
    "real.128.tcp": "daemon, nats-server, 128 B, app over TCP", "real.128.streams_4": "daemon, nats-server, 128 B, four app streams",
    "plain.128": "daemon, nats-server, 128 B, bare client", "confirmed.128": "the same, acks confirmed",
    "exclusive.128": "daemon, ordering: exclusive", "ack_all.128": "the same, ack_policy: all", "coalesced.128": "the same, coalesce_acks",
}


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def rate_table(rounds):
    lines = [f"{'':44}{'best':>12}{'median':>12}{'spread':>8}  msg/s   CPU us/msg"]
    for row, label in LABELS.items():
        rates = [value for value in by_round(rounds, f"rate.{row}") if value]
        if rates:
            cpu = statistics.median(value for value in by_round(rounds, f"cpu_us.{row}") if value is not None)
            lines.append(f"{label:44}{max(rates):12,.0f}{statistics.median(rates):12,.0f}{spread(rates):8.0%}{cpu:19.2f}")
    return lines if len(lines) > 1 else []


def other_table(rounds):
    """All that is no rate: the value of each round's median, and the best and worst."""
    lines = []
    names = dict.fromkeys(name for samples in rounds for name in samples if not name.startswith(("rate.", "cpu_us.")))
    percentiles = ("p50_us", "p99_us", "p99.9_us")
    for name in names:
        if name.startswith("latency.") and not name.endswith(percentiles):
            continue
        values = [value for value in by_round(rounds, name) if value is not None]
        lines.append(f"{name:44}{min(values):12,.2f}{statistics.median(values):12,.2f}{max(values):12,.2f}")
    return [f"{'':44}{'lowest':>12}{'median':>12}{'highest':>12}", *lines] if lines else []


def ratio_table(rounds):
    lines = [f"{name:44}{min(values):12,.2f}{statistics.median(values):12,.2f}{max(values):12,.2f}" for name, values in derived(rounds).items()]
    return [f"{'within each round':44}{'lowest':>12}{'median':>12}{'highest':>12}", *lines] if lines else []


def target_table(found):
    lines = [f"{'reached' if reached else 'MISSED':10}{name:34}{number(value):>10}   wanted {bound}" for name, value, bound, reached in verdicts(found)]
    return ["targets", *lines] if lines else []


def others_lines(taken, spoiled):
    """`taken`: [(round, part, cores that others took)]."""
    most = max((cores for _, _, cores in taken), default=0)
    bad = [(number, part, cores) for number, part, cores in taken if cores > spoiled]
    if not bad:
        return [f"other programs took {most:.2f} cores at most: no round is spoiled"]
    told = ", ".join(f"{part} in round {number} ({cores:.2f} cores)" for number, part, cores in bad)
    return [f"SPOILED by other programs: {told}"]


def table(rounds, found, taken, spoiled):
    blocks = (rate_table(rounds), other_table(rounds), ratio_table(rounds), target_table(found), others_lines(taken, spoiled))
    return "\n\n".join("\n".join(block) for block in blocks if block)
