"""The whole config of each verb: what `conf/train.yaml` and its siblings compose to.

`nnjax.cli.compose` makes one from overrides::

    config = compose_train(["model=fnn", "data=mnist", "training.duration=5epochs"])
    config.model.hidden                      # (256,)
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.data_options import Data, TfdsData
from nnjax.config.options import Activation, ActivationName, Model
from nnjax.config.training_options import Loss, Optimizer, Schedule
from nnjax.config.types import Duration, MemorySize, NonNegativeInt, PositiveFloat, PositiveInt, Probability, Seed

MemoryLimit = Literal["auto", "off"] | MemorySize


@dataclass(frozen=True)
class StopRules:
    """When to end before `training.duration` is over; null switches a rule off, the first that holds ends it.

    Loss and accuracy are those of the validation split, or, where there is none, of the training since the last
    evaluation.

    Attributes:
        loss_below: the loss has fallen to this.
        accuracy_above: the accuracy has risen to this (0 to 1).
        patience: so many evaluations in a row brought no lower loss.
        max_seconds: so much time went into training.
    """

    loss_below: PositiveFloat | None
    accuracy_above: Probability | None
    patience: PositiveInt | None
    max_seconds: PositiveFloat | None


@dataclass(frozen=True)
class Vary:
    """What sets the trials of a run apart besides their seeds; null leaves them alike in it.

    Attributes:
        learning_rate: a trial for each value, in the place of `optimizer.learning_rate`.
    """

    learning_rate: tuple[float, ...] | None


@dataclass(frozen=True)
class Training:
    """How long, in what portions, and what is kept.

    Attributes:
        duration: the whole of training; in steps, epochs or examples.
        global_batch_size: examples a step, over all devices; an epoch drops what does not fill a last batch.
        eval_batch_size: examples a step of evaluation, over all devices; the last one is padded and masked.
        evaluate_every: how often the validation split is measured and a record is written.
        checkpoint_every: how often the state is saved, and with it the best one since the last time; null saves at the end only
            (and on SIGTERM or Ctrl-C).
        keep: how many of the newest checkpoints stay; the best one stays besides.
        test: which checkpoint the test split is measured on, once, at the end.
        test_views: the outputs in an evaluation, of the validation split too, are the mean over so many views of an image: 2 is
            the image and its mirror image, 6 these two and both shifted by a pixel up and left, and down and right.
        precision: type of activations and gradients; parameters, losses and BatchNorm stay float32.
        seeds: trials of the network that are trained at once, in one program, with the seeds `seed`, `seed` + 1, …; each
            becomes what a run with its seed alone would become.
        vary: what else sets trials apart: with several learning rates, each is trained with each of the seeds.
        stop: when to end earlier.
        planned: what the schedule spans, and what percents and lookahead's share of the training are of; null is `duration`. A
            resumed run with another duration stays what it was with the old one here: past it, the last learning rate stays.
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
class Parallel:
    """How a step is spread over devices.

    Attributes:
        name: the wrapper, `pmap` or `shard_map`; both compute the same.
        devices: how many; `auto` takes every accelerator, or, on the CPU, as many fake devices as there are cores, as
            far as they divide the batch.
        platform: where to run; `auto` leaves it to JAX.
        memory_limit: what an experiment may take of the host and of each device; one that surely takes more is refused before
            it allocates anything. `auto` measures what is free, a size such as 12GB stands in its place, `off` refuses nothing.
    """

    name: Literal["pmap", "shard_map"]
    devices: PositiveInt | Literal["auto"]
    platform: Literal["auto", "cpu", "gpu", "tpu"]
    memory_limit: MemoryLimit = "auto"


@dataclass(frozen=True)
class Debug:
    """Ways to look closer; `debug=off` has none of them.

    Attributes:
        name: which preset.
        max_steps: stop after so many steps; null is off.
        overfit: train on the first batch over and over: the loss of a sound model goes to zero.
        strict: one step a call, on one device; when a number stops being finite, the layer or gradient where that
            starts is named.
        profile: record a trace of some steps, for Perfetto or TensorBoard.
    """

    name: Literal["off", "fast", "overfit", "strict", "profile"]
    max_steps: PositiveInt | None
    overfit: bool
    strict: bool
    profile: bool


@dataclass(frozen=True)
class Report:
    """What a run draws and writes besides its numbers.

    Attributes:
        figures: draw PNGs at the end.
        weights: every weight of a network that has at most so many is recorded at each evaluation, and drawn; 0 is off.
        tensorboard: write TensorBoard events; `auto` does where tensorboardX is installed.
    """

    figures: bool
    weights: NonNegativeInt
    tensorboard: Literal["auto", "on", "off"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """An experiment: what is trained, on what, and how.

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
        resume: folder of an earlier run to go on with; null starts a new one.
        rerun: folder of an earlier run whose config to start anew, with what else is set changed; null is off.
    """

    resume: str | None
    rerun: str | None


@dataclass(frozen=True, kw_only=True)
class TraceConfig(Config):
    """`python -m experiments.trace`: the first steps of an experiment, every operation shown.

    Attributes:
        iterations: how many training steps to show; `training.duration` says only what a schedule is relative to.
    """

    iterations: PositiveInt


@dataclass(frozen=True)
class NeuronView:
    """What `experiments.neuron` shows besides the sum.

    Attributes:
        z: a pre-activation value to take in place of the weighted sum; null computes it from the inputs.
        draw: activations to draw, besides the chosen one.
    """

    z: float | None
    draw: tuple[ActivationName, ...]


@dataclass(frozen=True)
class NeuronConfig:
    """`python -m experiments.neuron`: one neuron, by hand.

    Attributes:
        inputs: the values x that come in.
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
        memory_limit: as `parallel.memory_limit`, for this evaluation.
    """

    run: str
    checkpoint: Literal["last", "best", "tested"] | NonNegativeInt
    memory_limit: MemoryLimit = "auto"


@dataclass(frozen=True)
class PrepareConfig:
    """`python -m experiments.prepare data=mnist`.

    Attributes:
        data: which dataset; only those of tensorflow-datasets need preparation.
        archives: folder that holds the official archives already; null downloads them.
    """

    data: TfdsData
    archives: str | None
