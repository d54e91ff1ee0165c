"""The tables of the results, one function for each kind but the comparison, and the figure of `benchmarks.scaling`.

    text = scaling(newest("scaling", FOLDER))     # Markdown

Measuring stands elsewhere, so that a benchmark can end with the page of all results without importing the other benchmarks.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.results import number_text, rates, ratios, spread, warning
from nnjax.reporting.figures.canvas import BLUE, GREY, canvas

_STARTS = {
    "python": "Python itself, `python -c pass`",
    "import_jax": "`import jax`",
    "help": "`experiments.train --help`",
    "error": "a config error, `experiments.train training.epochs=5`",
    "cold": "`experiments.train`, nothing compiled before",
    "warm": "`experiments.train`, all compiled before",
}


def accuracy(result: Mapping[str, Any]) -> str:
    """Returns the tables of the times, the shortest first."""
    if "skipped" in result:
        return f"Not measured: {result['skipped']}"
    return "\n\n".join(_goal(goal) for goal in result["goals"].values())


def _goal(goal: Mapping[str, Any]) -> str:
    title = f"### {100 * goal['goal']:.0f} % of MNIST's test images"
    lines = [
        f"{title}: {goal['title']}",
        "",
        "| | from process start | from data ready | epochs | an epoch |",
        "|---|---|---|---|---|",
    ]

    def typical(entry: Mapping[str, Any]) -> float:
        return median(run["from_start"] for run in entry["runs"]) if entry["runs"] else float("inf")

    for entry in sorted(goal["contestants"].values(), key=typical):
        runs = entry["runs"]
        if "failed" in entry or not runs:
            reason = entry.get("failed", "not measured").replace("|", "/")
            lines.append(f"| {entry['title']} | {reason} | | | |")
            continue
        cells = [spread([run[key] for run in runs]).text(unit=" s") for key in ("from_start", "from_data_ready")]
        epochs = [len(run["accuracies"]) for run in runs]
        missed = sum(not run["reached"] for run in runs)
        note = f", not reached in {missed} of {len(runs)}" if missed else ""
        each = spread([run["from_data_ready"] / count for run, count in zip(runs, epochs, strict=True)]).text(unit=" s")
        lines.append(f"| {entry['title']} | {' | '.join(cells)} | {', '.join(map(str, epochs))}{note} | {each} |")
    return "\n".join(lines)


def growth(line: Mapping[str, Any]) -> tuple[float, float]:
    """Returns the cost of the largest size as a multiple of the smallest one's: seconds, and operations, per step."""
    sizes = sorted(line["turns"], key=int)
    seconds = [1 / median(rates(line["turns"][size])) for size in (sizes[0], sizes[-1])]
    return seconds[1] / seconds[0], line["flops"][sizes[-1]] / line["flops"][sizes[0]]


def scaling(result: Mapping[str, Any]) -> str:
    """Returns a table of the milliseconds per step at each size, and the ratio of the last to the first."""
    rows = ["| | grows | milliseconds a step | cost × | operations × |", "|---|---|---|---|---|"]
    for line in result["lines"].values():
        sizes = sorted(line["turns"], key=int)
        cost, operations = growth(line)
        times = ", ".join(number_text(1e3 / median(rates(line["turns"][size]))) for size in sizes)
        grows = f"{line['what']} {sizes[0]} to {sizes[-1]}"
        rows.append(f"| {line['title']} | {grows} | {times} | {number_text(cost, 2)} | {number_text(operations, 2)} |")
    return "\n".join(rows)


def draw_scaling(result: Mapping[str, Any], path: Path) -> None:
    """Draws the milliseconds per step over each quantity, on logarithmic axes, beside linear growth from the smallest size."""
    found = list(result["lines"].values())
    columns = min(3, len(found))
    rows = math.ceil(len(found) / columns)
    with canvas(path, width=3.2 * columns, height=2.7 * rows + 0.4) as figure:
        title = f"Milliseconds of a training step as one thing grows eightfold{warning(result)}"
        figure.suptitle(title, x=0.01, ha="left")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(found) :]:
            axes.set_axis_off()
        for axes, line in zip(panels, found, strict=False):
            sizes = sorted(map(int, line["turns"]))
            each = [spread([1e3 / rate for rate in rates(line["turns"][str(size)])]) for size in sizes]
            middles = [one.median for one in each]
            ends = [[one.median - one.least for one in each], [one.most - one.median for one in each]]
            axes.plot(sizes, [middles[0] * size / sizes[0] for size in sizes], "--", color=GREY, linewidth=1, label="linear")
            axes.errorbar(sizes, middles, yerr=ends, marker="o", color=BLUE, capsize=2, label="measured")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: number_text(value))
            axes.set_xticks(sizes, [f"{size:,}".replace(",", " ") for size in sizes])
            axes.minorticks_off()
            axes.set_title(line["title"], fontsize=9)
            axes.set_xlabel(line["what"])
        panels[0].set_ylabel("ms a step")
        panels[0].legend()


