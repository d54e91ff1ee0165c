"""A run's identity: a random number in `.hydra/run.json`, made with the run and stored in each of its checkpoints.

    begin_identity(run_dir)              # with a new run
    read_run_id(run_dir)                 # "6f1c0a52e4b34d0f"; None for a run of version 0.2 or before

Two runs of one config have checkpoints of the same shapes; the identity tells them apart. If the file is lost, a resume takes
the number from the checkpoints, provided that all of them agree, and writes the file again.
"""

import json
import re
import secrets
from pathlib import Path

from nnjax.config.errors import ConfigError
from nnjax.config.stored_files import read_json, write_text

RUN_FILE = ".hydra/run.json"


def begin_identity(run_dir: Path) -> None:
    """Gives a new run its identity."""
    write_run_id(run_dir, new_run_id())


def new_run_id() -> str:
    """A random number of 64 bits, in hexadecimal digits."""
    return secrets.token_hex(8)


def write_run_id(run_dir: Path, run_id: str) -> None:
    """Writes the file, whole or not at all."""
    path = run_dir / RUN_FILE
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps({"id": run_id}) + "\n")


def read_run_id(run_dir: Path) -> str | None:
    """The identity of a run; None where the file is missing or damaged."""
    try:
        found = read_json(run_dir / RUN_FILE)["id"]
    except (OSError, ConfigError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and re.fullmatch(r"[0-9a-f]{1,64}", found) else None
