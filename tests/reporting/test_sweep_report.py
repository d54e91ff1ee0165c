"""The files and the table that a sweep ends with."""

from nnjax.cli.compose import compose_train
from nnjax.cli.runs import write_config
from nnjax.cli.sweep_results import JobResult
from nnjax.reporting.figures.job_bars import draw_sweep
from nnjax.reporting.metrics import MetricWriter
from nnjax.reporting.sweep_table import show_sweep


def job(folder, number, *overrides, losses=(), error=None):
    run_dir = folder / str(number)
    if losses:
        with MetricWriter(run_dir) as writer:
            for step, loss in enumerate(losses, 1):
                writer.write(step=step, epoch=step / 2, split="train", metrics={"loss": loss}, seconds=step)
    return JobResult(number, overrides, run_dir if losses else None, int(bool(error)), error, None)


def drawn(monkeypatch):
    given = {}
    monkeypatch.setattr("nnjax.reporting.figures.job_bars.draw_sweep", lambda jobs, path: given.update(jobs))
    return given


def test_jobs_are_called_by_what_sets_them_apart(tmp_path, monkeypatch, capsys):
    given = drawn(monkeypatch)
    show_sweep(tmp_path, [job(tmp_path, n, f"seed={n}", "model=fnn", losses=[1.0, 0.5]) for n in range(2)])
    assert list(given) == ["seed=0", "seed=1"]
    assert [record["loss"] for record in given["seed=1"]] == [1.0, 0.5]
    assert "losses.png" in capsys.readouterr().out


def test_the_command_of_the_sweeps_page_is_the_last_line(tmp_path, capsys):
    sweep = tmp_path / "my sweep"
    jobs = [job(sweep, n, f"seed={n}", losses=[1.0, 0.5]) for n in range(2)]
    show_sweep(sweep, jobs)
    assert capsys.readouterr().out.split("\n")[-2].endswith(f"python -m experiments.report 'sweep={sweep}'")
    show_sweep(sweep, jobs[:1])
    assert "experiments.report" not in capsys.readouterr().out


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


def configured(folder, number, *overrides, **more):
    """A job that wrote its config, as jobs do before training."""
    result = job(folder, number, *overrides, losses=[1.0, 0.5], **more)
    write_config(compose_train(overrides), result.run_dir)
    return result


def test_jobs_that_want_no_figures_have_no_line(tmp_path, monkeypatch, capsys):
    given = drawn(monkeypatch)
    wanted = [configured(tmp_path, n, f"seed={n}", f"report.figures={str(n != 1).lower()}") for n in range(3)]
    show_sweep(tmp_path, wanted)
    assert list(given) == ["seed=0 report.figures=true", "seed=2 report.figures=true"]
    given.clear()
    capsys.readouterr()
    show_sweep(tmp_path, wanted[1:])
    show_sweep(tmp_path / "none", [configured(tmp_path / "none", n, f"seed={n}", "report.figures=false") for n in range(3)])
    assert given == {}
    assert "losses.png" not in capsys.readouterr().out


