"""A process that runs a model's file: the model's outputs, or one line about its end."""

import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from forged import FACTS, forged_program, function, program_of, small_file, weights
from test_program_checks import HOSTILE, TEXT

from nnjax.serving import model_process
from nnjax.serving.model_file import ModelFile, ModelFileError, read_model, write_model
from nnjax.serving.model_process import ModelProcess

INPUTS = np.random.default_rng(0).integers(0, 256, (70, 4, 4, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return ModelFile(small_file(tmp_path_factory.mktemp("process") / "small.nnjax"))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Replaces Python by a script."""
    path = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(path))

    def write(text):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


def refusal(path, program):
    write_model(path, FACTS, None, program)
    with pytest.raises(ModelFileError) as refused, ModelFile(path).model_apart() as model:
        model.outputs_of(INPUTS[:1])
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.slow
def test_outputs_are_those_of_the_model(file):
    with file.model_apart() as model:
        for count in (1, 5, 70):
            expected = function(weights(), INPUTS[:count])
            np.testing.assert_allclose(model.outputs_of(INPUTS[:count]), expected, rtol=1e-5, atol=1e-6)
        with pytest.raises(ModelFileError, match="inputs must be"):
            model.outputs_of(INPUTS[:, :2])


@pytest.mark.slow
def test_a_hostile_program_is_refused_with_its_reason(tmp_path):
    text, reason = HOSTILE["a callback"]
    found = refusal(tmp_path / "model.nnjax", forged_program(program_of(text)))
    assert f"cannot be used: {reason}" in found
    with pytest.raises(ModelFileError, match=reason):
        read_model(tmp_path / "model.nnjax")


def test_forged_bytes_are_refused_or_end_their_reader_alone(tmp_path):
    """Of names that are no text, some end MLIR's reader."""
    content = program_of(TEXT.replace("jax.result_info", "jax.result_nono"))
    assert content.count(b"nono") == 1
    found = refusal(tmp_path / "model.nnjax", forged_program(content.replace(b"nono", b"\xff\xfe\xfd\xfc")))
    assert any(reason in found for reason in ("a name that is no text", "can read", "ends the process"))


def test_a_process_that_is_killed(file, fake):
    fake("kill -11 $$")
    with pytest.raises(ModelFileError, match=r"its program ends the process that reads it \(signal 11\)"):
        file.model()
    with pytest.raises(ModelFileError, match="signal 11"), file.model_apart() as model:
        model.outputs_of(INPUTS[:1])
    fake("echo first >&2; echo no room >&2; exit 9")
    with pytest.raises(ModelFileError, match=r"ends the process that reads it: no room$"):
        file.model()


def test_a_process_that_hangs_or_cannot_start(file, fake, monkeypatch):
    fake("exec sleep 20")
    for limit in ("_SECONDS", "_CHECK_SECONDS"):
        monkeypatch.setattr(model_process, limit, 0.2)
    with pytest.raises(ModelFileError, match=r"could not be read or run in 0\.2 seconds"):
        file.model()
    with pytest.raises(ModelFileError, match=r"could not be read or run in 0\.2 seconds"), file.model_apart() as model:
        model.outputs_of(INPUTS[:1])
    many = np.zeros((5000, 4, 4, 1), np.uint8)  # more than a pipe takes
    with pytest.raises(ModelFileError, match=r"could not be read or run in 0\.2 seconds"), file.model_apart() as model:
        model.outputs_of(many)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ModelFileError, match="no process can be started to read it: No such file"):
        file.model()


LOOP = """
      %n_f = stablehlo.convert %n : (tensor<i32>) -> tensor<f32>
      %largest = stablehlo.constant dense<2.0> : tensor<f32>
      %val = stablehlo.while(%x = %n_f) : tensor<f32> cond {
        %more = stablehlo.compare GE, %x, %largest : (tensor<f32>, tensor<f32>) -> tensor<i1>
        stablehlo.return %more : tensor<i1>
      } do {
        %next = stablehlo.abs %x : tensor<f32>
        stablehlo.return %next : tensor<f32>
      }"""
POWER = """
      %big_shape = stablehlo.concatenate %b, %b, %b, %b, %b, %b, dim = 0 : (tensor<1xi32>, tensor<1xi32>, tensor<1xi32>,
        tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<6xi32>
      %big = stablehlo.dynamic_iota %big_shape, dim = 0 : (tensor<6xi32>) -> tensor<?x?x?x?x?x?xf32>
      %sorted = "stablehlo.sort"(%big) ({
        ^bb0(%p: tensor<f32>, %q: tensor<f32>):
          %less = stablehlo.compare LT, %p, %q : (tensor<f32>, tensor<f32>) -> tensor<i1>
          stablehlo.return %less : tensor<i1>
        }) {dimension = 0 : i64, is_stable = true} : (tensor<?x?x?x?x?x?xf32>) -> tensor<?x?x?x?x?x?xf32>
      %val = stablehlo.reduce(%sorted init: %zero) applies stablehlo.add across dimensions = [0, 1, 2, 3, 4, 5]
        : (tensor<?x?x?x?x?x?xf32>, tensor<f32>) -> tensor<f32>"""


def with_body(body):
    """A program of the small model's signature, with lines that make %val from the number of examples, %n and %b [1]."""
    text = f"""func.func @main(%0: tensor<i32>, %1: tensor<2x16x8xf32>, %2: tensor<2x8x3xf32>, %3: tensor<?x4x4x1xui8>)
        -> tensor<2x?x3xf32> {{
      %n = stablehlo.get_dimension_size %3, dim = 0 : (tensor<?x4x4x1xui8>) -> tensor<i32>
      %b = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
      %zero = stablehlo.constant dense<0.0> : tensor<f32>
      {body}
      %two = stablehlo.constant dense<2> : tensor<1xi32>
      %three = stablehlo.constant dense<3> : tensor<1xi32>
      %shape = stablehlo.concatenate %two, %b, %three, dim = 0 : (tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<3xi32>
      %out = stablehlo.dynamic_broadcast_in_dim %val, %shape, dims = [] : (tensor<f32>, tensor<3xi32>) -> tensor<2x?x3xf32>
      return %out : tensor<2x?x3xf32>
    }}"""
    return forged_program(program_of(text))


@pytest.mark.slow
def test_many_cores_have_many_threads_whose_stacks_take_memory(file, monkeypatch):
    monkeypatch.setenv("NPROC", "256")  # XLA takes it for the number of cores
    with file.model_apart() as model:
        assert model.outputs_of(INPUTS[:2]).shape == (2, 2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("body", [LOOP.replace("2.0", "1.0"), LOOP], ids=["for one example", "for two"])
def test_a_program_without_an_end_is_refused(body, tmp_path, monkeypatch):
    write_model(tmp_path / "endless.nnjax", FACTS, None, with_body(body))
    monkeypatch.setattr(model_process, "_CHECK_SECONDS", 20)
    with pytest.raises(ModelFileError, match="could not be read or run in 20 seconds"):
        read_model(tmp_path / "endless.nnjax")


@pytest.mark.slow
def test_a_program_that_asks_for_all_memory_for_a_large_batch_is_refused(tmp_path):
    write_model(tmp_path / "power.nnjax", FACTS, None, with_body(POWER))
    with pytest.raises(ModelFileError, match=r"takes [\d,]+ bytes for a batch of 32, and 4,294,967,296 is the most"):
        read_model(tmp_path / "power.nnjax")


def test_the_process_ends_with_its_caller(tmp_path):
    write_model(tmp_path / "endless.nnjax", FACTS, None, with_body(LOOP.replace("2.0", "1.0")))
    program = """import sys
from pathlib import Path
from nnjax.serving.model_file import ModelFile
from nnjax.serving.model_process import ModelProcess
file = ModelFile(Path(sys.argv[1]))
process = ModelProcess(Path(sys.argv[1]), file.digest, file.facts, is_check=True)
print(process._process.pid, flush=True)
process.check()"""
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "endless.nnjax"], stdout=subprocess.PIPE, text=True
    ) as caller:
        child = int(caller.stdout.readline())
        time.sleep(4)  # the loop has begun
        caller.kill()
    end = time.monotonic() + 20
    while runs(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not runs(child)


def runs(pid):
    """Whether a process is there, and more than an entry that nobody has asked for."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(found) and not found.startswith("Z")


def test_the_process_may_take_four_gigabytes_and_four_times_the_file(file):
    program = """import sys
from pathlib import Path
from nnjax.serving import model_worker
model_worker._cores = lambda: 2
model_worker._bound_memory(Path(sys.argv[1]))
for size in (2**20, 5 * 2**30):
    try:
        bytearray(size)
        print("had")
    except MemoryError:
        print("refused")"""
    done = subprocess.run([sys.executable, "-c", program, file._path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["had", "refused"]


def test_a_file_that_changes_meanwhile(file):
    with ModelProcess(file._path, "0" * 64, file.facts) as process, pytest.raises(ValueError, match="it was changed while"):
        process(INPUTS[:1])
