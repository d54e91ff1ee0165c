"""What a checked config comes to with its dataset: sizes, step counts, trials, schedule, memory; derived once, without JAX.

    plan = make_plan(config, spec)
    plan.steps.total, plan.num_trials, plan.num_params     # 600, 1, 26122
    plan.relative_rate(0)                                  # 1.0
    plan.memory_needs()[1].total                           # bytes, to train

A dry run, the preflight of a sweep, a traffic report and training read a plan, or the part of it that they need, and derive
nothing themselves. What takes time to compute, such as the number of parameters, is computed when it is first read.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from nnjax.checks.device_shares import DeviceShares, device_shares
from nnjax.checks.memory_checks import known_machine
from nnjax.checks.memory_needs import Machine, Need, Purpose, memory_needs
from nnjax.checks.network_sizes import LayerSize, layer_sizes
from nnjax.checks.rates import Course, Rate, course_ends, courses, rate_of
from nnjax.checks.step_counts import StepCounts, step_counts
from nnjax.checks.trials import Trial, num_trials, trials
from nnjax.config.schema import Config
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec


@dataclass(frozen=True)
class Plan:
    """Everything that follows from a config and the facts of its dataset before JAX is loaded.

    Attributes:
        config: the config itself; for names and options, not to derive again what stands here.
        spec: shapes, sizes and task of the dataset.
        steps: the length of training and of its parts; `steps.of(duration)` converts any other.
        courses: the runs through the schedule, in order.
        course_ends: the steps after which a course or the training ends, in order.
        num_trials: networks that are trained at once.
        global_batch_size: examples of a training step, of each trial, over all devices.
        devices: how many are wanted; "auto" leaves it to the machine. `debug.strict` wants 1.
    """

    config: Config
    spec: DatasetSpec
    steps: StepCounts
    courses: tuple[Course, ...]
    course_ends: tuple[int, ...]
    num_trials: int
    global_batch_size: int
    devices: int | Literal["auto"]

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Seed and learning rate of each trial; listed on demand, as a config may ask for millions."""
        return trials(self.config)

    @cached_property
    def relative_rate(self) -> Rate:
        """The function from the steps done to the learning rate as a share of its peak; see `nnjax.checks.rates`."""
        return rate_of(self.config.schedule, self.steps)

    @cached_property
    def layers(self) -> tuple[LayerSize, ...]:
        """The size of each layer; empty for a model whose layers `nnjax.checks.network_sizes` cannot count."""
        return layer_sizes(self.config.model, self.spec)

    @property
    def num_params(self) -> int:
        """Trained values of one trial's network; 0 where `layers` is empty."""
        return sum(layer.num_params for layer in self.layers)

    def shares(self, num_devices: int) -> DeviceShares:
        """What each of so many devices gets: trials, and examples of a batch."""
        return device_shares(self.config, self.spec, num_devices)

    def memory_needs(self, machine: Machine | None = None, purpose: Purpose = "train") -> tuple[Need, ...]:
        """Lower bounds of the memory at each time; `nnjax.checks.memory_needs` explains them.

        Args:
            machine: the hardware; None takes what is known of this machine before JAX is loaded.
            purpose: what the config is used for.
        """
        return memory_needs(self.config, self.spec, machine or known_machine(self.config), purpose)


def make_plan(config: Config, spec: DatasetSpec | None = None) -> Plan:
    """Derives the plan of a config that `check_config` found right.

    Args:
        config: what to train, or to trace.
        spec: the facts of its dataset, where they are known already; None derives them from `config.data`.

    Raises:
        DataError: if the facts stand in a file that cannot be read.
    """
    spec = spec or dataset_spec(config.data)
    steps = step_counts(config, spec)
    return Plan(
        config=config,
        spec=spec,
        steps=steps,
        courses=courses(config.schedule, steps),
        course_ends=course_ends(config.schedule, steps),
        num_trials=num_trials(config),
        global_batch_size=config.training.global_batch_size,
        devices=1 if config.debug.strict else config.parallel.devices,
    )
