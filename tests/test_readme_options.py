"""The table of docs/options.md lists every group of conf/ and every option, and the keys of the groups that say "keys:"."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from experiments import train

ROOT = Path(__file__).parents[1]
OPTIONS = (ROOT / "docs/options.md").read_text()
COMMANDS = (ROOT / "docs/commands.md").read_text()
GROUPS = sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "hydra")
WITH_KEYS = ("parallel", "report", "search", "training")


def listed():
    """The table's rows: each group's options, and the rest of its cell."""
    table = OPTIONS.partition("| group | options |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [re.fullmatch(r"\| `(\w+)` \| ([^;|]*)(?:; (.*))? \|", line) for line in table.splitlines()]
    assert all(rows), table
    return {row[1]: (words(row[2]), row[3] or "") for row in rows}


def words(text):
    return re.findall(r"`(\w+)`", text)


def test_every_group_is_listed():
    assert sorted(listed()) == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_is_listed(group):
    options, _ = listed()[group]
    assert sorted(options) == sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


@pytest.mark.parametrize("group", GROUPS)
def test_every_key_of_the_groups_of_settings_is_listed(group):
    _, rest = listed()[group]
    assert ("keys: " in rest) == (group in WITH_KEYS)
    if group in WITH_KEYS:
        files = (ROOT / "conf" / group).glob("*.yaml")
        keys = {key for path in files for key in yaml.safe_load(path.read_text())} - {"name", "defaults"}
        assert set(words(rest.partition("keys: ")[2])) == keys


def test_the_axes_of_many_trials_are_named():
    assert "`training.seeds=8`" in OPTIONS
    assert "`training.vary.learning_rate=[1e-3,1e-2]`" in OPTIONS


def test_the_mistake_that_is_shown_is_answered_so(monkeypatch, capsys):
    shown = re.search(r"^\$ python -m experiments\.train (\S+)\n(.*?)^```", COMMANDS, re.MULTILINE | re.DOTALL)
    monkeypatch.setattr(sys, "argv", ["train", shown[1]])
    with pytest.raises(SystemExit):
        train.main()
    assert capsys.readouterr().err == shown[2]


def test_the_readme_shows_the_beginning_of_it():
    readme = (ROOT / "README.md").read_text()
    (first, line) = re.search(r"^\$ python -m experiments\.train (\S+)\n(.*)\n^```", readme, re.MULTILINE).groups()
    assert f"$ python -m experiments.train {first}\n{line}\n" in COMMANDS
