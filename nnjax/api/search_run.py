"""A search, to be read from top to bottom: the shared study, the data, and then one generation of trials after another.

with RunConsole(run_dir / "search.log") as console:
    summary = run_search(config, run_dir, console)        # what `python -m experiments.search` does

JAX is imported late, so that a config error does not wait for it. A process that is ended, however it is, leaves its trials to
the next one: nothing has to be put away.
"""

import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.api.jax_session import jax_session
from nnjax.checks.experiment_checks import check_config
from nnjax.checks.plan import make_plan
from nnjax.checks.search_space import is_whole
from nnjax.cli.code_version import code_version
from nnjax.cli.compose import compose
from nnjax.cli.hydra_internals import separate_state
from nnjax.cli.plugins import offer_to_hydra, plugin_words
from nnjax.config.errors import ConfigError, DataError, UserError
from nnjax.config.invocation import verb_command
from nnjax.config.leaving import PREEMPTED, on_leaving, shown_name
from nnjax.config.parsing import config_hash, option_names, parse
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.search_options import SearchConfig
from nnjax.config.shell import shell_word
from nnjax.reporting.console import RunConsole
from nnjax.reporting.counting_bar import counting
from nnjax.reporting.run_summary import environment, peak_rss_mb, write_json
from nnjax.reporting.search_tables import trial_line

_DATA = "data_hash"  # the name under which the study notes it

if TYPE_CHECKING:
    from nnjax.api.search_results import SearchResults
    from nnjax.searching.study import SearchStudy


def run_search(config: SearchConfig, run_dir: Path, console: RunConsole) -> Mapping[str, Any]:
    """Searches, alone or with other processes, and returns what stands in the search's `summary.json`.

    Args:
        config: the search's, already checked.
        run_dir: this process's folder: the search's own, or one below `workers/` of the search that `resume` names.
        console: shows what happens.

    Raises:
        ConfigError: if a value of a range does not go with the experiment.
        DataError: if the data is missing or damaged, or is not the search's.
        UserError: if no trial completed.
    """
    from nnjax.searching.space import experiment_of
    from nnjax.searching.study import SearchStudy

    started = time.monotonic()
    folder = run_dir if config.resume is None else Path(config.resume)
    options = option_values(config)
    check_ends(config, options)
    plan = make_plan(parse(TrainConfig, experiment_of(config)))
    evaluations = max(1, -(-plan.steps.total // plan.steps.evaluate_every))
    study = SearchStudy(folder, os.path.relpath(run_dir, folder), config, evaluations)
    with on_leaving(lambda name: (_stopped(name, folder), PREEMPTED)), jax_session(console.warn):
        from nnjax.api.search_results import SearchResults
        from nnjax.api.search_training import TrialTrainer
        from nnjax.data.content_hash import content_hash
        from nnjax.data.load import load
        from nnjax.parallel.compilation import keep_compiled

        keep_compiled(console.warn)
        dataset = load(config.data, echo=console.print)
        _check_data(study, content_hash(dataset), config, folder)
        if study.note("code", code := code_version()) != code:
            console.warn("the code has changed since this search began: trials of different code are compared")
        trainer = TrialTrainer(config, dataset, options)
        results = SearchResults(config, folder, trainer)
        status = _search(config, study, trainer, results, console, started)
        more = results.show(study, console)
    summary: dict[str, Any] = {
        "name": folder.name,
        "verb": "search",
        "status": status,
        "model": config.model.name,
        "data": config.data.name,
        "data_hash": study.noted(_DATA),
        "config_hash": config_hash(config),
        "objectives": list(config.search.objectives),
        "sampler": config.search.sampler,
        "seconds": {"total": time.monotonic() - started},
        "peak_rss_mb": peak_rss_mb(),
        **environment(),
        **more,
    }
    summary["versions"] |= {"optuna": version("optuna")}
    with study.alone():
        records = study.records()
        summary |= results.outcome(records)
        write_json(folder / "summary.json", summary)
    if summary["best"] is None and status == "completed" and not any(map(study.is_elsewhere, records)):
        reasons = [record.reason for record in records if record.reason]
        raise UserError(f"no trial completed{f'; the first one: {reasons[0]}' if reasons else ''}")
    return summary


def _search(
    config: SearchConfig,
    study: "SearchStudy",
    trainer: Any,
    results: "SearchResults",
    console: RunConsole,
    started: float,
) -> str:
    """Trains generation after generation; returns how the search ended, for this process."""
    objectives, keys = config.search.objectives, [item.key for item in config.search.space]
    with counting(console, config.search.trials) as advance:
        for _ in study.ended():
            advance()
        while config.search.seconds is None or time.monotonic() - started < config.search.seconds:
            asked = study.ask()
            if not asked:
                return "completed"
            for number, outcome in trainer.train(asked, study.report):
                study.tell(number, outcome)
                records = study.records()
                best = results.best(records)
                row = next(results.row(record) for record in records if record.number == number)
                shown = results.row(best[0]) if best and len(objectives) == 1 else None
                console.print(trial_line(row, objectives, keys, shown))
                advance()
            results.write(study)
    console.print(f"{config.search.seconds:g} seconds are over (search.seconds)")
    return "stopped_early"


def option_values(config: SearchConfig) -> dict[str, dict[str, Any]]:
    """Returns the values of each option of a searched group, by GROUP=NAME, as the files in `conf/` have them."""
    names = option_names(TrainConfig)
    found: dict[str, dict[str, Any]] = {}
    for item in config.search.space:
        for choice in item.choices if item.key in names else ():
            with separate_state():
                offer_to_hydra()
                text = f"{item.key}={choice}"
                found[text] = dict(compose("train", [text]).values(TrainConfig)[item.key])
    return found


def check_ends(config: SearchConfig, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks the ends of each range, and each choice, in the experiment.

    Raises:
        ConfigError: for the first one that does not go with the experiment; it names it.
    """
    from nnjax.searching.space import experiment_of, text_of, values_of, with_values

    for index, item in enumerate(config.search.space):
        for value in item.choices or (item.low, item.high):
            known = text_of(value) if item.choices else int(value) if is_whole(config, item) else value
            try:
                values = with_values(experiment_of(config), values_of([item], {item.key: known}), options)
                check_config(parse(TrainConfig, values))
            except (ConfigError, LookupError, TypeError) as error:
                first = str(error).partition("\n")[0]
                raise ConfigError(
                    f"search.space.{index}: {item.key}={known} does not go with the experiment: {first}"
                ) from error


def _check_data(study: "SearchStudy", data_hash: str, config: SearchConfig, folder: Path) -> None:
    """Notes the content of the data in the study, and refuses other data in the processes that come later."""
    if study.note(_DATA, data_hash) != data_hash:
        raise DataError(
            f"data={config.data.name}: its content is not that of the search in {shown_path(folder)}; use the same data"
        )


def _stopped(name: str, folder: Path) -> str:
    """The line of a search that a signal ends."""
    resume = f"{verb_command('search')} {shell_word(f'resume={folder}')}{plugin_words()}"
    return f"{shown_name(name)}: stopped; what was found is in {shell_word(folder)}; go on with: {resume}"
