"""`python -m experiments.prepare`, with archives in a folder and without a network."""

import sys

import pytest
from archives import made_is_official, make_archives
from commands import run

from experiments import prepare


@pytest.mark.slow
def test_archives_of_a_folder_become_a_dataset_that_trains(tmp_path, monkeypatch):
    made, directory = make_archives("mnist", tmp_path / "archives", num_train=160, num_test=40), tmp_path / "tfds"
    arguments = ["data=mnist", f"archives={made.folder}", f"data.directory={directory}", f"hydra.run.dir={tmp_path / 'run'}"]
    monkeypatch.setattr(sys, "argv", ["prepare", *arguments])
    with made_is_official(made), pytest.raises(SystemExit) as end:
        prepare.main()
    assert end.value.code == 0
    words = ["train", "data=mnist", "model=fnn", "debug=fast", "report.figures=false"]
    run(*words, f"hydra.run.dir={tmp_path / 'train'}", TFDS_DATA_DIR=str(directory))

    # What was decoded is of no use once the folder says something else.
    info = directory / "mnist" / "3.0.1" / "dataset_info.json"
    info.write_text(info.read_text().replace('"160"', '"150"'))
    result = run(*words, f"hydra.run.dir={tmp_path / 'again'}", check=3, TFDS_DATA_DIR=str(directory))
    first, *others = result.stderr.splitlines()
    name = "mnist-train.array_record-00000-of-00001"
    assert first.endswith(f"dataset_info.json says 150 examples of split train in {name}, which has 160")
    assert "experiments.prepare data=mnist data.directory=FOLDER" in others[0]


def test_archives_that_are_not_the_official_ones_are_refused(tmp_path):
    made, directory = make_archives("mnist", tmp_path / "archives"), tmp_path / "tfds"
    folder = f"hydra.run.dir={tmp_path / 'run'}"
    result = run("prepare", "data=mnist", f"archives={made.folder}", folder, check=3, TFDS_DATA_DIR=str(directory))
    assert "Traceback" not in result.stderr
    assert ".gz" in result.stderr.splitlines()[0]
    assert not (directory / "mnist" / "3.0.1").exists()
