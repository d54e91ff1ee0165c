"""A model in one file: facts, program, weights and statistics of the training inputs; no pickle, no code.

    write_model(path, facts, typical, program)             # program from nnjax.serving.program.export_program
    model = read_model(path)                               # nnjax.serving.model.Model

The file has the format of `nnjax.serving.array_file`. It is verified before anything in it is used: the checksum, the types
and limits of every value, the operations of the program (`nnjax.serving.program_checks`).
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path, why
from nnjax.config.storage import writing
from nnjax.config.stored_files import kind_of, one_line
from nnjax.serving.array_file import MOST_HEADER, header_length, read_arrays, read_json_text, write_arrays
from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Model
from nnjax.serving.model_process import ModelProcess
from nnjax.serving.program import PLATFORMS, Program, signature_of
from nnjax.serving.stored_facts import facts_from_json, facts_to_json
from nnjax.serving.typical import Typical

if TYPE_CHECKING:
    from nnjax.serving.running import RunProgram

FORMAT = 1
"""The version of the format that this nnjax writes; it reads this and earlier ones."""

MOST_BYTES = 2**32
"""The largest file that is read."""

_LARGE = 2**24
"""Bytes of a file, with room for the largest header, of which a larger one needs a header that fits its size."""

_NAME = "nnjax-model"
_PROGRAM, _WEIGHTS, _TYPICAL = "program", "weights.", "typical."


class ModelFileError(DataError):
    """A file that is missing, damaged, hostile, or no model."""


def write_model(path: Path, facts: ModelFacts, typical: Typical | None, program: Program) -> int:
    """Writes a model, whole or not at all, and returns the file's size in bytes.

    Raises:
        StorageError: if it cannot be written; nothing is left behind.
        ValueError: if facts, weights or program do not fit together.
    """
    arrays: dict[str, NDArray[Any]] = {_PROGRAM: np.frombuffer(program.stablehlo, np.uint8)}
    arrays |= {_WEIGHTS + name: weight for name, weight in program.weights.items()}
    arrays |= {_TYPICAL + name: array for name, array in (typical.arrays() if typical is not None else {}).items()}
    described = {"calling_convention": program.calling_convention, "platforms": list(program.platforms)}
    texts = {
        "format": _NAME,
        "version": str(FORMAT),
        "facts": json.dumps(facts_to_json(facts), separators=(",", ":"), ensure_ascii=False),
        _PROGRAM: json.dumps(described),
    }
    size = sum(array.nbytes for array in arrays.values())
    if size > MOST_BYTES - MOST_HEADER - 64:
        raise ValueError(f"its weights and program take {size:,} bytes; a file has at most {MOST_BYTES:,}")
    with writing(path, size):
        return write_arrays(path, arrays, texts)


class ModelFile:
    """A file of which all is verified but the program; without JAX.

    Args:
        path: of the file.

    Attributes:
        facts: of the model.
        digest: the file's checksum in hexadecimal.

    Raises:
        ModelFileError: in one line, for anything else than an exported model.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._data = path, _bytes(path)
        with self._refused():
            self.facts, self._typical, self._program = _parts(self._data)
        self.digest = self._data[-32:].hex()

    def model(self, *, isolated: bool = True) -> Model:
        """Verifies the program, and returns the model, which runs in this process, on its GPU if there is one.

        Args:
            isolated: whether another process reads and compiles the program first, since a forged one can end it.

        Raises:
            ModelFileError: in one line, for a program that is refused.
        """
        if not isolated:
            return Model(self.facts, self.program(), self._typical)
        with self._refused(), ModelProcess(self._path, self.digest, self.facts, is_check=True) as process:
            import nnjax.serving.running  # noqa: F401  (imports JAX meanwhile)

            process.check()
        return Model(self.facts, self.program(), self._typical)

    @contextmanager
    def model_apart(self) -> Iterator[Model]:
        """Yields the model, which runs in a process of its own, on the CPU; this one needs no JAX, and is ready sooner.

        Raises:
            ModelFileError: in one line, for a program that is refused; when the model is called, too.
        """
        with self._refused():
            process = ModelProcess(self._path, self.digest, self.facts)
        with process:

            def outputs_of(inputs: NDArray[Any]) -> NDArray[np.float32]:
                with self._refused():
                    return process(inputs)

            yield Model(self.facts, outputs_of, self._typical)

    def program(self) -> "RunProgram":
        """Verifies the program in this process, and returns the function from inputs to outputs.

        Raises:
            ModelFileError: in one line, for a program that is refused.
        """
        from nnjax.serving.program_checks import check_program
        from nnjax.serving.running import RunProgram

        with self._refused():
            check_program(self._program.stablehlo, signature_of(self._program, self.facts))
            return RunProgram(self._program, self.facts)

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """Turns the reason why the file cannot be used into an error that names it."""
        try:
            yield
        except ValueError as error:
            text = str(error)
            if not text.startswith(shown := f"{shown_path(self._path)}: "):
                reason = one_line(text)
                is_model = _claims_model(self._data)
                writes = "is no exported model; python -m experiments.export run=… writes one"
                text = f"{shown}cannot be used: {reason}" if is_model else f"{shown}{writes} ({reason})"
            raise ModelFileError(text) from error


