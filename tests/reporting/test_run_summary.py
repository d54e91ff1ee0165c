import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnjax.config.errors import DataError
from nnjax.reporting import run_summary
from nnjax.reporting.files import replacing, to_json
from nnjax.reporting.run_summary import environment, peak_rss_mb, read_summary, write_json


def test_a_summary_comes_back(tmp_path):
    write_json(tmp_path / "new" / "summary.json", {"test": {"loss": np.float32(0.5)}, "run_dir": Path("a/b"), "shape": (1, 2)})
    assert read_summary(tmp_path / "new") == {"test": {"loss": 0.5}, "run_dir": "a/b", "shape": [1, 2]}


def test_a_summary_of_a_version_before_0_2_has_trials(tmp_path):
    rows = [{"copy": 0, "seed": 3, "test_loss": 0.5}, {"copy": 1, "seed": 4, "test_loss": 0.7}]
    write_json(tmp_path / "summary.json", {"status": "completed", "copies": rows})
    assert read_summary(tmp_path) == {
        "status": "completed",
        "trials": [{"trial": 0, "seed": 3, "test_loss": 0.5}, {"trial": 1, "seed": 4, "test_loss": 0.7}],
    }


def test_json_is_strict():
    value = {"nan": float("nan"), "inf": np.inf, "array": np.array([[1.0, np.nan]]), "flag": np.bool_(True), "naïve": 1}
    assert to_json(value) == '{"nan": null, "inf": null, "array": [[1.0, null]], "flag": true, "naïve": 1}'
    with pytest.raises(TypeError):
        to_json({"function": to_json})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "summary.json"
    write_json(path, {"status": "completed"})
    with pytest.raises(TypeError):
        write_json(path, {"status": object()})

    def be_interrupted():
        with replacing(path) as temporary:
            temporary.write_text("half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert read_summary(tmp_path) == {"status": "completed"}
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


def test_a_missing_or_damaged_summary_is_named(tmp_path):
    with pytest.raises(DataError, match=r"summary\.json: cannot be read"):
        read_summary(tmp_path)
    (tmp_path / "summary.json").write_text('{"status": "comp')
    with pytest.raises(DataError, match=r"summary\.json: is damaged"):
        read_summary(tmp_path)


def test_the_environment_is_plain_and_complete():
    found = json.loads(to_json(environment()))
    assert found["versions"]["python"] == sys.version.split()[0]
    assert found["versions"]["jax"]
    assert found["host"]["cpu_cores"] >= 1


def test_the_commit_is_that_of_the_checkout(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert run_summary._git(tmp_path) is None
    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    assert run_summary._git(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "file").write_text("two")
    assert run_summary._git(tmp_path) == {"commit": commit, "dirty": True}
    (tmp_path / "inside").mkdir()
    assert run_summary._git(tmp_path / "inside") is None  # a folder in another project's checkout


def test_peak_memory_is_this_processs_own_in_megabytes():
    block = np.ones(200_000_000, np.uint8)
    size = block.nbytes / 1e6
    peak = peak_rss_mb()
    assert size < peak < 100 * size
    command = [sys.executable, "-c", "from nnjax.reporting.run_summary import peak_rss_mb; print(peak_rss_mb())"]
    child = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert 5 < child < size


def test_reporting_waits_with_the_heavy_imports():
    modules = "console, figures, metrics, progress_bar, run_summary, tables"
    heavy = "{'matplotlib', 'tensorboardX', 'jax', 'flax'}"
    code = f"import sys; from nnjax.reporting import {modules}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
