"""One dataclass for each loss, optimizer and learning-rate schedule; `nnjax.config.options` has those of models.

SGD(name="sgd", learning_rate=0.1, weight_decay=0.0, clip_norm=None, momentum=0.9, nesterov=True)
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.types import Bounds, Duration, NonNegativeFloat, PositiveFloat, PositiveInt, Probability

# --- loss ----------------------------------------------------------------------------------------------------------


class LossOptions:
    """What every loss states beside its options; `nnjax.training.losses` has the functions.

    Attributes:
        from_logits: whether the loss applies softmax to the outputs itself.
        needs_classes: whether it is defined for class targets only.
    """

    from_logits = False
    needs_classes = False


@dataclass(frozen=True)
class CrossEntropy(LossOptions):
    """Softmax cross-entropy; label smoothing spreads `label_smoothing` of a target's weight evenly over all classes."""

    name: Literal["cross_entropy"]
    label_smoothing: Probability
    from_logits = True
    needs_classes = True


@dataclass(frozen=True)
class SquaredError(LossOptions):
    """The squared errors (y − ŷ)² of an example's outputs: `mse` is their mean, and `half_mse` is half of their sum.

    The derivative of `half_mse` by each output is exactly −(y − ŷ), the textbook's output error.
    """

    name: Literal["mse", "half_mse"]


Loss = CrossEntropy | SquaredError

# --- optimizer -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with settings of their own.

    Frozen parameters (multiplier 0, or past `until`) stay the same to the bit, whatever the optimizer, its decay and lookahead;
    their gradients do not count in `clip_norm`. BatchNorm's running statistics are no parameters and are still updated.

    Attributes:
        parameters: patterns of LAYER.NAME, where * stands for anything: "conv_1.kernel", "*_norm.bias", "conv_*".
        multiplier: factor of the learning rate; 0 freezes the parameters from the start.
        weight_decay: replaces optimizer.weight_decay for all of these parameters, biases too; null keeps that one.
        until: how long the parameters are trained before they are frozen: 3steps are the first three; null never freezes.
    """

    parameters: str
    multiplier: NonNegativeFloat = 1.0
    weight_decay: NonNegativeFloat | None = None
    until: Duration | None = None


@dataclass(frozen=True)
class Lookahead:
    """Slow weights that follow the trained (fast) ones, and to which these are set back regularly (Zhang et al., 2019).

    After every `sync_period` steps: slow ← slow + α · (fast − slow), then fast ← slow; at the planned end of training fast ←
    slow once more. A training that a stop rule ends keeps its fast weights, which are those that the rule measured. BatchNorm's
    running statistics are treated likewise, but not frozen parameters: from the first step that leaves a parameter unchanged,
    its slow copy is the parameter itself, and no synchronisation changes either. At the share t of the training,
    α = 1 − (1 − slow_step_size) · t^power: with power 0 it is constant, with a larger power it falls from 1 to
    `slow_step_size`, so that the weights are averaged late.

    Attributes:
        sync_period: steps between two synchronisations of slow and fast weights.
        slow_step_size: α at the end of training.
        power: how late α falls.
    """

    sync_period: PositiveInt
    slow_step_size: Annotated[float, Bounds(above=0, at_most=1)]
    power: NonNegativeFloat = 0.0


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """The options that all optimizers but `textbook` share.

    Attributes:
        learning_rate: the peak; the schedule multiplies it.
        weight_decay: decay of weight matrices and kernels (of biases and normalisation only if a parameter group sets it).
        clip_norm: gradients are scaled down to this global L2 norm over all parameters that are not frozen; null is off.
        parameter_groups: parameters with other settings; the last group that names a parameter applies.
        lookahead: slow weights besides the trained ones; null is off.
    """

    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    clip_norm: PositiveFloat | None
    parameter_groups: tuple[ParameterGroup, ...]
    lookahead: Lookahead | None


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerOptions):
    """Gradient descent with momentum; `weight_decay` is added to the gradient (L2)."""

    name: Literal["sgd"]
    momentum: Probability
    nesterov: bool


@dataclass(frozen=True)
class Textbook:
    """Gradient descent in the textbook's sign: w + learning_rate · ∂loss/∂w, so descent needs a negative one.

    The textbook *adds* learning_rate × delta × input to a weight. Every other optimizer here subtracts: its learning rate of
    0.6 is this one's −0.6.

    Attributes:
        learning_rate: below 0 the loss falls (in small enough steps), above 0 it rises.
    """

    name: Literal["textbook"]
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerOptions):
    """Adam (decay added to the gradient) and AdamW (decay apart from the gradient).

    Attributes:
        b1: decay of the mean of the gradients.
        b2: decay of the mean of their squares.
        eps: added to the root of that; less than float32's smallest normal number would be 0.
    """

    name: Literal["adam", "adamw"]
    b1: Probability
    b2: Probability
    eps: Annotated[float, Bounds(at_least=1.2e-38)]


@dataclass(frozen=True, kw_only=True)
class Lion(OptimizerOptions):
    """Sign of the momentum (Chen et al., 2023); wants a learning rate 3 to 10 times smaller than Adam's."""

    name: Literal["lion"]
    b1: Probability
    b2: Probability


