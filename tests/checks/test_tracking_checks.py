import re

import pytest

from nnjax.checks import tracking_checks
from nnjax.checks.experiment_checks import check_config
from nnjax.config.errors import ConfigError, IncompatibleError
from nnjax.config.parsing import config_hash, parse, to_mapping
from nnjax.config.schema import TrainConfig


@pytest.fixture
def installed(monkeypatch):
    """Sets which packages are there."""

    def only(*names):
        monkeypatch.setattr(tracking_checks, "find_spec", lambda name: "here" if name in names else None)

    return only


def config_of(values_of, trackers, **more):
    return parse(TrainConfig, values_of("", {"report.trackers": trackers, **more}))


@pytest.mark.parametrize(
    ("there", "trackers", "complaint"),
    [
        ((), ["wandb"], "wandb is not installed; add wandb with pip install -e '.[wandb]', or leave it out"),
        (("mlflow",), ["mlflow"], "sqlalchemy and alembic are not installed; add mlflow with pip install -e '.[mlflow]'"),
        (("wandb",), ["wandb", "trackio"], "trackio is not installed; add trackio with pip install -e '.[trackio]'"),
        ((), ["tensorboard"], "tensorboardX is not installed; add tensorboard with pip install -e '.[tensorboard]'"),
    ],
)
def test_a_missing_package_is_a_config_error(values_of, installed, there, trackers, complaint):
    installed(*there)
    expected = rf"^report\.trackers=\[{','.join(trackers)}\]: {re.escape(complaint)}"
    with pytest.raises(IncompatibleError, match=expected) as caught:
        check_config(config_of(values_of, trackers))
    assert "\n" not in str(caught.value)


def test_what_is_there_is_accepted(values_of, installed):
    installed("wandb", "mlflow", "sqlalchemy", "alembic", "trackio", "tensorboardX")
    config = config_of(values_of, ["tensorboard", "wandb", "mlflow", "trackio"])
    check_config(config)
    assert config.report.trackers == ("tensorboard", "wandb", "mlflow", "trackio")
    assert config_hash(config) == config_hash(config_of(values_of, []))  # it changes no number


def test_what_does_not_go_together(values_of, installed):
    installed("wandb", "tensorboardX")
    with pytest.raises(IncompatibleError, match=r"^report\.trackers=\[wandb,wandb\]: names wandb twice"):
        check_config(config_of(values_of, ["wandb", "wandb"]))
    with pytest.raises(IncompatibleError, match=r"^report\.trackers=\[tensorboard\]: .*report\.tensorboard=off leaves it out"):
        check_config(config_of(values_of, ["tensorboard"], **{"report.tensorboard": "off"}))
    with pytest.raises(IncompatibleError, match=r"^report\.tracking\.project=a/b: must begin with a letter or digit"):
        check_config(config_of(values_of, [], **{"report.tracking.project": "a/b"}))


def test_an_unknown_tracker_is_corrected(values_of):
    with pytest.raises(ConfigError, match=r"^report\.trackers\.0=wnadb: must be one of .*did you mean wandb\?"):
        config_of(values_of, ["wnadb"])


def test_the_config_of_an_earlier_version_has_no_trackers(values_of):
    values = values_of("", {})
    for key in ("trackers", "tracking"):
        del values["report"][key]
    config = parse(TrainConfig, values)
    assert (config.report.trackers, config.report.tracking.project) == ((), "nnjax")
    assert parse(TrainConfig, to_mapping(config)) == config
