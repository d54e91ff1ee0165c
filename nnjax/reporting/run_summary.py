"""What a run comes to: `summary.json`, and the machine and versions that it stands for.

write_json(run_dir / "summary.json", {"status": "completed", **environment(), "peak_rss_mb": peak_rss_mb()})
read_summary(run_dir)["status"]       # "completed"
"""

import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from nnjax.config.errors import DataError
from nnjax.reporting.files import replacing, to_json

_PACKAGES = (
    "nnjax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "hydra-core",
    "orbax-checkpoint",
    "tensorflow-datasets",
)


def write_json(path: Path, mapping: Mapping[str, Any]) -> None:
    """Writes `mapping` as indented JSON, whole or not at all; NaN and infinities become null."""
    with replacing(path) as temporary:
        temporary.write_text(to_json(mapping, indent=2) + "\n", encoding="utf-8")


def read_summary(run_dir: Path) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        DataError: if there is none, or it is damaged.
    """
    path = run_dir / "summary.json"
    try:
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); a run writes it at its end") from error
    except ValueError as error:
        raise DataError(f"{path}: is damaged ({error})") from error
    # Versions before 0.2 called trials copies.
    if "copies" in summary:
        rows = [{"trial" if key == "copy" else key: value for key, value in row.items()} for row in summary.pop("copies")]
        summary["trials"] = rows
    return summary


def environment() -> dict[str, Any]:
    """The software and machine: `versions` by package, `git` commit and whether it was changed, `host`."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "git": _git(Path(__file__).resolve().parents[2]),
        "host": {"platform": platform.platform(), "cpu": _cpu_model(), "cpu_cores": _num_cores()},
    }


def peak_rss_mb() -> float:
    """The most memory that this process has held, in megabytes (10⁶ bytes)."""
    try:
        # Not getrusage where it can be helped: on Linux that starts at the peak of the process that started this one.
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
    """Commit of the checkout at `root` and whether tracked files differ from it; None outside a checkout."""
    if not (root / ".git").exists():  # installed into another project's folder, whose commit says nothing of ours
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


def _num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
