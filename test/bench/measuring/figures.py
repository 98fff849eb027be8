"""From samples to figures. A sample is one value of one round; a figure is what is said of all rounds.

bench.json is a list of {"name", "value", "unit"}. `value` is the median of the rounds; rates have `.best` and `.worst`
beside. A ratio is the median of the ratios within each round, so that a slow minute of the machine slows both sides.
"""

import statistics

UNITS = (  # by the end of the name, or by its beginning
    (".cpu_us", "us/msg"), ("_us", "us"), ("_ms", "ms"), ("_mb", "MiB"), ("_kb", "KiB"), ("share.", "of all"), ("rate.", "msg/s"), ("cpu_us.", "us/msg"))
DIFFERENCES = {f"latency.added{at}.p{percent}_us": (f"latency.sluice.{rate}.p{percent}_us", f"latency.direct.{rate}.p{percent}_us")
               for at, rate in ((".1000", 1000), ("", 5000)) for percent in ("50", "99", "99.9")}
RATIOS = {
    "rate.confirmed.128.vs_plain": ("rate.confirmed.128", "rate.plain.128"),
    "rate.ack_all.128.vs_exclusive": ("rate.ack_all.128", "rate.exclusive.128"),
    "rate.coalesced.128.vs_ack_all": ("rate.coalesced.128", "rate.ack_all.128"),
    "cpu_us.coalesced.128.vs_ack_all": ("cpu_us.coalesced.128", "cpu_us.ack_all.128"),
    "rate.stub_tokens.128.vs_floor": ("rate.stub_tokens.128", "rate.floor.128"),
    "rss.idle.vs_empty_grpc": ("rss.idle_mb", "rss.empty_mb"),
    "rss.loaded.vs_empty_grpc": ("rss.loaded_mb", "rss.empty_mb"),
    **{f"drain.{load}.vs_natsgo": (f"drain.{load}_ms", f"drain.{load}.natsgo_ms")
       for load in ("loaded", "one_handler", "slack", "slack_at_once")},
    "growth.consumers_100.vs_1": ("growth.consumers_100.cpu_us", "growth.one.cpu_us"),
    "growth.streams_1000.vs_1": ("growth.streams_1000.cpu_us", "growth.one.cpu_us"),
    "growth.streams_1000_idle.vs_1": ("growth.streams_1000_idle.cpu_us", "growth.one.cpu_us"),
    "growth.in_flight_100k.vs_10": ("growth.in_flight_100k.cpu_us", "growth.in_flight_10.cpu_us"),
    "growth.in_flight_100k_leases.vs_10": ("growth.in_flight_100k_leases.cpu_us", "growth.in_flight_10.cpu_us"),
    **{f"rate.stub.{row}.vs_floor": (f"rate.stub.{row}", f"rate.floor.{row}")
       for row in ("128", "1024", "16384", "128.tcp", "128.streams_4")},
    **{f"rate.real.{row}.vs_{reference}": (f"rate.real.{row}", f"rate.{reference}.{row}")
       for row in ("128", "1024", "16384", "128.file") for reference in ("direct", "natsgo")},
}
# What is to be reached: the figure, whether it is a least or a most, the bound.
TARGETS = (
    ("rate.stub.128.vs_floor", ">=", 0.5), ("rate.real.128.vs_direct", ">=", 0.9), ("rate.real.128.vs_natsgo", ">=", 1.0),
    ("rate.confirmed.128.vs_plain", ">=", 0.5), ("latency.added.p50_us", "<=", 100), ("latency.added.p99_us", "<=", 1000),
    ("first_after_idle_ms", "<=", 5), ("rss.idle.vs_empty_grpc", "<=", 1.5), ("rss.loaded.vs_empty_grpc", "<=", 3), ("rss.per_stream_kb", "<=", 50),
    ("drain.loaded.vs_natsgo", "<=", 0.5), ("share.max_of_three", "<=", 0.3667),
)


def unit_of(name):
    if ".vs_" in name:
        return "ratio"
    for part, unit in UNITS:
        if name.startswith(part) if part.endswith(".") else name.endswith(part):
            return unit
    raise ValueError(f"{name} has no unit")


def by_round(rounds, name):
    """The values of a sample, None where a round has none."""
    return [samples.get(name) for samples in rounds]


def pairs(rounds, first, second):
    return [(a, b) for a, b in zip(by_round(rounds, first), by_round(rounds, second)) if a is not None and b is not None]


def derived(rounds):
    """Name -> one value for each round that has both sides."""
    values = {name: [a - b for a, b in pairs(rounds, *sides)] for name, sides in DIFFERENCES.items()}
    values.update({name: [a / b for a, b in pairs(rounds, *sides) if b > 0] for name, sides in RATIOS.items()})
    return {name: found for name, found in values.items() if found}


def figures(rounds):
    """`rounds`: the samples of each round, {name: value}."""
    found = []
    for name in dict.fromkeys(name for samples in rounds for name in samples):
        values = [value for value in by_round(rounds, name) if value is not None]
        found.append(figure(name, statistics.median(values)))
        if name.startswith("rate."):
            found += [figure(f"{name}.best", max(values), "msg/s"), figure(f"{name}.worst", min(values), "msg/s")]
    return found + [figure(name, statistics.median(values)) for name, values in derived(rounds).items()]


def figure(name, value, unit=None):
    return {"name": name, "value": round(value, 4), "unit": unit or unit_of(name)}


def spread(values):
    """Between the best and the worst, of the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def verdicts(found):
    """(name, value, bound, reached) of each target whose figure was measured."""
    values = {each["name"]: each["value"] for each in found}
    return [(name, values[name], f"{sign} {bound:g}", values[name] >= bound if sign == ">=" else values[name] <= bound)
            for name, sign, bound in TARGETS if name in values]
