"""Trains the trials of a search: those that differ in the learning rate alone in one program; no test, no checkpoint, no file.

    trainer = TrialTrainer(config, dataset, options)
    for number, outcome in trainer.train(study.ask(), study.report):
        study.tell(number, outcome)

The test split is dropped from the dataset before the first training, so that no trial can be measured on it.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from nnjax.api.memory_checkpoints import MemoryCheckpoints
from nnjax.api.program_reuse import reused_programs
from nnjax.checks.experiment_checks import check_config
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.checks.search_checks import RATE
from nnjax.config.errors import ConfigError, DivergedError, UserError
from nnjax.config.parsing import parse
from nnjax.config.schema import TrainConfig
from nnjax.config.search_options import Objective, SearchConfig
from nnjax.data.dataset import Dataset, Split
from nnjax.parallel.preemption import StopSignal
from nnjax.searching.space import experiment_of, values_of, with_values
from nnjax.searching.study import Asked, Outcome
from nnjax.training.training_progress import Numbers

Report = Callable[[int, int, float], bool]
"""From a trial, the number of an evaluation, from 1, and its value, to whether the trial is worse than others were."""


def without_test(dataset: Dataset) -> Dataset:
    """Returns a dataset whose test split is empty."""
    empty = Split(dataset.test.inputs[:0], dataset.test.targets[:0])
    return replace(dataset, test=empty, spec=replace(dataset.spec, num_test=0))


class TrialTrainer:
    """Trains trials of one search.

    Args:
        config: the search's.
        dataset: the data of `config.data`.
        options: from GROUP=NAME to the option's values, for groups that are searched.
    """

    def __init__(self, config: SearchConfig, dataset: Dataset, options: Mapping[str, Mapping[str, Any]]) -> None:
        self._search, self._experiment, self._options = config.search, experiment_of(config), options
        self._dataset = without_test(dataset)

    def config_of(self, settings: Mapping[str, Any]) -> TrainConfig:
        """Returns the config of a trial.

        Raises:
            ConfigError: if its values do not go together.
        """
        return self._checked(values_of(self._search.space, settings), {})

    def train(self, asked: Sequence[Asked], report: Report) -> Iterator[tuple[int, Outcome]]:
        """Trains the trials, and yields each with its outcome.

        Args:
            asked: the trials of a generation.
            report: called at each evaluation of each trial.
        """
        for group in _groups(asked):
            config = self._together(group)
            if config is not None:
                yield from self._outcomes(config, group, report)
                continue
            for trial in group:  # one by one, such as with training.test=best
                try:
                    config = self.config_of(trial.settings)
                except ConfigError as error:
                    yield trial.number, Outcome("refused", reason=_first_line(error))
                else:
                    yield from self._outcomes(config, [trial], report)

    def _together(self, group: Sequence[Asked]) -> TrainConfig | None:
        """The config that trains several trials in one program; None if they do not go together."""
        values = values_of(self._search.space, group[0].settings)
        rates = [trial.settings[RATE] for trial in group] if len(group) > 1 else None
        try:
            return self._checked(values, {"training.vary.learning_rate": rates})
        except ConfigError:
            return None

    def _checked(self, values: Mapping[str, Any], more: Mapping[str, Any]) -> TrainConfig:
        config = parse(TrainConfig, with_values(with_values(self._experiment, values, self._options), more, {}))
        check_config(config)
        return config

    def _outcomes(self, config: TrainConfig, group: Sequence[Asked], report: Report) -> Iterator[tuple[int, Outcome]]:
        measured = _Measurement(self._search.objectives[0], [trial.number for trial in group], config.training.seeds, report)
        try:
            with reused_programs(), out_of_memory_explained(config):
                about = measured.train(config, self._dataset)
        except DivergedError as error:
            for trial in group:
                yield trial.number, Outcome("diverged", reason=_first_line(error))
            return
        except UserError as error:
            for trial in group:
                yield trial.number, Outcome("failed", reason=_first_line(error))
            return
        for index, trial in enumerate(group):
            yield trial.number, measured.outcome(index, self._search.objectives, config.training.test, about)


class _Measurement:
    """The callback of a training: notes each trial's validation metrics, and ends a training of pruned trials alone."""

    def __init__(self, objective: Objective, numbers: Sequence[int], seeds: int, report: Report) -> None:
        self._objective, self._numbers, self._seeds, self._report = objective, numbers, seeds, report
        self._stop = StopSignal()
        self._steps = 0
        self._metrics: list[list[dict[str, float]]] = [[] for _ in numbers]
        self._ended: dict[int, tuple[str, str]] = {}

    def train(self, config: TrainConfig, dataset: Dataset) -> dict[str, Any]:
        """Trains; returns the facts that all of the trials share."""
        from nnjax.models.layer_summary import summarize
        from nnjax.parallel.device_memory import check_devices
        from nnjax.parallel.devices import select_devices
        from nnjax.training.clock import Clock
        from nnjax.training.experiment import set_up
        from nnjax.training.initial_state import abstract_network
        from nnjax.training.loop import fit
        from nnjax.training.training_progress import TrainingProgress

        clock = Clock()
        devices = select_devices(config)
        check_devices(config, devices)
        with clock("compile"):
            experiment, state = set_up(config, dataset, devices)
            layers = summarize(abstract_network(config, dataset.spec), dataset.spec)
        self._steps = experiment.plan.steps.total
        checkpoints = MemoryCheckpoints()
        result = fit(
            experiment, state, TrainingProgress(), checkpoints=checkpoints, callback=self, stop=self._stop, clock=clock
        )
        return {
            "parameters": sum(layer.num_params for layer in layers),
            "flops": sum(layer.flops for layer in layers),
            "seconds": (clock.seconds["train"] + clock.seconds["eval"]) / len(self._numbers),
            "steps": result.progress.step,
            "together": len(self._numbers),
        }

    def trained(self, step: int, metrics: Mapping[str, Numbers], examples_per_second: float) -> None:
        """Nothing to note."""

    def weights(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing to note."""

    def evaluated(self, step: int, train: Mapping[str, Numbers], validation: Mapping[str, Numbers] | None) -> None:
        """Notes each trial's metrics, means over its seeds, and prunes the trials that are worse than others were."""
        assert validation is not None, "checked before the search began"
        for index, number in enumerate(self._numbers):
            found = {name: self._mean(values, index) for name, values in validation.items()}
            self._metrics[index].append(found)
            if index in self._ended:
                continue
            if not math.isfinite(found["loss"]):
                self._ended[index] = "diverged", f"the validation loss became {found['loss']} at step {step}"
            elif self._report(number, len(self._metrics[index]), _value(found, self._objective)) and step < self._steps:
                self._ended[index] = "pruned", f"worse than others at evaluation {len(self._metrics[index])}"
        if len(self._ended) == len(self._numbers) and step < self._steps:
            self._stop.requested = "every trial is pruned"

    def outcome(self, index: int, objectives: Sequence[Objective], which: str, about: Mapping[str, Any]) -> Outcome:
        """Returns what came of a trial.

        Args:
            index: of the trial in the program.
            objectives: what is minimised.
            which: the evaluation that counts: "last", or "best", with the lowest loss.
            about: from `train`.
        """
        metrics = self._metrics[index]
        decisive = min(metrics, key=lambda found: found["loss"]) if which == "best" else metrics[-1]
        about = {**about, **decisive, "evaluations": len(metrics)}
        if index in self._ended:
            status, reason = self._ended[index]
            return Outcome("diverged" if status == "diverged" else "pruned", reason=reason, about=about)
        values = tuple(_value(about, objective) for objective in objectives)
        return Outcome("completed", values, about=about)

    def _mean(self, values: Numbers, index: int) -> float:
        """A trial's mean over its seeds; not finite if one of them is not."""
        if not isinstance(values, list):
            return values
        own = values[index * self._seeds : (index + 1) * self._seeds]
        return fmean(own) if all(map(math.isfinite, own)) else math.nan


def _value(found: Mapping[str, float], objective: Objective) -> float:
    return 1 - found["accuracy"] if objective == "error" else float(found.get(objective, math.nan))


def _groups(asked: Sequence[Asked]) -> list[list[Asked]]:
    """The trials by everything but their learning rates, in order; equal trials are in different groups."""
    groups: list[tuple[str, list[Asked]]] = []
    for trial in asked:
        rest = json.dumps({key: value for key, value in trial.settings.items() if key != RATE}, sort_keys=True)
        fitting = (
            group
            for other, group in groups
            if other == rest and RATE in trial.settings and trial.settings[RATE] not in [one.settings[RATE] for one in group]
        )
        group = next(fitting, None)
        if group is None:
            groups.append((rest, [trial]))
        else:
            group.append(trial)
    return [group for _, group in groups]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
