"""Serves trained networks over HTTP: `python -m experiments.serve run=outputs/train/… port=8080`.

`python -m nnjax.serving model.nnjax --http :8080` serves a file of `experiments.export`, without most of its packages.
"""

from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from nnjax.api.jax_session import jax_session
from nnjax.api.predicting import model_of_run
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.cli.runs import read_config
from nnjax.config.schema import TrainConfig
from nnjax.config.serve_options import ServeConfig
from nnjax.reporting.console import RunConsole
from nnjax.serving.model import Model
from nnjax.serving.server.extra import check_extra


def main() -> None:
    """The command line."""
    command.run("serve", ServeConfig, serve)


def serve(config: ServeConfig, run_dir: Path) -> Mapping[str, Any]:
    """Serves until SIGTERM or Ctrl-C.

    Returns:
        `models`, their names.

    Raises:
        ConfigError: if the address cannot be used, a run's config is damaged, or a network needs more memory than there is.
        DataError: if a run, its data or its checkpoint is missing or damaged.
        UserError: if the server's packages are missing, or a model cannot be started.
    """
    check_extra()
    from nnjax.serving.server.listening import bound, token_of
    from nnjax.serving.server.listening import serve as listen

    token_of(config)  # refused before anything is loaded
    runs = [Path(run) for run in ((config.run,) if isinstance(config.run, str) else config.run)]
    with (
        bound(config) as sock,
        RunConsole(run_dir / "serve.log") as console,
        out_of_memory_explained(read_config(TrainConfig, runs[0]), "evaluate"),
        jax_session(console.warn),
    ):
        models: dict[str, Model] = {}
        for run in runs:
            model = model_of_run(run, config.checkpoint, config.memory_limit, console)
            models[_own_name(model.facts.name, models)] = model
        listen(models, config, sock, console.print)
    return {"models": list(models)}


def _own_name(name: str, others: Mapping[str, Model]) -> str:
    """A name that no other model has: `cnn_digits`, `cnn_digits_2`, ..."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(new for new in chain([name], numbered) if new not in others)


if __name__ == "__main__":
    main()
