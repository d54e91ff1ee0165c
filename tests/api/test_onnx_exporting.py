"""A network as ONNX gives the same answers in ONNX Runtime, for any number of examples."""

import json
import sys

import numpy as np
import pytest
from test_exporting import IMAGES, NETWORKS

import nnjax
from nnjax.api.onnx_exporting import export_onnx
from nnjax.serving.stored_facts import facts_from_json


def exported(result, path):
    return export_onnx(result._experiment, result._state, result.model, path)


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


def test_the_extra_is_asked_for(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(nnjax.ConfigError, match=r"format=onnx: needs onnxruntime: pip install 'nnjax\[onnx\]'"):
        exported(trained, tmp_path / "model.onnx")
