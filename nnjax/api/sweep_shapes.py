"""Evaluates the shapes of a sweep's networks with JAX before its first job starts; nothing is computed or compiled.

sizes = evaluated_shapes(plans)
sizes[0].num_params, sizes[0].flops                # 19210, 38400
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nnjax.checks.plan import Plan
from nnjax.config.errors import IncompatibleError, UserError
from nnjax.config.parsing import to_mapping

MOST_NETWORKS = 64
"""Networks that are evaluated, at 10 to 60 ms each; of the shipped models, further ones are counted by formula only."""


@dataclass(frozen=True)
class Shapes:
    """What the shapes of a network give.

    Attributes:
        num_params: trained values.
        flops: floating-point operations of one example's forward pass.
        problem: why there is no such network; None if there is.
    """

    num_params: int
    flops: int
    problem: str | None = None


def evaluated_shapes(plans: Sequence[Plan | None]) -> tuple[list[Shapes | None], int, int]:
    """Evaluates the network of each plan; equal networks are evaluated once.

    Args:
        plans: of all jobs; None for one that cannot run.

    Returns:
        The shapes of each job's network, None where they were not evaluated; the number of networks that were evaluated; the
        number of different networks.
    """
    keys = [None if plan is None else _key(plan) for plan in plans]
    different = {key: plan for key, plan in zip(keys, plans, strict=True) if key is not None and plan is not None}
    unknown = [key for key, plan in different.items() if not plan.layers]  # a registered model's own, without a formula
    chosen = [*unknown, *(key for key in different if key not in set(unknown))][: max(MOST_NETWORKS, len(unknown))]
    found = {key: _evaluated(different[key]) for key in chosen}
    return [None if key is None else found.get(key) for key in keys], len(found), len(different)


def _evaluated(plan: Plan) -> Shapes:
    from nnjax.parallel.environment import import_guard

    with import_guard():
        from nnjax.models.build import check_outputs
        from nnjax.models.layer_summary import summarize
        from nnjax.training.initial_state import abstract_network

    try:
        layers = summarize(abstract_network(plan.config, plan.spec), plan.spec)
        check_outputs(plan.config.model, layers[-1].output_shape, plan.spec)
    except UserError as error:
        return Shapes(0, 0, str(error))
    except Exception as error:  # of a registered model's own code
        reason = f"its network cannot be built: {type(error).__name__}: {error}"
        return Shapes(0, 0, f"model={plan.config.model.name}: {reason}".partition("\n")[0])
    return Shapes(sum(layer.num_params for layer in layers), sum(layer.flops for layer in layers))


def refuse_problems(shapes: Sequence[Shapes | None], overrides: Sequence[Sequence[str]]) -> None:
    """Refuses a sweep with a network that does not exist.

    Args:
        shapes: of all jobs.
        overrides: of all jobs.

    Raises:
        IncompatibleError: names the first such job.
    """
    bad = [number for number, found in enumerate(shapes) if found is not None and found.problem]
    if bad:
        first = bad[0]
        found = shapes[first]
        assert found is not None
        lines = [str(found.problem), f"  in job {first} of {len(shapes)}: {' '.join(overrides[first])}"]
        more = f"; {len(bad)} jobs have such a network" if len(bad) > 1 else ""
        raise IncompatibleError("\n".join([*lines, f"  no job was started{more}"]))


def _key(plan: Plan) -> str:
    config, spec = plan.config, plan.spec
    options = [to_mapping(config.model), to_mapping(config.activation), config.training.precision]
    return json.dumps([*options, list(spec.input_shape), spec.num_outputs, spec.task, spec.name], sort_keys=True, default=str)
