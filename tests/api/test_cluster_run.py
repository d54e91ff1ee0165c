"""What a training says where another process of its job is gone."""

from nnjax.api.cluster_run import _note_loss


def test_a_folder_that_is_gone_does_not_hide_how_to_resume(tmp_path):
    (tmp_path / "run").write_text("no folder")
    assert f"resume with: python -m experiments.train resume={tmp_path / 'run'}" in _note_loss("lost", tmp_path / "run", {})


def test_the_summary_says_why_the_run_failed(tmp_path):
    _note_loss("process 1 is gone", tmp_path, {"steps": 3})
    written = (tmp_path / "summary.json").read_text()
    assert '"status": "failed"' in written
    assert '"error": "process 1 is gone"' in written
