"""Tables: a run's model before training, its results afterwards, and a sweep's jobs.

console.print(model_table(rows))
console.print(closing_table(summary))
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Protocol

from rich import box
from rich.table import Table
from rich.text import Text

from nnjax.config.shell import shell_text
from nnjax.reporting.baselines_table import errors_text, other_forecasts
from nnjax.reporting.best import best_of
from nnjax.reporting.closing_texts import calibration_texts, dead_units_texts
from nnjax.reporting.fitted_table import Column, FittedTable, Row
from nnjax.reporting.text import (
    metric_text,
    seconds_text,
    short_name,
    si_text,
    spread_text,
)

_STATUS_STYLES = {"completed": "green", "stopped_early": "green", "preempted": "yellow"}


class LayerRow(Protocol):
    """A layer in the model's table; `nnjax.models.layer_summary.LayerSummary`, without importing JAX.

    Attributes:
        name: the layer's name in the model.
        kind: its type.
        connects: how its outputs depend on its inputs.
        output_shape: shape of its output for one example.
        num_params: number of its trainable values.
        weights_saved: number of weights that a fully connected layer would have in addition.
        flops: floating-point operations of one example's forward pass.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> str: ...  # noqa: D102

    @property
    def connects(self) -> str: ...  # noqa: D102

    @property
    def output_shape(self) -> Sequence[int]: ...  # noqa: D102

    @property
    def num_params(self) -> int: ...  # noqa: D102

    @property
    def weights_saved(self) -> int: ...  # noqa: D102

    @property
    def flops(self) -> float: ...  # noqa: D102


