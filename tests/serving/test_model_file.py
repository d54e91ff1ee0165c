"""A model's file: what is written is read, and whatever else stands in a file is refused in one line."""

import dataclasses
import errno
import json
import os
import random
import re
import tracemalloc
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from forged import FACTS, forged_program, function, joined_file, small_file, small_program, split_file, weights

from nnjax.config.errors import StorageError
from nnjax.serving import model_file
from nnjax.serving.array_file import read_arrays, write_arrays
from nnjax.serving.model_file import ModelFile, ModelFileError, is_model_file, read_model, write_model
from nnjax.serving.running import export_program
from nnjax.serving.typical import fit_typical

SERIES = {
    **{"name": "passengers", "log": True, "difference": 12, "mean": 0.1, "std": 0.2, "season": 12},
    **{"values": [1.0, 2.0], "labels": ["1949-01", "1949-02"], "residuals": [[0.1], [0.2]]},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return small_file(tmp_path_factory.mktemp("model") / "small.nnjax")


@pytest.fixture(scope="module")
def data(file):
    return file.read_bytes()


def refusal(path, content):
    """The one line that refuses a file's bytes."""
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as refused:
        ModelFile(path).model(isolated=False)
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) < 400
    assert refused.value.exit_code == 3
    return text


@pytest.mark.slow
def test_what_is_written_is_read(file):
    inputs = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1)).astype(np.uint8)
    model = read_model(file)
    assert model.facts == FACTS
    assert model.typical is None
    np.testing.assert_allclose(model.outputs_of(inputs), function(weights(), inputs), rtol=1e-6, atol=1e-6)


def test_statistics_of_the_inputs_are_kept(tmp_path):
    typical = fit_typical(np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8))
    write_model(tmp_path / "model.nnjax", FACTS, typical, small_program())
    found = read_model(tmp_path / "model.nnjax", isolated=False).typical.arrays()
    for name, array in typical.arrays().items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("shape", [[1, 30_000, 30_000], [4, 4], [4, 4, 3]])
def test_statistics_of_other_inputs_are_refused_before_they_take_memory(shape, tmp_path):
    typical = fit_typical(np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8))
    forged = dataclasses.replace(typical, shape=np.array(shape, np.float32))
    write_model(tmp_path / "model.nnjax", FACTS, forged, small_program())
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"its statistics are not of inputs of the shape \[4, 4, 1\]"):
            ModelFile(tmp_path / "model.nnjax")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("start", [b"", b"{", "model"])
