"""The names of checkpoints: `60-3f9a0c1d2b4e5f60.safetensors` is the state after 60 steps, with its file's checksum.

steps_saved(run_dir / "checkpoints")      # [20, 40, 60]

Versions up to 0.2 wrote a folder for each, named by its step alone. Only names are read here: a step may still be unreadable.
"""

import re
from pathlib import Path

FILE = re.compile(r"(0|[1-9]\d{0,17})-([0-9a-f]{16})\.safetensors", re.ASCII)
"""The name of a checkpoint: its step, and the first 16 hexadecimal digits of the SHA-256 of its file."""
FOLDER = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
"""The name of a checkpoint of a version up to 0.2."""


def steps_saved(folder: Path) -> list[int]:
    """Returns the steps of the checkpoints in a folder, by their names, oldest first; empty without a folder."""
    matches = [FILE.fullmatch(path.name) or FOLDER.fullmatch(path.name) for path in folder.glob("*")]
    return sorted({int(match[0].partition("-")[0]) for match in matches if match})
