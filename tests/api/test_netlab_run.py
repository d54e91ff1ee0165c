"""What a netlab asks of its trainings before a lab is built; end to end it is in test_netlab."""

import io
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from nnjax.api import netlab_parts, netlab_run
from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.netlab_options import NetlabConfig
from nnjax.reporting.console import RunConsole


def composed(*overrides):
    return compose_config("netlab", list(overrides), NetlabConfig)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["train=['model=cnn']"], "train=['model=cnn']: model.hidden=[800]: unknown key for model=cnn"),
        (["train=['optimizer.lr=1']", "parts=[faults]"], "train=['optimizer.lr=1']: optimizer.lr=1: unknown key"),
        (
            ["processes=5"],
            "processes=5, hidden_layers=[1,6], parameters=60000: training.global_batch_size=48: parallel.devices=5",
        ),
        (["processes=5", "train=['seed=1']"], "processes=5, hidden_layers=[1,6], parameters=60000: training.global_batch_size"),
    ],
)
def test_a_training_that_is_refused_is_told_by_the_keys_that_were_set(tmp_path, monkeypatch, overrides, said):
    monkeypatch.setattr(netlab_run, "check_machine", lambda: None)
    monkeypatch.setattr(netlab_run, "clear_leftovers", lambda: [])
    with RunConsole(tmp_path / "netlab.log") as console, pytest.raises(ConfigError) as refused:
        netlab_run.run_netlab(composed(*overrides), tmp_path, console)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(said)
    assert "command line" not in str(refused.value)
    assert lines[-1].startswith("  netlab itself sets model=fnn model.hidden=[800] ")


def test_the_folder_of_a_training_may_have_a_quote_in_its_name(tmp_path, monkeypatch):
    @contextmanager
    def noted(network, overrides, folder):
        started.append((overrides, folder))
        yield SimpleNamespace(next_mark=lambda seconds: None, look=lambda: 0, wait_for=lambda step, seconds: None)

    started = []
    monkeypatch.setattr(netlab_parts, "training", noted)
    lab = netlab_parts.LabSession(composed(), {}, tmp_path / "it's", io.StringIO())
    with lab.trained(SimpleNamespace(lab=SimpleNamespace(ranks=2)), 1, "bytes-2"):
        pass
    ((overrides, folder),) = started
    given = OverridesParser.create().parse_override(overrides[-1])
    assert (
        (given.key_or_group, given.value())
        == ("hydra.run.dir", str(tmp_path / "it's/bytes-2"))
        == ("hydra.run.dir", str(folder))
    )
