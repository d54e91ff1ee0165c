import pytest

from nnjax.cli.compose import conf_dir, config_loader
from nnjax.cli.overrides import parse_override
from nnjax.cli.run_words import with_words
from nnjax.config.errors import ConfigError


def read_back(override):
    """The value that Hydra's grammar reads."""
    return list(parse_override(override, config_loader((conf_dir(),))).value())


@pytest.mark.parametrize(
    "word",
    [
        "a",
        "outputs/train/*/*_cnn_*",
        "a b",
        "a,b",
        "it's",
        "[x]",
        "{y}",
        "outputs/0_lr=0.1",
        "back\\slash",
        "end\\",
        "~/x",
        "ü",
        "$HOME/x",
        "a:b",
        "(z)",
    ],
)
def test_any_path_is_read_back_as_it_was(word):
    (override,) = with_words([word], "runs")
    assert read_back(override) == [word]


def test_overrides_and_flags_stay_where_they_are():
    words = ["a", "metric=test_loss", "--config-dir", "b", "c", "--cfg", "job", "hydra.run.dir=d", "~metric"]
    assert with_words(words, "runs") == [
        *("metric=test_loss", "--config-dir", "b", "--cfg", "job", "hydra.run.dir=d", "~metric", "runs=['a','c']")
    ]
    assert with_words(["runs=[a]", "--explain", "metric"], "runs") == ["runs=[a]", "--explain", "metric"]
    assert with_words([], "runs") == []


def test_a_word_with_an_equals_sign_is_a_path_if_there_is_such_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert with_words(["0_lr=0.1"], "runs") == ["0_lr=0.1"]
    (tmp_path / "0_lr=0.1").mkdir()
    assert read_back(with_words(["0_lr=0.1"], "runs")[0]) == ["0_lr=0.1"]


def test_runs_named_in_two_ways_are_refused():
    with pytest.raises(
        ConfigError, match=r"^runs=\[a\]: b is given, too; name all of them in one way \(set on the command line\)$"
    ):
        with_words(["b", "runs=[a]"], "runs")
