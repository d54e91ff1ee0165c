"""A model in one file: facts, program, weights and statistics of the training inputs; no pickle, no code.

    write_model(path, facts, typical, program)             # program from nnjax.serving.program.export_program
    model = read_model(path)                               # nnjax.serving.model.Model

The file has the format of `nnjax.serving.array_file`. It is verified before anything in it is used: the checksum, the types
and limits of every value, the operations of the program (`nnjax.serving.program_checks`).
"""

from pathlib import Path

from nnjax.config.errors import DataError
from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Model
from nnjax.serving.program import Program
from nnjax.serving.typical import Typical

FORMAT = 1
"""The version of the format that this nnjax writes; it reads this and earlier ones."""


class ModelFileError(DataError):
    """A file that is missing, damaged, hostile, or no model."""


def write_model(path: Path, facts: ModelFacts, typical: Typical | None, program: Program) -> int:
    """Writes a model, whole or not at all, and returns the file's size in bytes.

    Raises:
        StorageError: if it cannot be written; nothing is left behind.
        ValueError: if facts, weights or program do not fit together.
    """
    raise NotImplementedError


def read_model(path: Path, *, isolated: bool = True) -> Model:
    """Reads a model, and verifies all of it.

    Args:
        path: of the file.
        isolated: whether a process of its own reads the program first, since MLIR's reader can crash on a forged one.

    Raises:
        ModelFileError: in one line, for anything else than an exported model.
    """
    raise NotImplementedError
