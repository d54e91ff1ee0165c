"""`python -m nnjax.serving`: answers, usage, errors and exit codes."""

import io
import json
import os
import shlex
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from forged import FACTS, function, small_file, small_program, weights
from PIL import Image

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.__main__ import main
from nnjax.serving.facts import InputFacts
from nnjax.serving.facts_text import facts_text
from nnjax.serving.model_file import ModelFile, write_model
from nnjax.serving.running import export_program

NOT_THERE = (
    "flax",
    "hydra",
    "omegaconf",
    "optax",
    "rich",
    "yaml",
    "matplotlib",
    "sklearn",
    "safetensors",
    "humanize",
    "psutil",
)


def environment(*more):
    """For a process that finds what this one finds, from any folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, more), *sys.path])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and four pictures, one of which is none."""
    folder = tmp_path_factory.mktemp("serving")
    small_file(folder / "small.nnjax")
    rng = np.random.default_rng(1)
    (folder / "scans").mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 256, (4, 4)).astype(np.uint8)).save(folder / "scans" / f"{name}.png")
    (folder / "scans" / "d.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Runs the command in the folder, with the program read in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(ModelFile, "model_apart", lambda self: nullcontext(self.model(isolated=False)))

    def called(*words, model="small.nnjax"):
        code = main([model, *words])
        return code, *capsys.readouterr()

    return called


def expected(folder, name):
    with Image.open(folder / "scans" / f"{name}.png") as picture:
        inputs = np.asarray(picture)[None, ..., None]
    logits = np.asarray(function(weights(), inputs), np.float64)[:, 0] / np.array(FACTS.temperatures)[:, None]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return (shares / shares.sum(1, keepdims=True)).mean(0)


def test_json_lines_hold_the_calibrated_mean_of_the_trials(run, folder):
    code, said, complained = run("scans/a.png", "scans/b.png", "--json")
    assert (code, complained) == (0, "")
    for line, name in zip(said.splitlines(), "ab", strict=True):
        record = json.loads(line)
        assert record["source"] == f"scans/{name}.png"
        shares = {each["label"]: each["probability"] for each in record["top"]}
        np.testing.assert_allclose([shares[label] for label in FACTS.labels], expected(folder, name), atol=1e-6)


def test_a_line_for_a_person(run, folder):
    code, said, _ = run("scans/a.png", "--top", "1")
    shares = expected(folder, "a")
    assert code == 0
    assert said.startswith(f"scans/a.png: {FACTS.labels[shares.argmax()]} {100 * shares.max():.1f}% ± ")


def test_one_bad_picture_does_not_stop_the_others(run):
    code, said, complained = run("scans")
    assert code == 3
    assert [line.partition(":")[0] for line in said.splitlines() if line[0] != " "] == [f"scans/{name}.png" for name in "abc"]
    assert complained.startswith("scans/d.png: ")
    assert complained.count("\n") == 1


def test_outputs_that_are_not_finite_are_no_answer(run, folder):
    program = small_program()
    diverged = replace(program, weights={name: np.full_like(each, np.nan) for name, each in program.weights.items()})
    write_model(folder / "diverged.nnjax", FACTS, None, diverged)
    code, said, complained = run("scans/a.png", "--explain", "nothing.png", model="diverged.nnjax")
    assert (code, complained) == (0, "Drawn in nothing.png\n")
    assert said == "scans/a.png: no answer\n  warning: the network's outputs are no finite numbers\n"


def test_a_picture_on_standard_input(run, folder, monkeypatch):
    content = (folder / "scans" / "a.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    code, said, _ = run("-", "--json")
    assert code == 0
    assert json.loads(said)["source"] == "standard input"


@pytest.fixture(scope="module")
def of_rows(folder):
    """A model of the rows a, b."""
    facts = replace(FACTS, inputs=InputFacts((2,), "float32", features=("a", "b")), temperatures=(1.0,), num_trials=1)
    weights = {"output": np.array([[[3, 0, 0], [0, 3, 0]]], np.float32)}
    program = export_program(lambda weights, inputs: jnp.einsum("bd,tdo->tbo", inputs, weights["output"]), weights, facts)
    write_model(folder / "rows.nnjax", facts, None, program)
    return "rows.nnjax"


def test_rows_from_a_pipe_are_read_once(run, of_rows):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write("b,a\n0,1\n1,0\n")
    code, said, complained = run("--rows", f"/dev/fd/{reading}", "--top", "1", model=of_rows)
    os.close(reading)
    assert (code, complained) == (0, "")
    assert [line.split()[:3] for line in said.splitlines()] == [["row", "1:", "nought"], ["row", "2:", "one"]]


def test_columns_that_are_taken_by_place_are_noted_with_the_answer(run, folder, of_rows):
    (folder / "named.csv").write_text("B,A\n0,1\n")
    note = "named.csv: its columns are taken by their places, not by their names: none is called a or b"
    code, said, complained = run("--rows", "named.csv", "--json", model=of_rows)
    assert (code, complained) == (0, "")
    assert json.loads(said)["notes"] == [note]
    assert run("--rows", "named.csv", model=of_rows)[2] == f"note: {note}\n"


def test_what_the_file_says(run):
    code, said, complained = run("--info")
    assert (code, complained) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in said.splitlines())
    assert lines["answers"] == "3 classes: nought, one, two"
    assert lines["takes"] == "4 × 4 × 1 uint8: pictures, prepared as plain"
    assert lines["trials"] == "2, which answer together"
    assert lines["test"] == "accuracy 0.9"
    assert lines["versions"] == "jax 0.10.2"


def test_a_long_line_is_whole():
    versions = {f"package-{place}": "1.2.3" for place in range(20)}
    last = facts_text(replace(FACTS, provenance={"versions": versions})).splitlines()[-1]
    assert last.endswith(", package-18 1.2.3, package-19 1.2.3")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "no picture is given"),
        (("none.png",), 2, "picture=none.png: no such file"),
        (("--rows", "new.csv"), 2, "--rows new.csv: the model takes pictures (4 × 4 × 1)"),
        (("scans/a.png", "--rows", "new.csv"), 2, "--rows: pictures and --explain do not go with it"),
        (("scans/a.png", "scans/b.png", "--explain", "x.png"), 2, "--explain x.png: draws one picture, and 2 are given"),
        (("--http", ":0", "--json"), 2, "--http: --json does not go with it"),
        (("--http", ":0", "--rows", "a.csv", "--top", "5"), 2, "--http: --rows, --top do not go with it"),
        (("--http", "here"), 2, "--http here: must be HOST:PORT or :PORT"),
        (("--http", ":99999"), 2, "--http :99999: must be HOST:PORT or :PORT"),
        (("--http", ":0", "--batch", "0"), 2, "batch=0: must be a whole number of at least 1 and at most 1024"),
        (("--http", ":0", "--wait", "long"), 2, "wait=long: must be a number of at least 0"),
        (("scans/a.png", "--batch", "8"), 2, "--batch: goes with --http alone"),
    ],
)
def test_a_mistake_is_one_line(run, words, code, message):
    found, said, complained = run(*words)
    assert (found, said) == (code, "")
    assert complained.startswith(message)
    assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--top", "0"], "argument --top: must be a whole number above 0; it is '0'"),
        (["--top", "many"], "argument --top: must be a whole number above 0; it is 'many'"),
        (["--wrong"], "unrecognized arguments: --wrong"),
    ],
)
def test_usage(run, capsys, words, reason):
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    complained = capsys.readouterr().err
    assert "usage: python -m nnjax.serving" in complained
    assert reason in complained


