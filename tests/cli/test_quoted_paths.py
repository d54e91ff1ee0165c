"""Paths that Hydra's grammar cannot read are quoted: in each key that holds one, alone, in a list, in a sweep."""

import importlib
from pathlib import Path
from typing import get_args, get_origin

import pytest

from nnjax.cli.hydra_internals import OverridesParser
from nnjax.cli.quoted_paths import quoted_path
from nnjax.cli.run_words import with_list
from nnjax.config.annotations import hints_of, is_mapping, join, options_of

VERBS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf").glob("*.yaml"))
HARD = "out/sw üß (b)=c [1]/it's"
NO_PATHS = {
    *("against", "metric", "columns", "note", "sort", "tag", "where", "congestion_control", "train", "host", "hosts"),
    *("data.classes", "data.column", "report.tracking.project"),
}
"""Keys of texts that are no paths; a new key of texts stands here or is quoted."""


def value_of(text):
    return OverridesParser.create().parse_override(quoted_path(text, sweep=False)).value()


def text_keys(schema, key=""):
    """The keys that hold any text, or a list of texts."""
    if schema is str or str in get_args(schema):
        return {key}
    options = set(options_of(schema).values()) or ({schema} if is_mapping(schema) else set())
    found = {text for option in options for name, kind in hints_of(option).items() for text in text_keys(kind, join(key, name))}
    return found.union(*(text_keys(kind, key) for kind in get_args(schema) if get_origin(kind) is tuple))


@pytest.mark.parametrize("verb", VERBS)
def test_each_key_of_a_path_takes_any_path(verb, monkeypatch):
    schemas = []
    monkeypatch.setattr("nnjax.cli.command.run", lambda name, schema, *_, **__: schemas.append(schema))
    monkeypatch.setattr("sys.argv", [verb])
    importlib.import_module(f"experiments.{verb}").main()
    for key in text_keys(schemas[0]) - NO_PATHS:
        assert value_of(f"{key}={HARD}") == HARD, key


@pytest.mark.parametrize("key", ["run", "runs", "compare"])
def test_each_path_of_a_list_is_quoted_and_quotes_stay(key):
    assert value_of(f"{key}=[{HARD}, a/b,c ü,o'b]") == [HARD, "a/b", "c ü", "o'b"]
    assert value_of(f"{key}=['a, b',\"c, d\",e (f)]") == ["a, b", "c, d", "e (f)"]
    typed = with_list(key, ["a, 'b'", r"c\'d", "e"])
    assert quoted_path(typed, sweep=False) == typed
    assert quoted_path(f"{key}=[]", sweep=False) == f"{key}=[]"
    assert quoted_path(f"{key}=[a],[b]", sweep=True) == f"{key}=[a],[b]"


def test_the_paths_of_a_sweep_are_quoted_one_by_one():
    assert quoted_path("sweep=a ü,b (c)", sweep=True) == "sweep='a ü','b (c)'"
    assert quoted_path("metric=a ü", sweep=False) == "metric=a ü"
