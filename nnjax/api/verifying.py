"""The checks of `experiments.verify`, their tables, and `verification.json`.

verification = run_check(config, run_dir, console)
verification["status"]                                     # "verified"
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.table import Table

from nnjax.config.errors import ConfigError, UserError
from nnjax.config.paths import shown_path
from nnjax.config.schema import Config, TrainConfig, VerifyConfig
from nnjax.config.shell import shell_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import environment, write_json


def run_check(config: VerifyConfig, run_dir: Path, console: RunConsole) -> Mapping[str, Any]:
    """Runs the check that the config names, shows its table and writes `verification.json`.

    Args:
        config: the check, and the experiment.
        run_dir: an existing folder.
        console: shows progress and the table.

    Raises:
        ConfigError: if the check needs another machine or another config.
        DataError: if the data or a checkpoint is missing or damaged.
        UserError: if something is not as it should be.
    """
    check = {"resume": _resume, "parity": _parity, "checkpoint": _checkpoints}[config.check]
    found, table, fault = check(config, run_dir, console)
    verification = {"check": config.check, "status": "failed" if fault else "verified", **found, **environment()}
    write_json(run_dir / "verification.json", verification)
    console.print(table)
    console.print(f"Written to {shell_text(run_dir / 'verification.json')}")
    if fault:
        raise UserError(fault)
    return verification


Outcome = tuple[dict[str, Any], Table, str]
"""What goes into `verification.json`, the table, and the fault; "" if all is as it should be."""


def _resume(config: VerifyConfig, run_dir: Path, console: RunConsole) -> Outcome:
    from nnjax.api.resume_check import check_resume

    runs = check_resume(_experiment(config), config.steps, config.kills, run_dir, console)
    table = Table("run", "killed", "arrays", "compared with the uninterrupted run")
    for run in runs:
        result = "equal to the last bit" if run.is_equal else f"differs in {', '.join(run.differing[:3])}"
        table.add_row(run.folder.name, f"≤ {run.killed_after:.3f} s after step {config.steps}", str(run.arrays), result)
    wrong = [run.folder.name for run in runs if not run.is_equal]
    fault = f"RESUMING IS NOT EXACT: {', '.join(wrong)} differ{'s' if len(wrong) == 1 else ''} from the uninterrupted run"
    rows = [{**asdict(run), "folder": run.folder.name, "equal": run.is_equal} for run in runs]
    return {"steps": config.steps, "runs": rows}, table, fault if wrong else ""


def _parity(config: VerifyConfig, run_dir: Path, console: RunConsole) -> Outcome:
    from nnjax.api.jax_session import jax_session

    with jax_session(console.warn):
        from nnjax.api.parity import check_parity

        variants = check_parity(_experiment(config), config.steps, console)
    table = Table("wrapper", "devices", "training loss", "largest relative difference", "in")
    for variant in variants:
        first = variant is variants[0]
        difference = "" if first else f"{variant.difference:.1e}" if variant.difference else "0"
        where = variant.where if variant.difference else ""
        table.add_row(variant.wrapper, str(variant.devices), f"{variant.loss:.7g}", difference, where)
    worst = max(variants, key=lambda variant: variant.difference)
    devices = f"{worst.devices} device{'s' if worst.devices > 1 else ''}"
    fault = (
        f"tolerance={config.tolerance:g}: {worst.where} differs by {worst.difference:.1e} with {worst.wrapper} on "
        f"{devices} after {config.steps} steps; rounding grows with the steps: see a smaller steps="
    )
    largest = {"steps": config.steps, "largest_relative_difference": worst.difference, "variants": list(map(asdict, variants))}
    return largest, table, fault if worst.difference > config.tolerance else ""


def _checkpoints(config: VerifyConfig, run_dir: Path, console: RunConsole) -> Outcome:
    from nnjax.training.checkpoints import verify_checkpoints

    if config.run is None:
        raise ConfigError("run: missing; checkpoint reads the files of a run, such as run=outputs/train/…")
    checked = verify_checkpoints(Path(config.run))
    table = Table("step", "file", "checked")
    for file in checked:
        table.add_row(str(file.step), file.path.name, "intact" if file.ok else file.reason)
    wrong = [f"{file.path.name}: {file.reason}" for file in checked if not file.ok]
    fault = f"{shown_path(Path(config.run))}: not all is as it should be\n  " + "\n  ".join(wrong) if wrong else ""
    rows = [{"step": file.step, "file": file.path.name, "ok": file.ok, "reason": file.reason} for file in checked]
    if not checked:
        fault = f"{shown_path(Path(config.run))}: holds no checkpoint"
    return {"run": config.run, "checkpoints": rows}, table, fault


def _experiment(config: VerifyConfig) -> TrainConfig:
    """The experiment as `train` takes it."""
    values = {field.name: getattr(config, field.name) for field in fields(Config)}
    return TrainConfig(**values, resume=None, rerun=None)
