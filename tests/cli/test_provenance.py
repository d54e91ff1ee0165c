from pathlib import Path
from typing import Any

import pytest

from nnjax.cli.compose import compose, project_root
from nnjax.cli.provenance import COMMAND_LINE, REMOVED, Default, Provenance, Setting, read_defaults
from nnjax.config.schema import TrainConfig

OPTION = """\
# a comment
name: sgd
stop:
  patience: 3
  loss_below: null
blocks:
  - {features: 32}
  - features: 64
    pool: 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_value_is_traced_to_its_line(folder: Path) -> None:
    provenance = Provenance()
    provenance.add_file(write(folder / "sgd.yaml", OPTION), "group")
    assert provenance.history("group.name") == [Setting("sgd", "sgd.yaml:2")]
    assert provenance.history("group.stop.loss_below") == [Setting(None, "sgd.yaml:5")]
    assert provenance.history("group.blocks")[0] == Setting([{"features": 32}, {"features": 64, "pool": 1}], "sgd.yaml:6")
    assert provenance.describe("group.blocks.1.pool") == provenance.describe("group.blocks[1].pool") == "sgd.yaml:9"
    assert provenance.describe("group.blocks.1.kernel") == "sgd.yaml:6"  # a default: where the list is
    assert provenance.describe("group.stop") == "sgd.yaml:4"
    assert provenance.describe("elsewhere") is None


def test_later_settings_come_first(folder: Path) -> None:
    provenance = Provenance()
    provenance.add_file(write(folder / "sgd.yaml", OPTION), "group")
    provenance.add_file(write(folder / "overlay.yaml", "group:\n  stop: {patience: 5}\n  blocks: [{features: 8}]\n"), "")
    provenance.add_override("group.stop", {"patience": 7})
    history = [Setting(7, COMMAND_LINE), Setting(5, "overlay.yaml:2"), Setting(3, "sgd.yaml:4")]
    assert provenance.history("group.stop.patience") == history
    assert provenance.describe("group.stop.loss_below") == "sgd.yaml:5"
    assert provenance.describe("group.blocks.0.features") == "overlay.yaml:3"
    assert provenance.describe("group.blocks.1.pool") == "overlay.yaml:3"  # the list that held it is replaced


def test_a_group_is_described_by_who_chose_it_unless_it_was_set_whole(folder: Path) -> None:
    provenance = Provenance()
    provenance.add_choice("group", [Setting("sgd", "train.yaml:3")])
    provenance.add_file(write(folder / "sgd.yaml", OPTION), "group")
    assert provenance.describe("group") == "train.yaml:3"
    provenance.add_file(write(folder / "overlay.yaml", "seed: 1\ngroup: 5\n"), "")
    assert provenance.history("group") == [Setting(5, "overlay.yaml:2")]


def test_what_is_taken_away_is_remembered(folder: Path) -> None:
    provenance = Provenance()
    provenance.add_file(write(folder / "sgd.yaml", OPTION), "group")
    provenance.add_removal("group.stop.patience")
    assert provenance.history("group.stop.patience")[0] == Setting(REMOVED, COMMAND_LINE)


def test_hydras_settings_and_defaults_are_no_values(folder: Path) -> None:
    provenance = Provenance()
    path = write(folder / "root.yaml", "defaults:\n  - model: cnn\nhydra: {run: {dir: x}}\nseed: 0\n")
    provenance.add_file(path, "")
    assert provenance.describe("hydra") is None
    assert provenance.describe("defaults") is None
    assert provenance.describe("seed") == "root.yaml:4"


def test_the_defaults_list_is_read(folder: Path) -> None:
    text = """\
defaults:
  - settings
  - loss: mse
  - override /optimizer@_global_.optimizer: sgd
  - optional schedule: null
  - _self_
seed: 0
"""
    path = write(folder / "overlay.yaml", text)
    assert list(read_defaults(path, "experiment/overlay")) == [
        Default("experiment/loss", "mse", "overlay.yaml:3"),
        Default("optimizer", "sgd", "overlay.yaml:4"),
        Default("experiment/schedule", None, "overlay.yaml:5"),
    ]
    assert [default.group for default in read_defaults(path, "train")] == ["loss", "optimizer", "schedule"]
    assert list(read_defaults(write(folder / "none.yaml", "seed: 0\n"), "train")) == []
    assert list(read_defaults(write(folder / "empty.yaml", ""), "train")) == []


def leaves(values: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(values, dict) or not values:
        return {key: values}
    return {name: leaf for part, item in values.items() for name, leaf in leaves(item, f"{key}.{part}".strip(".")).items()}


@pytest.mark.parametrize(
    "overrides",
    [
        "",
        "model=two_neuron",
        "data=mnist schedule=step training.stop.patience=3",
        "model=fnn data=synthetic model.hidden=[3,4] debug=fast optimizer={b1:0.5,eps:1.0e-3} ++seed=7",
    ],
)
def test_every_value_of_the_shipped_configs_is_where_it_is_said_to_be(overrides: str) -> None:
    composition = compose("train", overrides.split())
    given = " ".join(composition.overrides)
    for key, value in leaves(composition.values(TrainConfig)).items():
        setting = composition.provenance.history(key)[0]
        leaf = key.rpartition(".")[2]
        assert setting.value == value
        if setting.place == COMMAND_LINE:
            assert leaf in given
        else:
            file, line = setting.place.split(":")
            assert f"{leaf}:" in (project_root() / file).read_text().splitlines()[int(line) - 1]


def test_who_chose_an_option_comes_before_whom_it_replaced() -> None:
    provenance = compose("train", ["model=two_neuron", "optimizer=adam"]).provenance
    assert [(setting.value, setting.place.partition(":")[0]) for setting in provenance.history("model")] == [
        ("two_neuron", COMMAND_LINE),
        ("cnn", "conf/train.yaml"),
    ]
    assert [(setting.value, setting.place.partition(":")[0]) for setting in provenance.history("loss")] == [
        ("half_mse", "conf/data/textbook.yaml"),
        ("cross_entropy", "conf/train.yaml"),
    ]
    assert provenance.history("optimizer")[0] == Setting("adam", COMMAND_LINE)
