"""A run as a flat row: the columns that are listed, sorted, filtered and compared.

    facts = facts_of(record)
    facts["test_accuracy"], facts["optimizer.learning_rate"], facts["status"]

Results are named SPLIT_METRIC as in `trials.csv`; settings by their dotted key.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from math import isfinite
from typing import Any

from nnjax.config.paths import shown_path
from nnjax.records.record import RunRecord, settings_of
from nnjax.reporting.text import is_number

_SPLITS = ("train", "validation", "test", "forecast")
_SUMMARY = (
    *("config_hash", "reason", "error", "platform", "num_devices", "num_processes", "num_params", "forward_flops"),
    *("train_examples", "validation_examples", "test_examples", "steps", "epochs", "tested_step", "examples_per_second"),
    *("peak_device_mb", "peak_rss_mb"),
)
"""Entries of `summary.json` that are facts under their own names."""


def facts_of(record: RunRecord) -> dict[str, Any]:
    """Plain values by name: those of `result_facts`, the folder, and every setting by its dotted key."""
    return {**settings_of(record), "folder": shown_path(record.folder), **result_facts(record)}


def result_facts(record: RunRecord) -> dict[str, Any]:
    """Plain values by name, without the settings; what a run lacks is not there.

    Returns:
        name, status, model, data, activation, optimizer, schedule, seed, trials (their number), started (local time, as
        text), seconds, seconds_PHASE, tags, notes, problems, SPLIT_METRIC, sizes, devices, git, host and versions; of
        several trials also SPLIT_METRIC_std.
    """
    summary, config = record.summary, record.config
    facts: dict[str, Any] = {
        "name": record.name,
        "status": record.status,
        **{key: _chosen(summary, config, key) for key in ("model", "data", "activation", "optimizer", "schedule")},
        "seed": record.seeds[0] if record.seeds else None,
        "trials": len(record.seeds) or None,
        "started": None if record.started is None else _time(record.started),
        "seconds": record.seconds,
        "tags": list(record.tags),
        "notes": list(record.notes),
        "problems": list(record.problems),
        "data_hash": record.data_hash,
        **{key: summary.get(key) for key in _SUMMARY},
    }
    for split in _SPLITS:
        facts |= {f"{split}_{name}": value for name, value in _mapping(summary.get(split)).items() if is_number(value)}
    facts |= {f"{name}_std": _mapping(found).get("std") for name, found in _mapping(summary.get("spread")).items()}
    facts |= {f"seconds_{name}": value for name, value in _mapping(summary.get("seconds")).items() if name != "total"}
    facts |= {
        "git": _mapping(summary.get("git")).get("commit"),
        "host": _mapping(summary.get("host")).get("cpu"),
        **{f"version_{name}": _mapping(summary.get("versions")).get(name) for name in ("nnjax", "jax")},
    }
    return {key: value for key, value in facts.items() if _is_plain(value)}


def _chosen(summary: Mapping[str, Any], config: Mapping[str, Any], group: str) -> Any:
    """The option of a group."""
    value = config.get(group)
    return _mapping(value).get("name") or summary.get(group)


def _mapping(value: Any) -> Mapping[str, Any]:
    """A mapping; empty for anything else, since somebody else may have written the file."""
    return value if isinstance(value, Mapping) else {}


def _time(seconds: float) -> str | None:
    """The local time; None for one that no calendar has, as a file's may be."""
    with suppress(OSError, ValueError, OverflowError):
        return datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="seconds")
    return None


def _is_plain(value: Any) -> bool:
    """Whether a value is there: a number, a text or a list that is not empty."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) or (isinstance(value, str | list) and bool(value))
