import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config.errors import ConfigError, DataError
from nnjax.reporting.metrics import MetricWriter, last_metrics, read_metrics


def write_steps(writer, steps, splits=("train",), loss=0.5):
    for step in steps:
        for split in splits:
            writer.write(step=step, epoch=step / 10, split=split, metrics={"loss": loss}, seconds=step * 0.1)


def test_a_record_is_one_line_that_stands_at_once(tmp_path):
    with MetricWriter(tmp_path / "run") as writer:
        writer.write(step=60, epoch=1, split="test", metrics={"loss": np.float32(0.5), "accuracy": 1}, seconds=2.34567)
        text = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert text == '{"step": 60, "epoch": 1, "split": "test", "loss": 0.5, "accuracy": 1.0, "seconds": 2.346}\n'


@given(value=st.floats())
def test_numbers_come_back_as_they_were_and_the_rest_as_null(tmp_path_factory, value):
    run_dir = tmp_path_factory.mktemp("run")
    with MetricWriter(run_dir) as writer:
        writer.write(step=1, epoch=0.1, split="train", metrics={"loss": value}, seconds=0.0)
    line = (run_dir / "metrics.jsonl").read_text()
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert read_metrics(run_dir)[0]["loss"] == (value if math.isfinite(value) else None)


def test_resuming_drops_what_came_after_the_checkpoint_and_a_torn_line(tmp_path):
    with MetricWriter(tmp_path) as writer:
        write_steps(writer, (10, 20, 30), ("train", "validation"))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "epo')
    with MetricWriter(tmp_path, resume_step=20) as writer:
        assert [record["step"] for record in read_metrics(tmp_path)] == [10, 10, 20, 20]
        write_steps(writer, (30,))
    assert [record["step"] for record in read_metrics(tmp_path)] == [10, 10, 20, 20, 30]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_records_of_a_version_before_0_2_have_trials(tmp_path):
    record = {"step": 10, "epoch": 1.0, "split": "train", "loss": 0.5, "loss_std": 0.1, "copies": 3, "seconds": 2.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    expected = {"trials" if key == "copies" else key: value for key, value in record.items()}
    assert read_metrics(tmp_path) == [expected]
    assert last_metrics(tmp_path) == {"train": {"loss": 0.5}}
    with MetricWriter(tmp_path, resume_step=10) as writer:
        assert writer.records() == [expected]


def test_resuming_never_has_a_split_twice_at_a_step(tmp_path):
    with MetricWriter(tmp_path) as writer:
        write_steps(writer, (10, 20), ("train", "test"))
    with MetricWriter(tmp_path, resume_step=20) as writer:
        write_steps(writer, (20,), ("test",), loss=0.25)
        write_steps(writer, (30,), ("test",), loss=0.125)
    found = [(record["step"], record["split"], record["loss"]) for record in read_metrics(tmp_path)]
    assert found == [
        (10, "train", 0.5),
        (10, "test", 0.5),
        (20, "train", 0.5),
        (20, "test", 0.25),
        (30, "test", 0.125),
    ]


def test_resuming_from_the_beginning_or_from_nothing(tmp_path):
    with MetricWriter(tmp_path, resume_step=0) as writer:
        write_steps(writer, (10,))
    with MetricWriter(tmp_path, resume_step=0):
        assert read_metrics(tmp_path) == []


def test_a_new_run_leaves_an_earlier_ones_metrics_alone(tmp_path):
    with MetricWriter(tmp_path) as writer:
        write_steps(writer, (10,))
    with pytest.raises(ConfigError, match="earlier run"):
        MetricWriter(tmp_path)
    assert len(read_metrics(tmp_path)) == 1


def test_reading_forgives_a_torn_last_line_only(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st')
    assert read_metrics(tmp_path) == [{"step": 1}]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl: line 2 is damaged"):
        read_metrics(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_metrics(tmp_path)


def test_the_last_metrics_of_each_split(tmp_path):
    assert last_metrics(tmp_path) == {}
    with MetricWriter(tmp_path) as writer:
        assert last_metrics(tmp_path) == {}
        write_steps(writer, (10, 20), ("train", "validation"))
        diverged = {"loss": math.nan, "accuracy": 0.1, "learning_rate": 0.01}
        writer.write(step=30, epoch=3, split="train", metrics=diverged, seconds=3.0)
    assert last_metrics(tmp_path) == {"train": {"loss": None, "accuracy": 0.1}, "validation": {"loss": 0.5}}
