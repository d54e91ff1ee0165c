"""From overrides, as on the command line, to a typed and checked config.

config = compose("model=cnn", "data=digits", "training.duration=5epochs")
config.training.duration.value               # 5.0
"""

from pathlib import Path

from nnjax.checks.verb_checks import check
from nnjax.cli.command import config_directories
from nnjax.cli.compose import compose as compose_values
from nnjax.cli.compose import override_texts
from nnjax.cli.hydra_internals import separate_state
from nnjax.cli.job import plain_values
from nnjax.cli.plugins import offer_to_hydra
from nnjax.cli.quoted_paths import quoted_path
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import parse
from nnjax.config.schema import TrainConfig


def compose(*overrides: str, config_dir: str | Path | None = None) -> TrainConfig:
    """Returns the config that `python -m experiments.train OVERRIDES` trains, with the same checks.

    Nothing is left behind: Hydra's state is as before, also inside a Hydra application.

    Args:
        *overrides: each one `key=value` or `group=option`, such as "optimizer.learning_rate=0.01" and "model=fnn".
        config_dir: a folder of YAML files besides `conf/`, as `--config-dir` adds it.

    Raises:
        ConfigError: for a wrong key, value or combination, in the words of the command.

    Example:
        >>> nnjax.compose("model=fnn", "model.hidden=[64]").model.hidden
        (64,)
    """
    for text in overrides:
        if not isinstance(text, str):
            raise ConfigError(f"{text}: each override is a text of its own, as in compose('model=cnn', 'seed=1')")
    directories = config_directories(None if config_dir is None else str(config_dir))
    with separate_state():
        offer_to_hydra()
        composition = compose_values("train", [quoted_path(text, sweep=False) for text in overrides], directories)
        if given := override_texts(composition.hydra, "hydra"):
            raise ConfigError(f"{given[0]}: is for the command; fit(config, run_dir=…) names a folder")
        if composition.hydra.mode is not None and composition.hydra.mode.name == "MULTIRUN":
            raise ConfigError("hydra.mode=MULTIRUN: this config is a sweep, which the command runs; compose one of its jobs")
        values, origins = plain_values(TrainConfig, composition)
        config = parse(TrainConfig, values, origins)
        check(config, origins)
    return config
