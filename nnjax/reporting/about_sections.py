"""The sections of a run's report about the run itself: its ending, layers, time, settings, command and versions.

sections = layer_sections(parts) + cost_section(summary) + config_section(values, choices, changes)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnjax.reporting.page_blocks import Bars, Block, Code, Facts, Section, Table, Words
from nnjax.reporting.text import seconds_text, si_text

_PHASES = {
    "import": "importing",
    "data": "reading data",
    "compile": "compiling",
    "train": "training",
    "eval": "evaluating",
    "checkpoint": "checkpoints",
    "figures": "figures",
    "lost": "lost to restarts",
    "replay": "repeating a step",
}


def ending_text(summary: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Says in a sentence why a run ended.

    Args:
        summary: of `summary.json`; empty for a run that was killed, or still trains.
        config: the nested mapping of `config.yaml`.
    """
    status = summary.get("status")
    reason = str(summary.get("reason") or "").strip()
    error = str(summary.get("error") or "").strip()
    planned = re.sub(r"(?<=\d)(?=[a-z])", " ", str((config.get("training") or {}).get("duration") or ""))
    steps = f" after {summary['steps']:,} steps" if isinstance(summary.get("steps"), int) else ""
    match status:
        case "completed":
            return f"The training ran to its end{f', {planned}' if planned else ''}."
        case "stopped_early":
            return f"It stopped early{steps}: {reason or 'a stop rule held'}."
        case "preempted":
            return f"A signal ended it{steps}{f' ({reason})' if reason else ''}; it can be resumed."
        case "diverged":
            return _sentence(f"It diverged{steps}: {error or reason or 'the loss stopped being finite'}")
        case "failed":
            return _sentence(f"It failed{steps}: {error or reason or 'no reason was recorded'}")
        case None:
            return "It has no summary: it still trains, or its process was killed."
    return f"{status}{steps}. {reason} {error}".strip()


def _sentence(text: str) -> str:
    """An error of several lines as one line."""
    return f"{'; '.join(line.strip().rstrip('.;') for line in text.splitlines() if line.strip())}."


def layer_sections(parts: Mapping[str, Any]) -> list[Section]:
    """The layers with shapes, parameters and FLOPs.

    Args:
        parts: with `layers`, from `nnjax.reporting.report_parts.begun_parts`.
    """
    layers = parts.get("layers") or ()
    if not layers:
        return []
    rows = [
        (
            layer["name"],
            layer["kind"],
            "×".join(map(str, layer["output_shape"])) or "1",
            f"{layer['num_params']:,}" if layer["num_params"] else "",
            si_text(layer["flops"]) if layer["flops"] else "",
        )
        for layer in layers
    ]
    params, flops = (sum(layer[key] for layer in layers) for key in ("num_params", "flops"))
    rows.append(("all", "", "", f"{params:,}", si_text(flops)))
    heads = ("Layer", "Kind", "Output", "Parameters", "FLOPs")
    return [Section("Layers", [Table(heads, rows, "FLOPs are of one example's forward pass", text_columns=2)])]


def cost_section(summary: Mapping[str, Any]) -> list[Section]:
    """Seconds by phase, speed and memory."""
    seconds = {name: spent for name, spent in (summary.get("seconds") or {}).items() if isinstance(spent, int | float)}
    total = seconds.pop("total", sum(seconds.values()))
    blocks: list[Block] = []
    if seconds and total > 0:
        phases = [(_PHASES.get(name, name), spent) for name, spent in seconds.items() if spent > 0]
        rest = total - sum(spent for _, spent in phases)
        phases += [("everything else", rest)] if rest > 0.005 * total else []
        rows = [
            (name, min(1.0, spent / total), f"{seconds_text(spent)}") for name, spent in sorted(phases, key=lambda p: -p[1])
        ]
        blocks.append(Bars(("Phase", "Time"), rows, f"{seconds_text(total)} in all"))
    goodput = (summary.get("goodput") or {}).get("goodput")
    rows_of_facts = [
        ("Goodput", "" if goodput is None else f"{100 * goodput:.0f} % of the time in training steps"),
        ("Speed", _number(summary, "examples_per_second", "{:,.0f} examples/s")),
        ("Memory", _number(summary, "peak_rss_mb", "{:,.0f} MB at its peak")),
        ("On the device", _number(summary, "peak_device_mb", "{:,.0f} MB at its peak")),
        ("Figures", ", ".join(str(path).replace("\\", "/").rpartition("/")[2] for path in summary.get("figures") or ())),
    ]
    known = [(name, value) for name, value in rows_of_facts if value]
    if known:
        blocks.append(Facts(known))
    return [Section("Time and memory", blocks)] if blocks else []