@pytest.mark.parametrize("name", ["jax", "numpy", "PIL"])
def test_a_package_that_is_missing_is_named(folder, name):
    """In a process of its own, whose modules nobody has imported yet."""
    program = f"""import sys
sys.modules[{name!r}] = None
from nnjax.serving.__main__ import main
sys.exit(main(["small.nnjax", sys.argv[1]]))"""
    for word in ("scans/a.png", "--info"):
        done = subprocess.run(
            [sys.executable, "-c", program, word], cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        if (name, word) == ("jax", "--info"):
            assert (done.returncode, done.stderr) == (0, "")
        else:
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == f"python -m nnjax.serving needs {name}: pip install jax numpy pillow\n"


def test_help_has_examples(run, capsys):
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    assert "python -m nnjax.serving model.nnjax photo.png --explain out.png" in capsys.readouterr().out


def test_a_file_that_is_no_model(run, folder, capsys):
    assert main(["scans/a.png", "scans/b.png"]) == 3
    assert capsys.readouterr().err.startswith("scans/a.png: is no exported model; ")


@pytest.mark.slow
def test_the_process_needs_jax_numpy_and_pillow_alone(folder):
    """As in an environment without the other packages: a module that is None in sys.modules cannot be imported."""
    absent = folder / "absent"
    absent.mkdir()
    (absent / "sitecustomize.py").write_text(f"import sys; sys.modules.update(dict.fromkeys({NOT_THERE!r}))")
    words = [sys.executable, "-m", "nnjax.serving", "small.nnjax", "scans/a.png", "--json"]
    done = subprocess.run(words, cwd=folder, env=environment(absent), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    shares = {each["label"]: each["probability"] for each in json.loads(done.stdout)["top"]}
    np.testing.assert_allclose([shares[label] for label in FACTS.labels], expected(folder, "a"), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["scans/a.png"], 1, "standard output: cannot be written: No space left on device\n"),
        (["--info"], 1, "standard output: cannot be written: No space left on device\n"),
    ],
)
def test_a_full_disk_behind_standard_output(folder, words, code, complaint):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "nnjax.serving", "small.nnjax", *words]
        done = subprocess.run(
            command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment()
        )
    assert (done.returncode, done.stderr) == (code, complaint)


