"""`nnjax.fit` in a process of its own comes to the numbers of the command in another, to the bit."""

import json
import subprocess
import sys

import numpy as np
from commands import ROOT, environment, metrics_of, start, summary_of

import nnjax

OVERRIDES = ["model=fnn", "model.hidden=[16]", "training.duration=2epochs", "report.figures=false", "seed=3"]
PROGRAM = f"""
import json, nnjax, numpy as np
result = nnjax.fit(nnjax.compose(*{OVERRIDES}))
flat = {{f"{{layer}}.{{name}}": value for layer, group in result.params.items() for name, value in group.items()}}
np.savez("params.npz", **flat)
open("history.json", "w").write(json.dumps([result.metrics, result.history]))
"""


def test_the_same_numbers_as_the_command(tmp_path):
    start("train", *OVERRIDES, f"hydra.run.dir={tmp_path}/run")
    env = environment(PYTHONPATH=str(ROOT))
    subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], cwd=tmp_path, env=env, check=True)
    metrics, history = json.loads((tmp_path / "history.json").read_text())
    summary = summary_of(tmp_path / "run")
    assert metrics == {split: summary[split] for split in ("train", "validation", "test")}
    assert [{key: value for key, value in record.items() if key != "seconds"} for record in history] == metrics_of(
        tmp_path / "run"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"run", "params.npz", "history.json"}
    params = nnjax.load_run(tmp_path / "run").params
    with np.load(tmp_path / "params.npz") as saved:
        assert sorted(saved) == sorted(f"{layer}.{name}" for layer, group in params.items() for name in group)
        for key in saved:
            layer, name = key.split(".")
            np.testing.assert_array_equal(saved[key], params[layer][name])
