"""Values of a netlab that do not go together."""

import pytest

from nnjax.checks.netlab_checks import check_netlab
from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.netlab_options import NetlabConfig


def test_the_shipped_values_go_together():
    check_netlab(compose_config("netlab", [], NetlabConfig))


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("parts=[]", "parts=[]: must hold at least one value"),
        ("bandwidths=[]", "bandwidths=[]: must hold at least one value"),
        ("delays=[]", "delays=[]: must hold at least one value"),
        ("losses=[]", "losses=[]: must hold at least one value"),
        ("hidden_layers=[]", "hidden_layers=[]: must hold at least one value"),
        ("jitter=2e-3", "jitter=0.002: a delay of 0.001 s cannot vary by more than itself; must be at most 0.001"),
        ("losses=[0,1e-7]", "losses=[0.0,1e-07]: a loss must be 0, or at least 1e-06"),
    ],
)
def test_a_mistake_is_refused_with_its_key(override, answer):
    with pytest.raises(ConfigError) as refused:
        compose_config("netlab", [override], NetlabConfig)
    assert str(refused.value).replace(" ", "").startswith(answer.replace(" ", ""))
