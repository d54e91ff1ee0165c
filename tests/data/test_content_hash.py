from dataclasses import replace

import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.data.content_hash import content_hash, hash_of_test, shortened
from nnjax.data.dataset import Split
from nnjax.data.load import load

DIGITS = ["data=digits", "data.validation=0.2"]


def loaded(*overrides):
    return load(compose_train(list(overrides)).data, echo=lambda text: None)


@pytest.fixture(scope="module")
def digits():
    return loaded(*DIGITS)


def test_the_same_content_has_the_same_hash_wherever_it_lies_in_memory(digits):
    once = content_hash(digits)
    assert once == content_hash(loaded(*DIGITS))
    strided = np.repeat(digits.train.inputs, 2, axis=0)[::2]
    assert not strided.flags.c_contiguous
    assert content_hash(replace(digits, train=Split(strided, digits.train.targets))) == once
    assert once.startswith("sha256:")
    assert len(shortened(once)) == 13


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize("part", ["inputs", "targets"])
def test_one_other_number_gives_another_hash(digits, name, part):
    split = getattr(digits, name)
    changed = getattr(split, part).copy()
    changed.flat[-1] += 1
    assert content_hash(replace(digits, **{name: replace(split, **{part: changed})})) != content_hash(digits)


def test_order_type_shape_names_and_split_count(digits):
    train, hashes = digits.train, {content_hash(digits)}
    hashes.add(content_hash(replace(digits, train=Split(train.inputs[::-1], train.targets[::-1]))))
    hashes.add(content_hash(replace(digits, train=Split(train.inputs.astype(np.float32), train.targets))))
    hashes.add(content_hash(replace(digits, train=Split(train.inputs.reshape(-1, 64), train.targets))))
    hashes.add(content_hash(replace(digits, class_names=("zero", *digits.class_names[1:]))))
    hashes.add(content_hash(replace(digits, train=digits.validation, validation=train)))
    hashes.add(content_hash(loaded("data=digits")))
    hashes.add(content_hash(loaded(*DIGITS, "data.limit_train=100")))
    assert len(hashes) == 8


def test_what_a_cpu_rounds_in_its_own_way_does_not_count(digits):
    assert content_hash(replace(digits, mean=digits.mean * 1.0001)) == content_hash(digits)
    own = replace(digits, options=None)  # made in Python: nothing else says where its mean comes from
    assert content_hash(replace(own, mean=own.mean * 1.0001)) != content_hash(own)
    drawn = (
        "data=synthetic",
        "model=fnn",
        "loss=mse",
        "data.task=regression",
        "data.outputs=2",
        "training.global_batch_size=8",
    )
    regression = loaded(*drawn)
    rounded = replace(regression.train, targets=regression.train.targets * 1.0001)
    assert content_hash(replace(regression, train=rounded)) == content_hash(regression)
    assert content_hash(loaded(*drawn, "data.data_seed=5")) != content_hash(regression)


def series(folder, rows):
    folder.mkdir()
    (folder / "numbers.csv").write_text("month,value\n" + "".join(f"{month},{value}\n" for month, value in rows))
    return loaded(
        "model=rnn", "data=series", f"data.file={folder / 'numbers.csv'}", "data.window=3", "data.holdout=3", "data.season=1"
    )


def test_a_series_is_its_values_and_dates(tmp_path):
    rows = [(f"20{10 + year}-{month:02d}", 10 + year + month) for year in range(3) for month in range(1, 13)]
    one, same = series(tmp_path / "one", rows), series(tmp_path / "same", rows)
    assert content_hash(one) == content_hash(same)
    last = series(tmp_path / "last", [*rows[:-1], (rows[-1][0], 99)])  # a held-out value
    later = series(tmp_path / "later", [(f"20{int(month[2:4]) + 1}{month[4:]}", value) for month, value in rows])
    assert len({content_hash(one), content_hash(last), content_hash(later)}) == 3


def test_the_hash_of_the_test_split_is_that_of_its_examples_alone(digits):
    once = hash_of_test(digits)
    assert once == hash_of_test(loaded("data=digits", "data.limit_train=100", "data.normalize=false"))
    assert once != content_hash(digits)
    changed = digits.test.inputs.copy()
    changed.flat[0] += 1
    others = {
        hash_of_test(replace(digits, test=replace(digits.test, inputs=changed))),
        hash_of_test(replace(digits, test=replace(digits.test, targets=digits.test.targets[::-1]))),
        hash_of_test(replace(digits, class_names=("zero", *digits.class_names[1:]))),
        hash_of_test(loaded("data=digits", "data.limit_test=100")),
    }
    assert once not in others
    assert len(others) == 4


def test_the_noise_of_synthetic_targets_is_part_of_the_test():
    data = ("model=fnn", "loss=mse", "data=synthetic", "data.task=regression", "data.outputs=2", "data.num_train=200")
    hashes = [
        hash_of_test(loaded(*data, *more)) for more in ((), ("data.noise=3",), ("data.data_seed=9",), ("data.num_train=300",))
    ]
    assert len(set(hashes[:3])) == 3
    assert hashes[3] == hashes[0]


def test_a_series_is_tested_on_the_rows_held_out():
    base = hash_of_test(loaded("model=rnn", "data=airline"))
    assert base == hash_of_test(
        loaded("model=rnn", "data=airline", "data.window=5", "data.validation=0.2", "data.transform=none")
    )
    assert base != hash_of_test(loaded("model=rnn", "data=airline", "data.holdout=12"))
    assert hash_of_test(loaded("model=rnn", "data=airline", "data.holdout=0")) != base
