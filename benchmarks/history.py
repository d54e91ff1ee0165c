"""Compares the saved results of all processors and versions, task by task, so that a later loss shows.

section(every("comparison", FOLDER))     # "### CNN 32-64-256 on 28×28×1, batch 128, Adam" and a row for each result

A result is compared with the one before it on the same processor. It counts as slower, or faster, where none of its rounds is
as fast, or as slow, as any round of the other.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.comparison import best_forms, roof, share
from benchmarks.contestants import OURS
from benchmarks.results import rates, ratios, spread

_COLUMNS = (
    "",
    "processor",
    "jaxlib",
    "commit",
    "nnjax, steps/s",
    "× PyTorch",
    "torch",
    "share of the roof",
    "first step, cold",
    "warm",
    "since the last one",
)

Result = Mapping[str, Any]


def section(results: Sequence[Result]) -> str:
    """Returns a table for each task, in the order of the newest result; the newest row comes first.

    Args:
        results: of the comparison with other frameworks, the oldest first; quick looks, and those of a busy machine, are left
            out.
    """
    sound = [result for result in results if not result["options"]["quick"] and not result["load"]["busy"]]
    titles = dict.fromkeys(task["title"] for result in reversed(sound) for task in result["tasks"].values())
    return "\n\n".join(filter(None, (_table(title, sound) for title in titles)))


def _table(title: str, results: Sequence[Result]) -> str:
    rows: list[str] = []
    before: dict[str, list[float]] = {}  # by processor
    for result in results:
        for task in result["tasks"].values():
            ours = task["contestants"].get(OURS, {})
            if task["title"] != title or "turns" not in ours:
                continue
            speeds, machine = rates(ours["turns"]), _machine(result)
            rows.append(_row(result, task, machine, _change(speeds, before.get(machine))))
            before[machine] = speeds
    if not rows:  # nnjax failed in all of them
        return ""
    return "\n".join([f"### {title}", "", f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|", *reversed(rows)])


def _row(result: Result, task: Mapping[str, Any], machine: str, change: str) -> str:
    about, entries = result["about"], task["contestants"]
    ours, rival = entries[OURS], best_forms(entries).get("PyTorch")
    versions, git = about["versions"], about["git"]
    cells = [
        about["date"][:10],
        machine,
        versions["jaxlib"],
        "" if git is None else f"{git['commit'][:10]}{' and changes' if git['dirty'] else ''}",
        spread(rates(ours["turns"])).text(),
        "" if rival is None else ratios(ours["turns"], entries[rival]["turns"]).text(),
        versions.get("torch") or "",
        share(median(rates(ours["turns"])) * task["flops"], roof(task)),
        *(f"{median(ours[start]):.1f} s" for start in ("cold", "warm")),
        change,
    ]
    return f"| {' | '.join(cells)} |"


def _machine(result: Result) -> str:
    """The processor, and how many of its cores were used."""
    return f"{result['about']['host']['cpu']}, {result['options']['cores']} cores"


def _change(speeds: Sequence[float], before: Sequence[float] | None) -> str:
    """What became of the speed since the last result of the same processor."""
    if before is None:
        return "first"
    percent = f"{round(100 * (median(speeds) / median(before) - 1)):+d} %".replace("-", "−")
    if max(speeds) < min(before):
        return f"**slower: {percent}**"
    return f"faster: {percent}" if min(speeds) > max(before) else f"within the rounds: {percent}"
