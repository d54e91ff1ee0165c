import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.errors import IncompatibleError
from nnjax.config.schema import NeuronConfig


def compose(*overrides):
    return compose_config("neuron", overrides, NeuronConfig)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["weights=[0.5,-1]"],
            "weights=[0.5,-1.0]: must be 3 numbers, one for each of inputs=[0.2,0.1,0.4]; has 2 (set on the command line)",
        ),
        (
            ["inputs=[1]"],
            "weights=[0.1,0.2,0.3]: must be 1 number, one for each of inputs=[1.0]; has 3 (set in conf/neuron.yaml:10)",
        ),
        (["inputs=[]", "weights=[]"], "inputs=[]: needs at least one number (set on the command line)"),
        (
            ["inputs=[1e200]", "weights=[-1e200]"],
            "weights=[-1e+200]: the weighted sum is -inf; must be between -1e+100 and 1e+100 (set on the command line)",
        ),
        (["neuron.z=1e101"], "neuron.z=1e+101: must be between -1e+100 and 1e+100 (set on the command line)"),
    ],
)
def test_what_makes_no_sum_is_refused(overrides, line):
    with pytest.raises(IncompatibleError) as error:
        compose(*overrides)
    assert str(error.value) == line


def test_inputs_that_go_with_their_weights():
    config = compose("inputs=[1,2]", "weights=[0.5,-1]", "bias=-0.25")
    assert (config.inputs, config.weights, config.bias) == ((1.0, 2.0), (0.5, -1.0), -0.25)


def test_with_z_given_nothing_is_summed():
    assert compose("neuron.z=3.02", "inputs=[1,2]").neuron.z == 3.02
