"""What stands in a sweep's folder when it is over."""

from nnjax.config.sweep import JobResult
from nnjax.reporting.metrics import MetricWriter
from nnjax.reporting.sweep import show_sweep


def job(folder, number, *overrides, losses=(), error=None):
    run_dir = folder / str(number)
    if losses:
        with MetricWriter(run_dir, "off") as writer:
            for step, loss in enumerate(losses, 1):
                writer.write(step=step, epoch=step / 2, split="train", metrics={"loss": loss}, seconds=step)
    return JobResult(number, overrides, run_dir if losses else None, int(bool(error)), error, None)


def drawn(monkeypatch):
    given = {}
    monkeypatch.setattr("nnjax.reporting.figures.sweep.draw_sweep", lambda jobs, path: given.update(jobs))
    return given


def test_jobs_are_called_by_what_sets_them_apart(tmp_path, monkeypatch, capsys):
    given = drawn(monkeypatch)
    show_sweep(tmp_path, [job(tmp_path, n, f"seed={n}", "model=fnn", losses=[1.0, 0.5]) for n in range(2)])
    assert list(given) == ["0", "1"]
    assert [record["loss"] for record in given["1"]] == [1.0, 0.5]
    assert "losses.png" in capsys.readouterr().out


def test_forecasts_come_into_the_table(tmp_path, capsys):
    results = [
        JobResult(n, (f"seed={n}",), None, 0, None, {"status": "completed", "test": {"loss": 1.0}, "forecast": forecast})
        for n, forecast in enumerate([{"rmse": 15.5, "mae": 13.25}, {"rmse": 16.5, "mae": 14.25}])
    ]
    show_sweep(tmp_path, results)
    text = " ".join(capsys.readouterr().out.split())
    assert "★ 0 0 completed 1.0000 15.50 13.25" in text
    assert "mean ± std 1.0000 ± 0.0000 16.00 ± 0.71 13.75 ± 0.71" in text


def test_jobs_that_differ_twice_say_both(tmp_path, monkeypatch):
    given = drawn(monkeypatch)
    show_sweep(
        tmp_path, [job(tmp_path, 0, "seed=0", losses=[1.0]), job(tmp_path, 1, "seed=1", "activation=tanh", losses=[1.0])]
    )
    assert list(given) == ["seed=0 activation=", "seed=1 activation=tanh"]


def test_a_job_that_never_trained_has_no_line_and_stops_no_picture(tmp_path, capsys):
    jobs = [
        job(tmp_path, 0, "seed=0", losses=[1.0, 0.0]),
        job(tmp_path, 1, "seed=1", error="data.file: missing"),
        job(tmp_path, 2, "seed=2", losses=[1.0, float("nan")]),
    ]
    show_sweep(tmp_path, jobs)
    assert (tmp_path / "losses.png").stat().st_size > 1000
    assert "job 1 failed: data.file: missing" in capsys.readouterr().out
    assert "data.file: missing" in (tmp_path / "sweep.log").read_text()


def test_too_few_and_too_many_lines_are_not_drawn(tmp_path, monkeypatch):
    given = drawn(monkeypatch)
    show_sweep(tmp_path, [job(tmp_path, 0, "seed=0", losses=[1.0])])
    show_sweep(tmp_path, [job(tmp_path / "many", n, f"seed={n}", losses=[1.0]) for n in range(13)])
    assert given == {}
