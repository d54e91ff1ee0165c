"""How a network is trained: losses, optimizers and learning-rate schedules, as `nnjax.config.options` has models and data.

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
    """Parameters that learn otherwise than the others do.

    Frozen, by a multiplier of 0 or past their end, parameters stay what they are to the bit, whatever the optimizer, its decay
    and lookahead; their gradients do not count in `clip_norm`. BatchNorm's running statistics are no parameters, and go on.

    Attributes:
        parameters: which, by LAYER.NAME, where * stands for anything: "conv_1.kernel", "*_norm.bias", "conv_*".
        multiplier: times the learning rate; 0 freezes them from the start.
        weight_decay: in the place of optimizer.weight_decay, and of all of them, biases too; null leaves it as it is.
        until: for how long they are trained, before they are frozen: 3steps are the first three; null is to the end.
    """

    parameters: str
    multiplier: NonNegativeFloat = 1.0
    weight_decay: NonNegativeFloat | None = None
    until: Duration | None = None


@dataclass(frozen=True)
class Lookahead:
    """Slow weights that follow the trained ones, which start from them again each time (Zhang et al., 2019).

    After every `sync_period` steps: slow ← slow + α · (fast − slow), then fast ← slow; at the end of training fast ← slow once
    more. BatchNorm's running statistics go along. What a parameter group freezes does not: from the first step that leaves a
    parameter as it is, its slow copy is the parameter itself, and no meeting moves either. At the share t of the training,
    α = 1 − (1 − slow_step_size) · t^power: with power 0 it is `slow_step_size` throughout, with a larger one it falls to that
    from 1, so that the weights are averaged late.

    Attributes:
        sync_period: steps between two meetings of slow and fast weights.
        slow_step_size: how much of the way the slow weights go, at the end of training.
        power: how late α falls.
    """

    sync_period: PositiveInt
    slow_step_size: Annotated[float, Bounds(above=0, at_most=1)]
    power: NonNegativeFloat = 0.0


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """What every optimizer has.

    Attributes:
        learning_rate: the peak; the schedule multiplies it.
        weight_decay: decay of weight matrices and kernels (of biases and normalisation only where a group says so).
        clip_norm: gradients longer than this (global L2 norm, of all parameters but frozen ones) are shortened to it; null is
            off.
        parameter_groups: parameters with other settings; where several groups name a parameter, the last one has it.
        lookahead: slow weights besides the trained ones; null has none.
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
    """Adam (decay added to the gradient) and AdamW (decay apart from the gradient)."""

    name: Literal["adam", "adamw"]
    b1: Probability
    b2: Probability
    eps: PositiveFloat


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
        adam_learning_rate: learning rate of what is not a matrix.
    """

    name: Literal["muon"]
    momentum: Probability
    nesterov: bool
    newton_schulz_steps: PositiveInt
    adam_learning_rate: PositiveFloat


@dataclass(frozen=True, kw_only=True)
class MuonSGD(OptimizerOptions):
    """Muon for matrices and kernels but the output layer's, whose size stays what it is; SGD for everything else.

    Each step scales a kernel of n outputs to the Frobenius norm √n before it adds the orthogonalised momentum, so
    `weight_decay` is of what SGD trains: with a `parameter_groups` entry also of biases.

    Attributes:
        momentum: decay of Muon's momentum.
        nesterov: look one step ahead, in both.
        newton_schulz_steps: iterations of the orthogonalisation.
        sgd_learning_rate: of the output layer's kernel, of biases and of normalisation.
        sgd_momentum: of the same.
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
    """The learning rate stays as it is."""

    name: Literal["constant"]


@dataclass(frozen=True)
class Restart:
    """A schedule begins anew, from its first step on.

    Attributes:
        at: after how much of the training.
        length: of this course, whose last rate then stays; null is up to the next restart, or to the end of training.
    """

    at: Duration
    length: Duration | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """What every schedule has that changes the rate.

    The first course through it is `training.planned` long. Percents of `warmup` and `boundaries` are of a course.

    Attributes:
        restarts: where another course begins, each with its own warm-up: 10epochs, or {at: 10epochs, length: 5epochs}.
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

    The k-th of W steps of warm-up, from 0, has (k + 1) / W of the peak, so that the first one is not wasted; the cosine begins
    with the peak in step W, and reaches `final` one past the last step.
    """

    name: Literal["warmup_cosine"]
    warmup: Duration
    final: Share


@dataclass(frozen=True)
class OneCycle(ScheduleOptions):
    """A straight line from `start` to 1 times the peak over `warmup`, then one down to `final`, one past the last step.

    The first step has `start` times the peak, and the one after W steps of warm-up the peak. With a `start` of 0, the first
    step would learn nothing: then the k-th step of the warm-up, from 0, has (k + 1) / W of the peak.
    """

    name: Literal["onecycle"]
    warmup: Duration
    start: Share
    final: Share


Schedule = Constant | Steps | Cosine | WarmupCosine | OneCycle
