"""The files of the step at which a training diverged, from which it can be repeated without the dataset.

    write_diverged(found, run_dir / "diverged")
    found = read_diverged(run_dir / "diverged", template)

`state.safetensors` is the state before the step, `earlier.safetensors` the one before the first of the steps whose batches are
in `batches.safetensors`; `about.json` holds the step, its keys, the dataset's facts and the checksums of the other three.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import DataError
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.training.state import TrainState, arrays_by_path, with_arrays

ABOUT_FILE = "about.json"

Batch = tuple[NDArray[Any], NDArray[Any], NDArray[np.int32]]
"""Inputs [b, ...] as stored, targets [b] or [b, k], and the places of the examples in their split, [b]."""


@dataclass(frozen=True)
class DivergedStep:
    """A step that left a number that is not finite, and the steps before it.

    Attributes:
        step: the step, counted from 1.
        split: "train", or "validation" where no step went wrong, but the evaluation after `step` steps.
        trial: counted from 0.
        seed: of the trial.
        learning_rate: the trial's peak learning rate.
        rate: the learning rate of this step.
        state: before the step; of one trial, NumPy arrays.
        earlier: the state before the first of `batches`.
        batches: by step.
        mean: of the training split's inputs, as it normalises them.
        std: likewise.
        spec: the dataset's facts.
        is_repeated: whether the replay came to the same end.
    """

    step: int
    split: Literal["train", "validation"]
    trial: int
    seed: int
    learning_rate: float
    rate: float
    state: TrainState
    earlier: TrainState
    batches: Mapping[int, Batch]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    spec: DatasetSpec
    is_repeated: bool


def write_diverged(found: DivergedStep, folder: Path) -> None:
    """Writes `state.safetensors`, `earlier.safetensors`, `batches.safetensors` and `about.json`, which has their checksums."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"mean": found.mean, "std": found.std}
    for number, batch in found.batches.items():
        arrays |= {f"{name}_{number}": array for name, array in zip(("inputs", "targets", "examples"), batch, strict=True)}
    files = {"state": arrays_by_path(found.state), "earlier": arrays_by_path(found.earlier), "batches": arrays}
    digests = {}
    for name, content in files.items():
        data = save({key: np.asarray(value, order="C") for key, value in content.items()})
        (folder / f"{name}.safetensors").write_bytes(data)
        digests[f"{name}.safetensors"] = hashlib.sha256(data).hexdigest()
    # As the step draws them: see `nnjax.training.step.prepare_batch`.
    step_key = jax.random.fold_in(jax.random.key(found.seed), found.step - 1)
    augment_key, dropout_key = jax.random.split(step_key)
    keys = {"step": step_key, "augment": augment_key, "dropout": dropout_key}
    about = {
        "format": 1,
        **{name: getattr(found, name) for name in ("step", "split", "trial", "seed", "learning_rate", "rate", "is_repeated")},
        "keys": {name: np.asarray(jax.random.key_data(key)).tolist() for name, key in keys.items()},
        "spec": asdict(found.spec),
        "batches": list(found.batches),
        "sha256": digests,
    }
    about["own_sha256"] = _own_digest(about)
    (folder / ABOUT_FILE).write_text(json.dumps(about, indent=2, allow_nan=True) + "\n", encoding="utf-8")


def read_diverged(folder: Path, template: Callable[[DatasetSpec], TrainState]) -> DivergedStep:
    """Reads the files of `write_diverged`.

    Args:
        folder: the run's `diverged/`.
        template: from the dataset's facts to a state of the same shapes.

    Raises:
        DataError: if they are missing or damaged, or of another network.
    """
    from safetensors.numpy import load

    about = read_about(folder)
    content = {}
    for name in ("state", "earlier", "batches"):
        path = folder / f"{name}.safetensors"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != about["sha256"].get(path.name):
            raise DataError(f"{path}: is damaged: its checksum is not the one in {ABOUT_FILE}")
        content[name] = load(data)
    arrays = content["batches"]
    spec = DatasetSpec(**{**about["spec"], "input_shape": tuple(about["spec"]["input_shape"])})
    like = template(spec)
    return DivergedStep(
        **{name: about[name] for name in ("step", "split", "trial", "seed", "learning_rate", "rate", "is_repeated")},
        state=with_arrays(like, content["state"], folder / "state.safetensors", "it"),
        earlier=with_arrays(like, content["earlier"], folder / "earlier.safetensors", "it"),
        batches={
            number: (arrays[f"inputs_{number}"], arrays[f"targets_{number}"], arrays[f"examples_{number}"])
            for number in about["batches"]
        },
        mean=arrays["mean"],
        std=arrays["std"],
        spec=spec,
    )


def read_about(folder: Path) -> dict[str, Any]:
    """Reads `about.json`.

    Raises:
        DataError: if it is missing or damaged.
    """
    path = folder / ABOUT_FILE
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if about["format"] != 1 or not isinstance(about["sha256"], dict):
            raise ValueError(f"format {about['format']}")
        if about["own_sha256"] != _own_digest(about):
            raise ValueError("its checksum is not its content's")
    except OSError as error:
        reason = "the run kept no step that diverged" if not folder.is_dir() else error.strerror
        raise DataError(f"{path}: cannot be read ({reason})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: is damaged ({error})") from error
    return about


def _own_digest(about: Mapping[str, Any]) -> str:
    """The checksum of everything else in `about.json`, independent of its layout."""
    others = {key: value for key, value in about.items() if key != "own_sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()