def test_a_large_file_that_is_no_model_is_not_read_whole(start, data, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(data if start == "model" else start)
    os.truncate(path, 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            ModelFile(path)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_a_large_model_is_read_whole(file, monkeypatch):
    monkeypatch.setattr(model_file, "_LARGE", file.stat().st_size - 1)
    assert ModelFile(file).facts == FACTS


def test_other_programs_read_it_as_safetensors(file):
    from safetensors.numpy import load_file

    arrays = load_file(file)
    np.testing.assert_array_equal(arrays["weights.output"], weights()["output"])


def test_two_exports_are_the_same_bytes_and_name_no_folder(file, tmp_path):
    program = export_program(function, weights(), FACTS)  # traced again
    write_model(tmp_path / "again.nnjax", FACTS, None, program)
    assert (tmp_path / "again.nnjax").read_bytes() == file.read_bytes()
    assert str(Path(__file__).parent).encode() not in file.read_bytes()
    assert b".py" not in file.read_bytes()


def test_no_change_passes(data, tmp_path):
    """2 000 flipped bits, cut ends, swapped and repeated stretches: none is taken for a model."""
    rng, path = random.Random(0), tmp_path / "model.nnjax"
    for number in range(2000):
        changed = bytearray(data)
        first, second = sorted(rng.sample(range(len(data)), 2))
        if number % 4 == 0:
            changed[first] ^= 1 << rng.randrange(8)
        elif number % 4 == 1:
            changed = changed[:second]
        elif number % 4 == 2:
            length = rng.randrange(1, 64)
            one, other = changed[first : first + length], changed[second : second + length]
            changed[second : second + length] = one
            changed[first : first + length] = other
        else:
            changed[first:second] = b""
        if bytes(changed) != data:
            path.write_bytes(changed)
            with pytest.raises(ModelFileError):
                ModelFile(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\x89PNG\r\n\x1a\n" + b"\0" * 100, b"PK\3\4" + b"x" * 90, b"{" * 200])
def test_another_file_is_no_model(content, tmp_path):
    text = refusal(tmp_path / "photo.png", content)
    assert "is no exported model; python -m experiments.export run=… writes one" in text
    assert not is_model_file(tmp_path / "photo.png")


def test_a_damaged_model_is_called_damaged(data, tmp_path):
    for content in (data[:-1] + b"\0", data[:200]):  # one byte is another; cut off in its header
        assert "cannot be used: " in refusal(tmp_path / "a.nnjax", content)
        assert is_model_file(tmp_path / "a.nnjax")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        ModelFile(tmp_path / "none.nnjax")
    with pytest.raises(ModelFileError, match=r"is a folder|Is a directory"):
        ModelFile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="is a named pipe, and must be a file"):
        ModelFile(tmp_path / "pipe")


def test_a_link_is_followed_as_in_a_volume_of_kubernetes(file, tmp_path):
    (tmp_path / "link").symlink_to(file)
    assert ModelFile(tmp_path / "link").facts == FACTS


def change_header(change):
    def forge(header, arrays):
        change(header)
        return joined_file(header, arrays)

    return forge


def change_facts(**values):
    def change(header):
        facts = json.loads(header["__metadata__"]["facts"])
        for key, value in values.items():
            *groups, name = key.split("__")
            inner = facts
            for group in groups:
                inner = inner[group]
            inner[name] = value
        header["__metadata__"]["facts"] = json.dumps(facts)

    return change_header(change)


def metadata(name, value):
    return change_header(lambda header: header["__metadata__"].__setitem__(name, value))


def entry(name, **values):
    return change_header(lambda header: header[name].update(values))


def doubled(header, arrays):
    text = json.dumps(header)
    return joined_file(header, arrays, raw=text.replace('"weights.output"', '"weights.hidden"').encode())


HOSTILE = {
    "a newer format": (metadata("version", "2"), "it was made by a newer nnjax, whose format is 2; this one reads up to 1"),
    "no version": (metadata("version", "one"), "the version of its format is no number"),
    "another format": (metadata("format", "nnjax-model-x"), "it is no exported model"),
    "facts that are no JSON": (metadata("facts", "{"), "its facts are no JSON"),
    "facts of a list": (metadata("facts", "[]"), "facts: must be a group of keys"),
    "deep facts": (metadata("facts", "[" * 5000 + "]" * 5000), "nested deeper"),
    "metadata that are no texts": (metadata("facts", 3), "are no texts"),
    "a long header": (lambda header, arrays: joined_file({}, arrays, raw=b"{" + b" " * 2**23), "its header claims"),
    "a header of a list": (lambda header, arrays: joined_file({}, arrays, raw=b"{]"), "its header is no JSON"),
    "a name twice": (doubled, "a key stands twice"),
    "a huge shape": (entry("weights.output", shape=[2**62, 4]), "its shape is not possible"),
    "many axes": (entry("weights.output", shape=[1] * 100 + [48]), "its shape is not possible"),
    "a negative size": (entry("weights.output", shape=[-2, -24]), "its shape is not possible"),
    "a size that is no number": (entry("weights.output", shape=[48.0]), "its shape is not possible"),
    "a truth value as a size": (entry("weights.output", shape=[48, True]), "its shape is not possible"),
    "a place before the file": (entry("weights.output", data_offsets=[-48, 144]), "does not fit its shape"),
    "a place that overlaps": (entry("weights.output", data_offsets=[0, 192]), "does not fit its shape"),
    "an unknown type": (entry("weights.output", dtype="OBJECT"), "the type 'OBJECT' is not one of"),
    "more than an entry": (entry("weights.output", more=1), "must have a dtype, a shape and two offsets"),
    "bytes behind": (lambda header, arrays: joined_file(header, arrays + b"more"), "its last array is not|leaves a gap|follow"),
    "an unknown array": (
        change_header(lambda header: header.update({"x": {"dtype": "F32", "shape": [0], "data_offsets": [1984, 1984]}})),
        "x: its place|its last array|bytes follow",
    ),
    "no convention": (metadata("program", '{"platforms": ["cpu"]}'), "no calling convention"),
    "no platform": (metadata("program", '{"calling_convention": 10, "platforms": []}'), "must be some of cpu"),
    "an unknown platform": (metadata("program", '{"calling_convention": 10, "platforms": ["abacus"]}'), "must be some of cpu"),
    "platforms that are no texts": (
        metadata("program", '{"calling_convention": 10, "platforms": [[1]]}'),
        "must be some of cpu",
    ),
    "one platform less": (
        metadata("program", '{"calling_convention": 10, "platforms": ["cpu"]}'),
        "its program takes and returns",
    ),
    "an old convention": (
        metadata("program", '{"calling_convention": 1, "platforms": ["cpu", "cuda", "rocm", "tpu"]}'),
        "convention",
    ),
    "an unknown fact": (change_facts(exec="rm"), "exec: unknown key"),
    "a text for a number": (change_facts(num_trials="2"), "num_trials: must be a whole number"),
    "a truth value for a number": (change_facts(num_trials=True), "num_trials: must be a whole number"),
    "many trials": (change_facts(num_trials=2**24, num_outputs=2**24), "outputs are too many"),
    "no trials": (change_facts(num_trials=0), "num_trials: must be from 1"),
    "other trials": (change_facts(num_trials=3, temperatures=[1.0] * 3), "its program takes and returns"),
    "too few temperatures": (change_facts(temperatures=[1.0]), "temperatures: must be 2 numbers above 0"),
    "a temperature of 0": (change_facts(temperatures=[1.0, 0.0]), "temperatures: must be 2 numbers above 0"),
    "an infinite temperature": (change_facts(temperatures=[1.0, float("inf")]), "temperatures.1: must be a finite number"),
    "a missing label": (change_facts(labels=["a", "b"]), "labels: must be 3"),
    "a label for the terminal": (change_facts(labels=["a", "b", "\x1b[2J"]), "labels.2: must be printable text"),
    "a long label": (change_facts(labels=["a", "b", "c" * 10_000]), "labels.2: must be printable text"),
    "a name with slashes": (change_facts(name="../../etc/passwd"), "name: must be a name without slashes"),
    "a name of dots": (change_facts(name=".."), "name: must be a name without slashes"),
    "an unknown task": (change_facts(task="world domination"), "task: must be one of classification, regression"),
    "a huge input": (change_facts(inputs__shape=[2**20, 2**20, 1]), "values are too many"),
    "an input without axes": (change_facts(inputs__shape=[]), "inputs.shape: must have 1 to 4 sizes"),
    "an input of another shape": (change_facts(inputs__shape=[5, 4, 1]), "its program takes and returns"),
    "an input of another type": (change_facts(inputs__dtype="float32"), "its program takes and returns"),
    "an unknown preparation": (change_facts(inputs__preparation="melt"), "inputs.preparation: must be one of"),
    "a preparation for another shape": (change_facts(inputs__preparation="mnist"), "mnist does not fit the shape"),
    "white that is black": (change_facts(inputs__largest=0.0), "inputs.largest: must be a number above 0"),
    "names of other features": (change_facts(inputs__features=["a", "b"]), "inputs.features: must be none or 1 names"),
    "a calibration that is no number": (change_facts(calibration__ece_before=float("nan")), "ece_before: must be a finite"),
    "a number of many digits": (change_facts(provenance__step=10**400), "provenance.step: must be a smaller number"),
    "a step for the terminal": (change_facts(provenance__versions={"jax": "\x1b[2J"}), "versions.jax: must be printable"),
    "a series of classes": (change_facts(series=SERIES), "series: needs task=regression"),
    "a series without spread": (
        change_facts(task="regression", labels=[], series={**SERIES, "std": 0.0}),
        "std must be above 0",
    ),
    "a series without a date": (
        change_facts(task="regression", labels=[], series={**SERIES, "labels": ["1949-01"]}),
        "series.labels: must be none or 2",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_forged_file_with_the_right_checksum_is_refused(name, data, tmp_path):
    forge, reason = HOSTILE[name]
    text = refusal(tmp_path / "model.nnjax", forge(*split_file(data)))
    assert re.search(reason, text), text


def test_a_program_that_is_garbage_is_refused(tmp_path):
    program = forged_program(b"ML\xefR" + bytes(range(256)) * 8)
    write_model(tmp_path / "model.nnjax", FACTS, None, program)
    with pytest.raises(ModelFileError, match="its program is no StableHLO that this JAX can read"):
        read_model(tmp_path / "model.nnjax", isolated=False)


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("nnjax.config.stored_files.os.fsync", full)
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        small_file(tmp_path / "model.nnjax")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_not_written(tmp_path):
    for wrong in ({"name": "a/b"}, {"temperatures": (1.0, float("nan"))}, {"labels": ("a",)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            write_model(tmp_path / "model.nnjax", dataclasses.replace(FACTS, **wrong), None, small_program())
    with pytest.raises(ValueError, match="sha256: is reserved"):
        write_arrays(tmp_path / "a", {"sha256": np.zeros(1, np.uint8)}, {})
    with pytest.raises(ValueError, match="a file cannot hold float64"):
        write_arrays(tmp_path / "a", {"x": np.zeros(1)}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_would_be_too_large_to_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "MOST_BYTES", model_file.MOST_HEADER + 1000)
    with pytest.raises(ValueError, match=r"its weights and program take [\d,]+ bytes; a file has at most 8,389,608"):
        small_file(tmp_path / "model.nnjax")
    assert list(tmp_path.iterdir()) == []


def test_metrics_that_are_not_finite_are_left_out(tmp_path):
    facts = dataclasses.replace(FACTS, metrics={"loss": float("nan"), "accuracy": np.float32(0.5)})
    write_model(tmp_path / "model.nnjax", facts, None, small_program())
    assert ModelFile(tmp_path / "model.nnjax").facts.metrics == {"accuracy": 0.5}


def test_all_types_of_arrays_come_back(tmp_path):
    types = [np.float32, np.int32, np.uint32, np.float16, jnp.bfloat16, np.int8, np.uint8, np.bool_]
    arrays = {f"a{place}": np.arange(6).reshape(2, 3).astype(each) for place, each in enumerate(types)}
    arrays["scalar"], arrays["empty"] = np.array(3, np.float32), np.zeros((0, 4), np.float32)
    write_arrays(tmp_path / "arrays", arrays, {"a": "1"})
    found, texts = read_arrays((tmp_path / "arrays").read_bytes())
    assert texts == {"a": "1"}
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)


def test_a_truth_value_is_0_or_1(tmp_path):
    write_arrays(tmp_path / "arrays", {"a": np.array([False, True]), "none": np.zeros(0, bool)}, {})
    header, arrays = split_file((tmp_path / "arrays").read_bytes())
    assert arrays == b"\0\1"
    with pytest.raises(ValueError, match="a: holds a truth value that is neither 0 nor 1"):
        read_arrays(joined_file(header, b"\0\2"))


@pytest.mark.slow
@pytest.mark.parametrize("item", ["[]", '"ab"'])
def test_a_forged_header_takes_little_memory(item, data, tmp_path):
    """The largest header that is read, of as many small values as fit, takes at most 150 MB."""
    header, arrays = split_file(data)
    header["__metadata__"]["facts"] = "ITEMS"
    room = model_file.MOST_HEADER - len(json.dumps(header)) - 100
    values = ",".join([item] * (room // (len(json.dumps(item)) - 1)))
    raw = json.dumps(header).replace('"ITEMS"', json.dumps(f'{{"provenance":[{values}]}}'))
    assert len(raw) > 0.9 * model_file.MOST_HEADER
    path = tmp_path / "large.nnjax"
    path.write_bytes(joined_file(None, arrays, raw=raw.encode()))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"too many brackets|name: missing"):
            ModelFile(path)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < 150e6
