"""Between two decisions of the loop: compiled calls, each of as many steps as take a fraction of a second.

runner = ChunkRunner(experiment, state, stop=stop, clock=clock)
for call in runner.calls(first_step=0, until=600):
    call.metrics.loss                                # [steps], of this call's steps
runner.state                                         # after all of them
"""

import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from nnjax.config.errors import DataError, DivergedError
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
from nnjax.training.kept_program import kept_program
from nnjax.training.program_use import ProgramUse
from nnjax.training.state import TrainState
from nnjax.training.step import ChunkBatch, StepMetrics, make_train_chunk

# A call takes about this long, so that a signal is answered, and the bar moves, a few times a second.
_SECONDS_PER_CALL = 0.3
# The first call, before anything was timed, does about as many operations, where a weight is used once per example.
_FIRST_CALL_FLOPS = 1e8
# It also does no more steps than can be recorded in a second, where each of them is.
_FIRST_CALL_RECORDS = 1024
# The device ends a call a little above the loss that ends training: it computes that loss in float32, in another order.
_MARGIN = 1e-6


@dataclass(frozen=True)
class Call:
    """The result of a compiled call, on the host.

    Attributes:
        metrics: NumPy arrays [steps], of the steps done; with several trials [trials, steps].
        started: when the devices became free for it, on the clock of `time.perf_counter`.
    """

    metrics: StepMetrics
    started: float


class ChunkRunner:
    """Runs the compiled chunk, as many steps at a time as take a fraction of a second.

    Args:
        experiment: the training.
        state: as placed on the devices; its memory is taken over.
        stop: ends the calls when it is raised.
        clock: counts "data" and "compile", and says how long training took.
        spans: whether calls run past evaluations; a call then ends by itself where `training.stop.loss_below` may hold.
        record_params: whether metrics hold the parameters after each step.

    Attributes:
        state: after the newest call; calls under way included.
    """

    def __init__(
        self,
        experiment: Experiment,
        state: TrainState,
        *,
        stop: StopSignal,
        clock: Clock,
        spans: bool = False,
        record_params: bool = False,
    ) -> None:
        config, placement = experiment.config, experiment.placement
        with clock("data"):
            self._loader = loader_of(experiment)
        with clock("compile"):
            stop_below = config.training.stop.loss_below if spans else None
            self._chunk, self._numbers = compiled_chunk(
                experiment, state, self._loader, stop_below=stop_below, record_params=record_params
            )
            check_compiled(config, experiment.dataset.spec, self._chunk, placement.devices, "to train")
        self.state = state
        self._experiment, self._stop, self._clock = experiment, stop, clock
        self._mark = ""  # of the newest losses
        # The loss at which a call ends by itself; None for never.
        self._end_below = _end_below(stop_below)
        flops = 6 * num_params(state.params) / placement.num_devices * config.training.global_batch_size
        easy = 1 if config.debug.strict else max(1, int(_FIRST_CALL_FLOPS / flops))
        self._steps_per_call = min(easy, _FIRST_CALL_RECORDS if spans else self._loader.max_steps, self._loader.max_steps)

    def calls(self, first_step: int, until: int) -> Iterator[Call]:
        """Trains up to a step, or until a signal comes, time runs out, or a call ends by itself.

        One call is in flight while the one before is read. More would abort XLA's simulated CPU devices, which give up on a
        rendezvous that takes too long.

        Args:
            first_step: the steps done so far.
            until: the last step.

        Yields:
            The finished calls, in order; between two of them the caller's time counts as theirs.
        """
        rules, placement = self._experiment.config.training.stop, self._experiment.placement
        step = first_step
        pending: tuple[int, StepMetrics] | None = None
        self._settled_at = time.perf_counter()
        # One call is made even where the time limit is shorter than a call.
        while step < until:
            num_steps = self._stop.agree(min(self._steps_per_call, until - step), self._clock, self._mark)
            if self._stop.requested is not None or (step > first_step and out_of_time(rules, self._clock, self._stop)):
                break
            chunk, before = self._loader(step, num_steps), self.state
            count = placement.replicate(np.int32(num_steps))
            self.state, metrics = self._chunk(before, *self._numbers, chunk, count)
            step += num_steps
            if self._experiment.config.debug.strict:
                self._check_step(before, step)
            if pending is not None:
                yield from self._settle(*pending)
            pending = num_steps, metrics
            if self._end_below is not None:
                pending = None
                if (yield from self._settle(num_steps, metrics)):
                    return
        if pending is not None:
            yield from self._settle(*pending)

    def replay(self, state: TrainState, first_step: int, until: int) -> tuple[TrainState, Any]:
        """Repeats steps outside of the training, with the same program and batches.

        Args:
            state: after `first_step` steps, as placed on the devices; its memory is taken over.
            first_step: the steps done in it.
            until: the last step.

        Returns:
            The state after them, and the loss of the last one, summed over its examples; with several trials [trials].

        Raises:
            DataError: if a signal asks the training to stop meanwhile.
        """
        placement, loss = self._experiment.placement, np.zeros(())
        while first_step < until:
            if self._stop.requested is not None:
                raise DataError(f"{self._stop.requested} came while the steps were repeated")
            num_steps = min(self._loader.max_steps, until - first_step)
            chunk, count = self._loader(first_step, num_steps), placement.replicate(np.int32(num_steps))
            state, metrics = self._chunk(state, *self._numbers, chunk, count)
            loss = placement.get(metrics).loss[..., num_steps - 1]
            first_step += num_steps
        return state, loss

    def examples(self, step: int, trial: int = 0) -> tuple[Any, Any, Any]:
        """The batch of the step after `step` steps: inputs, targets, and their places in the training split."""
        return self._loader.examples(step, trial)

    def _settle(self, num_steps: int, metrics: StepMetrics) -> Generator[Call, None, bool]:
        """Waits for a call, passes it on, and sets the pace of the next ones; returns whether the call ended by itself."""
        placement = self._experiment.placement
        fetched = placement.get(metrics)
        done = min(num_steps, int(np.count_nonzero(fetched.count, axis=-1).max()))
        loss, correct, count = (x[..., :done] for x in (fetched.loss, fetched.correct, fetched.count))
        if placement.num_processes > 1:
            self._mark = hashlib.sha256(loss.tobytes()).hexdigest()[:16]
        yield Call(StepMetrics(loss, correct, count, fetched.params), self._settled_at)
        now = time.perf_counter()
        seconds = max(now - self._settled_at, 1e-6)
        self._settled_at = now
        if not self._experiment.config.debug.strict:
            pace = int(done * _SECONDS_PER_CALL / seconds)
            # A short call before an evaluation says little of the pace, and must not slow down the calls after it.
            most = max(4 * done, self._steps_per_call)
            self._steps_per_call = min(max(pace, 1), most, self._loader.max_steps)
        if self._end_below is None:
            return False
        # In its last step, too: how many steps a call has depends on the machine's speed, and the result must not.
        return done < num_steps or not loss[-1] / count[-1] > self._end_below

    def _check_step(self, before: TrainState, step: int) -> None:
        """Raises DivergedError if the step to `step` left a number that is not finite."""
        if not is_finite((self.state.params, self.state.model_state)):
            batch = self._loader.examples(step - 1)
            where = first_nonfinite(self._experiment, self._experiment.placement.fetch(before), *batch)
            raise DivergedError(f"{where} is not finite in step {step}: the first number of this training that is not", step)