def seeds(result: Mapping[str, Any]) -> str:
    """Returns a table of the whole run and of its training alone."""
    rows = ["| | seeds | whole run, one seed | all | × | training alone, one seed | all | × |", "|" + "---|" * 8]
    for title, found in result["runs"].items():
        if "failed" in found:
            rows.append(f"| {title} | {found['many']} | {found['failed'].replace('|', '/')} | | | | | |")
            continue
        cells = []
        for clock in ("wall", "training"):
            one, all_of_them = found[clock]["1"], found[clock][str(found["many"])]
            cells += [spread(times).text(unit=" s") for times in (one, all_of_them)]
            cells.append(spread([b / a for a, b in zip(one, all_of_them, strict=True)]).text(2))
        rows.append(f"| {title} | {found['many']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def searches(result: Mapping[str, Any]) -> str:
    """Returns a table of what each way to search found, and the paired differences from the first one."""
    rounds, differences = result["searches"], result["differences"]
    first = next(iter(rounds[0]))
    rows = ["| | trials | validation error, % | test error, % | more than the first, validation | test |", "|" + "---|" * 6]
    for name in rounds[0]:
        trials = spread([float(each[name]["trials"]) for each in rounds]).text()
        errors = [spread([100 * each[name][split] for each in rounds]).text() for split in ("validation", "test")]
        more = ["" if name == first else _interval(differences[name][split]) for split in ("validation", "test")]
        rows.append(f"| {name} | {trials} | {errors[0]} | {errors[1]} | {more[0]} | {more[1]} |")
    about = f"{result['budget']:g} s for each search of `{result['experiment']}`, {len(rounds)} seeds; medians, least and most"
    return "\n".join([*rows, "", f"{about}. Differences are paired by seed: the mean, with its 95 % interval by Student's t."])


def _interval(found: Mapping[str, float]) -> str:
    mean = f"{100 * found['mean']:+.2f}"
    return f"{mean} [{100 * found['low']:+.2f} .. {100 * found['high']:+.2f}]" if "low" in found else mean


def devices(result: Mapping[str, Any]) -> str:
    """Returns a table of the speeds with one device and with two."""
    rows = ["| | 1 device, steps/s | 2 devices | 2 are × as fast | by default |", "|---|---|---|---|---|"]
    for task in result["tasks"].values():
        one, two = (task["turns"][count] for count in ("1", "2"))
        speeds = [spread(rates(turns)).text() for turns in (one, two)]
        rows.append(f"| {task['title']} | {' | '.join(speeds)} | {ratios(two, one).text()} | {task['chosen']} |")
    return "\n".join(rows)


def startup(result: Mapping[str, Any]) -> str:
    """Returns a table of the wall times, and the phases of the last cold and warm training."""
    rows = ["| | seconds |", "|---|---|"]
    rows += [f"| {_STARTS[name]} | {spread(seconds).text()} |" for name, seconds in result["seconds"].items()]
    for temperature, runs in result["phases"].items():
        phases = ", ".join(f"{name} {seconds:.2f}" for name, seconds in runs[-1].items())
        rows += ["", f"Of the last {temperature} training: {phases} s."]
    return "\n".join(rows)


def serving(result: Mapping[str, Any]) -> str:
    """Returns a table of requests a second and latencies by number of clients, then memory and overload in words."""
    rows = ["| | clients | requests/s | median, ms | p99, ms | nnjax's requests/s × | its p99 × |", "|" + "---|" * 7]
    ours = result["contestants"]["nnjax"]["turns"]
    for title, found in result["contestants"].items():
        if "failed" in found:
            rows.append(f"| {title} | {found['failed'].replace('|', '/')} | | | | | |")
            continue
        for clients, turns in found["turns"].items():
            cells = [spread([turn["rate"] for turn in turns]).text()]
            cells += [spread([1e3 * turn[name] for turn in turns]).text() for name in ("p50", "p99")]
            if title != "nnjax":
                both = list(zip(ours[clients], turns, strict=True))
                cells += [spread([a[name] / b[name] for a, b in both]).text(2) for name in ("rate", "p99")]
            else:
                cells += ["", ""]
            failed = sum(turn["failed"] for turn in turns)
            cells[0] += f", {failed} failed" if failed else ""
            rows.append(f"| {title} | {clients} | {' | '.join(cells)} |")
    memory, overload = result["memory"], result["overload"]
    few, many = memory["mib"]
    rows += ["", f"Memory after {memory['few']} requests: {few:.0f} MiB; after {memory['many']}: {many:.0f} MiB."]
    accepted, refused = (overload["statuses"].get(status, 0) for status in ("200", "429"))
    times = {name: number_text(1e3 * seconds) for name, seconds in overload["seconds"].items()}
    rows += [
        "",
        f"Overload, {overload['seconds_long']:g} s: {number_text(overload['rate'], 4)} requests/s sent, "
        f"{number_text(overload['rate'] / overload['capacity'], 2)} times what 64 clients reached; {accepted} answered, "
        f"{refused} refused with 429, {overload['unanswered']} without an answer. Answered after {times['p50']} ms (median), "
        f"{times['p99']} ms (p99), at most {times['most']} ms.",
    ]
    return "\n".join(rows)