@dataclass(frozen=True, kw_only=True)
class Muon(OptimizerOptions):
    """Orthogonalised momentum for matrices and kernels (Jordan et al., 2024), AdamW for everything else.

    Attributes:
        momentum: decay of the momentum.
        nesterov: look one step ahead.
        newton_schulz_steps: iterations of the orthogonalisation.
        adam_learning_rate: learning rate of the other parameters.
    """

    name: Literal["muon"]
    momentum: Probability
    nesterov: bool
    newton_schulz_steps: PositiveInt
    adam_learning_rate: PositiveFloat


@dataclass(frozen=True, kw_only=True)
class MuonSGD(OptimizerOptions):
    """Muon for matrices and kernels except the output layer's, with a constant norm; SGD for all other parameters.

    Each step scales a kernel of n outputs to the Frobenius norm √n before it adds the orthogonalised momentum, so
    `weight_decay` applies to the parameters that SGD trains: to biases only with a `parameter_groups` entry.

    Attributes:
        momentum: decay of Muon's momentum.
        nesterov: look one step ahead, in both optimizers.
        newton_schulz_steps: iterations of the orthogonalisation.
        sgd_learning_rate: learning rate of the output layer's kernel, of biases and of normalisation.
        sgd_momentum: momentum of the same parameters.
    """

    name: Literal["muon_sgd"]
    momentum: Probability
    nesterov: bool
    newton_schulz_steps: PositiveInt
    sgd_learning_rate: PositiveFloat
    sgd_momentum: Probability


Optimizer = SGD | Textbook | Adam | Lion | Muon | MuonSGD

# --- schedule ------------------------------------------------------------------------------------------------------

Share = Annotated[float, Bounds(at_least=0, at_most=1)]


@dataclass(frozen=True)
class Constant:
    """The learning rate is constant."""

    name: Literal["constant"]


@dataclass(frozen=True)
class Restart:
    """A restart of a schedule from its first step.

    Attributes:
        at: the time of the restart, since the beginning of training.
        length: the length of this course, after which its last rate stays; null is up to the next restart, or to the end.
    """

    at: Duration
    length: Duration | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """The options that all schedules but `constant` share.

    The first course has the length `training.planned`. Percentages in `warmup` and `boundaries` refer to a course.

    Attributes:
        restarts: the beginnings of further courses, each with its own warm-up: 10epochs, or {at: 10epochs, length: 5epochs}.
    """

    restarts: tuple[Duration | Restart, ...] = ()


@dataclass(frozen=True)
class Steps(ScheduleOptions):
    """The learning rate is multiplied by `factor` at each of the boundaries, counted from the beginning of a course."""

    name: Literal["step"]
    boundaries: tuple[Duration, ...]
    factor: PositiveFloat


@dataclass(frozen=True)
class Cosine(ScheduleOptions):
    """Half a cosine from the peak, in the first step, to `final` times the peak, one past the last step."""

    name: Literal["cosine"]
    final: Share


@dataclass(frozen=True)
class WarmupCosine(ScheduleOptions):
    """A straight line up to the peak over `warmup`, then half a cosine to `final` times the peak.

    Step k of W warm-up steps, counted from 0, has (k + 1) / W of the peak, so that the first step is not wasted. The cosine
    begins with the peak in step W, and reaches `final` one step after the last one.
    """

    name: Literal["warmup_cosine"]
    warmup: Duration
    final: Share


@dataclass(frozen=True)
class OneCycle(ScheduleOptions):
    """A straight line from `start` to 1 times the peak over `warmup`, then one down to `final`, one past the last step.

    The first step has `start` times the peak, and the step after W warm-up steps has the peak. With a `start` of 0 the first
    step would learn nothing, so step k of the warm-up, counted from 0, then has (k + 1) / W of the peak.
    """

    name: Literal["onecycle"]
    warmup: Duration
    start: Share
    final: Share


Schedule = Constant | Steps | Cosine | WarmupCosine | OneCycle
