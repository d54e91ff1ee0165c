"""`python -m experiments.trace`: the chapter's numbers on the screen and in the files, and what it refuses."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
from commands import ROOT, run, summary_of

from experiments.trace import trace
from nnjax.cli.compose import compose_config
from nnjax.config.errors import DivergedError, UserError
from nnjax.config.schema import TraceConfig

ERRATA = (ROOT / "docs" / "errata.md").read_text(encoding="utf-8")


def squeezed(text):
    return {" ".join(line.split()) for line in text.splitlines()}


@pytest.mark.slow
def test_the_chapter(tmp_path):
    text = run("trace", f"hydra.run.dir={tmp_path}", COLUMNS="120").stdout
    assert {
        "1 a z_a w_a1 x1 + w_a2 x2 + w_a3 x3 + w_a0 0.02 + 0.02 + 0.12 + 0.6 0.76",
        "2 b y_b max(0, z_b) max(0, 0.804) 0.804",
        "E ½ × (t_b − y_b)² ½ × (1 − 0.804)² 0.019208",
        "1 a δ_a ∂E/∂y_a × f′(z_a) (−0.0784) × 1 −0.0784",
        "2 b w_b1 w_b1 + Δw_b1 0.4 + 0.089376 0.489376",
        "2 b y_b max(0, z_b) max(0, 1.0173802589) 1.0173802589",
        "1 −0.6 0.019208 0.0001510367",
    } <= squeezed(text)
    assert "The step overshoots: y_b goes from 0.804 to 1.0173802589, past its target 1." in text
    assert len(re.findall(r"^ (?:hand formula|finite differences|optimizer update) .* yes\s*$", text, re.MULTILINE)) == 3
    summary = summary_of(tmp_path)
    assert (summary["status"], summary["agrees"], summary["num_devices"]) == ("completed", True, 1)
    assert summary["losses"] == [pytest.approx(0.019208, abs=1e-12), pytest.approx(1.51037e-4, rel=1e-5)]
    for path in map(Path, summary["files"]):
        assert path.is_file()
        assert path.name in text
    found = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    with (tmp_path / "trace.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["rows"]) == summary["rows"] == 70
    assert [float(row["value"]) for row in rows] == [row["value"] for row in found["rows"]]


def test_the_page_opens_in_the_browser(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {shlex.quote(str(tmp_path / "address"))}\n')
    browser.chmod(0o755)
    folder = tmp_path / "run"
    text = run("trace", "open=true", "iterations=1", f"hydra.run.dir={folder}", BROWSER=f"{browser} %s").stdout
    assert (tmp_path / "address").read_text() == (folder / "trace.html").as_uri()
    assert "no browser" not in text


def test_where_there_is_no_browser_the_trace_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    trace(compose_config("trace", ["open=true", "iterations=1"], TraceConfig), tmp_path)
    assert "open=true: no browser was found here; open " in capsys.readouterr().out
    trace(compose_config("trace", ["iterations=1"], TraceConfig), tmp_path)
    assert "no browser" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_network_of_ones_own(tmp_path):
    run(
        "trace",
        "model=neurons",
        "model.layers=[{size: 2, weights: [[1,0],[0.5,1]], biases: [0,0.1], activation: tanh}, {size: 1, bias: false}]",
        "data.inputs=[[0.5,-1],[2,1]]",
        "data.targets=[[1],[0]]",
        "training.global_batch_size=2",
        "iterations=1",
        f"hydra.run.dir={tmp_path}",
    )
    found = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    values = {(row["example"], row["symbol"]): row["value"] for row in found["rows"]}
    assert values[1, "z_b"] == pytest.approx(0.5 * 0.5 - 1 + 0.1, abs=1e-12)
    assert values[2, "z_a"] == pytest.approx(2, abs=1e-12)
    assert found["network"]["layers"][1]["has_bias"] is False
    assert found["iterations"][0]["biases"] == [[0, 0.1], None]
    assert all(check["agrees"] for check in found["checks"])


def test_what_it_cannot_trace_is_refused_before_anything_is_written(tmp_path):
    result = run("trace", "model=cnn", "data=digits", f"hydra.run.dir={tmp_path}/run", check=2)
    assert result.stderr.startswith("model=cnn: is not fully connected")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def commands_of_the_errata():
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", ERRATA, re.MULTILINE | re.DOTALL)
    return sorted({line.strip() for block in blocks for line in block.splitlines()} - {"python -m experiments.trace"})


@pytest.mark.slow
@pytest.mark.parametrize("command", commands_of_the_errata())
def test_the_commands_of_the_errata(command, tmp_path):
    python, option, module, *arguments = shlex.split(command)
    assert (python, option) == ("python", "-m")
    text = run(module.removeprefix("experiments."), *arguments, f"hydra.run.dir={tmp_path}").stdout
    shown = re.search(rf"```bash\n{re.escape(command)}\n```\n\n```text\n(.*?)```", ERRATA, re.DOTALL)
    for line in squeezed(shown[1]) if shown else ():
        assert line == "…" or line in squeezed(text) or set(line) <= {"─", " "}, line


# --- in this process -----------------------------------------------------------------------------------------------


def test_a_trace_that_does_not_agree_is_written_said_aloud_and_fails(tmp_path, monkeypatch, capsys):
    def wrong(layers, loss, step):
        numbers = {"largest_difference": 0.1, "relative": 0.5, "compared": 6, "of": 6}
        return {"iteration": step.number, "what": "hand formula", "agrees": False, "note": "", **numbers}

    monkeypatch.setattr("nnjax.textbook.trace.hand_formula", wrong)
    with pytest.raises(UserError, match=r"THE TRACE IS WRONG: .* hand formula in iteration 1, hand .* 2;") as error:
        trace(compose_config("trace", [], TraceConfig), tmp_path)
    assert error.value.exit_code == 1
    assert "NO, in iteration 1, 2" in capsys.readouterr().out
    assert summary_of(tmp_path)["status"] == "failed"
    assert not json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["checks"][0]["agrees"]


def test_a_trace_that_diverges_is_written_as_far_as_it_goes(tmp_path):
    overrides = ["activation=identity", "model.output_activation=identity", "optimizer.learning_rate=-300", "iterations=20"]
    with pytest.raises(DivergedError, match=r"iteration 6: .* not a finite number any more"):
        trace(compose_config("trace", overrides, TraceConfig), tmp_path)
    summary = summary_of(tmp_path)
    assert (summary["status"], len(summary["losses"])) == ("diverged", 5)
    assert (tmp_path / "trace.html").is_file()
