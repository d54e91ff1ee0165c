"""A search that several processes share through its folder: who tries which settings, and what came of them.

    study = SearchStudy(folder, worker=".", config=config, num_evaluations=10)
    while asked := study.ask():
        for trial in asked:
            study.report(trial.number, 1, 0.08)          # True: end this trial
            study.tell(trial.number, Outcome("completed", (0.05,)))

All of it stands in `journal.log`. Each process holds the lock of its own folder, its worker folder, as long as it lives; a
trial that runs without a living worker was interrupted, and its settings are tried again.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from nnjax.checks.search_checks import RATE
from nnjax.config.search_options import SearchConfig
from nnjax.searching.journal import JournalFile, exclusive
from nnjax.searching.samplers import make_pruner, make_sampler
from nnjax.searching.space import distributions, grid

if sys.platform != "win32":
    import fcntl

JOURNAL = "journal.log"
_NAME = "search"
_ATTEMPTS = 3
_ENOUGH = 4  # completed trials from which importances say something

Ending = Literal["completed", "pruned", "diverged", "refused", "failed"]
Status = Ending | Literal["interrupted", "running", "waiting"]


@dataclass(frozen=True)
class Asked:
    """A trial to be trained.

    Attributes:
        number: of the trial in the search, from 0.
        settings: its values by key; a choice is its text.
    """

    number: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        status: how it ended.
        values: by objective, of a completed trial.
        reason: why it ended, in a line; empty for a completed one.
        about: further facts, such as `parameters` and `seconds`.
    """

    status: Ending
    values: tuple[float, ...] = ()
    reason: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialRecord:
    """A trial, as the journal has it.

    Attributes:
        number: in the search, from 0.
        status: how it ended, or that it runs; `interrupted` where its process was ended, and its settings are tried again.
        settings: its values by key; a choice is its text.
        values: by objective; empty unless it completed.
        curve: from the number of the evaluation, from 1, to the first objective.
        reason: why it ended.
        about: further facts, such as `parameters` and `seconds`.
        worker: the folder of its process, from the search's.
    """

    number: int
    status: Status
    settings: dict[str, Any]
    values: tuple[float, ...]
    curve: dict[int, float]
    reason: str
    about: dict[str, Any]
    worker: str