def read_model(path: Path, *, isolated: bool = True) -> Model:
    """Reads a model, and verifies all of it; see `ModelFile`."""
    return ModelFile(path).model(isolated=isolated)


def is_model_file(path: Path) -> bool:
    """Whether a file has the form of an exported model, damaged or not."""
    try:
        with path.open("rb") as file:
            return _claims_model(file.read(8 + MOST_HEADER))
    except OSError:
        return False


def _bytes(path: Path) -> bytes:
    """The content of a regular file, or of one that a link leads to, as in a Kubernetes volume."""
    # A pipe without a writer is not waited for.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise ModelFileError(f"{shown_path(path)}: is {kind_of(state.st_mode)}, and must be a file")
            # Not MOST_BYTES: Python takes as much memory as is asked for before it reads.
            data = b"" if state.st_size > MOST_BYTES else file.read(_worth_reading(file, state.st_size) + 1)
    except FileNotFoundError as error:
        raise ModelFileError(f"{shown_path(path)}: no such file") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{shown_path(path)}: cannot be read: {why(error) or error}") from error
    if max(state.st_size, len(data)) > MOST_BYTES:
        raise ModelFileError(f"{shown_path(path)}: is larger than {MOST_BYTES:,} bytes")
    return data


def _worth_reading(file: IO[bytes], size: int) -> int:
    """How many bytes of a file to read: not all of a large one that has no header of a model, or another size than it says."""
    if size <= _LARGE:
        return size
    head = file.read(_LARGE)
    file.seek(0)
    try:
        length = header_length(head)
    except ValueError:
        return _LARGE
    start = 8 + length
    end = re.search(rb"\[\s*\d{1,12}\s*,\s*(\d{1,12})\s*\]\s*\}\s*\}\s*$", head[:start][-200:].rstrip())
    return size if end is not None and start + int(end[1]) == size else _LARGE


def _parts(data: bytes) -> tuple[ModelFacts, Typical | None, Program]:
    """Facts, statistics and program from a file's bytes.

    Raises:
        ValueError: in one line.
    """
    arrays, texts = read_arrays(data)
    if texts.get("format") != _NAME:
        raise ValueError("it is no exported model")
    if not re.fullmatch("[1-9][0-9]{0,3}", version := texts.get("version", "")):
        raise ValueError("the version of its format is no number")
    if int(version) > FORMAT:
        raise ValueError(f"it was made by a newer nnjax, whose format is {version}; this one reads up to {FORMAT}")
    facts = facts_from_json(_json(texts, "facts"))
    described = _json(texts, _PROGRAM)
    match described:
        case {"calling_convention": int(convention), "platforms": [*platforms]} if len(described) == 2:
            pass
        case _:
            raise ValueError("its program has no calling convention, or no platforms")
    if not platforms or len(set(map(str, platforms))) < len(platforms) or not all(name in PLATFORMS for name in platforms):
        raise ValueError(f"the platforms of its program must be some of {', '.join(PLATFORMS)}")
    groups: dict[str, dict[str, NDArray[Any]]] = {_WEIGHTS: {}, _TYPICAL: {}}
    artifact = arrays.pop(_PROGRAM, None)
    if artifact is None or artifact.dtype != np.uint8:
        raise ValueError("it holds no program")
    for name, array in arrays.items():
        group = next((group for group in groups if name.startswith(group)), None)
        if group is None:
            raise ValueError(f"it holds the unknown array {name}")
        groups[group][name.removeprefix(group)] = array
    if groups[_TYPICAL] and groups[_TYPICAL].get("shape", np.zeros(0)).tolist() != list(facts.inputs.shape):
        raise ValueError(f"its statistics are not of inputs of the shape {list(facts.inputs.shape)}")
    typical = Typical.from_arrays(groups[_TYPICAL]) if groups[_TYPICAL] else None
    return facts, typical, Program(artifact.tobytes(), convention, tuple(platforms), groups[_WEIGHTS])


def _json(texts: Mapping[str, str], name: str) -> Any:
    try:
        return read_json_text(texts[name])
    except KeyError as error:
        raise ValueError(f"it holds no {name}") from error
    except ValueError as error:
        raise ValueError(f"its {name} are no JSON: {error}") from error


def _claims_model(data: bytes) -> bool:
    """Whether a file that begins with these bytes has a header, which may be cut off, with the format's name."""
    length = int.from_bytes(data[:8], "little")
    return length <= MOST_HEADER and data[8:9] == b"{" and _NAME.encode() in data[8 : 8 + length]
