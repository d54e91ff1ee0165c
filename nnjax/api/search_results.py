"""What a search leaves: the table of its trials, the best ones, importances, figures and the best setting as an experiment.

results = SearchResults(config, folder, trainer)
results.write(study)                       # search.csv and found/experiment/best.yaml, while it runs
more = results.show(study, console)        # tables and figures
summary |= results.outcome(study.records())
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from nnjax.api.best_experiment import train_command, write_experiment
from nnjax.api.search_training import TrialTrainer
from nnjax.config.paths import shown_path
from nnjax.config.search_options import SearchConfig
from nnjax.config.shell import shell_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.figures.search_figures import draw_parallel_coordinates, draw_search
from nnjax.reporting.search_tables import Row, best_table, counts_line, importance_table, number_text, write_rows
from nnjax.searching.study import SearchStudy, TrialRecord

FOUND, BEST = "found", "best"
"""The folder and the name of the experiment that a search leaves."""

_ENOUGH = 4  # completed trials from which importances and figures say something


class SearchResults:
    """Writes and shows what was found.

    Args:
        config: the search's.
        folder: the search's.
        trainer: makes the config of a trial.
    """

    def __init__(self, config: SearchConfig, folder: Path, trainer: TrialTrainer) -> None:
        self._config, self._folder, self._trainer = config, folder, trainer
        self._keys = {item.key: item.log for item in config.search.space}
        self._written: int | None = None

    def rows(self, records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
        """A row for each trial, for tables, figures and the CSV."""
        return [self.row(record) for record in records]

    def row(self, record: TrialRecord) -> dict[str, Any]:
        """The row of one trial."""
        objectives = self._config.search.objectives
        values: dict[str, Any] = dict(zip(objectives, record.values or [None] * len(objectives), strict=True))
        settings = {key: record.settings.get(key) for key in self._keys}
        about = {name: value for name, value in record.about.items() if name not in values}
        more = {"worker": record.worker, "reason": record.reason}
        return {"trial": record.number, "status": record.status, **values, **settings, **about, **more}

    def best(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """The completed trials, the best first; with several objectives, only those that no other one beats in all of them."""
        done = sorted((record for record in records if record.status == "completed"), key=lambda record: record.values)
        if len(self._config.search.objectives) == 1:
            return done
        return [one for one in done if not any(_beats(other.values, one.values) for other in done)]

    def write(self, study: SearchStudy) -> None:
        """Writes `search.csv`, and the best setting if it is another one than before."""
        with study.alone():  # of two processes, the one that writes last has seen the other's trials
            self._write(study.records())

    def _write(self, records: Sequence[TrialRecord]) -> None:
        write_rows(self.rows(records), self._folder / "search.csv")
        best = self.best(records)
        if not best or best[0].number == self._written:
            return
        first, objectives = best[0], self._config.search.objectives
        found = ", ".join(f"{name} {number_text(value)}" for name, value in zip(objectives, first.values, strict=True))
        about = [
            f"Found by a search on the validation split: {found} (trial {first.number} of the search).",
            "The test split was not used: train it to test it, with several seeds.",
        ]
        write_experiment(self._trainer.config_of(first.settings), self._folder / FOUND, BEST, about)
        self._written = first.number

    def outcome(self, records: Sequence[TrialRecord]) -> dict[str, Any]:
        """What stands in `summary.json` of the trials: their number by status, and the best one."""
        counts, best = dict(Counter(record.status for record in records)), self.best(records)
        if not best:
            return {"counts": counts, "best": None}
        values: dict[str, Any] = dict(zip(self._config.search.objectives, best[0].values, strict=True))
        return {"counts": counts, "best": {"trial": best[0].number, "settings": best[0].settings, **values}}

    def show(self, study: SearchStudy, console: RunConsole) -> dict[str, Any]:
        """Shows the tables, draws the figures, and returns the importances and the figures' paths."""
        self._written = None  # the best setting is written once more, whatever another process wrote meanwhile
        self.write(study)
        records = study.records()
        rows, best, objectives = self.rows(records), self.best(records), self._config.search.objectives
        console.print(counts_line(rows))
        elsewhere = sum(study.is_elsewhere(record) for record in records)
        if elsewhere:
            console.print(f"{elsewhere} still run in other processes, which bring this up to date")
        if not best:
            return {"importances": {}, "figures": []}
        console.print(best_table([self.row(record) for record in best], objectives, list(self._keys)))
        importances = study.importances() if len(self._keys) > 1 else {}
        if importances:
            console.print(f"The share of the differences in {objectives[0]} that each key explains:")
            console.print(importance_table(importances))
        figures = self._draw(rows, importances) if self._config.report.figures else []
        console.print(
            Text.assemble("The best setting, to be trained and tested: ", (train_command(self._folder / FOUND, BEST), "bold"))
        )
        console.print(
            f"Written to {shell_text(shown_path(self._folder))}: search.csv, {FOUND}/experiment/{BEST}.yaml, summary.json"
        )
        return {"importances": importances, "figures": figures}

    def _draw(self, rows: Sequence[Row], importances: dict[str, float]) -> list[str]:
        objectives, folder = self._config.search.objectives, self._folder / "figures"
        if sum(row["status"] == "completed" for row in rows) < _ENOUGH:
            return []
        paths = [folder / "search.png", folder / "parallel_coordinates.png"]
        draw_search(rows, objectives, self._keys, importances, paths[0])
        draw_parallel_coordinates(rows, objectives[0], self._keys, paths[1])
        return [str(path) for path in paths]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether values are nowhere worse than others, and somewhere better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