def model_table(rows: Sequence[LayerRow]) -> Table:
    """Each layer's kind, connections, output shape, parameters, saved weights and FLOPs an example, and the totals."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False, collapse_padding=True)
    parameters, saved = sum(row.num_params for row in rows), sum(row.weights_saved for row in rows)
    table.add_column("layer", footer="total", style="bold", overflow="fold")
    table.add_column("kind", overflow="fold")
    table.add_column("connects", overflow="fold")
    table.add_column("output", justify="right")
    table.add_column("parameters", footer=f"{parameters:,}", justify="right")
    table.add_column("saves", footer=_si(saved), justify="right")
    table.add_column("FLOPs/\nexample", footer=si_text(sum(row.flops for row in rows)), justify="right")
    for row in rows:
        table.add_row(
            row.name,
            row.kind,
            row.connects,
            "×".join(str(size) for size in row.output_shape),
            f"{row.num_params:,}" if row.num_params else "",
            _si(row.weights_saved),
            _si(row.flops),
        )
    return table


def _si(number: float) -> str:
    """`number` with an SI prefix; empty for 0."""
    return si_text(number) if number else ""


def closing_table(summary: Mapping[str, Any]) -> Table:
    """A run's results; lines whose keys are missing from `summary` are left out.

    Args:
        summary: mapping with the keys name, status, reason, error; `test`, `validation`, `train` (metrics by name),
            test_examples, validation_examples; `calibration`, `dead_units`; `forecast` (of, first, last, rmse, mae, and
            `naive`: rmse and mae by method); epochs, steps; model, activation, num_params, data, seed; `trials`, `spread` and
            `learning_rates` from `nnjax.reporting.trial_results`; `seconds` (by phase, and `total`); `goodput` from
            `nnjax.reporting.accounting`; examples_per_second, peak_rss_mb; platform, num_devices, num_processes, parallel;
            run_dir, `figures` (paths).
    """
    status = str(summary.get("status", "completed"))
    table = Table(box=box.ROUNDED, show_header=False, title=summary.get("name"), title_style="bold", title_justify="left")
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")

    def add(label: str, *parts: str | Text | None) -> None:
        known = [part for part in parts if part]
        if known:
            table.add_row(label, Text("   ").join(Text(part) if isinstance(part, str) else part for part in known))

    def get(key: str, template: str) -> str | None:
        return template.format(summary[key]) if summary.get(key) is not None else None

    add(
        "status",
        Text(status.replace("_", " "), style=f"bold {_STATUS_STYLES.get(status, 'red')}"),
        get("reason", "{}"),
        get("error", "{}"),
    )
    for split in ("test", "validation", "train"):
        if metrics := summary.get(split):
            style = "bold" if split == "test" else ""
            examples = _counted(summary, "test_examples", "example") if split == "test" else None
            ahead = "one step ahead, scaled" if summary.get("forecast") and split != "train" else None
            add(split, Text(_metrics_text(metrics, summary, split), style=style), examples, ahead)
    if summary.get("test_examples") == 0:
        add("test", "nothing was held out (data.holdout=0), so nothing was tested")
    if calibration := summary.get("calibration"):
        add("calibration", *calibration_texts(calibration))
    if dead := summary.get("dead_units"):
        add("dead units", *dead_units_texts(dead))
    if forecast := summary.get("forecast"):
        rows = f"{forecast['of']}, {forecast['first']} to {forecast['last']}"
        add("forecast", Text(errors_text(forecast), style="bold"), rows)
        for label, method, errors, is_better in other_forecasts(forecast):
            add(label, errors_text(errors), method, "better than the network" if is_better else None)
        if forecast.get("baselines") and (apart := summary.get("validation_examples")):
            add("", f"baselines are fitted to the {apart:,} validation rows, too; the network is not")
    if summary.get("trials"):
        add("trials", _trials_text(summary), "mean ± standard deviation [95 % interval of the mean]")
    add("trained", _counted(summary, "epochs", "epoch"), _counted(summary, "steps", "step"))
    add("model", get("model", "{}"), get("activation", "{}"), get("num_params", "{:,} parameters"))
    add("data", get("data", "{}"), get("seed", "seed {}"))
    processes = summary.get("num_processes") or 1
    add(
        "devices",
        " ".join(filter(None, (get("num_devices", "{} ×"), get("platform", "{}")))),
        get("parallel", "{}"),
        f"{processes} processes" if processes > 1 else None,
    )
    if seconds := summary.get("seconds"):
        phases = [f"{phase} {seconds_text(spent)}" for phase, spent in seconds.items() if phase != "total"]
        total = seconds_text(seconds["total"]) if "total" in seconds else None
        share = (summary.get("goodput") or {}).get("goodput")
        add("time", total, ", ".join(phases), None if share is None else f"goodput {share:.0%}")
    add("speed", get("examples_per_second", "{:,.0f} examples/s"))
    add("memory", get("peak_rss_mb", "{:,.0f} MB at its peak"), get("peak_device_mb", "{:,.0f} MB on the device"))
    add("results", _relative(summary["run_dir"]) if summary.get("run_dir") else None)
    if figures := [Path(path) for path in summary.get("figures") or ()]:
        names = ", ".join(path.name for path in figures)
        add("figures", f"{_relative(figures[0].parent)}{os.sep}\n{names}")
    return table


def sweep_table(jobs: Sequence[Mapping[str, Any]]) -> FittedTable:
    """A row for each job of a sweep; ★ marks the best one, by `nnjax.reporting.best`, with the result that decided.

    A job with several trials shows means and standard deviations over its trials. If the jobs differ only in the seed, a last
    row shows means and standard deviations over the jobs.

    Args:
        jobs: mappings with the keys number (the first part of the folder's name), overrides (list of ``key=value``), status,
            `test` (metrics by name), `forecast` (rmse, mae), seconds (of the whole job), and those of `best_of`.
    """
    settings, differing = differing_overrides([job.get("overrides", ()) for job in jobs])
    last_parts = [key.rpartition(".")[2] for key in differing]
    metrics = [("test", name) for name in dict.fromkeys(name for job in jobs for name in job.get("test") or {})]
    metrics += [("forecast", name) for name in ("rmse", "mae") if any(job.get("forecast") for job in jobs)]
    best = decided.jobs if (decided := best_of(jobs)) else frozenset()
    if decided and decided.split == "validation":
        metrics.insert(0, (decided.split, decided.metric))

    columns = [Column("job", right=True, whole=True)]
    for key, last_part in zip(differing, last_parts, strict=True):
        columns.append(Column(last_part if last_parts.count(last_part) == 1 else key, breakable=True))
    columns.append(Column("status"))
    columns += [Column(f"{split} {short_name(name)}", right=True) for split, name in metrics]
    columns.append(Column("time", right=True, whole=True))
    rows = []
    for index, (job, setting) in enumerate(zip(jobs, settings, strict=True)):
        status, number = str(job.get("status", "failed")), str(job.get("number", index))
        style = _STATUS_STYLES.get(status, "red")
        cells = [
            f"★ {number}" if index in best else number,
            *(setting.get(key, "") for key in differing),
            status.replace("_", " "),
            *(_job_text(job, split, name) for split, name in metrics),
            seconds_text(job["seconds"]) if job.get("seconds") is not None else "",
        ]
        bold = "bold" if index in best else ""
        rows.append(Row(cells, bold, [(1 + len(differing), style)], ends_section=index == len(jobs) - 1))
    if differing == ["seed"] and any(means := [_mean_text(jobs, split, name) for split, name in metrics]):
        rows.append(Row(["mean", "", "± std", *means, ""]))
    return FittedTable(columns, rows)


def sweep_errors(jobs: Sequence[Mapping[str, Any]]) -> Text:
    """The first line of each failed job's error; not in the table, so that a command in it stays on one line, to be copied.

    Args:
        jobs: mappings with the keys number, status, error.
    """
    errors = Text()
    for index, job in enumerate(jobs):
        status, error = str(job.get("status", "failed")), str(job.get("error") or "").strip()
        if error and error != status and status != "not started":
            errors.append(f"job {job.get('number', index)} {status}: ", style=_STATUS_STYLES.get(status, "red"))
            errors.append(error.partition("\n")[0] + "\n")
    return errors


def _job_text(job: Mapping[str, Any], split: str, name: str) -> str:
    """A job's result: mean ± standard deviation over its trials, with the number of finite ones if some diverged."""
    if name not in (job.get(split) or {}):
        return ""
    spread = (job.get("spread") or {}).get(f"{split}_{name}")
    text = _result_text(split, name, job[split][name])
    if spread is None:
        return text
    if spread["std"] is not None and math.isfinite(spread["std"]):
        text += f" ± {_result_text(split, name, spread['std'])}"
    return text if spread["n"] == job.get("trials") else f"{text} ({spread['n']}/{job.get('trials')})"


def _mean_text(jobs: Sequence[Mapping[str, Any]], split: str, name: str) -> str:
    """A result's mean ± sample standard deviation over the jobs that have it; empty for fewer than two jobs."""
    results = [(job.get(split) or {}).get(name) for job in jobs]
    values = [value for value in results if value is not None and math.isfinite(value)]
    if len(values) < 2:
        return ""
    return f"{_result_text(split, name, fmean(values))} ± {_result_text(split, name, stdev(values))}"


def _result_text(split: str, name: str, value: float | None) -> str:
    if split == "forecast" and value is not None:
        return f"{value:.2f}" if 0.1 <= abs(value) < 1e6 else f"{value:.4g}"
    return metric_text(name, value)


def _counted(summary: Mapping[str, Any], key: str, what: str) -> str | None:
    """A number of epochs, steps or examples: 1 epoch, 2.5 epochs, 1,800 steps."""
    if summary.get(key) is None:
        return None
    number = f"{round(summary[key], 2):,.10g}"
    return f"{number} {what}{'' if number == '1' else 's'}"


def _trials_text(summary: Mapping[str, Any]) -> str:
    """The numbers of learning rates and seeds."""
    trials, rates = len(summary["trials"]), len(summary.get("learning_rates", ()))
    if not rates:
        return f"{trials} seeds"
    return f"{rates} learning rates" + (f" × {trials // rates} seeds" if trials > rates else "")


def differing_overrides(jobs: Sequence[Sequence[str]]) -> tuple[list[dict[str, str]], list[str]]:
    """Each job's overrides (``key=value``) by key, and the keys in which the jobs differ."""
    settings = [dict(override.partition("=")[::2] for override in overrides) for overrides in jobs]
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    return settings, [key for key in keys if len({setting.get(key) for setting in settings}) > 1]


def _metrics_text(metrics: Mapping[str, Any], summary: Mapping[str, Any], split: str) -> str:
    """A split's metrics; for several trials mean ± standard deviation [95 % interval of the mean]."""
    spreads = summary.get("spread") or {}
    texts = (
        spread_text(name, spreads[f"{split}_{name}"]) if f"{split}_{name}" in spreads else metric_text(name, value)
        for name, value in metrics.items()
    )
    return "   ".join(f"{name} {text}" for name, text in zip(metrics, texts, strict=True))


def _relative(path: str | Path) -> str:
    """`path`, relative if it is below the current folder, quoted for the shell."""
    absolute, here = Path(path).absolute(), Path.cwd()
    return shell_text(os.path.relpath(absolute, here) if absolute.is_relative_to(here) else absolute)
