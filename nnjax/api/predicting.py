"""A run's network as a model that answers, for `experiments.predict`, the export and the server.

    with jax_session(console.warn):
        model = model_of_run(run, "tested", "auto", console)
        model.answer(inputs)

One device computes, whatever the run was trained on. `nnjax.Result.model` is the same for a training in Python.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.api.calibrating import calibration_of
from nnjax.api.typical_cache import typical_of
from nnjax.config.data_options import DigitsData, SyntheticData, TfdsData
from nnjax.config.parallel_options import MemoryLimit
from nnjax.data.dataset import Dataset
from nnjax.reporting.console import RunConsole
from nnjax.reporting.trial_results import means
from nnjax.serving.facts import InputFacts, ModelFacts, Preparation, SeriesFacts
from nnjax.serving.model import Model, OutputsOf
from nnjax.serving.stored_facts import is_storable

if TYPE_CHECKING:
    from nnjax.api.opened_run import Checkpoint
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState


def model_of_run(run: Path, checkpoint: "Checkpoint", memory_limit: MemoryLimit, console: RunConsole) -> Model:
    """Makes a model of a run's checkpoint; inside of `jax_session`.

    Args:
        run: the run's folder.
        checkpoint: which; see `nnjax.load_run`.
        memory_limit: as `parallel.memory_limit`.
        console: receives notices of slow or unusual events.

    Raises:
        ConfigError: if the config is damaged, or the network needs more memory than there is.
        DataError: if the data or the checkpoint is missing or damaged.
    """
    return opened_model(run, checkpoint, memory_limit, console)[2]


def opened_model(
    run: Path, checkpoint: "Checkpoint", memory_limit: MemoryLimit, console: RunConsole
) -> tuple["Experiment", "TrainState", Model]:
    """As `model_of_run`, with the experiment on one device and the state as NumPy arrays."""
    from nnjax.api.opened_run import open_run, read_run
    from nnjax.config.run_identity import read_run_id

    config, summary = read_run(run, checkpoint, memory_limit)
    # One device, of any kind but where the run says the CPU: a network that was trained on eight GPUs answers on a laptop.
    platform: Literal["cpu", "auto"] = "cpu" if config.parallel.platform == "cpu" else "auto"
    parallel = replace(config.parallel, devices=1, processes="auto", platform=platform, gradients="automatic")
    opened = open_run(replace(config, parallel=parallel), run, summary, checkpoint, console)
    state = opened.experiment.layout.get(opened.state)
    model = model_of(opened.experiment, state, summary, {"run": run.name, "run_id": read_run_id(run)})
    return opened.experiment, state, model


def model_of(experiment: "Experiment", state: "TrainState", summary: Mapping[str, Any], provenance: Mapping[str, Any]) -> Model:
    """Makes a model of a trained network; inside of `jax_session`.

    Diverged trials, and those of a worse learning rate, take no part in its answers. The test metrics and temperatures of
    `summary` are used if they are of this state; else they are measured and fitted again, which takes an evaluation of the
    validation and test splits.

    Args:
        experiment: as trained.
        state: the network's, as NumPy arrays.
        summary: as in `summary.json`; may be empty.
        provenance: added to the model's facts.
    """
    from nnjax.training.predictor import Predictor

    dataset, config = experiment.dataset, experiment.config
    step = int(np.max(state.step))
    metrics, calibration = _measured(experiment, state, summary if summary.get("tested_step") == step else {})
    used = trials_that_answer(experiment, state, calibration)
    predict = Predictor(experiment, state)
    outputs_of: OutputsOf = predict if len(used) == predict.num_trials else lambda inputs: predict(inputs)[used]
    facts = ModelFacts(
        name=f"{config.model.name}_{config.data.name}",
        task=dataset.spec.task,
        inputs=input_facts(dataset),
        labels=dataset.class_names,
        num_outputs=dataset.spec.num_outputs,
        num_trials=len(used),
        from_logits=config.loss.from_logits,
        temperatures=_temperatures(calibration, used),
        series=_series_facts(dataset, outputs_of),
        metrics=metrics,
        calibration=calibration,
        provenance={
            **provenance,
            "step": step,
            **{name: summary[name] for name in ("config_hash", "data_hash", "versions") if name in summary},
        },
    )
    is_series = dataset.series is not None
    return Model(facts, outputs_of, None if is_series else typical_of(dataset.train.inputs))


def input_facts(dataset: Dataset) -> InputFacts:
    """How one input of a dataset looks, and how a picture becomes one."""
    spec, preparation, largest = dataset.spec, preparation_of(dataset), None
    if preparation is not None:
        train = dataset.train.inputs
        largest = 16.0 if preparation == "digits" else 255.0 if spec.input_dtype == "uint8" else float(train.max())
    return InputFacts(spec.input_shape, spec.input_dtype, preparation, largest, dataset.features)


def preparation_of(dataset: Dataset) -> Preparation | None:
    """How a picture is brought to the form of a dataset's images; None where none can be.

    Fashion-MNIST's clothes fill the image and are no strokes: pictures of them are cropped and resized as photos are. Images
    with values below 0, as `data=synthetic` makes them, have no black.
    """
    spec, options = dataset.spec, dataset.options
    if not spec.is_image or isinstance(options, SyntheticData) or spec.input_shape[2] not in (1, 3):
        return None
    if isinstance(options, DigitsData):
        return "digits"
    if isinstance(options, TfdsData) and options.name == "mnist":
        return "mnist"
    return (
        None if spec.input_dtype == "float32" and not 0 <= dataset.train.inputs.min() < dataset.train.inputs.max() else "plain"
    )


def trials_that_answer(
    experiment: "Experiment", state: "TrainState", calibration: Mapping[str, Any] | None = None
) -> NDArray[np.intp]:
    """The trials that did not diverge (all, if all did), of one learning rate where it varies; inside of `jax_session`.

    See `nnjax.training.answering_trials`. A trial that did not diverge has finite parameters, statistics and outputs.

    Args:
        experiment: as trained.
        state: as NumPy arrays.
        calibration: as in `summary.json`: a trial whose outputs are not finite has no temperature.
    """
    import jax

    from nnjax.training.answering_trials import answering_trials

    finite = np.ones(experiment.plan.num_trials, bool)
    for leaf in jax.tree.leaves((state.params, state.model_state)):
        finite &= np.isfinite(leaf).reshape(len(finite), -1).all(axis=1)
    if calibration is not None:
        finite &= [value is not None for value in _listed(calibration)]
    candidates = np.flatnonzero(finite) if finite.any() else np.arange(len(finite))
    return answering_trials(experiment, experiment.layout.put(state), candidates)[1]


def _measured(
    experiment: "Experiment", state: "TrainState", summary: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, Any] | None]:
    """The test metrics and the calibration as in `summary.json`, from there where it holds them."""
    known, test = summary.get("calibration"), summary.get("test")
    metrics = _numbers(test) if isinstance(test, Mapping) else {}
    whole = known if isinstance(known, dict) and _is_whole(known, experiment.plan.num_trials) else None
    if (metrics or not len(experiment.dataset.test)) and (whole is not None or not experiment.classification):
        return metrics, whole if experiment.classification else None
    placed = experiment.layout.put(state)
    evaluation = experiment.evaluate(placed, experiment.dataset.test)
    return metrics or _numbers(means(evaluation.metrics)), whole or calibration_of(experiment, placed, evaluation)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those metrics that are finite numbers."""
    return {name: float(value) for name, value in metrics.items() if isinstance(value, float | int) and np.isfinite(value)}


