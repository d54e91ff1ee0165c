"""Checks the inputs and weights of one neuron against each other.

check_neuron(parse(NeuronConfig, values))
# IncompatibleError: weights=[0.5,-1]: must be 3 numbers, one for each of inputs=[0.2,0.1,0.4]; has 2
"""

import operator

from nnjax.checks.data_checks import Problems
from nnjax.config.diagnostics import NO_ORIGINS, Origins, Problem, count, raise_problems, show
from nnjax.config.errors import IncompatibleError
from nnjax.config.schema import NeuronConfig

_LARGEST = 1e100  # far beyond practical values; its square and a plot around it still fit in float64


def check_neuron(config: NeuronConfig, origins: Origins = NO_ORIGINS) -> None:
    """Checks that inputs and weights fit together; where `neuron.z` is set, they are not used.

    Args:
        config: as `parse` returned it.
        origins: where the values were set.

    Raises:
        IncompatibleError: for values that do not go together.
    """
    raise_problems(list(_problems(config)), origins, IncompatibleError)


def _problems(config: NeuronConfig) -> Problems:
    inputs, weights, z = config.inputs, config.weights, config.neuron.z
    if z is not None:
        if abs(z) > _LARGEST:
            yield Problem("neuron.z", z, f"must be between {-_LARGEST:g} and {_LARGEST:g}")
    elif not inputs:
        yield Problem("inputs", [], "needs at least one number")
    elif len(weights) != len(inputs):
        reason = f"must be {count(len(inputs), 'number')}, one for each of inputs={show(inputs)}; has {len(weights)}"
        yield Problem("weights", weights, reason)
    elif not abs(total := sum(map(operator.mul, inputs, weights), config.bias)) <= _LARGEST:
        yield Problem("weights", weights, f"the weighted sum is {total:g}; must be between {-_LARGEST:g} and {_LARGEST:g}")
