"""The config of a run that may come from anywhere: each text is a config, or is refused in a line, and nothing is resolved."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nnjax.cli.compose import Composition, compose, compose_train
from nnjax.cli.runs import read_config, read_earlier, write_config
from nnjax.cli.stored_config import read_stored_config
from nnjax.config.errors import UserError
from nnjax.config.parsing import to_mapping
from nnjax.config.schema import TrainConfig

TRIALS = int(os.environ.get("NNJAX_FUZZ", "100"))
WRITTEN = yaml.safe_dump(to_mapping(compose_train()), sort_keys=False, width=120).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no config"),
        ("- 1", "holds no config"),
        ("a: [", "cannot be read: while parsing"),
        ("a: &x [1, 1]\nb: [*x, *x]", "line 1: an anchor or alias"),
        ("a: *x", "line 1: an anchor or alias"),
        ("a: !!python/object/apply:os.system [exit]", "line 1: the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!int 3", "line 1: the tag"),
        ("a: ! b", "line 1: the tag !"),
        ("a: " + "[" * 3000 + "]" * 3000, "line 1: nested deeper than 64 levels"),
        ("a: " + "[" * 900 + "]" * 900, "line 1: nested deeper than 64 levels"),
        ("- " * 3000, "line 1: nested deeper than 64 levels"),
        ("\n".join(f"{' ' * level}a:" for level in range(999)), "line 65: nested deeper than 64 levels"),
        ("a: [" + "1," * 10_001 + "]", "line 1: more than 10,000 values"),
        ("\n".join(f"k{number}: 1" for number in range(1001)), "line 1: more than 1,000 keys"),
        ("a: 1\nb: 2\na: 3", "line 3: the key a stands twice"),
        ("b:\n  a: 1\n  a: 1", "line 3: the key a stands twice"),
        ("1: 2", "line 1: a key that is no name"),
        ("? [a]\n: 1", "line 1: a key that is no name"),
        ("<<: {a: 1}", "line 1: a key that is no name"),
        ('"\\e[2J": 1', "line 1: a key that is no name"),
        ("a: " + "9" * 10_000, "line 1: a number of 10,000 characters"),
        ("a: 0x" + "f" * 10_000, "line 1: a number of 10,002 characters"),
        ("a: " + ":".join(["1"] * 3000), "line 1: a number of 5,999 characters"),
        ("a: 2001-99-99", "cannot be read: month must be in 1..12"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("seed: ${oc.env:HOME}", "line 1: ${oc.env:HOME}: a run's config holds values"),
        ("data: [{file: 'a ${model.name}'}]", "line 1: a ${model.name}: a run's config holds values"),
        ("a: \0", "cannot be read: it holds NUL bytes"),
        ("a: \x1b", "cannot be read: unacceptable character"),
    ],
)
def test_whatever_is_no_plain_mapping_is_refused_in_a_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_stored_config(path)
    assert f"config.yaml: {reason}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_is_resolved_for_any_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "7")
    write_config(compose_train(), tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: ${oc.decode:${oc.env:SECRET}}"))
    for key in ("resume", "rerun"):
        with pytest.raises(UserError, match=r"config\.yaml: line \d+: \$\{oc"):
            read_earlier(compose("train", [f"{key}={tmp_path}"]), key, tmp_path)
    with pytest.raises(UserError, match=r"config\.yaml: line \d+: \$\{oc"):
        read_config(TrainConfig, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["file", "directory"])
def test_data_that_never_ends_is_not_read(tmp_path: Path, key: str) -> None:
    values = to_mapping(compose_train(["data=mnist", "model=fnn"]))
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a named pipe"), ("/dev/zero", "a device")):
        values["data"][key] = str(path)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        for read in (
            lambda: read_config(TrainConfig, tmp_path),
            lambda: read_earlier(compose("train", ["rerun=x"]), "rerun", tmp_path),
        ):
            with pytest.raises(UserError, match=rf"^data\.{key}=\S+: is {kind}, and a run's config names a file"):
                read()
    own = compose("train", ["rerun=x", f"data.{key}={tmp_path / 'pipe'}"])
    assert read_earlier(own, "rerun", tmp_path)[0]["data"][key] == str(tmp_path / "pipe")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"training.duration": "1e400epochs"},
        {"training.duration": "9" * 90 + "steps"},
        {"training.global_batch_size": 10**30},
        {"optimizer.learning_rate": float("inf")},
        {"optimizer.learning_rate": float("nan")},
        {"model.name": "../../x"},
        {"model.hidden": [[[[1]]]]},
        {"data.name": ["digits"]},
        {"parallel.memory_limit": "9" * 99 + "TB"},
        {"seed": {}},
        {"training": []},
    ],
)
def test_hostile_values_are_named(tmp_path: Path, change: dict[str, Any]) -> None:
    ((key, value),) = change.items()
    values = to_mapping(compose_train(["model=fnn"]))
    inner, (*groups, leaf) = values, key.split(".")
    for group in groups:
        inner = inner[group]
    inner[leaf] = value
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError) as refused:
        read_config(TrainConfig, tmp_path)
    first = str(refused.value).splitlines()[0]
    assert first.startswith((f"{key}=", f"{key}.0="))
    assert len(first) < 400


@cache
def command_line() -> Composition:
    return compose("train", ["rerun=folder"])


def outcome(folder: Path, content: bytes) -> None:
    """Reads a config as `run=` and `rerun=` do; anything but a config or a clean refusal fails the test."""
    (folder / "config.yaml").write_bytes(content)
    try:
        config = read_config(TrainConfig, folder)
        read_earlier(command_line(), "rerun", folder)
    except UserError as error:
        first = str(error).splitlines()[0]
        assert first.isprintable()
        assert len(first) < 1000
    else:
        assert isinstance(config, TrainConfig)


@settings(max_examples=TRIALS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, len(WRITTEN) - 1), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bytes_end_in_a_config_or_a_line(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    content = bytearray(WRITTEN)
    for place, flip in flips:
        content[place] ^= flip
    outcome(tmp_path, bytes(content))


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["???", "${seed}", "../../x", "1e400epochs", "auto", "\x1b[2J", "a\nb", "5%", "12GB"])
    | st.dates()
    | st.binary(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted(
    {
        key
        for group, values in to_mapping(compose_train()).items()
        for key in (group, *(values if isinstance(values, dict) else ()))
    }
)


@pytest.mark.slow
@settings(max_examples=TRIALS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(st.sampled_from(KEYS) | st.text(max_size=12), min_size=1, max_size=3), value=VALUES)
@example(keys=["training"], value={"stop": [1]})
@example(keys=["model"], value={"name": "cnn", "blocks": [{"features": {}}]})
@example(keys=["data"], value={"name": "series", "file": "\x1b[2J"})
def test_generated_values_end_in_a_config_or_a_line(tmp_path: Path, keys: list[str], value: object) -> None:
    values = yaml.safe_load(WRITTEN)
    for key in keys:
        holders = [values, *(group for group in values.values() if isinstance(group, dict))]
        holder = next((holder for holder in holders if key in holder), values)
        holder[key] = value
    outcome(tmp_path, yaml.safe_dump(values, allow_unicode=True).encode("utf-8", "replace"))
