"""`experiments.netlab` from its config to its files: `netlab.json`, `netlab.csv`, `figures/netlab.png`.

summary = run_netlab(config, run_dir, console)
summary["median_error"]                                # of the time of a step, over the judged points
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from nnjax.api.netlab_parts import (
    LabSession,
    Programs,
    Row,
    measure_bytes,
    measure_faults,
    measure_grid,
    measure_straggler,
    needed_programs,
)
from nnjax.cli.compose import compose_train
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.config.diagnostics import show
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.netlab_options import NetlabConfig
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_text
from nnjax.interconnect.netlab.lab_network import Network
from nnjax.interconnect.netlab.lab_state import clear_leftovers
from nnjax.interconnect.netlab.points import train_overrides
from nnjax.interconnect.netlab.system import check_machine
from nnjax.reporting.console import RunConsole
from nnjax.reporting.files import replacing
from nnjax.reporting.netlab_tables import fault_table, link_table, point_table
from nnjax.reporting.run_summary import environment, write_json

_TIMED = ("unlimited", "calibration", "judged", "straggler")
_MOST_COMMANDS = 60  # those that built the first lab, and shaped it once

_PARTS: dict[str, Callable[[LabSession], list[Row]]] = {
    "bytes": measure_bytes,
    "grid": measure_grid,
    "straggler": measure_straggler,
    "faults": measure_faults,
}


def run_netlab(config: NetlabConfig, run_dir: Path, console: RunConsole) -> Mapping[str, Any]:
    """Measures the parts that the config names, shows their tables, and writes the files.

    Raises:
        ConfigError: if the kernel does not allow the congestion control, or an override of `train` is wrong.
        UserError: if something is missing here, a training fails, or a process hangs after a fault.
    """
    check_machine()
    if cleared := clear_leftovers():
        console.print(f"Removed what an earlier run left: {', '.join(cleared)}")
    lab = LabSession(config, _programs(config, console), run_dir, console)
    rows: list[Row] = []
    try:
        for part, run in _PARTS.items():
            if part in config.parts:
                console.print(f"Measuring: {part}")
                rows += run(lab)
    finally:
        summary = _written(config, rows, lab.networks, run_dir)
    _show(rows, summary, console)
    console.print(f"Written to {shell_text(run_dir / 'netlab.json')}")
    hung = [row["fault"] for row in rows if row["kind"] == "fault" and row["seconds"] is None]
    if hung:
        raise UserError(
            f"{', '.join(hung)}: a process did not end within parallel.peer_timeout={config.peer_timeout:g} and 30 s"
        )
    return summary


def _programs(config: NetlabConfig, console: RunConsole) -> Programs:
    """What each training sends, read from its compiled step."""
    wanted = needed_programs(config)
    if not wanted:
        _composed(config, config.hidden_layers[0], 2)  # a mistake in `train` shows before a lab is built
        return {}
    composed = {key: _composed(config, *key) for key in wanted}
    from nnjax.api.jax_session import jax_session

    with jax_session(console.warn):
        from nnjax.interconnect.step_program import compiled_step

        return {key: compiled_step(composed[key], key[1]).reading.collectives for key in wanted}


def _composed(config: NetlabConfig, layers: int, ranks: int) -> TrainConfig:
    """The config of a training.

    Raises:
        ConfigError: in terms of this command's own keys, if the training cannot be as they want it.
    """
    own = train_overrides(replace(config, train=()), layers, ranks)
    try:
        return compose_train([*own, *config.train])
    except ConfigError as error:
        said = str(error).replace(f" {ON_COMMAND_LINE}", "")  # where only keys of netlab were set
        raise ConfigError(f"{_blamed(config, own)}: {said}\n  netlab itself sets {' '.join(own)}") from error


def _blamed(config: NetlabConfig, own: Sequence[str]) -> str:
    """The keys that a training is refused for: `train`, unless it is refused without that, too."""
    try:
        compose_train(own)
    except ConfigError:
        names = ("processes", "hidden_layers", "parameters")
        return ", ".join(f"{name}={show(getattr(config, name))}" for name in names)
    return f"train={list(config.train)}"


def _written(config: NetlabConfig, rows: Sequence[Row], networks: Sequence[Network], run_dir: Path) -> dict[str, Any]:
    """Writes the files of the rows so far; returns the content of `netlab.json`."""
    judged = [row for row in rows if row["kind"] == "judged"]
    counted = [row for row in rows if row["kind"] == "bytes"]
    first = next(iter(networks), None)
    summary: dict[str, Any] = {
        "parts": list(config.parts),
        "judged_points": len(judged),
        "median_error": median(abs(row["error"]) for row in judged) if judged else None,
        "largest_error": max((abs(row["error"]) for row in judged), default=None),
        "largest_bytes_error": max((abs(row["bytes_error"]) for row in counted), default=None),
        "congestion_control": config.congestion_control,
        "kernel_has_netem": None if first is None else first.means.netem,
        "nft": None if first is None else first.means.nft,
        "mtu": config.mtu,
        "rows": list(rows),
        "commands": [] if first is None else first.commands.done[:_MOST_COMMANDS],
        **environment(),
    }
    write_json(run_dir / "netlab.json", summary)
    with replacing(run_dir / "netlab.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    if judged:
        from nnjax.reporting.figures.lab_points import lab_points

        lab_points([row for row in rows if row["kind"] in _TIMED], run_dir / "figures/netlab.png")
    return summary


def _show(rows: Sequence[Row], summary: Mapping[str, Any], console: RunConsole) -> None:
    points = [row for row in rows if row["kind"] in (*_TIMED, "bytes")]
    if points:
        console.print(point_table(points))
    if any("link_use" in row for row in points):
        console.print(link_table([row for row in points if "link_use" in row]))
    if faults := [row for row in rows if row["kind"] == "fault"]:
        console.print(fault_table(faults))
    if summary["median_error"] is not None:
        console.print(f"Median error of {summary['judged_points']} judged points: {summary['median_error']:.1%}")


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return (
        " ".join(f"{item:.6g}" if isinstance(item, float) else str(item) for item in value)
        if isinstance(value, list)
        else value
    )
