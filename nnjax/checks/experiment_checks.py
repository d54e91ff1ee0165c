"""Checks values that are right one by one against each other.

    check_config(parse(Config, values))
    # IncompatibleError: model=cnn: needs images; data=textbook has 3 inputs; choose model=fnn or model=two_neuron

Each check is a function that yields problems; `_CHECKS` lists them.
"""

import math
from importlib.util import find_spec

from nnjax.checks.data_checks import DATA_CHECKS, Problems, describe_inputs, shape_problems
from nnjax.checks.device_shares import has_whole_trials
from nnjax.checks.memory_checks import memory_problems
from nnjax.checks.model_checks import MODEL_CHECKS
from nnjax.checks.plan import Plan, make_plan
from nnjax.checks.schedule_checks import SCHEDULE_CHECKS
from nnjax.checks.tracking_checks import tracking_problems
from nnjax.checks.trial_checks import trial_problems
from nnjax.checks.trials import num_trials
from nnjax.config.diagnostics import NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.errors import IncompatibleError
from nnjax.config.schema import Config
from nnjax.config.traffic_options import TrafficConfig
from nnjax.config.training_options import SGD, Adam, Lion, Muon, MuonSGD, Textbook
from nnjax.data.dataset_spec import DatasetSpec, dataset_spec


def check_config(config: Config, origins: Origins = NO_ORIGINS) -> Plan:
    """Checks the values of a config against each other.

    Args:
        config: as `parse` returned it.
        origins: where the values were set.

    Returns:
        The plan of the config.

    Raises:
        IncompatibleError: for values that do not go together; it names all of them.
    """
    raise_problems(list(shape_problems(config)), origins, IncompatibleError)  # the other checks rely on the data's shape
    spec = dataset_spec(config.data)
    raise_problems([problem for check in _CHECKS for problem in check(config, spec)], origins, IncompatibleError)
    return make_plan(config, spec)


def _optimizer(config: Config, spec: DatasetSpec) -> Problems:
    rule = config.optimizer
    if isinstance(rule, SGD | Muon | MuonSGD) and rule.nesterov:
        momenta = {"momentum": rule.momentum} | ({"sgd_momentum": rule.sgd_momentum} if isinstance(rule, MuonSGD) else {})
        for name, momentum in momenta.items():
            if momentum == 0:
                yield Problem("optimizer.nesterov", True, f"needs optimizer.{name} greater than 0, such as 0.9; has 0")


def _evaluation(config: Config, spec: DatasetSpec) -> Problems:
    training = config.training
    if training.test == "best" and spec.num_validation == 0:
        reason = f"needs a validation split; data.validation={config.data.validation:g} sets none aside"
        share = f"data.validation={max(0.1, math.ceil(100 / spec.num_train) / 100):g}, or " if spec.num_train > 1 else ""
        yield Problem("training.test", "best", f"{reason}; choose {share}training.test=last")
    if training.test_views > 1 and not spec.is_image:
        yield Problem("training.test_views", training.test_views, f"needs images; {describe_inputs(spec)}; must be 1")
    elif training.test_views == 6 and min(spec.input_shape[:2]) < 2:
        yield Problem("training.test_views", 6, f"needs images of at least 2×2; {describe_inputs(spec)}; must be 1 or 2")
    if training.stop.accuracy_above is not None and spec.task == "regression":
        reason = f"needs classes; data={spec.name} has real-valued targets; choose training.stop.loss_below"
        yield Problem("training.stop.accuracy_above", training.stop.accuracy_above, reason)


def _devices(config: Config, spec: DatasetSpec) -> Problems:
    devices = config.parallel.devices
    if devices == "auto":
        return
    if config.debug.strict and devices > 1:
        yield Problem("parallel.devices", devices, "debug.strict=true runs on one device; must be 1 or auto")
    if has_whole_trials(num_trials(config), devices):
        return
    sizes = {"global_batch_size": config.training.global_batch_size, "eval_batch_size": config.training.eval_batch_size}
    if isinstance(config, TrafficConfig):  # which is about training alone
        del sizes["eval_batch_size"]
    for name, size in sizes.items():
        if size % devices:
            near = [near for near in (size // devices * devices, (size // devices + 1) * devices) if near]
            reason = f"parallel.devices={devices} does not divide it; choose {' or '.join(map(str, near))}"
            yield Problem(f"training.{name}", size, reason)


def _gradients(config: Config, spec: DatasetSpec) -> Problems:
    # A share of a tensor is enough for rules that treat each number by itself; `clip_norm` adds up the shares' norms.
    if config.parallel.gradients == "sharded" and not isinstance(config.optimizer, SGD | Textbook | Adam | Lion):
        reason = f"needs an optimizer that updates each number by itself; optimizer={config.optimizer.name} "
        reason += "needs whole tensors" if isinstance(config.optimizer, Muon | MuonSGD) else "may need whole tensors"
        yield Problem("parallel.gradients", "sharded", f"{reason}; choose automatic, per_tensor, buckets or flat")


def _report(config: Config, spec: DatasetSpec) -> Problems:
    if config.report.tensorboard == "on" and find_spec("tensorboardX") is None:
        reason = "tensorboardX is not installed; add it with pip install -e '.[tensorboard]', or choose auto or off"
        yield Problem("report.tensorboard", "on", reason)
    yield from tracking_problems(config.report)


_CHECKS = (
    *DATA_CHECKS,
    *MODEL_CHECKS,
    memory_problems,  # before the durations, since too many examples also make too many steps
    _optimizer,
    *SCHEDULE_CHECKS,
    _evaluation,
    _devices,
    _gradients,
    trial_problems,
    _report,
)
