"""`python -m experiments.predict` through the real command: pictures of all kinds, rows, and what is refused."""

import csv
import errno
import io
import json
import os
import re
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from commands import run, summary_of
from PIL import Image, ImageDraw

import nnjax
from experiments.predict import predict as answer
from nnjax.config.errors import StorageError
from nnjax.config.parsing import parse
from nnjax.config.predict_options import PredictConfig
from nnjax.data.series_file import AIRLINE_FILE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on the digits, and pictures of them: two as stored, a photo of a drawing, a broken one, and other files."""
    folder = tmp_path_factory.mktemp("predict")
    small = ["model=fnn", "model.hidden=[64]", "training.duration=20epochs", "report.figures=false"]
    run("train", *small, f"hydra.run.dir={folder}/run")
    (folder / "scans").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("x")
    test = nnjax.load_run(folder / "run").dataset.test
    for place in range(2):
        Image.fromarray((test.inputs[place, :, :, 0] * 15.9375).astype(np.uint8)).save(folder / "scans" / f"{place}.png")
    drawing(folder / "scans" / "photo.jpg")
    (folder / "scans" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "labels.json").write_text(json.dumps(test.targets[:2].tolist()))
    return folder


def drawing(path):
    """A one, dark on paper that is not evenly lit."""
    paper = 230 - 50 * np.linspace(0, 1, 300)[None] + np.zeros((300, 1))
    picture = Image.fromarray(paper.astype(np.uint8))
    ImageDraw.Draw(picture).line([(150, 60), (148, 240)], fill=30, width=26)
    picture.save(path)


def predict(folder, *words, check=0, name="out"):
    return run("predict", f"run={folder}/run", *words, f"hydra.run.dir={folder}/{name}", cwd=folder, check=check)


@pytest.mark.slow
def test_a_picture_is_answered_with_the_networks_probability(folder, tmp_path):
    shown = predict(folder, "image=scans/0.png", name=f"{tmp_path.name}_one").stdout
    answer = nnjax.load_run(folder / "run").answer(folder / "scans/0.png")
    assert answer.label == str(json.loads((folder / "labels.json").read_text())[0])
    assert f"{100 * answer.probability:.1f}%" in shown
    assert shown.rstrip().endswith("predictions.jsonl")
    result = nnjax.load_run(folder / "run")
    plain = result.predict(result.dataset.test.inputs[:1])[0].astype(np.float64)
    calibrated = plain ** (1 / summary_of(folder / "run")["calibration"]["temperature"])
    np.testing.assert_allclose(answer.probabilities, calibrated / calibrated.sum(), rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_one_bad_picture_does_not_stop_the_others_and_lines_can_be_piped(folder, tmp_path):
    done = predict(folder, "image=scans", "format=jsonl", "top=2", check=3, name=f"{tmp_path.name}_jsonl")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["source"] for record in records] == [
        f"scans/{name}" for name in ("0.png", "1.png", "broken.png", "photo.jpg")
    ]
    labels = json.loads((folder / "labels.json").read_text())
    assert [record["label"] for record in records[:2]] == [str(label) for label in labels]
    assert [len(record["top"]) for record in (records[0], records[3])] == [2, 2]
    assert records[3]["notes"][0] == "dark on light: inverted"
    assert set(records[2]) == {"source", "error"}
    assert "1 of 4 pictures could not be read: scans/broken.png: " in done.stderr
    kept = (folder / f"{tmp_path.name}_jsonl" / "predictions.jsonl").read_text()
    assert [json.loads(line) for line in kept.splitlines()] == records


@pytest.mark.parametrize("kept", ["hot", 3, [1.0]])
def test_an_evaluation_where_the_summary_holds_something_else_as_calibration(folder, tmp_path, kept):
    shutil.copytree(folder / "run", tmp_path / "run")
    summary = summary_of(tmp_path / "run")
    (tmp_path / "run" / "summary.json").write_text(json.dumps(summary | {"calibration": kept}))
    run("evaluate", f"run={tmp_path}/run", "figures=false", f"hydra.run.dir={tmp_path}/out", cwd=tmp_path)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["calibration"] == summary["calibration"]


def test_csv_of_a_pattern(folder, tmp_path):
    done = predict(folder, "image=scans/[01].png", "format=csv", name=f"{tmp_path.name}_csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["source"] for row in rows] == ["scans/0.png", "scans/1.png"]
    assert [row["label"] for row in rows] == [str(label) for label in json.loads((folder / "labels.json").read_text())]


def test_a_full_disk_behind_the_output_is_an_error_once_the_answers_are_kept(folder, tmp_path, monkeypatch):
    class Full(io.StringIO):
        fault = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    values = {"run": str(folder / "run"), "checkpoint": "tested", "image": str(folder / "scans" / "0.png"), "rows": None}
    options = {"format": "csv", "top": 3, "explain": False, "memory_limit": "auto"}
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(StorageError, match=r"standard output: cannot be written: No space left on device; .* holds the same"):
        answer(parse(PredictConfig, values | options), tmp_path)
    assert json.loads((tmp_path / "predictions.jsonl").read_text())["top"]
    answer(parse(PredictConfig, values | options | {"format": "table"}), tmp_path)


def test_a_picture_on_standard_input(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO((folder / "scans/0.png").read_bytes())))
    (line,) = predict(folder, "image=-", "format=jsonl", name=f"{tmp_path.name}_stdin").stdout.splitlines()
    assert json.loads(line)["source"] == "standard input"


@pytest.mark.slow
def test_each_picture_is_explained(folder, tmp_path):
    (folder / "twice").mkdir()
    for name in ("one.png", "one.jpg"):
        drawing(folder / "twice" / name)
    done = predict(folder, "image=twice", "explain=true", "format=jsonl", name=f"{tmp_path.name}_explained")
    figures = [json.loads(line)["figure"] for line in done.stdout.splitlines()]
    assert [path.rpartition("/")[2] for path in figures] == ["one.png", "one_2.png"]
    for path in figures:
        with Image.open(path) as image:
            assert image.width > 800
    assert "Drawn in" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["image=scans/phto.jpg"], "image=scans/phto.jpg: no such file; did you mean scans/photo.jpg?"),
        (["image=texts"], "image=texts: the folder holds no picture (.png, .jpg, .jpeg, .bmp, .gif, .webp), and 1 other file"),
        (["rows=x.csv"], "rows=x.csv: the network of "),
        ([], "image: missing; must be a picture"),
        (["image=a", "rows=b"], "image=a: rows=b is there, too; give one of them (set on the command line)"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_line(folder, tmp_path, words, message):
    refused = predict(folder, *words, check=2, name=f"{tmp_path.name}_no")
    assert refused.stderr.startswith(message)
    assert refused.stderr.count("\n") == 1
    assert refused.stdout == ""


def test_a_run_that_is_not_there(tmp_path):
    refused = run("predict", "run=nowhere", "image=a.png", cwd=tmp_path, check=2)
    # A checkout that has runs names the nearest.
    line = r"run=nowhere: no such folder(; did you mean \S+\?)? \(set on the command line\)\n"
    assert re.fullmatch(line, refused.stderr), refused.stderr


@pytest.mark.slow
def test_rows_of_numbers(tmp_path, monkeypatch):
    vectors = ["data=synthetic", "data.input_shape=[3]", "data.outputs=2", "data.num_train=100", "data.num_test=20"]
    short = ["model=fnn", "model.hidden=[4]", "training.duration=1epoch", "report.figures=false"]
    run("train", *vectors, *short, "training.global_batch_size=20", f"hydra.run.dir={tmp_path}/run")
    result = nnjax.load_run(tmp_path / "run")
    inputs = result.dataset.test.inputs[:3]
    np.savetxt(tmp_path / "new.csv", inputs, delimiter=",")
    done = run("predict", f"run={tmp_path}/run", "rows=new.csv", "format=jsonl", "hydra.run.dir=out", cwd=tmp_path)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["source"] for record in records] == ["row 1", "row 2", "row 3"]
    assert [record["label"] for record in records] == result.predict(inputs).argmax(axis=1).astype(str).tolist()
    (tmp_path / "named.csv").write_text("a,b,c\n" + (tmp_path / "new.csv").read_text())
    monkeypatch.setenv("HOME", str(tmp_path))
    named = run("predict", f"run={tmp_path}/run", "rows='~/named.csv'", "format=jsonl", "hydra.run.dir=named", cwd=tmp_path)
    assert named.stdout == done.stdout
    assert "named.csv: its columns are taken by their places, not by their names: the model has no names" in named.stderr
    drawing(tmp_path / "a.png")
    refused = run("predict", f"run={tmp_path}/run", "image=a.png", "hydra.run.dir=no", cwd=tmp_path, check=2)
    assert refused.stderr.endswith("takes rows of numbers (3); give rows=FILE.csv\n")


@pytest.mark.slow
def test_the_next_value_of_a_series(tmp_path):
    sales = [100 + 3 * month + 20 * (month % 12 == 11) for month in range(60)]
    (tmp_path / "my.csv").write_text("sales\n" + "".join(f"{value}\n" for value in sales))
    words = ["model=fnn", "model.hidden=[8]", "data=series", "data.file=my.csv", "data.window=6", "data.holdout=6"]
    more = ["data.transform=log", "data.difference=12", "training.duration=20steps", "report.figures=false"]
    run("train", *words, *more, "training.global_batch_size=8", "hydra.run.dir=run", cwd=tmp_path)
    with (tmp_path / "run" / "forecast.csv").open(newline="") as file:
        first = float(next(csv.DictReader(file))["network"])
    (tmp_path / "known.csv").write_text("sales\n" + "".join(f"{value}\n" for value in sales[:-6]))
    done = run("predict", "run=run", "rows=known.csv", "format=jsonl", "hydra.run.dir=out", cwd=tmp_path)
    record = json.loads(done.stdout)
    assert record["values"] == [pytest.approx(first, rel=1e-5)]


@pytest.mark.slow
def test_the_next_month_of_a_dated_series_and_rows_that_are_out_of_order(tmp_path):
    short = ["model=rnn", "data=airline", "training.duration=2epochs", "report.figures=false"]
    run("train", *short, "hydra.run.dir=run", cwd=tmp_path)
    header, *months = AIRLINE_FILE.read_text().splitlines()
    (tmp_path / "known.csv").write_text("\n".join([header, *months, "1961-01,"]))
    (tmp_path / "reversed.csv").write_text("\n".join([header, *months[::-1]]))
    words = ["run=run", "format=jsonl"]
    record = json.loads(run("predict", *words, "rows=known.csv", "hydra.run.dir=out", cwd=tmp_path).stdout)
    future = nnjax.load_run(tmp_path / "run").forecast(1, file=tmp_path / "known.csv")
    assert (record["source"], record["values"]) == ("1961-01", [pytest.approx(future.values[0], rel=1e-5)])
    refused = run("predict", *words, "rows=reversed.csv", "hydra.run.dir=no", cwd=tmp_path, check=3)
    assert refused.stderr.splitlines()[-1].startswith("rows=reversed.csv: line 3: month 1960-11 comes after 1960-12")
    assert refused.stdout == ""