@pytest.mark.parametrize(
    ("words", "code", "said", "complaint"),
    [
        ("--info >&-", 1, "", "standard output: cannot be written: Bad file descriptor\n"),
        ("- <&-", 3, "", "standard input: "),
        ("--info", 0, " 4 ? 4 ? 1 uint8", ""),  # a stream of ASCII has no ×
    ],
)
def test_streams_that_are_closed_or_show_few_letters(folder, words, code, said, complaint):
    values = environment() | {"PYTHONIOENCODING": "ascii"}
    command = f"exec {shlex.quote(sys.executable)} -m nnjax.serving small.nnjax {words}"
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=values, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stdout, done.stderr.startswith(complaint)) == (code, True, True), done
    assert done.stderr.count("\n") == (code > 0)


@pytest.mark.parametrize(
    ("words", "address", "names"),
    [
        (["--http", ":8123"], ("127.0.0.1", 8123), ["small"]),
        (["--http", "[::1]:0"], ("::1", 0), ["small"]),
        (["again.nnjax", "--http", ":0"], ("127.0.0.1", 0), ["small", "again"]),  # by their files' names
        (["more/small.nnjax", "again.nnjax", "--http", ":0"], ("127.0.0.1", 0), ["small", "small_2", "again"]),
    ],
)
def test_models_are_served(run, folder, monkeypatch, words, address, names):
    from nnjax.serving.server import listening

    small_file(folder / "again.nnjax")
    (folder / "more").mkdir(exist_ok=True)
    small_file(folder / "more" / "small.nnjax")
    served = []
    monkeypatch.setattr(listening, "bound", nullcontext)
    monkeypatch.setattr(listening, "serve", lambda models, settings, sock: served.append((list(models), settings)))
    whole = ModelFile.model
    monkeypatch.setattr(ModelFile, "model", lambda self: whole(self, isolated=False))
    assert run(*words) == (0, "", "")
    ((found, settings),) = served
    assert (found, (settings.host, settings.port)) == (names, address)


def test_the_settings_of_a_server_come_from_options(run, monkeypatch):
    from nnjax.serving.server import listening

    served = []
    monkeypatch.setattr(listening, "bound", nullcontext)
    monkeypatch.setattr(listening, "serve", lambda models, settings, sock: served.append(settings))
    whole = ModelFile.model
    monkeypatch.setattr(ModelFile, "model", lambda self: whole(self, isolated=False))
    words = ("--http", ":8123", "--hosts", "models.example", "--hosts", "other.example", "--batch", "8", "--wait", "1e-2")
    assert run(*words) == (0, "", "")
    assert served == [ServerSettings(port=8123, hosts=("models.example", "other.example"), batch=8, wait=0.01)]


def test_signals_are_taken_before_the_models_are_loaded(folder, monkeypatch):
    done = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["nnjax.serving", "small.nnjax", "--http", ":0"])
    monkeypatch.setattr("nnjax.config.leaving.begin", lambda: done.append("begun"))
    monkeypatch.setattr("nnjax.serving.__main__._serve", lambda *_: done.append("loaded") or 0)
    assert main() == 0
    assert done == ["begun", "loaded"]


def test_the_picture_that_explains(run, folder):
    code, _, complained = run("scans/a.png", "--explain", "out.png")
    assert code == 0
    assert complained == "Drawn in out.png\n"
    with Image.open(folder / "out.png") as drawn:
        assert drawn.mode == "RGB"
        assert len(np.unique(np.asarray(drawn).reshape(-1, 3), axis=0)) > 20
