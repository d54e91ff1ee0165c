"""The answers of a run's network to every test example: `test_predictions.safetensors` in the run's folder.

    write_predictions(run_dir, Predictions(step=600, labels=labels, predicted=predicted, …))
    kept = read_predictions(run_dir)        # None for a run of a version before this file
    kept.right[0]                           # [n] of bool: the examples that the first trial classifies correctly

McNemar's test, a confusion matrix and the worst mistakes need no network and no data then. The format is that of safetensors;
a SHA-256 covers all of it. A file that would be too large is written without probabilities, or not at all.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.config.errors import DataError
from nnjax.config.paths import shown_path
from nnjax.config.storage import writing
from nnjax.config.stored_files import StoredFileError, one_line, parse_json, read_bytes, replaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "test_predictions.safetensors"
MOST_BYTES = 1 << 25
"""The largest file that is written: 6 million answers with their probabilities."""

_FORMAT = 1
_NOTES = "notes"
_MOST_NOTES = 1 << 16  # bytes besides the arrays


@dataclass(frozen=True)
class Predictions:
    """A run's answers to the test split, in its order.

    Attributes:
        step: of the checkpoint that answered; `tested_step` of the summary.
        data_hash: of the dataset; None if unknown.
        test_hash: of the test split; None if unknown.
        targets: [n] uint16, the true classes; for regression [n, k] float32, as the network was asked for them.
        predicted: [trials, n] uint8 or uint16, the most probable class; None for regression.
        confidence: [trials, n] float16, the probability of that class, before calibration; None for regression and where it was
            too much to keep.
        true_probability: [trials, n] float16, the probability of the true class; None as `confidence`.
        outputs: [trials, n, k] float32, the outputs in regression; else None.
        diverged: trials, counted from 0, whose outputs are not finite: their answers mean nothing.
    """

    step: int
    data_hash: str | None
    test_hash: str | None
    targets: "NDArray[Any]"
    predicted: "NDArray[Any] | None" = None
    confidence: "NDArray[Any] | None" = None
    true_probability: "NDArray[Any] | None" = None
    outputs: "NDArray[Any] | None" = None
    diverged: tuple[int, ...] = ()

    @property
    def right(self) -> "NDArray[Any]":
        """[trials, n] of bool: whether each answer is the true class.

        Raises:
            ValueError: for regression.
        """
        if self.predicted is None:
            raise ValueError("a regression has no right and wrong answers")
        right: NDArray[Any] = self.predicted == self.targets
        return right

    @property
    def num_trials(self) -> int:
        """The number of trials; 1 for a single network."""
        answers = self.outputs if self.predicted is None else self.predicted
        return 0 if answers is None else len(answers)


def write_predictions(run_dir: Path, predictions: Predictions) -> Path | None:
    """Writes the file, whole or not at all.

    Returns:
        Its path; None if it would be too large, and is not written; an older one is removed then.

    Raises:
        StorageError: if it cannot be written.
    """
    from safetensors.numpy import save

    path = run_dir / FILE
    arrays = _arrays(predictions)
    if _size(arrays) > MOST_BYTES:
        arrays = {name: array for name, array in arrays.items() if name not in ("confidence", "true_probability")}
    with writing(path):
        if _size(arrays) > MOST_BYTES:
            path.unlink(missing_ok=True)
            return None
        notes = {
            "format": _FORMAT,
            "step": predictions.step,
            "data_hash": predictions.data_hash,
            "test_hash": predictions.test_hash,
            "diverged": list(predictions.diverged),
        }
        data = save({**arrays, _NOTES: _bytes({**notes, "sha256": _checksum(notes, arrays)})})
        with replaced(path) as part:
            part.write_bytes(data)
    return path


def read_predictions(run_dir: Path) -> Predictions | None:
    """Reads the file of a run and verifies all of it; None if there is none.

    Raises:
        DataError: if it is damaged, or of a newer format.
    """
    from safetensors.numpy import load

    path = run_dir / FILE
    try:
        arrays: dict[str, Any] = load(read_bytes(path, MOST_BYTES + _MOST_NOTES))
        values = parse_json(arrays.pop(_NOTES).tobytes().decode())
        if values.pop("format") != _FORMAT:
            raise DataError(f"{shown_path(path)}: was written by a newer nnjax, which can read it")
        checksum = values.pop("sha256")
        if checksum != _checksum({"format": _FORMAT, **values}, arrays):
            raise ValueError("its checksum is another")
        return _checked(Predictions(**{**values, "diverged": tuple(values["diverged"])}, **arrays))
    except FileNotFoundError:
        return None
    except StoredFileError as error:
        raise DataError(str(error)) from error
    except DataError:
        raise
    except Exception as error:  # safetensors' own error, and whatever a forged file leads to
        raise DataError(f"{shown_path(path)}: is damaged: {one_line(error) or type(error).__name__}") from error


def _arrays(predictions: Predictions) -> dict[str, "NDArray[Any]"]:
    import numpy as np

    names = ("targets", "predicted", "confidence", "true_probability", "outputs")
    found = {name: getattr(predictions, name) for name in names}
    return {name: np.ascontiguousarray(array) for name, array in found.items() if array is not None}


def _size(arrays: Mapping[str, "NDArray[Any]"]) -> int:
    return sum(array.nbytes for array in arrays.values())


def _bytes(values: Mapping[str, Any]) -> "NDArray[Any]":
    import numpy as np

    return np.frombuffer(json.dumps(values).encode(), np.uint8)


def _checksum(notes: Mapping[str, Any], arrays: Mapping[str, "NDArray[Any]"]) -> str:
    digest = hashlib.sha256(json.dumps(notes, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}: {array.dtype.str}{list(array.shape)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _checked(kept: Predictions) -> Predictions:
    """Refuses arrays whose shapes do not go together.

    Raises:
        ValueError: with a reason.
    """
    n = len(kept.targets)
    answers = [kept.outputs] if kept.predicted is None else [kept.predicted, kept.confidence, kept.true_probability]
    shapes = {array.shape[:2] for array in answers if array is not None}
    if kept.step < 0 or len(shapes) != 1 or {n} != {shape[1] for shape in shapes}:
        raise ValueError("its arrays do not go together")
    return kept
