"""A traffic report from a config: compiles the step, compares the ways to average gradients, writes files, shows tables.

with RunConsole(run_dir / "traffic.log") as console:
    summary = run_traffic(config, run_dir, console)
summary["sent_per_step"]                               # bytes of the busiest device
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.api.jax_session import jax_session
from nnjax.checks.device_shares import step_examples
from nnjax.checks.experiment_checks import check_config
from nnjax.checks.traffic_checks import num_devices
from nnjax.checks.trials import num_trials
from nnjax.cli.runs import read_config
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.link_options import Device
from nnjax.config.parallel_options import Gradients
from nnjax.config.parsing import to_mapping
from nnjax.config.paths import shown_path
from nnjax.config.schema import Config, TrainConfig
from nnjax.config.traffic_options import TrafficConfig
from nnjax.reporting.console import RunConsole
from nnjax.reporting.figures.traffic_figure import draw_traffic
from nnjax.reporting.run_summary import environment, read_summary, write_json
from nnjax.reporting.traffic_exports import write_astra_sim, write_chrome
from nnjax.reporting.traffic_files import write_csv
from nnjax.reporting.traffic_tables import traffic_tables

if TYPE_CHECKING:
    from nnjax.interconnect.step_facts import StepFacts

_compiled: dict[str, "StepFacts"] = {}
"""By experiment and number of devices: the jobs of a sweep over links compile one program."""


def run_traffic(config: TrafficConfig, run_dir: Path, console: RunConsole) -> dict[str, Any]:
    """Writes `traffic.json`, `traffic.csv` and `figures/traffic.png`, and shows the tables.

    Args:
        config: the experiment, its devices and their links, already checked.
        run_dir: an existing folder.
        console: shows progress and the tables.

    Returns:
        The numbers that a sweep's table compares.

    Raises:
        ConfigError: if the devices cannot be simulated.
        DataError: if a run's summary is missing or damaged.
        ProgramTextError: if the compiled program cannot be read.
    """
    device, remark = measured_device(config)
    with jax_session(console.warn, strict=config.debug.strict):
        from nnjax.interconnect.traffic_report import traffic_report
        from nnjax.parallel.compilation import keep_compiled

        keep_compiled(console.warn)
        devices = num_devices(config)
        facts = _facts(config, config.parallel.gradients, devices, console)
        report = traffic_report(facts, config.link, device, algorithm=config.algorithm, fixed=config.fixed)
        report["ways"] = _ways(config, device, devices, console)
    if remark:
        report["prediction"]["notes"].insert(0, remark)
    write_json(run_dir / "traffic.json", {**report, **environment()})
    write_csv(run_dir / "traffic.csv", report["collectives"])
    written = [run_dir / "traffic.json", run_dir / "traffic.csv"]
    if config.report.figures:
        draw_traffic(report, run_dir / "figures" / "traffic.png")
        written.append(run_dir / "figures" / "traffic.png")
    left_out: list[str] = []
    if config.export == "chrome":
        written.append(write_chrome(report, run_dir))
    elif config.export == "astra-sim":
        files, left_out = write_astra_sim(report, to_mapping(config.link), dict(facts.layer_flops), run_dir)
        written += files
    for part in traffic_tables(report):
        console.print(part)
    for line in left_out:
        console.print(f"Left out for ASTRA-sim: {line}")
    console.print("\n".join(["Written:", *(f"  {shown_path(path)}" for path in written)]))
    return summary_of(report, run_dir)


def summary_of(report: Mapping[str, Any], run_dir: Path) -> dict[str, Any]:
    """The numbers of a report that a sweep's table compares; None for an infinite one."""
    prediction, settings = report["prediction"], report["settings"]
    chosen = next(row for row in report["bytes"]["by_algorithm"] if row["algorithm"] == settings["algorithm"])
    step = {name: prediction[name]["value"] for name in ("computing", "communicating", "exposed", "step_time", "utilisation")}
    numbers = {
        "status": "completed",
        "run_dir": str(run_dir),
        **settings,
        "collectives_per_step": sum(row["per"] == "step" for row in report["collectives"]),
        "gradient_bytes": report["bytes"]["gradients"],
        "sent_per_step": chosen["sent_per_step"],
        "packets_per_step": chosen["packets_per_step"],
        "wire_per_step": chosen["wire_per_step"],
        "memory": report["memory"].get("total"),
        **step,
        "run_seconds": (prediction["run"] or {}).get("seconds", {}).get("value"),
    }
    # JSON has no infinity; a step that never ends has none.
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in numbers.items()}


def measured_device(config: TrafficConfig) -> tuple[Device, str]:
    """The device, with the time of a step that a run took where it is `measured`; and a sentence about that time.

    The time is what the run's devices computed: without evaluations, and without the exchange that the run measured.

    Raises:
        DataError: if its summary is missing or damaged, or it took no step.
    """
    device = config.device
    if device.name != "measured" or device.step_time is not None:
        return device, ""
    run = device.run or config.run
    assert run is not None, "check_traffic refuses that"
    summary = read_summary(Path(run))
    try:
        split, steps = summary.get("goodput") or {}, summary["steps"]
        seconds = float(split.get("steps") or summary["seconds"]["train"]) / steps
        own = int(summary["num_devices"])
        trained = read_config(TrainConfig, Path(run))
        examples = step_examples(trained, own)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise DataError(f"{shown_path(Path(run))}/summary.json: has no time of a step; the run did not train") from error
    now = step_examples(config, num_devices(config))
    of_trials = f", of {num_trials(trained)} trials together" if num_trials(trained) > 1 else ""
    remark = f"the run took {seconds:.3g} s a step to compute {examples:g} examples a device{of_trials}, "
    remark += f"on {own} × {summary.get('platform')}"
    if now != examples:
        remark += f"; scaled to {now:g} examples in proportion, which leaves out that small batches are slower"
    return replace(device, step_time=seconds * now / examples), remark


def _facts(config: TrafficConfig, gradients: Gradients, devices: int, console: RunConsole) -> "StepFacts":
    """The compiled step of the experiment with this way to average gradients."""
    from nnjax.interconnect.step_program import compiled_step

    values = {field.name: getattr(config, field.name) for field in fields(Config)}
    parallel = replace(config.parallel, gradients=gradients, devices=devices, processes=1)
    experiment = TrainConfig(**{**values, "parallel": parallel}, resume=None, rerun=None)
    key = json.dumps([to_mapping(experiment), devices], sort_keys=True)
    if key not in _compiled:
        what = "1 device" if devices == 1 else f"{devices} devices"
        console.print(f"Compiling the training step for {what}, gradients={gradients}")
        _compiled[key] = compiled_step(experiment, devices)
    return _compiled[key]


def _ways(config: TrafficConfig, device: Device, devices: int, console: RunConsole) -> list[dict[str, Any]]:
    """One row for each way to average gradients; a way that the experiment cannot have is named with the reason."""
    from nnjax.interconnect.traffic_report import way_row

    rows = []
    for gradients in config.compare if devices > 1 else ():
        tried = replace(config, parallel=replace(config.parallel, gradients=gradients, devices=devices))
        try:
            check_config(tried)
            facts = _facts(config, gradients, devices, console)
        except ConfigError as error:
            rows.append({"gradients": gradients, "refused": str(error).splitlines()[0]})
            continue
        rows.append(way_row(facts, config.link, device, algorithm=config.algorithm))
    return rows
