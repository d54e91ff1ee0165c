"""Between two decisions of the loop: compiled calls, as many steps each as take a fraction of a second.

    runner = ChunkRunner(experiment, state, events, stop, clock)
    state, progress = runner.advance(state, progress)    # up to the next evaluation or checkpoint

Where every step is an evaluation and nothing but the loss is looked at, as in the textbook's training, a call goes on over many
of them, ends by itself when the loss is small enough, and brings back what each step is to be recorded with.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from nnjax.config.errors import DivergedError
from nnjax.config.schema import StopRules
from nnjax.models.layer_summary import num_params
from nnjax.parallel.compilation import compile_lowered
from nnjax.parallel.device_memory import check_compiled
from nnjax.parallel.preemption import StopSignal
from nnjax.training.chunk_loader import ChunkLoader, make_loader
from nnjax.training.clock import Clock
from nnjax.training.diagnosis import first_nonfinite, is_finite
from nnjax.training.experiment import Experiment
from nnjax.training.hyperparams import Hyperparams, TrialParams
from nnjax.training.state import Pytree, TrainState
from nnjax.training.step import ChunkBatch, StepMetrics, make_train_chunk
from nnjax.training.training_progress import Numbers, Sums, TrainingProgress, mean_over_trials
from nnjax.training.weights import is_recorded, named_weights

# A call takes about this long, so that a signal is answered, and the bar moves, a few times a second.
_SECONDS_PER_CALL = 0.3
# The first call, before anything was timed, does about as many operations, where a weight is used once an example, and not
# more steps than are recorded in a second where each of them is.
_FIRST_CALL_FLOPS = 1e8
_FIRST_CALL_RECORDS = 1024


class Events(Protocol):
    """What the loop tells; numbers are plain Python ones, of several trials lists of them."""

    def trained(self, step: int, metrics: Mapping[str, Numbers], examples_per_second: float) -> None:
        """A chunk is done; metrics are means over its examples, and examples those of all trials."""

    def evaluated(self, step: int, train: Mapping[str, Numbers], validation: Mapping[str, Numbers] | None) -> None:
        """An evaluation is done; `train` are means since the one before."""

    def weights(self, step: int, values: Mapping[str, float]) -> None:
        """Every weight after `step` steps, by name; told of small networks only, and not of several trials."""


class ChunkRunner:
    """Calls the compiled chunk, as many steps at a time as take a fraction of a second."""

    def __init__(self, experiment: Experiment, state: TrainState, events: Events, stop: StopSignal, clock: Clock) -> None:
        config, placement = experiment.config, experiment.placement
        rules = config.training.stop
        self._recorded = not placement.many and is_recorded(placement.get(state.params), config.report.weights)
        # Nothing is decided between these steps but by the loss, and that the device can do.
        self._by_step = (
            experiment.plan.steps.evaluate_every == 1
            and not len(experiment.dataset.validation)
            and rules.patience is None
            and rules.accuracy_above is None
            and not config.debug.strict
        )
        with clock("data"):
            self._loader: ChunkLoader = _loader(experiment)
        with clock("compile"):
            chunk = chunk_of_all(
                experiment,
                self._loader.max_steps,
                record_params=self._by_step and self._recorded,
            )
            stop_below = rules.loss_below if self._by_step else None
            self._numbers = (
                placement.put(experiment.trial_params),
                placement.replicate(experiment.hyperparams),
                None if stop_below is None else placement.replicate(np.float32(stop_below)),
            )
            arguments = (state, *self._numbers, self._loader(0, 1), placement.replicate(np.int32(0)))
            donate = () if config.debug.strict else (0,)
            self._chunk = compile_lowered(placement.compile(chunk, donate).lower(*arguments), placement.platform)
            check_compiled(config, experiment.dataset.spec, self._chunk, placement.devices, "to train")
        self._experiment = experiment
        self._events, self._stop, self._clock = events, stop, clock
        flops = 6 * num_params(state.params) / placement.num_devices * config.training.global_batch_size
        easy = 1 if config.debug.strict else max(1, int(_FIRST_CALL_FLOPS / flops))
        most = _FIRST_CALL_RECORDS if self._by_step else self._loader.max_steps
        self._steps_per_call = min(easy, most, self._loader.max_steps)

    def advance(self, state: TrainState, progress: TrainingProgress) -> tuple[TrainState, TrainingProgress]:
        """Trains up to the next evaluation or checkpoint, or until a signal comes or time runs out."""
        rules, counts = self._experiment.config.training.stop, self._experiment.plan.steps
        first = step = progress.step
        cadences = [counts.checkpoint_every] if self._by_step else [counts.evaluate_every, counts.checkpoint_every]
        until = min([counts.total, *((step // every + 1) * every for every in cadences if every)])
        pending: tuple[int, StepMetrics] | None = None
        self._settled_at = time.perf_counter()
        with self._clock("train"):
            # One call is made even where the time limit is shorter than a call.
            while step < until and self._stop.requested is None and not (step > first and out_of_time(rules, self._clock)):
                num_steps = min(self._steps_per_call, until - step)
                chunk = self._loader(step, num_steps)
                count = self._experiment.placement.replicate(np.int32(num_steps))
                before = state
                state, metrics = self._chunk(state, *self._numbers, chunk, count)
                step += num_steps
                if self._experiment.config.debug.strict:
                    self._check_step(before, state, step)
                # One call is in flight while the last one's numbers are read; more would abort XLA's fake CPU devices,
                # which give up on a rendezvous that takes too long.
                if pending is not None:
                    progress = self._settle(progress, *pending)
                pending = (num_steps, metrics)
                if self._by_step:  # the call may have ended by itself, and then there is no other
                    progress, pending = self._settle(progress, *pending), None
                    if progress.step < step:
                        break
            if pending is not None:
                progress = self._settle(progress, *pending)
        return state, progress

    def _settle(self, progress: TrainingProgress, num_steps: int, metrics: StepMetrics) -> TrainingProgress:
        """Waits for a call, adds up its numbers and sets the pace of the next ones."""
        many = self._experiment.placement.many
        fetched = self._experiment.placement.get(metrics)
        num_steps = min(num_steps, int(np.count_nonzero(fetched.count, axis=-1).max()))
        loss, correct, count = (x[..., :num_steps] for x in (fetched.loss, fetched.correct, fetched.count))
        sound = np.isfinite(loss)
        any_sound = sound.any(axis=0) if many else sound
        until = num_steps if any_sound.all() else int(np.argmin(any_sound))
        if many:
            progress = progress.with_diverged(
                {trial: progress.step + 1 + int(np.argmin(row)) for trial, row in enumerate(sound) if not row.all()}
            )
        for part in [slice(i, i + 1) for i in range(until)] if self._by_step else [slice(until)]:
            progress = progress.after_steps(loss[..., part], correct[..., part], count[..., part])
            if self._by_step:
                weights = jax.tree.map(lambda values: values[part.start], fetched.params) if self._recorded else None  # noqa: B023
                progress = record(self._experiment, progress, self._events, weights=weights)
        now = time.perf_counter()
        seconds = max(now - self._settled_at, 1e-6)
        self._settled_at = now
        sums = Sums().plus(loss[..., :until], correct[..., :until], count[..., :until])
        self._events.trained(progress.step, sums.means(self._experiment.classification), np.sum(sums.count) / seconds)
        if until < num_steps:
            what, value = ("the training loss of every trial", math.nan) if many else ("the training loss", loss[until])
            raise diverged(what, value, progress.step + 1, self._experiment)
        pace = int(num_steps * _SECONDS_PER_CALL / seconds)
        if not self._experiment.config.debug.strict:
            # A short call before an evaluation says little of the pace, and must not slow down the calls after it.
            most = max(4 * num_steps, self._steps_per_call)
            self._steps_per_call = min(max(pace, 1), most, self._loader.max_steps)
        return progress

    def _check_step(self, before: TrainState, after: TrainState, step: int) -> None:
        if not is_finite((after.params, after.model_state)):
            batch = self._loader.examples(step - 1)
            where = first_nonfinite(self._experiment, self._experiment.placement.fetch(before), *batch)
            raise DivergedError(f"{where} is not finite in step {step}: the first number of this training that is not")


def chunk_of_all(experiment: Experiment, max_steps: int, *, record_params: bool) -> Callable[..., Any]:
    """Many steps of each trial in one call, as one of the devices does them.

    Returns:
        A function of the state, the trials' parameters, the numbers that they share, the loss that ends the call early or None,
        the chunk and the number of steps; the results are as from `make_train_chunk`.
    """

    def run_chunk(
        state: TrainState,
        trials: TrialParams,
        shared: Hyperparams,
        stop_below: jax.Array | None,
        chunk: ChunkBatch,
        num_steps: jax.Array,
    ) -> Any:
        def chunk_of_one(own: tuple[TrainState, TrialParams, ChunkBatch]) -> tuple[TrainState, StepMetrics]:
            state, trial, own_chunk = own
            recipe = experiment.recipe_of(trial, shared)
            steps = make_train_chunk(recipe, max_steps, stop_below=stop_below, record_params=record_params)
            return steps(state, chunk.shared_with(own_chunk), num_steps)

        return experiment.placement.map(chunk_of_one, (state, trials, chunk.of_trials()))

    return run_chunk


def _loader(experiment: Experiment) -> ChunkLoader:
    seeds = [trial.seed for trial in experiment.plan.trials]
    total_steps = experiment.plan.steps.total
    return make_loader(experiment.dataset.train, experiment.config, experiment.placement, seeds=seeds, total_steps=total_steps)


def out_of_time(rules: StopRules, clock: Clock) -> bool:
    """Whether training took as long as it may."""
    return rules.max_seconds is not None and clock.read("train") >= rules.max_seconds


def diverged(what: str, value: float, step: int, experiment: Experiment) -> DivergedError:
    """The error for a number that stopped being finite at a step."""
    clipping = ", or optimizer.clip_norm=1" if hasattr(experiment.config.optimizer, "clip_norm") else ""
    return DivergedError(
        f"{what} became {value} at step {step} (epoch {step / experiment.plan.steps.per_epoch:.2f}), "
        f"with a learning rate of {experiment.learning_rate(step - 1):.3g}\n"
        f"  try an optimizer.learning_rate nearer to 0{clipping}; debug=strict names the layer where it starts"
    )


def record(
    experiment: Experiment,
    progress: TrainingProgress,
    events: Events,
    *,
    validation: Mapping[str, Numbers] | None = None,
    weights: Pytree | None = None,
) -> TrainingProgress:
    """Tells of an evaluation; stop rules look at the validation split, or else at the training since the last time.

    Args:
        experiment: what is trained.
        progress: at this step.
        events: who is told.
        validation: metrics of the validation split.
        weights: the parameters, where they are to be recorded.

    Raises:
        DivergedError: if the validation loss is not finite.
    """
    train = progress.sums.means(experiment.classification)
    splits = {"train": train} | ({} if validation is None else {"validation": validation})
    if experiment.placement.many:
        progress = progress.after_trials(splits)
    events.evaluated(progress.step, train, validation)
    if weights is not None:
        events.weights(progress.step, named_weights(weights))
    monitored = mean_over_trials(train if validation is None else validation)
    if not math.isfinite(monitored["loss"]):
        raise diverged("the validation loss", monitored["loss"], progress.step, experiment)
    return progress.after_evaluation(monitored, on_validation=validation is not None)
