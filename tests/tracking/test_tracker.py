import math

from nnjax.tracking.tracker import checkpoint_files, flat, named_metrics, reason_of, without_password


def test_nested_values_become_scalars_by_dotted_key():
    config = {"model": {"name": "cnn", "hidden": [256, 128], "blocks": [{"features": 32}, {"features": 64}]}, "stop": None}
    assert flat(config) == {
        "model.name": "cnn",
        "model.hidden": "[256, 128]",
        "model.blocks.0.features": 32,
        "model.blocks.1.features": 64,
        "stop": None,
    }
    assert flat({"a": []}, "config") == {"config.a": "[]"}


def test_each_trial_has_a_name_beside_the_mean():
    named = named_metrics("train", {"loss": 0.5, "loss_std": 0.1})
    assert named == {"train/loss": 0.5, "train/loss_std": 0.1}
    several = named_metrics("test", {"accuracy": [0.75, 0.25, math.nan]})
    assert several["test/accuracy"] == 0.5  # over the trials with a finite value
    assert (several["test/accuracy_trial_0"], several["test/accuracy_trial_1"]) == (0.75, 0.25)
    assert math.isnan(several["test/accuracy_trial_2"])


def test_an_exception_s_reason_is_one_line():
    assert reason_of(OSError("No space left\non device")) == "OSError: No space left"
    assert reason_of(ValueError()) == "ValueError:"
    assert len(reason_of(ValueError("x" * 999))) == 200


def test_a_password_in_an_address_is_not_passed_on():
    assert reason_of(OSError("GET https://me:s3cr@t@host:5000/api: 503")) == "OSError: GET https://…@host:5000/api: 503"
    assert without_password("postgresql+psycopg2://me:secret@host/runs and https://token@other") == (
        "postgresql+psycopg2://…@host/runs and https://…@other"
    )
    assert without_password("https://host/a@b wandb sync file:///home/a@b") == "https://host/a@b wandb sync file:///home/a@b"
    assert without_password("http://host/?write_token=secret&project=p") == "http://host/?write_token=…&project=p"


def test_files_of_checkpoints(tmp_path):
    (tmp_path / "best").mkdir()
    (tmp_path / "best/20.safetensors").write_bytes(bytes(5))
    (tmp_path / "link").symlink_to(tmp_path / "best")
    assert checkpoint_files(tmp_path) == {"best/20.safetensors": 5}
