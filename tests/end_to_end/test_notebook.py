"""The notebook runs from top to bottom; it is kept without outputs, so that a change to it can be read."""

import json
import os

import matplotlib.pyplot as plt
import pytest
from commands import ROOT

PATH = ROOT / "notebooks/first_steps.ipynb"
NOTEBOOK = json.loads(PATH.read_text(encoding="utf-8"))
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_is_kept_without_outputs():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
def test_its_cells_run(tmp_path, monkeypatch, capsys):
    """One after another in this process, with an epoch and quick networks."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    try:
        for number, cell in enumerate(CELLS):
            quick = cell.replace("10epochs", "1epochs").replace('"model=cnn"', '"model=fnn"')
            exec(compile(quick, f"cell {number}", "exec"), namespace)
    finally:
        plt.close("all")
    shown = capsys.readouterr().out
    assert "training.epochs=10: unknown key; did you mean training.duration=10epochs?" in shown
    assert "of 360 are wrong" in shown
    assert "cnn: " in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_it_runs_in_a_kernel_as_it_stands(tmp_path, tmp_path_factory, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    # A list of fonts in the home folder may be that of a matplotlib since removed, and then the kernel warns.
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(PATH, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not list(tmp_path.iterdir())
