"""The whole config of each verb, as `conf/train.yaml` and its siblings compose it.

`nnjax.cli.compose` makes one from overrides::

    config = compose_train(["model=fnn", "data=mnist", "training.duration=5epochs"])
    config.model.hidden                      # (256,)
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.data_options import Data, TfdsData
from nnjax.config.options import Activation, ActivationName, Model
from nnjax.config.parallel_options import MemoryLimit, Parallel
from nnjax.config.tracking_options import TrackerName, Tracking
from nnjax.config.training_options import Loss, Optimizer, Schedule
from nnjax.config.types import Duration, NonNegativeInt, PositiveFloat, PositiveInt, Probability, Seed


@dataclass(frozen=True)
class StopRules:
    """Rules that end training before `training.duration`: the first that holds ends it, and null switches a rule off.

    Loss and accuracy are measured on the validation split, or, without one, on the training since the last evaluation.

    Attributes:
        loss_below: end when the loss has fallen to this value.
        accuracy_above: end when the accuracy has risen to this value (0 to 1).
        patience: end after so many evaluations in a row without a lower loss.
        max_seconds: end after so many seconds of training.
    """

    loss_below: PositiveFloat | None
    accuracy_above: Probability | None
    patience: PositiveInt | None
    max_seconds: PositiveFloat | None


@dataclass(frozen=True)
class Vary:
    """Settings that differ between the trials of a run, besides their seeds; null varies nothing.

    Attributes:
        learning_rate: one trial for each value, in place of `optimizer.learning_rate`.
    """

    learning_rate: tuple[float, ...] | None


@dataclass(frozen=True)
class Training:
    """The length of training, its batches, evaluations and checkpoints.

    Attributes:
        duration: the whole of training; in steps, epochs or examples.
        global_batch_size: examples per step, over all devices; an epoch drops an incomplete last batch.
        eval_batch_size: examples per evaluation batch, over all devices; the last batch is padded.
        evaluate_every: how often the validation split is measured and a record is written.
        checkpoint_every: how often the state is saved, with the best one since the last checkpoint; null saves at the end only
            (and on SIGTERM or Ctrl-C).
        keep: how many of the newest checkpoints are kept, besides the best one.
        test: the checkpoint that is tested, once, at the end.
        test_views: number of views of an image over which evaluations (validation, too) average the outputs: 2 are the image
            and its mirror image, 6 add both shifted by a pixel up and left, and down and right.
        precision: type of activations and gradients; parameters, losses and BatchNorm stay float32.
        seeds: number of trials that one program trains at once, with the seeds `seed`, `seed` + 1, …; each trial gives the same
            result as a run with its seed alone.
        vary: further differences between trials; with several learning rates, each is trained with each seed.
        stop: rules that end training earlier.
        planned: the length that the schedule spans, and that percents and lookahead refer to; null is `duration`. To resume
            with another duration and keep the old schedule, set it to the old duration: after it, the last rate stays.
    """

    duration: Duration
    global_batch_size: PositiveInt
    eval_batch_size: PositiveInt
    evaluate_every: Duration
    checkpoint_every: Duration | None
    keep: PositiveInt
    test: Literal["last", "best"]
    test_views: Literal[1, 2, 6]
    precision: Literal["float32", "bfloat16"]
    seeds: PositiveInt
    vary: Vary
    stop: StopRules
    planned: Duration | None = None


@dataclass(frozen=True)
class Debug:
    """Aids for debugging; `debug=off` switches all of them off.

    Attributes:
        name: the preset's name.
        max_steps: stop after so many steps; null is off.
        overfit: train on the first batch only: the loss of a working model goes to zero.
        strict: one step per call, on one device; when a number stops being finite, the error names the layer or gradient
            where that starts.
        profile: record a trace of some steps, for Perfetto or TensorBoard.
        watchdog: what happens when a part of the run takes ten times as long as the longest before, and 30 seconds: `warn` says
            so, with the stack of every thread in `train.log`; `stop` also ends the process, after `stall_limit`; `off`.
        stall_limit: seconds.
    """

    name: Literal["off", "fast", "overfit", "strict", "profile"]
    max_steps: PositiveInt | None
    overfit: bool
    strict: bool
    profile: bool
    watchdog: Literal["warn", "stop", "off"] = "warn"
    stall_limit: PositiveFloat = 600.0


@dataclass(frozen=True)
class Report:
    """Figures and files of a run besides its metrics.

    Attributes:
        figures: draw PNGs at the end.
        weights: record and draw every weight at each evaluation, for a network of at most so many weights; 0 is off.
        tensorboard: write TensorBoard events; `auto` writes them if tensorboardX is installed.
        records: of the iterations of a trace, and of steps that are each evaluated by their own loss, `sparse` records each
            of the first 100, then ever fewer (35 for each doubling), and the last; `all` records each.
        page: leave `report.html`, a page to send; `auto` does if `figures` does.
        trackers: where config, metrics, figures, checkpoint and status go besides the run's own files.
        tracking: the trackers' settings.
    """

    figures: bool
    weights: NonNegativeInt
    tensorboard: Literal["auto", "on", "off"]
    page: Literal["auto"] | bool = "auto"
    trackers: tuple[TrackerName, ...] = ()
    tracking: Tracking = Tracking()  # noqa: RUF009  (frozen)
    records: Literal["sparse", "all"] = "sparse"


@dataclass(frozen=True, kw_only=True)
class Config:
    """An experiment: the model, the data and the training.

    Attributes:
        seed: draws initial weights, shuffles, augmentation and dropout.
    """

    model: Model
    activation: Activation
    data: Data
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    training: Training
    parallel: Parallel
    debug: Debug
    report: Report
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """`python -m experiments.train`.

    Attributes:
        resume: folder of an earlier run to resume; `auto` resumes the run in `hydra.run.dir`, or starts it; null starts anew.
        rerun: folder of an earlier run whose config is run anew, with the other overrides applied; null is off.
    """

    resume: str | None
    rerun: str | None


@dataclass(frozen=True, kw_only=True)
class TraceConfig(Config):
    """`python -m experiments.trace`: the first steps of an experiment, every operation shown.

    Attributes:
        iterations: how many training steps to do, at most a million; `training.duration` sets only the schedule's length.
        show: `some` sums up long tables in the terminal, `all` prints every row of every recorded iteration.
        open: whether to open the page in the browser of this machine.
    """

    iterations: PositiveInt
    show: Literal["some", "all"] = "some"
    open: bool = False


@dataclass(frozen=True, kw_only=True)
class VerifyConfig(Config):
    """`python -m experiments.verify CHECK`: holds an experiment, or a run's files, to what is promised of them.

    Attributes:
        check: `resume` kills trainings and resumes them, `parity` trains on one and on several devices, `checkpoint` reads a
            run's files.
        run: folder of an earlier run, whose experiment or files are checked; null checks the experiment of this config.
        steps: of each training; `resume` trains so many before the kill and after it.
        kills: number of runs that `resume` kills.
        tolerance: the largest relative difference that `parity` accepts.
    """

    check: Literal["resume", "parity", "checkpoint"]
    run: str | None
    steps: PositiveInt
    kills: PositiveInt
    tolerance: PositiveFloat


@dataclass(frozen=True)
class NeuronView:
    """Settings of `experiments.neuron` besides the neuron itself.

    Attributes:
        z: a pre-activation value in place of the weighted sum; null computes it from the inputs.
        draw: activations to draw, besides the chosen one.
    """

    z: float | None
    draw: tuple[ActivationName, ...]


@dataclass(frozen=True)
class NeuronConfig:
    """`python -m experiments.neuron`: one neuron, by hand.

    Attributes:
        inputs: the values x.
        weights: one for each input.
        bias: the bias weight; its input is 1.
        activation: applied to the weighted sum z.
    """

    inputs: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    activation: Activation
    neuron: NeuronView


@dataclass(frozen=True)
class EvaluateConfig:
    """`python -m experiments.evaluate run=outputs/…`.

    Attributes:
        run: folder of the run.
        checkpoint: `last`, `best`, `tested` (the one that training tested), or a step.
        memory_limit: like `parallel.memory_limit`, for this evaluation.
        figures: whether to draw the run's figures, in the evaluation's folder; `auto` does if the run should have figures, and
            has none, such as after a signal.
    """

    run: str
    checkpoint: Literal["last", "best", "tested"] | NonNegativeInt
    memory_limit: MemoryLimit = "auto"
    figures: Literal["auto"] | bool = "auto"


@dataclass(frozen=True)
class AutopsyConfig:
    """`python -m experiments.autopsy run=outputs/…`.

    Attributes:
        run: folder of a run that diverged.
    """

    run: str


@dataclass(frozen=True)
class PrepareConfig:
    """`python -m experiments.prepare data=mnist`.

    Attributes:
        data: which dataset; only those of tensorflow-datasets need preparation.
        archives: folder with the official archives; null downloads them.
    """

    data: TfdsData
    archives: str | None
