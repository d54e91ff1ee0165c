"""What a training will cost: parameters, floating-point operations, memory, and time by what earlier runs took. Without JAX.

cost = job_cost(plan)
cost.num_params, cost.flops, cost.memory           # 19210, 9.1e9, 215000000
predicted_seconds(cost, speeds)                    # 6.2
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from nnjax.checks.memory_checks import known_machine
from nnjax.checks.memory_needs import RUNTIME
from nnjax.checks.network_sizes import forward_flops
from nnjax.checks.plan import Plan

_BACKWARD = 2
"""Backward passes take twice the operations of the forward pass: the gradients by inputs and by weights."""


@dataclass(frozen=True)
class JobCost:
    """The cost of one job.

    Attributes:
        model: name of its model.
        num_params: trained values of one network.
        forward_flops: operations of one example's forward pass; of a registered model at least, where its layers are not known.
        examples: examples that are trained on, those of all trials.
        memory: a lower bound of its memory, in bytes.
    """

    model: str
    num_params: int
    forward_flops: int
    examples: int
    memory: int

    @property
    def flops(self) -> int:
        """Operations of the whole training."""
        return (1 + _BACKWARD) * self.forward_flops * self.examples


@dataclass(frozen=True)
class Speed:
    """How fast an earlier run on this machine was.

    Attributes:
        model: name of its model.
        flops_per_second: operations a second while it trained.
        other_seconds: its time besides training and imports: compilation, data, tests, figures.
        import_seconds: its time for imports, which a process needs once.
        compile_seconds: of its other time, that for compilation; shorter where an earlier run left the program on the disk.
        eval_seconds: of its other time, that for evaluations and tests.
    """

    model: str
    flops_per_second: float
    other_seconds: float
    import_seconds: float
    compile_seconds: float = 0.0
    eval_seconds: float = 0.0


def job_cost(plan: Plan, num_params: int | None = None, flops: int | None = None) -> JobCost:
    """The cost of a job from its plan.

    Args:
        plan: of the job.
        num_params: trained values of one network, if they are known from its shapes.
        flops: operations of one example's forward pass, if they are known.
    """
    machine = replace(known_machine(plan.config), runtime=RUNTIME)  # whether or not this process has loaded JAX
    params = plan.num_params if num_params is None else num_params
    counted = forward_flops(plan.layers) if flops is None else flops
    return JobCost(
        model=plan.config.model.name,
        num_params=params,
        forward_flops=counted or 2 * params,  # each weight is used at least once
        examples=plan.steps.total * plan.global_batch_size * plan.num_trials,
        memory=max((need.total for need in plan.memory_needs(machine)), default=0),
    )


def predicted_seconds(cost: JobCost, speeds: Sequence[Speed]) -> tuple[float, float]:
    """Predicts the seconds of a job: those of its training, and its others without imports.

    Args:
        cost: of the job.
        speeds: of earlier runs, at least one; those with the same model count, or all if there is none.
    """
    same = _same_model(cost, speeds)
    train = cost.flops / median(speed.flops_per_second for speed in same)
    return train, median(speed.other_seconds for speed in same)


def joint_seconds(cost: JobCost, count: int, speeds: Sequence[Speed]) -> tuple[float, float]:
    """Predicts the seconds of equal jobs one after another, and of one program that trains all of them, without imports.

    The jobs find their program on the disk, as the fastest compilation did; the one program is a new one, and compiles as long
    as the slowest did. Training and evaluating take as long either way.

    Args:
        cost: of each job.
        count: of the jobs.
        speeds: of earlier runs, as for `predicted_seconds`.
    """
    same = _same_model(cost, speeds)
    train, _ = predicted_seconds(cost, speeds)
    each = train + median(speed.eval_seconds for speed in same)
    once = median(speed.other_seconds - speed.compile_seconds - speed.eval_seconds for speed in same)
    compilations = [speed.compile_seconds for speed in same]
    return count * (each + once + min(compilations)), count * each + once + max(compilations)


def _same_model(cost: JobCost, speeds: Sequence[Speed]) -> Sequence[Speed]:
    return [speed for speed in speeds if speed.model == cost.model] or speeds
