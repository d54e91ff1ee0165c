"""A trained network and what was measured of it.

result = nnjax.fit(config)                   # or nnjax.load_run("outputs/train/…")
result.metrics["test"]["accuracy"]           # 0.98
result.predict(images)                       # [n, 10] probabilities
result.answer("photo.png").label             # "7"
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnjax.api.checked_arrays import checked_inputs, checked_split
from nnjax.api.jax_session import jax_session, unchanged_process
from nnjax.config.errors import InputError
from nnjax.config.forecast_options import ErrorSource
from nnjax.config.schema import TrainConfig
from nnjax.data.dataset import Dataset, Split
from nnjax.reporting.probabilities import probabilities
from nnjax.reporting.trial_results import means
from nnjax.serving.model import Answer, Model
from nnjax.serving.pictures import open_picture
from nnjax.serving.preparing import prepare
from nnjax.serving.program import PLATFORMS, Platform

if TYPE_CHECKING:
    import pandas as pd

    from nnjax.training.evaluation import Evaluation
    from nnjax.training.experiment import Experiment
    from nnjax.training.future_forecast import FutureForecast
    from nnjax.training.state import TrainState


class History(list[dict[str, Any]]):
    """The records of a training, one for each split at each evaluation, as in `metrics.jsonl`.

    Each holds step, epoch, split, loss, seconds and, for classification, accuracy; what is not finite is None.
    """

    def to_pandas(self) -> "pd.DataFrame":
        """Returns the records as a table, a row each.

        Raises:
            ModuleNotFoundError: without pandas, which this package does not bring.

        Example:
            >>> result.history.to_pandas().pivot(index="epoch", columns="split", values="loss").plot()
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_pandas() needs pandas: pip install pandas") from error
        return pandas.DataFrame(list(self))


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """A trained network, ready to use; made by `fit` and `load_run`.

    Attributes:
        config: the experiment.
        summary: as in `summary.json`: sizes, times, versions, and with several trials `trials` and `spread`.
        history: a record for each split at each evaluation.
        dataset: what it was trained and tested on.
        params: the weights of the network that was tested, layer by layer, as NumPy arrays; with several trials
            [trials, ...] each.
    """

    config: TrainConfig
    summary: Mapping[str, Any]
    history: History
    dataset: Dataset
    _experiment: "Experiment"
    _state: "TrainState"  # as NumPy arrays

    @property
    def status(self) -> str:
        """How training ended: "completed" or "stopped_early"; a loaded run may be "preempted", "diverged" or "failed"."""
        return str(self.summary["status"])

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """The last loss (and accuracy) of each split, train, validation and test; with several trials the means."""
        return {split: dict(self.summary[split]) for split in ("train", "validation", "test") if self.summary.get(split)}

    @property
    def params(self) -> dict[str, Any]:
        """Copies of the weights; see the class."""
        return _copied(self._state.params)

    def predict(self, inputs: ArrayLike) -> NDArray[np.float32]:
        """Returns the class probabilities, or for regression the values, of any number of examples.

        Args:
            inputs: [n, *input_shape] as the dataset stores them: images are uint8, 0 to 255, everything else is numbers.
                Normalisation is done here. Of a time series these are windows as in `dataset.test.inputs`. The columns of a
                table, as pandas makes it, are found by name where the dataset has names.

        Returns:
            [n, classes] probabilities, or [n, outputs] values, float32; with several trials [trials, n, ...].

        Raises:
            InputError: a ValueError, for another shape or type, columns of other names, or a number that is not finite.

        Example:
            >>> result.predict(result.dataset.test.inputs[:3]).argmax(axis=1)
            array([7, 2, 1])
        """
        spec = self.dataset.spec
        checked = checked_inputs(inputs, self.dataset)
        classes = spec.task == "classification"
        targets = np.zeros(len(checked), np.int32) if classes else np.zeros((len(checked), spec.num_outputs), np.float32)
        if len(checked):
            outputs = self._measure(Split(checked, targets)).outputs
        else:
            trials = (self._experiment.plan.num_trials,) if self._experiment.placement.many else ()
            outputs = np.zeros((*trials, 0, spec.num_outputs), np.float32)
        return probabilities(outputs, self.config.loss.from_logits) if classes else outputs

    def answer(self, picture: str | Path | bytes) -> Answer:
        """Answers one picture of any size, as `python -m experiments.predict` does.

        It is brought to the form of the training images: see `nnjax.serving.preparing`. Several trials answer as one. The
        probabilities are calibrated (`summary["calibration"]`), where those of `predict` are the network's own.

        Args:
            picture: a file's path, or its bytes: PNG, JPEG, BMP, GIF or WebP.

        Returns:
            Label and probability; probabilities [classes] and their spread over the trials; warnings, such as for a picture
            unlike the training data. For regression, values in the place of probabilities.

        Raises:
            DataError: if the picture cannot be read.
            InputError: a ValueError, if the network takes no pictures.

        Example:
            >>> result.answer("photo.png").label
            '7'
        """
        return self.answers([picture])[0]

    def answers(self, pictures: Iterable[str | Path | bytes]) -> list[Answer]:
        """Answers several pictures; see `answer`.

        Raises:
            InputError: a ValueError, also if `pictures` is a single one.
        """
        if isinstance(pictures, str | bytes | Path):
            raise InputError("pictures: is one picture; must be a list of them, or call answer")
        sources = [picture if isinstance(picture, bytes) else Path(picture).expanduser() for picture in pictures]
        return list(self.model.answer_pictures([prepare(open_picture(each), self.model.facts.inputs) for each in sources]))

    @cached_property
    def model(self) -> Model:
        """The network as a model that answers, for `nnjax.serving`."""
        from nnjax.api.predicting import model_of

        with unchanged_process(), jax_session(lambda text: None):
            model = model_of(self._experiment, self._state, self.summary, {})
        of_model = model.outputs_of

        def outputs_of(inputs: NDArray[Any]) -> NDArray[np.float32]:
            with unchanged_process(), jax_session(lambda text: None):
                return of_model(inputs)

        return replace(model, outputs_of=outputs_of)

    def export(self, path: str | Path, platforms: Sequence[Platform] = PLATFORMS) -> Path:
        """Writes the network to one file, as `python -m experiments.export` does.

        `python -m nnjax.serving model.nnjax photo.png` runs it with jax, numpy and pillow alone; in Python,
        `nnjax.serving.model_file.read_model(path).answer(inputs)`.

        Args:
            path: the file; another exported model there is replaced.
            platforms: that the program is for.

        Returns:
            The path.

        Raises:
            ConfigError: if the path is a folder or another file, or the network cannot be exported.
            StorageError: if the file cannot be written.

        Example:
            >>> result.export("model.nnjax")
        """
        from nnjax.api.exporting import check_target, export_model

        target = Path(path)
        check_target(target, "path")
        with unchanged_process(), jax_session(lambda text: None):
            export_model(self._experiment, self._state, self.model, target, platforms)
        return target

    def evaluate(self, split: str | Split) -> dict[str, float]:
        """Returns the mean loss, and for classification the accuracy, over all examples of a split.

        Args:
            split: "train", "validation", "test", or a `nnjax.Split` of inputs and targets as the dataset stores them.

        Returns:
            As in `metrics`; with several trials the means.

        Raises:
            InputError: a ValueError, for a split that is not there or does not fit.

        Example:
            >>> result.evaluate("test")
            {'loss': 0.0712, 'accuracy': 0.9806}
        """
        return means(self._measure(checked_split(split, self.dataset)).metrics)

    def forecast(
        self,
        horizon: int | None = None,
        *,
        file: str | Path | None = None,
        levels: Sequence[float] = (0.8, 0.95),
        paths: int = 1000,
        residuals: ErrorSource = "auto",
        seed: int = 0,
    ) -> "FutureForecast":
        """Forecasts the rows after the end of a series, as `python -m experiments.forecast` does; all known rows are used.

        The command opens a run whose own file has more rows by now, too; here, leave that file as it was and give another one.

        Args:
            horizon: number of rows; None: the dated rows without a value at the end of the file, else a season.
            file: a CSV file of the same series with more rows; None takes the run's own data.
            levels: of the intervals.
            paths: number of simulated courses, over all trials, that the intervals are quantiles of.
            residuals: the one-step errors that they draw: "unseen" in training, "trained", or "auto".
            seed: of the draws.

        Returns:
            `labels` and `values` [h], `lower` and `upper` [h] by level, `trials` [trials, h], `spread` [h] and `coverage`.

        Raises:
            ConfigError: if the run was not trained on a series, or an argument is out of its range.
            DataError: if the file cannot be read or does not go on the series, or the forecast is not finite.

        Example:
            >>> nnjax.load_run("outputs/train/…_rnn_airline").forecast(12).upper[0.95]
        """
        from nnjax.api.forecasting import checked_options, future_of, series_of

        options = checked_options(horizon=horizon, levels=levels, paths=paths, residuals=residuals, seed=seed)
        known = series_of(self.config, "this run", None if file is None else str(file))
        for note in known.notes:
            warnings.warn(note, stacklevel=2)
        with unchanged_process(), jax_session(lambda text: None):
            return future_of(self._experiment, self._on_devices, known, **options)

    def _measure(self, split: Split) -> "Evaluation":
        with unchanged_process(), jax_session(lambda text: None):
            return self._experiment.evaluate(self._on_devices, split)

    @cached_property
    def _on_devices(self) -> "TrainState":
        state: TrainState = self._experiment.layout.put(self._state)
        return state

    def __repr__(self) -> str:
        text = ", ".join(f"{name}={value:.4g}" for name, value in self.metrics.get("test", {}).items())
        return f"Result({self.config.model.name} on {self.config.data.name}, {self.status}{f', test {text}' if text else ''})"


def _copied(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(part) if isinstance(part, Mapping) else np.array(part) for name, part in params.items()}
