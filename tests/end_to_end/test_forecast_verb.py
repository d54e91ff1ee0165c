"""The future of a series through the real command: from a file with rows to forecast, from a newer file, from all rows."""

import csv
import re

import pytest
from commands import run, summary_of

ROWS = 60
MONTHS = [f"{2019 + month // 12}-{month % 12 + 1:02}" for month in range(ROWS + 20)]
SALES = [100 + month + 20 * (month % 12 == 11) + 7 * (month % 5) for month in range(ROWS + 20)]
SMALL = [
    *("model=fnn", "model.hidden=[]", "activation=identity", "data=series", "data.window=6", "data.difference=0"),
    *("training.duration=20steps", "report.figures=false", "parallel.devices=1"),
]


def text(count, blank=0):
    rows = [f"{month};{value}" for month, value in zip(MONTHS[:count], SALES, strict=False)]
    return "\n".join(["month;sales", *rows, *(f"{month};" for month in MONTHS[count : count + blank])]) + "\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "my.csv").write_text(text(ROWS, blank=3))
    trained = run("train", *SMALL, "data.file=my.csv", "hydra.run.dir=run", cwd=folder)
    assert "3 rows, 2024-01 to 2024-03, have no value at the end of the file: left out here" in trained.stdout
    return folder


@pytest.mark.slow
def test_rows_without_a_value_are_forecast(project, tmp_path):
    result = run("forecast", "run=run", f"hydra.run.dir={tmp_path}", cwd=project)
    with (tmp_path / "forecast.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["2024-01", "2024-02", "2024-03"]
    for row in rows:
        assert float(row["lower_95"]) <= float(row["lower_80"]) <= float(row["upper_80"]) <= float(row["upper_95"])
    assert (tmp_path / "figures" / "forecast.png").exists()
    for part in ("2024-03", "held out, at once", "Written: "):
        assert part in result.stdout


@pytest.mark.slow
def test_a_newer_file_is_gone_on_from_its_end(project, tmp_path):
    (tmp_path / "newer.csv").write_text(text(ROWS + 20))
    words = [
        "run=run",
        "horizon=2",
        f"data.file={tmp_path / 'newer.csv'}",
        "figures=false",
        f"hydra.run.dir={tmp_path / 'out'}",
    ]
    result = run("forecast", *words, cwd=project)
    assert "newer, at once" in result.stdout
    assert [line.split(",")[0] for line in (tmp_path / "out" / "forecast.csv").read_text().splitlines()[1:]] == [
        *("2025-09", "2025-10")
    ]


@pytest.mark.slow
def test_rows_may_be_added_to_the_file_of_the_training(tmp_path):
    (tmp_path / "my.csv").write_text(text(ROWS))
    run("train", *SMALL, "data.file=my.csv", "hydra.run.dir=run", cwd=tmp_path)
    (tmp_path / "my.csv").write_text(text(ROWS + 4, blank=1))
    (tmp_path / "newer.csv").write_text(text(ROWS + 4, blank=1))
    words = ["forecast", "run=run", "figures=false"]
    grown = run(*words, "hydra.run.dir=grown", cwd=tmp_path)
    assert "2024-05" in grown.stdout
    (tmp_path / "my.csv").write_text(text(ROWS))
    run(*words, "data.file=newer.csv", "hydra.run.dir=newer", cwd=tmp_path)
    assert (tmp_path / "grown" / "forecast.csv").read_text() == (tmp_path / "newer" / "forecast.csv").read_text()
    (tmp_path / "my.csv").write_text(text(ROWS + 4).replace("2020-05;", "2020-05;9"))
    refused = run(*words, "hydra.run.dir=other", cwd=tmp_path, check=3)
    assert re.match(r"data\.file=my\.csv: holds other data \(", refused.stderr)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["forecast", "run=run", "data.file=days.csv"],
            3,
            r"data\.file=.*days\.csv: its rows are 1 day apart, and 1 month in the .*",
        ),
        (["forecast", "run=run", "data.file=none.csv"], 3, r"data\.file=.*none\.csv: is missing.*"),
        (["forecast", "run=run", "horizon=1.5"], 2, r"horizon=1\.5: must be a whole number .*"),
        (["forecast", "horizon=3"], 2, r"run: missing; .*"),
        (
            ["evaluate", "run=run", "data.file=days.csv"],
            2,
            r"data\.file=.*: unknown key; .*experiments\.forecast run=… data\.file=… .*",
        ),
    ],
)
def test_a_mistake_ends_with_one_line(project, tmp_path, words, code, message):
    (project / "days.csv").write_text("day;sales\n" + "".join(f"2024-01-{day:02};{day}\n" for day in range(1, 30)))
    result = run(*words, f"hydra.run.dir={tmp_path / 'out'}", cwd=project, check=code)
    assert re.fullmatch(message, result.stderr.splitlines()[0]), result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_run_of_pictures_has_no_future(tmp_path):
    run("train", "model=fnn", "debug=fast", f"hydra.run.dir={tmp_path / 'run'}")
    refused = run("forecast", f"run={tmp_path / 'run'}", f"hydra.run.dir={tmp_path / 'out'}", check=2)
    assert "was trained on data=digits, which is no series" in refused.stderr


@pytest.mark.slow
def test_a_run_on_all_rows_is_swept_resumed_and_forecast(project, tmp_path):
    words = [*SMALL, "data.file=my.csv", "data.holdout=0"]
    swept = run("train", "-m", *words, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}", cwd=project)
    assert swept.stdout.count("completed") >= 2
    folder = tmp_path / "run"
    run("train", *words, f"hydra.run.dir={folder}", cwd=project)
    assert "test" not in summary_of(folder)
    again = run("train", f"resume={folder}", cwd=project)
    assert "complete: 20 steps, nothing held out; see " in again.stdout
    run("train", f"resume={folder}", "training.duration=30steps", cwd=project)
    assert summary_of(folder)["steps"] == 30
    result = run("forecast", f"run={folder}", "horizon=1", f"hydra.run.dir={tmp_path / 'out'}", cwd=project)
    assert "held out" not in result.stdout
    assert "trained on, rolling" in result.stdout
