"""A network as ONNX gives the same answers in ONNX Runtime, for any number of examples."""

import json
import os
import sys

import numpy as np
import pytest
from test_exporting import IMAGES, NETWORKS

import nnjax
from nnjax.api.exporting import check_target
from nnjax.api.onnx_exporting import export_onnx, is_exported
from nnjax.serving.stored_facts import facts_from_json


def exported(result, path):
    return export_onnx(result._experiment, result._state, result.model, path)


@pytest.mark.slow
@pytest.mark.onnx
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("bfloat16", "neurons")])
def test_answers_in_onnx_runtime(name, tmp_path):
    import onnxruntime

    result = nnjax.fit(nnjax.compose(*NETWORKS[name], "report.figures=false"))
    path = tmp_path / "model.onnx"
    assert exported(result, path).size == path.stat().st_size
    session = onnxruntime.InferenceSession(path)
    facts = facts_from_json(json.loads(session.get_modelmeta().custom_metadata_map["nnjax"]))
    assert facts == result.model.facts
    inputs = result.dataset.test.inputs
    for count in (1, 7, 64):
        given = np.concatenate([inputs] * (count // len(inputs) + 1))[:count]
        (answers,) = session.run(["answers"], {"inputs": given.astype(np.float32)})
        expected = result.model.probabilities(given).mean(axis=0)
        np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.onnx
def test_other_answers_are_not_written(tmp_path, monkeypatch):
    result = nnjax.fit(nnjax.compose("model=cnn", "model.blocks=[{features:4}]", "model.dense=[8]", *IMAGES))
    monkeypatch.setattr("nnjax.api.onnx_exporting._AGREEMENT", 0.0)
    with pytest.raises(nnjax.ConfigError, match="its graph in ONNX gives answers that differ by"):
        exported(result, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.onnx
def test_only_a_model_of_ours_is_replaced(trained, tmp_path):
    from onnx import helper

    exported(trained, tmp_path / "ours.onnx")
    trained.export(tmp_path / "ours.nnjax")
    for name in ("ours.onnx", "ours.nnjax", "none.onnx"):
        check_target(tmp_path / name, "to", is_exported)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "theirs",
        *([helper.make_tensor_value_info(name, 1, ["b", 4])] for name in "xy"),
    )
    (tmp_path / "theirs.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    (tmp_path / "notes.onnx").write_text("mine")
    (tmp_path / "empty.onnx").touch()
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("theirs.onnx", "notes.onnx", "empty.onnx", "pipe.onnx"):
        with pytest.raises(nnjax.ConfigError, match="is there already, and is no exported model"):
            check_target(tmp_path / name, "to", is_exported)


def test_the_extra_is_asked_for(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(nnjax.ConfigError, match=r"format=onnx: needs onnxruntime: pip install 'nnjax\[onnx\]'"):
        exported(trained, tmp_path / "model.onnx")