def compiled_chunk(
    experiment: Experiment, state: TrainState, loader: ChunkLoader, *, stop_below: float | None, record_params: bool = False
) -> tuple[Any, tuple[Any, ...]]:
    """The compiled program of a chunk of steps, and those of its arguments that stay the same.

    Args:
        experiment: the training.
        state: as placed on the devices, or its shapes.
        loader: makes the chunks.
        stop_below: a call ends by itself after a step with a loss of about this; None for never.
        record_params: whether metrics hold the parameters after each step.

    Returns:
        The program; its arguments after the state: the trials, the shared numbers, and the loss that ends a call.
    """
    config, placement = experiment.config, experiment.placement
    chunk = chunk_of_all(experiment, loader.max_steps, record_params=record_params)
    end_below = _end_below(stop_below)
    numbers = (
        placement.put(experiment.trial_params),
        placement.replicate(experiment.hyperparams),
        None if end_below is None else placement.replicate(end_below),
    )
    arguments = (state, *numbers, loader(0, 1), placement.replicate(np.int32(0)))
    donate = () if config.debug.strict else (0,)

    def compiled() -> Any:
        lowered = placement.compile(chunk, donate).lower(*arguments)
        return compile_lowered(lowered, placement.platform, in_turn=experiment.recipe.averaging.in_turn)

    a_number: Any = 0
    results = (state, StepMetrics(a_number, a_number, a_number, state.params if record_params else None))
    spec, network, devices = experiment.dataset.spec, experiment.recipe.network, placement.devices
    use = ProgramUse(config, spec, network, devices, ("train", record_params))
    return kept_program(use, arguments, lambda: results, compiled), numbers


def _end_below(stop_below: float | None) -> np.float32 | None:
    """The loss at which a call ends by itself, a little above that of the stop rule; None for never."""
    return None if stop_below is None else np.float32(stop_below * (1 + _MARGIN))


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


def loader_of(experiment: Experiment) -> ChunkLoader:
    """The loader of an experiment's training split."""
    seeds = [trial.seed for trial in experiment.plan.trials]
    total_steps = experiment.plan.steps.total
    return make_loader(experiment.dataset.train, experiment.config, experiment.placement, seeds=seeds, total_steps=total_steps)


def out_of_time(rules: StopRules, clock: Clock, stop: StopSignal) -> bool:
    """Whether training took as long as it may."""
    return rules.max_seconds is not None and stop.train_seconds(clock) >= rules.max_seconds
