"""A command that is given again takes its programs from files, and computes the same numbers."""

import subprocess
import sys

import pytest
from commands import ROOT, environment, metrics_of, summary_of

SETTINGS = ["model=cnn", "model.blocks=[{features:4}]", "model.dense=[8]", "training.duration=12steps", "report.figures=false"]

FORMS = [  # of what the program takes and returns
    ["training.seeds=3", "parallel.devices=2"],
    ["report.weights=8", "parallel.devices=2"],
    ["parallel.gradients=sharded", "parallel.devices=2"],
    ["optimizer.lookahead={sync_period: 2, slow_step_size: 0.3, power: 2.0}", "parallel=shard_map"],
]


@pytest.mark.slow
def test_a_command_given_again_traces_no_training_and_has_the_same_numbers(tmp_path):
    cache = tmp_path / "cache"

    def trained(name, *overrides, cache=cache):
        folder = tmp_path / name
        # Without flags of Python's, as for a debugger, which might change the code.
        command = [sys.executable, "-m", "experiments.train", *SETTINGS, *overrides, f"hydra.run.dir={folder}"]
        subprocess.run(command, cwd=ROOT, env=environment(NNJAX_CACHE=str(cache)), check=True, capture_output=True, timeout=600)
        rows = [{key: row.get(key) for key in ("step", "split", "loss", "accuracy")} for row in metrics_of(folder)]
        return rows, summary_of(folder)["test"]

    def files(cache=cache):
        """Which files there are, and when each was used: to draw the weights, train, evaluate, and look for dead units."""
        found = {path: path.stat() for path in sorted(cache.glob("compiled/*/*.program"))}
        return {path: state.st_ino for path, state in found.items()}, [state.st_mtime_ns for state in found.values()]

    first = trained("first")
    written, used = files()
    assert len(written) == 4
    assert trained("again") == first
    kept, used_again = files()
    assert kept == written
    assert all(later > before for before, later in zip(used, used_again, strict=True))

    # Numbers are arguments of the programs.
    others = ["optimizer.learning_rate=0.05", "seed=3"]
    assert trained("others", *others) == trained("others alone", *others, cache=tmp_path / "empty") != first
    assert files()[0] == written

    _, used_by_others = files()
    # An evaluation needs no other program where the training is longer, nor does the search for dead units.
    trained("longer", "training.duration=13steps")
    longer, used_by_longer = files()
    assert len(longer) == 5
    before = dict(zip(written, used_by_others, strict=True))
    assert sum(later > before[path] for path, later in zip(longer, used_by_longer, strict=True) if path in before) == 2

    trained("another", "activation=tanh")
    # Weights are drawn by the same program, which JAX's own cache has; and no unit of tanh is dead.
    assert len(files()[0]) == 7

    for number, forms in enumerate(FORMS):
        own = tmp_path / f"cache {number}"
        once = trained(f"{number}", *forms, cache=own)
        written_of_form, used = files(own)
        assert len(written_of_form) == 4, forms
        assert trained(f"{number} again", *forms, cache=own) == once
        kept, used_again = files(own)
        assert kept == written_of_form
        assert all(later > before for before, later in zip(used, used_again, strict=True)), forms

    for path in written:
        path.write_bytes(path.read_bytes()[:-1000] + bytes(1000))
    assert trained("damaged") == first
