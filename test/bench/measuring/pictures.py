"""The two pictures of docs/performance.md, by matplotlib, as SVG that is the same for the same figures."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of its backend)

matplotlib.rcParams.update({"svg.hashsalt": "sluice", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
                            "axes.spines.top": False, "axes.spines.right": False})
SIZES = {128: "128 B", 1024: "1 KiB", 16384: "16 KiB"}
RATES = {"real": ("through Sluice", "#1b6ca8"), "direct": ("cnats alone", "#9aa5b1"), "natsgo": ("nats.go alone", "#d8a13f"),
         "stub": ("Sluice, upstream at no cost", "#74b3d8"), "floor": ("bare gRPC stream", "#d3d8de")}
WAYS = {"sluice": ("through Sluice", "#1b6ca8"), "direct": ("cnats alone", "#9aa5b1")}


def save(figure, path):
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return path


def rate_by_size(values, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    bars(left, values, ("real", "direct", "natsgo"), "with a real nats-server")
    bars(right, values, ("stub", "floor"), "with an upstream that costs nothing")
    left.set_ylabel("messages per second")
    return save(figure, folder / "rate-by-size.svg")


def bars(axes, values, rows, title):
    width = 0.8 / len(rows)
    for i, row in enumerate(rows):
        heights = [values.get(f"rate.{row}.{size}", 0) for size in SIZES]
        places = [place + (i - (len(rows) - 1) / 2) * width for place in range(len(SIZES))]
        label, color = RATES[row]
        drawn = axes.bar(places, heights, width * 0.95, label=label, color=color)
        axes.bar_label(drawn, [short(height) for height in heights], fontsize=7, padding=1)
    axes.set_xticks(range(len(SIZES)), SIZES.values())
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    axes.set_title(title, fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.1f}M"
    return f"{value / 1e3:.0f}k" if value >= 1e3 else f"{value:.0f}"


def latency_distribution(values, folder):
    """By percentile, on a scale that gives each nine the same room."""
    figure, axes = plt.subplots(figsize=(9.5, 3.6))
    for way, (label, color) in WAYS.items():
        for rate, style in ((1000, "--"), (5000, "-")):
            prefix = f"latency.{way}.{rate}.p"
            points = sorted((float(name[len(prefix):-len("_us")]), value) for name, value in values.items() if name.startswith(prefix))
            points = [(100 / (100 - percent), value) for percent, value in points if percent < 99.99]
            if points:
                axes.plot(*zip(*points), style, color=color, label=f"{label}, {rate:,} msg/s")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, 2000)
    axes.set_xticks([1, 2, 10, 100, 1000], ["0", "50 %", "90 %", "99 %", "99.9 %"])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} µs" if value < 1000 else f"{value / 1000:g} ms")
    axes.set_xlabel("of the messages took no longer than")
    axes.set_ylabel("publisher to handler")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return save(figure, folder / "latency.svg")
