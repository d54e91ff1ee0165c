"""Writes a run's network to one file that runs elsewhere, with jax, numpy and pillow alone.

    with jax_session(console.warn):
        export_run(run, "tested", "auto", path, console, export_model)
    nnjax.serving.model_file.read_model(path).answer(inputs)

`experiments.export` and `nnjax.load_run(…).export` both write files so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnjax.api.predicting import opened_model, trials_that_answer
from nnjax.config.errors import ConfigError, StorageError
from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.paths import is_dir, reaching, shown_path
from nnjax.config.stored_files import one_line
from nnjax.reporting.console import RunConsole
from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Model
from nnjax.serving.model_file import is_model_file, write_model
from nnjax.serving.program import PLATFORMS, Platform

if TYPE_CHECKING:
    from nnjax.api.opened_run import Checkpoint
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: of the file.
        size: of the file, in bytes.
        program_bytes: of its program.
        weights_bytes: of its weights.
        num_weights: numbers among them, of all trials, with BatchNorm's statistics.
        facts: of the model.
    """

    path: Path
    size: int
    program_bytes: int
    weights_bytes: int
    num_weights: int
    facts: ModelFacts


Write = Callable[["Experiment", "TrainState", Model, Path], Exported]


def export_run(
    run: Path,
    checkpoint: "Checkpoint",
    memory_limit: MemoryLimit,
    target: Path,
    console: RunConsole,
    write: Write,
) -> Exported:
    """Writes the network of a run's checkpoint; inside of `jax_session`.

    Args:
        run: the run's folder.
        checkpoint: which; see `nnjax.load_run`.
        memory_limit: as `parallel.memory_limit`.
        target: the file.
        console: receives notices of slow or unusual events.
        write: writes the file: `export_model`, or `nnjax.api.onnx_exporting.export_onnx`.

    Raises:
        ConfigError: if the config is damaged, or the network cannot be exported or needs more memory than there is.
        DataError: if the data or the checkpoint is missing or damaged.
        StorageError: if the file cannot be written; nothing is left behind.
    """
    experiment, state, model = opened_model(run, checkpoint, memory_limit, console)
    return write(experiment, state, model, target)


def export_model(
    experiment: "Experiment", state: "TrainState", model: Model, path: Path, platforms: Sequence[Platform] = PLATFORMS
) -> Exported:
    """Writes a network; inside of `jax_session`.

    Args:
        experiment: as trained.
        state: the network's, as NumPy arrays.
        model: as `nnjax.api.predicting.model_of` makes it of both.
        path: of the file; another exported model there is replaced.
        platforms: that the program is for.

    Raises:
        ConfigError: if the network cannot be exported.
        StorageError: if the file cannot be written; nothing is left behind.
    """
    from nnjax.serving.running import export_program

    with exporting(experiment):
        weights_by_name, function = network_function(experiment, state, model.facts.calibration)
        program = export_program(function, weights_by_name, model.facts, platforms)
        size = write_model(path, model.facts, model.typical, program)
    weights = program.weights.values()
    return Exported(
        path=path,
        size=size,
        program_bytes=len(program.stablehlo),
        weights_bytes=sum(weight.nbytes for weight in weights),
        num_weights=sum(weight.size for weight in weights),
        facts=model.facts,
    )


@contextmanager
def exporting(experiment: "Experiment") -> Iterator[None]:
    """Turns whatever a conversion raises into one line: a registered model or dataset may hold anything.

    Raises:
        ConfigError: with the reason in JAX's or the converter's own words.
        StorageError: if the file cannot be written.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        reason = one_line(error) or type(error).__name__
        hint = "; its number of examples is symbolic: x.shape[0] has it, where len(x) and int() need a number"
        name = f"model={experiment.config.model.name}"
        raise ConfigError(f"{name}: cannot be exported: {reason}{hint if '_DimExpr' in reason else ''}") from error


def check_target(path: Path, key: str, is_exported: Callable[[Path], bool] = is_model_file) -> None:
    """Checks that a file can be written to a path, and that it replaces nothing but an exported model.

    Args:
        path: of the file.
        key: what gave it, for errors.
        is_exported: whether a file is an exported model.

    Raises:
        ConfigError: if not.
    """
    if is_dir(path):
        raise ConfigError(f"{key}={shown_path(path)}: is a folder; write {shown_path(path / 'model.nnjax')}")
    if not is_dir(path.parent):
        raise ConfigError(f"{key}={shown_path(path)}: there is no folder {shown_path(path.parent)}")
    with reaching(key, path, "cannot be written"):
        is_there = path.exists()
    if is_there and not (path.is_file() and is_exported(path)):
        raise ConfigError(f"{key}={shown_path(path)}: is there already, and is no exported model; choose another name")


def network_function(
    experiment: "Experiment", state: "TrainState", calibration: Mapping[str, Any] | None
) -> tuple[dict[str, NDArray[Any]], Callable[[Mapping[str, Any], Any], Any]]:
    """A trained network as weights by name, and a function of them and of inputs [b, ...] as the dataset stores them.

    The function returns the outputs [trials, b, k] of the trials that answer, by the model's `calibration`, too.
    """
    import jax
    from jax import lax

    from nnjax.training.evaluation import make_outputs
    from nnjax.training.hyperparams import normalized

    used, many = trials_that_answer(experiment, state, calibration), experiment.placement.many
    tree = {"params": state.params, "model_state": state.model_state}
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    weights = {_name(path): np.asarray(leaf)[used] if many else np.asarray(leaf) for path, leaf in leaves}
    assert len(weights) == len(leaves)
    outputs_of = make_outputs(experiment.recipe.network, experiment.config.training.test_views)
    normalization = experiment.recipe.normalization

    def function(weights: Mapping[str, Any], inputs: Any) -> Any:
        x = normalized(inputs, normalization)
        own = jax.tree.unflatten(structure, [weights[_name(path)] for path, _ in leaves])

        def of_trial(trial: Any) -> Any:
            return outputs_of(trial["params"], trial["model_state"], x)

        # One trial after another, as `Predictor` does: convolutions of several kernels at once are slow.
        return lax.map(of_trial, own) if many else of_trial(own)[None]

    return weights, function


def _name(path: Any) -> str:
    """A weight's name, such as "params.conv_1.kernel", from its path in the state."""
    return ".".join(str(getattr(part, "key", getattr(part, "idx", part))) for part in path)
