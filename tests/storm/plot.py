"""Draws the storm's samples: how long after a kill the others were undisturbed again.

    plot.py SAMPLES.csv PICTURE.svg

Two histograms over one logarithmic axis of time, victims that died with the writer lock and those
that did not, each with its median, 99th percentile and maximum. Needs matplotlib: the one library
of its kind that every Python is sure to get (tests/storm/requirements.txt).
"""

import csv
import math
import sys

import matplotlib

matplotlib.use("svg")
# The same samples give the same file, with text as text.
matplotlib.rcParams.update({"svg.hashsalt": "storm", "svg.fonttype": "none", "font.size": 10})

import matplotlib.pyplot as plt  # noqa: E402

KINDS = [
    ("1", "the victim died with the writer lock", "#b5442e"),
    ("0", "the victim did not hold it", "#3b6ea5"),
]
BINS_PER_DECADE = 20
MARKS = [("p50", 0.50, "-"), ("p99", 0.99, "--"), ("max", 1.0, ":")]


def rank(times, share):
    """The smallest time that this share of the sorted times does not exceed."""
    return times[max(0, math.ceil(share * len(times)) - 1)]


def text_of(microseconds):
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    return f"{microseconds / 1000:.1f} ms"


def draw(axis, times, heavy, what, colour, limits):
    low, high = (math.log10(limit) for limit in limits)
    count = round((high - low) * BINS_PER_DECADE)
    edges = [10 ** (low + (high - low) * n / count) for n in range(count + 1)]
    axis.hist(times, bins=edges, color=colour, alpha=0.8, edgecolor="white", linewidth=0.4)
    top = axis.get_ylim()[1] * 1.28
    axis.set_ylim(0, top)
    for place, (name, share, style) in enumerate(MARKS):
        time = rank(times, share)
        axis.axvline(time, color="#222222", linestyle=style, linewidth=1.1)
        # On the side of the line where there is room.
        right = time < limits[1] / 4
        axis.annotate(
            f"{name} {text_of(time)}",
            (time, top * (0.96 - 0.1 * place)),
            xytext=(5 if right else -5, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="top",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    if heavy:
        axis.plot(
            heavy,
            [top * 0.03] * len(heavy),
            "v",
            color="#222222",
            markersize=4.5,
            label=f"{len(heavy)} of them with 2 GiB,\nmax {text_of(max(heavy))}",
        )
        axis.legend(loc="upper left", frameon=False, fontsize=9)
    axis.set_title(f"{what}: {len(times):,} kills", loc="left", color=colour, fontsize=11)
    axis.set_ylabel("kills")
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def main():
    samples, picture = sys.argv[1:]
    with open(samples, newline="") as file:
        rows = list(csv.DictReader(file))
    every = [float(row["recovery_us"]) for row in rows]
    limits = (10 ** math.floor(math.log10(min(every))), max(20_000, 1.5 * max(every)))
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(8.6, 6.4), layout="constrained")
    for axis, (holder, what, colour) in zip(axes, KINDS):
        chosen = [row for row in rows if row["lock_holder"] == holder]
        times = sorted(float(row["recovery_us"]) for row in chosen)
        heavy = [float(row["recovery_us"]) for row in chosen if row["resident_gib"] != "0"]
        if times:
            draw(axis, times, heavy, what, colour, limits)
    axes[1].set_xscale("log")
    axes[1].set_xlim(*limits)
    ticks = [t for t in (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
             if limits[0] <= t <= limits[1]]
    axes[1].set_xticks(ticks, [f"{t} µs" if t < 1000 else f"{t // 1000} ms" for t in ticks])
    axes[1].minorticks_off()
    axes[1].set_xlabel("time from the kill until the others were undisturbed again")
    figure.suptitle(f"Storm: {len(rows):,} kills among eight workers", x=0.01, ha="left", fontsize=13)
    figure.savefig(picture, metadata={"Date": None})


main()