class SearchStudy:
    """One process's part in a search.

    Args:
        folder: the search's.
        worker: the folder of this process, which it has locked, relative to `folder`.
        config: the search's.
        num_evaluations: of a whole training.
    """

    def __init__(self, folder: Path, worker: str, config: SearchConfig, num_evaluations: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._folder, self._worker, self._config = folder, worker, config
        self._space = distributions(config)
        self._running: dict[int, Trial] = {}
        self._storage = JournalStorage(JournalFile(folder / JOURNAL))
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=_NAME,
            directions=["minimize"] * len(config.search.objectives),
            pruner=make_pruner(config.search, num_evaluations),
            sampler=make_sampler(config.search, 0),
            load_if_exists=True,
        )

    def alone(self) -> AbstractContextManager[None]:
        """While the context is open, no other process begins a trial or writes what was found; it must not be nested."""
        return exclusive(self._folder / "ask.lock")

    def ask(self) -> list[Asked]:
        """Begins the next generation; empty once `search.trials` have begun, or a grid is done.

        Settings that an interrupted process was trying come first.
        """
        with self.alone():
            trials = self._trials()
            self._give_back(trials)
            trials = self._trials()
            waiting = sum(trial.state == TrialState.WAITING for trial in trials)
            begun = sum(_is_counted(trial) for trial in trials)
            count = max(0, min(self._config.search.generation, self._config.search.trials - begun))
            asked: list[Asked] = []
            points = self._grid_points(trials) if self._config.search.sampler == "grid" else None
            for index in range(count):
                fixed = None
                if index >= waiting:
                    if points is not None and (fixed := next(points, None)) is None:
                        break
                    if index % self._config.search.rates:
                        fixed = {key: value for key, value in asked[-1].settings.items() if key != RATE}
                asked.append(self._begin(begun + index, fixed))
            return asked

    def report(self, number: int, evaluation: int, value: float) -> bool:
        """Notes the first objective of a running trial; returns whether the trial is worse than others were.

        Args:
            number: of the trial.
            evaluation: of how many it is, from 1.
            value: need not be finite.
        """
        if len(self._config.search.objectives) > 1:
            return False
        trial = self._running[number]
        trial.report(value, evaluation)
        return trial.should_prune()

    def tell(self, number: int, outcome: Outcome) -> None:
        """Ends a trial of this process."""
        trial = self._running.pop(number)
        trial.set_user_attr("about", dict(outcome.about))
        if outcome.status != "completed":
            trial.set_user_attr("ending", [outcome.status, outcome.reason])
        # A sampler learns to avoid what is pruned; of what failed it learns nothing.
        state = {"completed": TrialState.COMPLETE, "failed": TrialState.FAIL}.get(outcome.status, TrialState.PRUNED)
        self._study.tell(trial, outcome.values if outcome.status == "completed" else None, state)

    def records(self) -> list[TrialRecord]:
        """Returns all trials, of all processes."""
        return [_record(trial) for trial in self._trials()]

    def importances(self) -> dict[str, float]:
        """The share of the first objective's variance that each key explains (fANOVA); empty for few trials."""
        done = [trial for trial in self._trials() if trial.state == TrialState.COMPLETE]
        if len(done) < _ENOUGH or len({trial.values[0] for trial in done}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            target = (lambda trial: trial.values[0]) if len(self._config.search.objectives) > 1 else None
            return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator, target=target))

    def note(self, name: str, value: str) -> str:
        """Notes a fact, such as the hash of the data's content, if no process has yet; returns what was noted first."""
        with self.alone():
            if not self.noted(name):
                self._study.set_user_attr(name, value)
            return self.noted(name)

    def noted(self, name: str) -> str:
        """A fact that was noted; empty before."""
        return str(self._study.user_attrs.get(name, ""))

    def ended(self) -> list[TrialRecord]:
        """Returns the trials that count and have ended."""
        return [record for record in self.records() if record.status not in ("interrupted", "running", "waiting")]

    def is_elsewhere(self, record: TrialRecord) -> bool:
        """Whether another living process trains a trial."""
        return record.status == "running" and record.number not in self._running and self._is_alive(record.worker)

    def _begin(self, num_begun: int, fixed: Mapping[str, Any] | None) -> Asked:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.sampler = make_sampler(self._config.search, num_begun, fixed)
            trial = self._study.ask(self._space)
            trial.set_user_attr("worker", self._worker)
        self._running[trial.number] = trial
        return Asked(trial.number, dict(trial.params))

    def _give_back(self, trials: Sequence[FrozenTrial]) -> None:
        """Ends the trials whose process is gone, and has their settings tried again."""
        for trial in trials:
            worker = str(trial.user_attrs.get("worker", ""))
            if trial.state != TrialState.RUNNING or trial.number in self._running or (worker and self._is_alive(worker)):
                continue
            attempt = int(trial.user_attrs.get("attempt", 1))
            ending = ["interrupted", "its process was ended"]
            if attempt >= _ATTEMPTS:
                ending = ["failed", f"its process was ended {attempt} times"]
            study_id = self._storage.get_study_id_from_name(_NAME)
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
            self._storage.set_trial_user_attr(trial_id, "ending", ending)
            self._study.tell(trial.number, state=TrialState.FAIL)
            if attempt < _ATTEMPTS and set(trial.params) == set(self._space):
                self._study.enqueue_trial(trial.params, user_attrs={"attempt": attempt + 1})

    def _grid_points(self, trials: Sequence[FrozenTrial]) -> Iterator[dict[str, Any]]:
        """The points that were not tried, in a drawn order, so that a grid that is not finished covers the whole space."""
        tried = [trial.params for trial in trials if _is_counted(trial)]
        tried += [trial.system_attrs["fixed_params"] for trial in trials if trial.state == TrialState.WAITING]
        points = list(grid(self._config))
        Random(self._config.search.seed).shuffle(points)
        return (point for point in points if point not in tried)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _is_alive(self, worker: str) -> bool:
        """Whether a process holds the lock of its folder; assumed where locks do not work."""
        if worker == self._worker:
            return False  # and its trial is not among those of this process
        try:
            number = os.open(self._folder / worker / ".lock", os.O_RDWR)
        except OSError:
            return False
        try:
            if sys.platform == "win32":
                return True
            fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(number)
        return False


def _is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial counts among `search.trials`: not one that was interrupted, or that waits to be tried again."""
    return trial.state != TrialState.WAITING and _record(trial).status != "interrupted"


def _record(trial: FrozenTrial) -> TrialRecord:
    states: dict[TrialState, Status] = {
        TrialState.COMPLETE: "completed",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
        TrialState.RUNNING: "running",
        TrialState.WAITING: "waiting",
    }
    status, reason = states[trial.state], ""
    if trial.state.is_finished() and "ending" in trial.user_attrs:
        status, reason = trial.user_attrs["ending"]
    return TrialRecord(
        number=trial.number,
        status=status,
        settings=dict(trial.params),
        values=tuple(trial.values) if status == "completed" else (),
        curve=dict(trial.intermediate_values),
        reason=reason,
        about=dict(trial.user_attrs.get("about", {})),
        worker=str(trial.user_attrs.get("worker", "")),
    )