def _is_whole(calibration: Mapping[str, Any], num_trials: int) -> bool:
    """Whether a calibration that was read from a file holds a temperature for each trial."""
    values = _listed(calibration)
    return len(values) == num_trials and all(
        value is None or (isinstance(value, float | int) and not isinstance(value, bool) and 0 < value < 1000)
        for value in values
    )


def _listed(calibration: Mapping[str, Any]) -> list[Any]:
    """The temperatures of all trials."""
    values = calibration.get("temperature")
    return values if isinstance(values, list) else [values]


def _temperatures(calibration: Mapping[str, Any] | None, used: NDArray[np.intp]) -> tuple[float, ...]:
    """One for each trial that answers; 1 where none was fitted."""
    if calibration is None:
        return (1.0,) * len(used)
    values = _listed(calibration)
    return tuple(float(values[trial]) if values[trial] is not None else 1.0 for trial in used)


def _series_facts(dataset: Dataset, outputs_of: OutputsOf) -> SeriesFacts | None:
    """The series with all its rows, and the one-step errors that a forecast takes.

    They are those of rows that training did not see, if there are enough; else those of the training's rows. Where a file
    cannot hold the names of the columns of dates, new rows are checked without them.
    """
    from nnjax.training.future_forecast import FEWEST, trained_rows, validation_rows

    series = dataset.series
    if series is None:
        return None
    unseen = range(validation_rows(series, dataset.spec).start, len(series.values))
    inputs, targets = series.windows(unseen if len(unseen) >= FEWEST else trained_rows(series, dataset.spec))
    errors = targets[:, 0] - outputs_of(np.ascontiguousarray(inputs))[..., 0]
    return SeriesFacts(
        name=series.name,
        log=series.transform.log,
        difference=series.transform.difference,
        mean=series.transform.mean,
        std=series.transform.std,
        season=series.season,
        values=tuple(series.values.tolist()),
        labels=tuple(series.labels) if all(map(is_storable, series.labels)) else (),
        residuals=tuple(tuple(row) for row in errors.tolist()),
        dates=series.dates if all(map(is_storable, series.dates)) else None,
    )
