"""Training from Python: the function that the command calls, with nothing written and nothing printed unless asked for.

result = fit(compose("model=fnn", "data=digits"))
result.metrics["test"]
"""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.api.jax_session import unchanged_process
from nnjax.api.opened_run import load_run
from nnjax.api.result import History, Result
from nnjax.api.training_run import run_training
from nnjax.checks.experiment_checks import check_config
from nnjax.cli.auto_resume import AUTO, holds_run, occupy_again, settled
from nnjax.cli.finished_runs import finished
from nnjax.cli.run_folder import working_in
from nnjax.cli.runs import locked, occupy
from nnjax.config.data_options import Data, DataOptions
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError, IncompatibleError, RunFinishedError
from nnjax.config.parsing import parse, to_mapping
from nnjax.config.paths import check_holds_checkpoints, check_writable, shown_path
from nnjax.config.schema import TrainConfig
from nnjax.reporting.console import RunConsole

if TYPE_CHECKING:
    from nnjax.data.dataset import Dataset


def fit(
    config: TrainConfig,
    run_dir: str | Path | None = None,
    *,
    progress: bool = False,
    dataset: "Dataset | None" = None,
) -> Result:
    """Trains what a config describes, and tests it.

    The numbers are those of `python -m experiments.train` on the same devices. It may be called many times, with other configs,
    and from a thread; one training runs at a time. Settings of JAX, handlers of signals and filters of warnings are as before
    when it returns or raises. JAX that was not started yet is started as the command does, with a CPU device for each core; a
    JAX that runs already keeps its devices, and `parallel.devices` must fit these.

    Args:
        config: from `nnjax.compose`, or one changed by `dataclasses.replace`; it is checked again.
        run_dir: a new or empty folder for what the command leaves in a run's folder: `python -m experiments.evaluate run=…` and
            `resume=…` work on it. None writes nothing but the caches (compiled programs, decoded images) in `NNJAX_CACHE`, and
            draws no figures. For a config with `resume`, the folder of that run; with `resume=auto`, one that may hold a run.
        progress: print what the command prints.
        dataset: from `nnjax.load_data`, to read it once for several trainings; None reads what the config names. Where
            it was changed, its splits must hold what its spec says.

    Returns:
        The trained network with its metrics. For a `resume` of a run that has no step left to do, as `load_run`.

    Raises:
        ConfigError: for values that do not go together, or that this machine cannot do.
        DataError: if the data is missing or damaged.
        DivergedError: if the loss stopped being a finite number.
        PreemptedError: with a `run_dir`, if SIGTERM or Ctrl-C came: the state is saved. Without one, signals are the caller's.

    Example:
        >>> nnjax.fit(nnjax.compose("model=fnn", "training.duration=3epochs")).metrics["test"]["accuracy"]
        0.95
    """
    if not isinstance(config, TrainConfig):
        raise ConfigError(f"fit takes a config from nnjax.compose; this is a {type(config).__name__}")
    config = parse(TrainConfig, to_mapping(config))  # `dataclasses.replace` checks nothing
    folder = _folder(config, run_dir)
    if dataset is not None:
        from nnjax.api.checked_dataset import checked_dataset

        dataset = checked_dataset(config.data, dataset)
    if folder is None:
        check_config(config)
    try:
        with nullcontext() if folder is None else locked(folder):
            return _fit(_settled(config, folder), folder, dataset, quiet=not progress)
    except RunFinishedError as line:
        assert folder is not None
        if progress:
            print(line)
        return load_run(folder)


def _fit(config: TrainConfig, folder: Path | None, dataset: "Dataset | None", *, quiet: bool) -> Result:
    """Trains in a folder that this process has locked."""
    with (
        nullcontext() if folder is None else working_in(folder, config, NO_ORIGINS),
        unchanged_process(),
        RunConsole(None if folder is None else folder / "train.log", held=config.resume is not None, quiet=quiet) as console,
    ):
        trained = run_training(config, folder, console, dataset)
        state = trained.experiment.layout.get(trained.state)
    summary = dict(trained.summary)
    return Result(config, summary, History(trained.records), trained.experiment.dataset, trained.experiment, state)


def load_data(config: TrainConfig | Data) -> "Dataset":
    """Reads the dataset that a config names.

    Args:
        config: from `nnjax.compose`, or its `data`.

    Returns:
        Splits `train`, `validation` and `test`, each of `inputs` [n, ...] and `targets`; `spec` holds their shapes.

    Raises:
        DataError: if the data is missing or damaged.

    Example:
        >>> nnjax.load_data(nnjax.compose("data=digits")).train.inputs.shape
        (1293, 8, 8, 1)
    """
    import warnings

    from nnjax.data.load import load

    data: Any = config.data if isinstance(config, TrainConfig) else config
    if not issubclass(type(data), DataOptions):
        raise ConfigError(f"load_data takes a config from nnjax.compose, or its data; this is a {type(data).__name__}")
    with warnings.catch_warnings():  # a library that reads data may set filters of its own
        return load(data, echo=lambda text: None)


def _folder(config: TrainConfig, run_dir: str | Path | None) -> Path | None:
    """The folder to write to, made if it is not there."""
    if not isinstance(run_dir, str | Path | None) or run_dir == "":
        raise ConfigError(f"run_dir={run_dir!r}: must be the path of a folder, or None, which writes nothing")
    if config.resume == AUTO:
        if run_dir is None:
            raise ConfigError("resume=auto: needs the run's folder, the same at each start; pass run_dir=FOLDER")
    elif config.resume is not None:
        resumed = Path(config.resume)
        if run_dir is None or Path(run_dir).absolute().resolve() != resumed.resolve():
            raise ConfigError(f"resume={shown_path(resumed)}: is resumed in that folder; pass run_dir={str(resumed)!r}")
        return resumed
    if run_dir is None:
        if config.debug.profile:
            raise IncompatibleError("debug.profile=true: writes a trace of some steps; pass run_dir=FOLDER")
        return None
    folder = Path(run_dir).expanduser().absolute()
    check_holds_checkpoints(folder, "run_dir")
    if config.resume != AUTO:
        return occupy(folder, "run_dir", place="")
    return folder if holds_run(folder) else occupy_again(folder, "run_dir")


def _settled(config: TrainConfig, folder: Path | None) -> TrainConfig:
    """The config with the folder of the run to be resumed, or None for a new one.

    Raises:
        RunFinishedError: if the run has no step left to do.
    """
    if folder is None:
        return config
    config = settled(config, folder, NO_ORIGINS)
    if config.resume is not None and (line := finished(config, folder)):
        raise RunFinishedError(line)
    if config.resume is not None:
        check_writable(folder, "resume")
    return config
