"""The plugin of docs/plugins.md on the real command line: trained, swept over, resumed, measured."""

import json

import pytest
from commands import ROOT, code_blocks, run, summary_of

(PLUGIN,) = code_blocks((ROOT / "docs/plugins.md").read_text(), "python")
QUICK = ("model=residual", "model.width=8", "training.duration=1epochs", "report.figures=false", "data.limit_train=200")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin")
    (path / "my_models.py").write_text(PLUGIN)
    run("train", "--plugin", "my_models.py", *QUICK, f"hydra.run.dir={path}/run", cwd=path)
    return path


@pytest.mark.slow
def test_a_run_notes_its_plugin(folder):
    (noted,) = json.loads((folder / "run/.hydra/plugins.json").read_text())
    assert (noted["file"], noted["options"]) == ("my_models.py", ["model=residual"])
    assert summary_of(folder / "run")["plugins"] == [{"file": "my_models.py", "sha256": noted["sha256"]}]
    assert summary_of(folder / "run")["model"] == "residual"


@pytest.mark.slow
def test_it_is_measured_and_resumed_with_the_flag_only(folder):
    for verb, key in (("evaluate", "run"), ("train", "resume")):
        refused = run(verb, f"{key}={folder}/run", cwd=folder, check=2)
        assert refused.stderr.endswith("was started with a plugin; give it again: --plugin my_models.py\n")
    run("evaluate", f"run={folder}/run", "--plugin", "my_models.py", f"hydra.run.dir={folder}/evaluated", cwd=folder)
    evaluation = json.loads((folder / "evaluated/evaluation.json").read_text())
    assert evaluation["test"] == summary_of(folder / "run")["test"]
    run("train", f"resume={folder}/run", "training.duration=2epochs", "--plugin=my_models.py", cwd=folder)
    assert summary_of(folder / "run")["epochs"] == 2


@pytest.mark.slow
def test_its_page_is_written_without_the_flag_and_has_its_command_with_it(folder):
    run("report", f"run={folder}/run", f"hydra.run.dir={folder}/without", cwd=folder)
    text = (folder / "without/report.html").read_text(encoding="utf-8")
    assert "The defaults of its options are not known here" in text
    assert "Train it again" not in text
    run("report", f"run={folder}/run", "--plugin", "my_models.py", "measure=false", f"hydra.run.dir={folder}/with", cwd=folder)
    text = (folder / "with/report.html").read_text(encoding="utf-8")
    assert "model=residual" in text.partition(">Train it again</h2>")[2]
    assert "--plugin my_models.py" in text


@pytest.mark.slow
def test_its_options_are_listed_shown_and_swept_over(folder):
    plugin = ("--plugin", "my_models.py")
    assert "neurons, residual, rnn" in run("train", *plugin, "--help", cwd=folder).stdout
    shown = run("train", *plugin, "model=residual", "--cfg", "job", "--package", "model", cwd=folder).stdout
    assert shown == "name: residual\nwidth: 64\ndepth: 2\n"
    refused = run("train", *plugin, "-m", "model=residual", "model.width=8,x", cwd=folder, check=2)
    assert "model.width=x: must be a whole number" in refused.stderr
    assert run("trace", *plugin, cwd=folder, check=2).stderr.startswith(
        "--plugin my_models.py: is for train, search, evaluate, predict, forecast, export, serve, autopsy, verify, traffic "
        "and report;"
    )


@pytest.mark.slow
def test_a_sweep(folder):
    words = ("--plugin", "my_models.py", "-m", "model=residual", "model.width=4,8", *QUICK[2:])
    run("train", *words, f"hydra.sweep.dir={folder}/sweep", cwd=folder)
    params = [summary_of(path.parent)["num_params"] for path in sorted((folder / "sweep").glob("*/summary.json"))]
    assert params[0] < params[1]


@pytest.mark.slow
def test_a_sweep_over_it_is_evaluated_and_resumed_with_the_flag_only(folder):
    words = ("-m", *QUICK[:1], "model.width=4,8", *QUICK[2:], f"hydra.sweep.dir={folder}/checked")
    (folder / "wrong.py").write_text(PLUGIN.replace("spec.num_outputs", "3"))
    refused = run("train", "--plugin", "wrong.py", *words, cwd=folder, check=2)
    assert refused.stderr.startswith("model=residual: its outputs are [b, 3] for a batch of b")
    assert "in job 0 of 2: model=residual model.width=4" in refused.stderr
    assert not (folder / "checked").exists()
    run("train", "--plugin", "my_models.py", *words, cwd=folder)
    refused = run("train", "-m", f"resume={folder}/checked", cwd=folder, check=2)
    assert refused.stderr.endswith("was started with a plugin; give it again: --plugin my_models.py\n")
    resumed = run("train", "--plugin", "my_models.py", "-m", f"resume={folder}/checked", cwd=folder)
    assert "2 of 2 jobs are finished" in resumed.stdout
    (folder / "my_models.py").write_text(PLUGIN.replace("nnx.relu", "nnx.gelu"))
    changed = run("train", "--plugin", "my_models.py", "-m", f"resume={folder}/checked", cwd=folder)
    (folder / "my_models.py").write_text(PLUGIN)
    assert "2 start from the beginning" in changed.stdout
    assert "job 0: the code has changed since its result; it is trained anew, in " in changed.stderr


@pytest.mark.slow
def test_its_options_are_searched(folder):
    plugin = ("--plugin", "my_models.py")
    space = "search.space=[{key: model.depth, low: 1, high: 2},{key: optimizer.learning_rate, low: 1e-3, high: 0.1, log: true}]"
    printed = run("search", *plugin, *QUICK, space, "search.trials=2", f"hydra.run.dir={folder}/search", cwd=folder).stdout
    assert f"--config-dir {folder}/search/found experiment=best --plugin my_models.py" in printed
    best = ("--config-dir", f"{folder}/search/found", "experiment=best")
    run("train", *best, *plugin, "debug.max_steps=1", f"hydra.run.dir={folder}/best", cwd=folder)
    assert summary_of(folder / "best")["model"] == "residual"
    refused = run("search", f"resume={folder}/search", cwd=folder, check=2)
    assert refused.stderr.endswith("was started with a plugin; give it again: --plugin my_models.py\n")
    assert "2 trials: 2 completed" in run("search", f"resume={folder}/search", *plugin, cwd=folder).stdout