def config_section(config: Mapping[str, Any], changes: Sequence[tuple[str, str, str]] | None) -> list[Section]:
    """What was run: the options chosen, what differs from their defaults, and the whole config, folded."""
    if not config:
        return []
    leaves = list(_leaves(config))
    whole = Table(("Key", "Value"), leaves, f"The whole config: {len(leaves)} settings", text_columns=2, folded=True)
    chosen = [("Model", "model"), ("Data", "data"), ("Activation", "activation"), ("Loss", "loss"), ("Optimizer", "optimizer")]
    chosen += [("Schedule", "schedule")]
    named = [
        (name, str(config[key]["name"]))
        for name, key in chosen
        if isinstance(config.get(key), Mapping) and "name" in config[key]
    ]
    blocks: list[Block] = [Facts(named)] if named else []
    if changes is None:
        blocks.append(Words("The defaults of its options are not known here, so the differences are not shown.", "note"))
    elif changes:
        heads = ("Setting", "Default", "Here")
        blocks.append(Table(heads, changes, "What differs from the defaults of these options", text_columns=3))
    else:
        blocks.append(Words("Every other setting is the default of these options."))
    return [Section("What was run", [*blocks, whole])]


def reproduce_section(command: str, summary: Mapping[str, Any], notes: Sequence[str] = ()) -> list[Section]:
    """The command that trains the same again.

    Args:
        command: empty where none is known.
        summary: of `summary.json`.
        notes: sentences about what the command needs, or cannot do.
    """
    if not command:
        return []
    git = summary.get("git") or {}
    code = f" at commit {str(git['commit'])[:12]}" if git.get("commit") else ""
    changed = " The code had changes that no commit holds." if git.get("dirty") else ""
    version = (summary.get("versions") or {}).get("nnjax")
    count, platform = summary.get("num_devices"), summary.get("platform")
    devices = f" on {count} {platform} device{'' if count == 1 else 's'}" if count and platform else ""
    same = f"With nnjax{f' {version}' if version else ''}{code}{devices}, the same data and the versions that this page names"
    repeats = not notes and summary.get("status") in ("completed", "stopped_early", "diverged")
    words = f"{same}{', it comes to the same numbers' if repeats else ''}.{changed}"
    blocks: list[Block] = [Code(command), *(Words(note, "bad") for note in notes), Words(words, "note")]
    return [Section("Train it again", blocks, wide=True)]


def origin_section(summary: Mapping[str, Any]) -> list[Section]:
    """Data, code, versions and machine, with hashes."""
    git, host = summary.get("git") or {}, summary.get("host") or {}
    counts = [
        f"{summary[key]:,} {name}"
        for key, name in (("train_examples", "training"), ("validation_examples", "validation"), ("test_examples", "test"))
        if isinstance(summary.get(key), int)
    ]
    commit = f"{git['commit']}{', with changes' if git.get('dirty') else ''}" if git.get("commit") else ""
    plugins = ", ".join(f"{each['file']} (sha256 {str(each['sha256'])[:12]})" for each in summary.get("plugins") or ())
    rows = [
        ("Data", str(summary.get("data") or "")),
        ("Examples", ", ".join(counts)),
        ("Hash of the data", str(summary.get("data_hash") or "")),
        ("Hash of the test split", str(summary.get("test_hash") or "")),
        ("Hash of the config", str(summary.get("config_hash") or "")),
        ("Commit", commit),
        ("Plugins", plugins),
        ("Machine", ", ".join(str(host[key]) for key in ("cpu", "platform") if host.get(key))),
        ("Cores", str(host.get("cpu_cores") or "")),
    ]
    versions = [(name, str(version)) for name, version in (summary.get("versions") or {}).items() if version]
    blocks: list[Block] = [Facts([row for row in rows if row[1]])] if any(value for _, value in rows) else []
    if versions:
        blocks.append(Table(("Package", "Version"), versions, "Versions", text_columns=2, folded=True))
    return [Section("Data and versions", blocks)] if blocks else []


def _number(summary: Mapping[str, Any], key: str, template: str) -> str:
    value = summary.get(key)
    return template.format(value) if isinstance(value, int | float) else ""


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value_text(value)


def value_text(value: object) -> str:
    """Returns a setting as YAML would show it; a long list is cut."""
    text = {None: "null", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    text = str(value) if text is None else text
    return text if len(text) <= 300 else f"{text[:300]}…"
