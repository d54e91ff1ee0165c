"""A run's results in `summary.json`, with the machine and the package versions.

write_json(run_dir / "summary.json", {"status": "completed", **environment(), "peak_rss_mb": peak_rss_mb()})
read_summary(run_dir)["status"]       # "completed"
"""

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from nnjax.cli.finished_runs import check_summary
from nnjax.config.cores import num_cores
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.stored_files import MOST_RESULTS, read_json
from nnjax.reporting.files import replacing, to_json

_PACKAGES = (
    "nnjax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "hydra-core",
    "safetensors",
    "orbax-checkpoint",
    "tensorflow-datasets",
)


def write_json(path: Path, mapping: Mapping[str, Any]) -> None:
    """Writes `mapping` atomically as indented JSON; NaN and infinities become null."""
    with replacing(path) as temporary:
        temporary.write_text(to_json(mapping, indent=2) + "\n", encoding="utf-8")


def read_summary(run_dir: Path) -> dict[str, Any]:
    """Reads a run's summary.

    Raises:
        DataError: if it is missing or damaged.
    """
    path = run_dir / "summary.json"
    try:
        summary: dict[str, Any] = read_json(path, MOST_RESULTS)
        check_summary(summary)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); a run writes it at its end") from error
    except ConfigError as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise DataError(f"{path}: is damaged: {error}") from error
    # Versions before 0.2 called the trials "copies".
    if "copies" in summary:
        rows = [{"trial" if key == "copy" else key: value for key, value in row.items()} for row in summary.pop("copies")]
        summary["trials"] = rows
    return summary


def environment() -> dict[str, Any]:
    """The software and the machine: `versions` by package, `git` (commit, dirty) and `host`."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "git": _git(Path(__file__).resolve().parents[2]),
        "host": {"platform": platform.platform(), "cpu": _cpu_model(), "cpu_cores": num_cores()},
    }


def peak_rss_mb() -> float:
    """This process's peak resident memory, in megabytes (10⁶ bytes)."""
    try:
        # Preferred to getrusage, which on Linux includes the parent process's peak.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(kilobytes) * 1024 / 1e6
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(root: Path) -> dict[str, Any] | None:
    """The commit of the checkout at `root`, and whether tracked files differ from it; None outside a checkout."""
    if not (root / ".git").exists():  # git would find another project's checkout around an installed package
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    commit, _, dirty = done.stdout.strip().partition("-")
    return {"commit": commit, "dirty": bool(dirty)}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
