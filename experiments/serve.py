"""Serves trained networks over HTTP: `python -m experiments.serve run=outputs/train/… port=8080`.

`python -m nnjax.serving model.nnjax --http :8080` serves a file of `experiments.export`, without most of its packages.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.api.jax_session import jax_session
from nnjax.api.predicting import model_of_run
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.cli.runs import read_config
from nnjax.config.errors import ConfigError
from nnjax.config.schema import TrainConfig
from nnjax.config.serve_options import ServeConfig
from nnjax.reporting.console import RunConsole
from nnjax.serving.model_names import own_names
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
    if not runs:
        raise ConfigError("run=[]: must name at least one run")
    with (
        bound(config) as sock,
        RunConsole(run_dir / "serve.log") as console,
        out_of_memory_explained(read_config(TrainConfig, runs[0]), "evaluate"),
        jax_session(console.warn),
    ):
        made = [model_of_run(run, config.checkpoint, config.memory_limit, console) for run in runs]
        models = dict(zip(own_names(model.facts.name for model in made), made, strict=True))
        listen(models, config, sock, console.print)
    return {"models": list(models)}


if __name__ == "__main__":
    main()