def test_losses_of_other_formulas_have_axes_of_their_own(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr("nnjax.reporting.figures.job_bars.draw_sweep", lambda jobs, path, **more: given.update(more))
    show_sweep(tmp_path, [configured(tmp_path, n, f"loss={name}") for n, name in enumerate(["cross_entropy", "mse"])])
    assert given == {"losses": {"cross_entropy": "cross_entropy", "mse": "mse"}}
    smooth = [configured(tmp_path / "b", n, f"loss.label_smoothing={n / 10}", f"seed={n}") for n in range(2)]
    show_sweep(tmp_path / "b", smooth)
    assert list(given["losses"].values()) == ["cross_entropy label_smoothing=0.0", "cross_entropy label_smoothing=0.1"]


def test_axes_for_each_loss_are_drawn(tmp_path):
    records = [{"step": step, "epoch": step / 2, "split": "train", "loss": 1 / step} for step in range(1, 4)]
    draw_sweep({"a": records, "b": records, "c": records}, tmp_path / "one.png")
    draw_sweep({"a": records, "b": records, "c": records}, tmp_path / "two.png", {"a": "mse", "b": "mse", "c": "half_mse"})
    heights = [int.from_bytes((tmp_path / name).read_bytes()[20:24], "big") for name in ("one.png", "two.png")]
    assert heights[1] > 1.3 * heights[0]


def test_each_job_is_named_by_how_it_ended(tmp_path, capsys):
    def ended(number, code, error, summary=None, begun=True):
        run_dir = tmp_path / str(number)
        if begun:
            run_dir.mkdir(parents=True, exist_ok=True)
        return JobResult(number, (f"seed={number}",), run_dir if begun else None, code, error, summary)

    results = [
        ended(0, 0, None, {"status": "completed", "test": {"loss": 0.5}}),
        ended(1, 4, "the loss became nan"),
        ended(2, 75, "SIGTERM: stopped"),
        ended(3, 2, "model=cnn: needs images"),
        ended(4, 3, "mnist: not found"),
        ended(5, 1, "RuntimeError: unlucky"),
        ended(6, 1, "did not end"),
        ended(7, 1, "did not end", begun=False),
        ended(8, 0, None, {"status": "stopped_early", "test": {"loss": 0.4}}),
    ]
    (tmp_path / "1/summary.json").write_text('{"status": "diverged", "seconds": {"total": 12.5}, "test": {"loss": 0.1}}')
    (tmp_path / "5/summary.json").write_text("[]")
    (tmp_path / "6/summary.json").write_text("{")
    show_sweep(tmp_path, results)
    out = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    for row in (
        "0 0 completed 0.5000",
        "1 1 diverged 12.5 s",
        "2 2 preempted",
        "3 3 config error",
        "4 4 data error",
        "5 5 failed",
        "6 6 did not end",
        "7 7 not started",
        "★ 8 8 stopped early 0.4000",
        "job 1 diverged: the loss became nan",
        "job 2 preempted: SIGTERM: stopped",
        "9 jobs, their folders NUMBER_… in " + str(tmp_path),
    ):
        assert row in rows
    assert "job 6" not in out
    assert "job 7" not in out


def test_names_hold_lists_and_equal_jobs_are_numbered(tmp_path, monkeypatch):
    given = drawn(monkeypatch)
    overrides = ["model.hidden=[8,4]", "model.hidden=[a=b,c]", "model.hidden=[8,4]", "x=1"]
    show_sweep(tmp_path, [job(tmp_path, n, text, losses=[n + 1.0]) for n, text in enumerate(overrides)])
    assert list(given) == [
        "model.hidden=[8,4] x= (job 0)",
        "model.hidden=[a=b,c] x=",
        "model.hidden=[8,4] x= (job 2)",
        "model.hidden= x=1",
    ]
    given.clear()
    show_sweep(tmp_path / "b", [job(tmp_path / "b", n, "seed=0", losses=[1.0]) for n in range(2)])
    assert list(given) == ["(job 0)", "(job 1)"]
    given.clear()
    long = ["data.directory=" + "x" * 99 + end for end in "ab"]
    show_sweep(tmp_path / "c", [job(tmp_path / "c", n, text, losses=[1.0]) for n, text in enumerate(long)])
    assert len(given) == 2
    assert all(len(name) <= 60 for name in given)


def test_results_of_several_trials_come_with_their_spread(tmp_path, capsys):
    def trials(number, n):
        spread = {"test_loss": {"mean": 0.5, "std": 0.25, "n": n}, "test_accuracy": {"mean": 0.9, "std": None, "n": n}}
        rows = [{"trial": index} for index in range(3)]
        summary = {"status": "completed", "test": {"loss": 0.5, "accuracy": 0.9}, "spread": spread, "trials": rows}
        return JobResult(number, (f"activation={number}",), None, 0, None, summary)

    show_sweep(tmp_path, [trials(0, 3), trials(1, 2)])
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "0 0 completed 0.5000 ± 0.2500 90.00%" in rows
    assert "1 1 completed 0.5000 ± 0.2500 (2/3) 90.00% (2/3)" in rows


def test_a_classification_and_a_regression_have_no_best(tmp_path, capsys):
    def finished(number, experiment, test):
        result = configured(tmp_path, number, f"experiment={experiment}", "report.figures=false")
        return JobResult(number, result.overrides, result.run_dir, 0, None, {"status": "completed", "test": test})

    show_sweep(tmp_path, [finished(0, "none", {"loss": 0.5, "accuracy": 0.9}), finished(1, "textbook", {"loss": 0.1})])
    assert "★" not in capsys.readouterr().out
    show_sweep(tmp_path, [finished(2, "textbook", {"loss": 0.5}), finished(3, "learning_rates", {"loss": 0.1})])
    assert "★ 3" in capsys.readouterr().out


def test_the_validation_result_of_the_tested_step_chooses_and_is_shown(tmp_path, capsys):
    def finished(number, *, last, best):
        """Tested after the first of two steps, as `training.test=best` does."""
        overrides, run_dir = (f"seed={number}", "training.test=best", "report.figures=false"), tmp_path / str(number)
        run_dir.mkdir()
        write_config(compose_train(overrides), run_dir)
        with MetricWriter(run_dir) as writer:
            for step, loss in ((1, best), (2, last)):
                writer.write(step=step, epoch=step, split="validation", metrics={"loss": loss, "accuracy": 0.9}, seconds=step)
        summary = {"status": "completed", "steps": 2, "tested_step": 1, "test": {"loss": 0.1 + number, "accuracy": 0.8}}
        summary |= {"validation": {"loss": last, "accuracy": 0.9}}
        return JobResult(number, overrides, run_dir, 0, None, summary)

    results = [finished(0, last=0.2, best=0.19), finished(1, last=0.3, best=0.15)]
    show_sweep(tmp_path, results)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "job seed status validation acc test loss test acc time" in lines
    assert "★ 1 1 completed 90.00% 1.1000 80.00%" in lines
    assert "★ best validation accuracy" in lines
    (tmp_path / "0/metrics.jsonl").unlink()
    show_sweep(tmp_path, results)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "★ 0 0 completed 0.1000 80.00%" in lines
    assert "★ best test accuracy, chosen on the test split, where it looks better than it is" in lines
