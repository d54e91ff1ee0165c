import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnjax.checks.experiment_checks import check_config
from nnjax.config.errors import ConfigError, IncompatibleError
from nnjax.config.parsing import parse
from nnjax.config.schema import TrainConfig

Values = Callable[..., dict[str, Any]]

CONF = Path(__file__).parents[2] / "conf"
TEXTBOOK = "model=two_neuron"
VECTORS = {"data.input_shape": [5]}
REGRESSION = {"data.task": "regression", "data.outputs": 1}

ONE_PIXEL = {"data.input_shape": [1, 1, 3], "training.global_batch_size": 1}
NORM = {"batch_norm": True}

# group choices, keys changed, the first line of the message
BAD_PAIRS = [
    # devices
    (
        "",
        {"parallel.devices": 3, "training.eval_batch_size": 999},
        "training.global_batch_size=64: parallel.devices=3 does not divide it; choose 63 or 66",
    ),
    (
        "",
        {"parallel.devices": 64},
        "training.eval_batch_size=1000: parallel.devices=64 does not divide it; choose 960 or 1024",
    ),
    (
        TEXTBOOK,
        {"parallel.devices": 2, "training.eval_batch_size": 2},
        "training.global_batch_size=1: parallel.devices=2 does not divide it; choose 2",
    ),
    ("debug=strict", {"parallel.devices": 2}, "parallel.devices=2: debug.strict=true runs on one device; must be 1 or auto"),
    # sizes of the splits
    (
        "",
        {"training.global_batch_size": 1300},
        "training.global_batch_size=1300: data=digits has only 1293 examples to train on; must be at most 1293",
    ),
    (
        "",
        {"data.limit_train": 70},
        "data.limit_train=70: leaves 63 examples to train on, less than one batch of 64; choose a larger one, or a smaller "
        "training.global_batch_size",
    ),
    (
        "",
        {"data.limit_train": 2, "data.validation": 0.9},
        "data.validation=0.9: leaves nothing of 2 examples to train on; choose a smaller share",
    ),
    # a CNN and its images
    (
        "model=cnn data=textbook",
        {},
        "model=cnn: needs images; data=textbook has 3 inputs; choose model=fnn or model=two_neuron",
    ),
    ("data=synthetic", VECTORS, "model=cnn: needs images; data=synthetic has 5 inputs; choose model=fnn"),
    (
        "",
        {"model.blocks": [{"features": 4}] * 4},
        "model.blocks.3.pool=2: the 1×1 image that reaches this block is smaller; data=digits has 8×8 images; choose a "
        "smaller pool, or fewer blocks",
    ),
    (
        "data=mnist",
        {"model.blocks.1.pool": 15},
        "model.blocks.1.pool=15: the 14×14 image that reaches this block is smaller; data=mnist has 28×28 images; choose a "
        "smaller pool, or fewer blocks",
    ),
    # the textbook's network
    (
        f"{TEXTBOOK} data=digits loss=mse",
        {},
        "model=two_neuron: has one real-valued output; data=digits has 10 classes; choose data=textbook or model=fnn",
    ),
    (
        TEXTBOOK,
        {"data.targets": [[1.0, 0.0]]},
        "model=two_neuron: has one real-valued output; data=textbook has 2 values a target; choose data=textbook or model=fnn",
    ),
    (
        TEXTBOOK,
        {"model.neuron_a.weights": [0.1, 0.2]},
        "model.neuron_a.weights=[0.1,0.2]: must be 3 numbers, one for each input of data=textbook",
    ),
    (
        TEXTBOOK,
        {"model.neuron_b.weights": []},
        "model.neuron_b.weights=[]: must be 1 number, as its one input is the output of neuron a",
    ),
    (
        f"{TEXTBOOK} data=synthetic loss=mse",
        REGRESSION,
        "model.neuron_a.weights=[0.1,0.2,0.3]: must be 64 numbers, one for each input of data=synthetic",
    ),
    # losses
    (
        f"{TEXTBOOK} loss=cross_entropy",
        {},
        "loss=cross_entropy: needs classes; data=textbook has real-valued targets; choose loss=mse or loss=half_mse, or name "
        "the classes: data.classes=[cat,dog] data.targets=[dog]",
    ),
    (
        "",
        {"model.output_activation": "sigmoid"},
        "model.output_activation=sigmoid: must be identity with loss=cross_entropy, which applies softmax itself",
    ),
    # the textbook's examples
    (TEXTBOOK, {"data.inputs": [], "data.targets": []}, "data.inputs=[]: needs at least one example"),
    (
        TEXTBOOK,
        {"data.targets": [[1], [2]]},
        "data.targets=[[1.0],[2.0]]: must have as many rows as data.inputs, 1; has 2\n"
        "  for one example with 2 outputs, write data.targets=[[1.0,2.0]]",
    ),
    (
        TEXTBOOK,
        {"data.inputs": [[1, 2, 3], [4, 5]], "data.targets": [[1], [2]]},
        "data.inputs.1=[4.0,5.0]: must be as long as the first row, 3; has 2",
    ),
    (
        TEXTBOOK,
        {"data.inputs": [[1, 2, 3]] * 2, "data.targets": [[1], [2, 3]]},
        "data.targets.1=[2.0,3.0]: must be as long as the first row, 1; has 2",
    ),
    (TEXTBOOK, {"data.inputs": [[]]}, "data.inputs.0=[]: needs at least one number"),
    (TEXTBOOK, {"data.inputs": [[1, -1e39, 3]]}, "data.inputs.0.1=-1e+39: must be within ±3.4e38, the range of a float32"),
    (TEXTBOOK, {"data.targets": [[1e39]]}, "data.targets.0.0=1e+39: must be within ±3.4e38, the range of a float32"),
    # made-up examples
    (
        "data=synthetic",
        {"data.input_shape": [8, 8]},
        "data.input_shape=[8,8]: must be [height,width,channels] for images, or [features] for vectors",
    ),
    (
        "data=synthetic",
        {"data.outputs": 1},
        "data.outputs=1: data.task=classification needs at least 2 classes; choose those or data.task=regression",
    ),
    (
        "data=synthetic",
        {"data.num_train": 9},
        "data.num_train=9: must be at least data.outputs=10, one example of each class",
    ),
    # augmentation
    (
        TEXTBOOK,
        {"data.augment.flip": "random"},
        "data.augment.flip=random: needs images; data=textbook has 3 inputs; must be off",
    ),
    (TEXTBOOK, {"data.augment.cutout": 2}, "data.augment.cutout=2: needs images; data=textbook has 3 inputs; must be 0"),
    (
        "",
        {"data.augment.crop": 8},
        "data.augment.crop=8: must be less than the side of an image, 8, as the border is a reflection of it",
    ),
    ("", {"data.augment.cutout": 9}, "data.augment.cutout=9: must be at most the side of an image, 8"),
    # training and schedules; digits have 20 steps an epoch
    (
        "",
        {"training.duration": "50%"},
        "training.duration=50%: must be in steps, epochs or examples, such as 10epochs, as percents are of it",
    ),
    (
        "",
        {"training.planned": "50%"},
        "training.planned=50%: must be in steps, epochs or examples, such as 10epochs, as percents are of it",
    ),
    (
        "",
        {"training.duration": "3e9steps"},
        "training.duration=3000000000steps: is 3000000000 steps; must be at most 2147483647",
    ),
    (
        "schedule=cosine",
        {"schedule.restarts": [{"at": "10steps", "length": "5000000000steps"}]},
        "schedule.restarts.0.length=5000000000steps: is 5000000000 steps; must be at most 2147483647",
    ),
    (
        "",
        {"optimizer.parameter_groups": [{"parameters": "*", "multiplier": 1.0, "weight_decay": None, "until": "3e9steps"}]},
        "optimizer.parameter_groups.0.until=3000000000steps: is 3000000000 steps; must be at most 2147483647",
    ),
    (
        "",
        {"optimizer.lookahead": {"sync_period": 2**31, "slow_step_size": 0.5, "power": 1.0}},
        "optimizer.lookahead.sync_period=2147483648: must be at most 2147483647",
    ),
    ("schedule=step", {"schedule.boundaries": []}, "schedule.boundaries=[]: needs at least one; schedule=constant has none"),
    (
        "schedule=step",
        {"schedule.boundaries": ["10epochs", "40epochs"]},
        "schedule.boundaries.1=40epochs: step 800 is past the end of training.duration=30epochs, 600 steps; choose an "
        "earlier one, such as 75%",
    ),
    (
        "schedule=step",
        {"schedule.boundaries": ["10epochs", "200steps"]},
        "schedule.boundaries.1=200steps: step 200 does not come after the boundary before it, step 200",
    ),
    (
        "schedule=warmup_cosine",
        {"schedule.warmup": "30epochs"},
        "schedule.warmup=30epochs: 600 steps must be less than training.duration=30epochs, 600 steps; choose a shorter "
        "one, such as 5%",
    ),
    (
        "schedule=onecycle",
        {"training.duration": "1step"},
        "schedule.warmup=25%: 1 step must be less than training.duration=1step, 1 step; choose a shorter one, such as 5%",
    ),
    (
        "",
        {"training.test": "best", "data.validation": 0},
        "training.test=best: needs a validation split; data.validation=0 sets none aside; choose data.validation=0.1, or "
        "training.test=last",
    ),
    (
        "",
        {"training.test": "best", "data.limit_train": 4, "training.global_batch_size": 2},
        "training.test=best: needs a validation split; data.validation=0.1 sets none aside; choose data.validation=0.25, or "
        "training.test=last",
    ),
    (
        TEXTBOOK,
        {"training.test": "best"},
        "training.test=best: needs a validation split; data.validation=0 sets none aside; choose training.test=last",
    ),
    (
        TEXTBOOK,
        {"training.stop.accuracy_above": 0.9},
        "training.stop.accuracy_above=0.9: needs classes; data=textbook has real-valued targets; choose "
        "training.stop.loss_below",
    ),
    (
        "optimizer=sgd",
        {"optimizer.nesterov": True},
        "optimizer.nesterov=true: needs optimizer.momentum greater than 0, such as 0.9; has 0",
    ),
    (
        "model=fnn data=textbook",
        {"model.normalization": "batch"},
        "model.normalization=batch: needs more than one example a step; training.global_batch_size is 1; choose layer or none",
    ),
    # one value is normalised
    (
        "data=synthetic",
        ONE_PIXEL | {"model.blocks": [{"features": 16, "pool": 1, "batch_norm": True}]},
        "model.blocks.0.batch_norm=true: sees one value a channel, a 1×1 map of training.global_batch_size=1, and puts out its "
        "bias whatever comes in; choose false, or training.global_batch_size of at least 2",
    ),
    (
        "",  # 8×8 images of digits
        {"training.global_batch_size": 1, "model.blocks": [{"features": 4, "pool": 8}, {"features": 4, "pool": 1} | NORM]},
        "model.blocks.1.batch_norm=true: sees one value a channel, a 1×1 map of training.global_batch_size=1, and puts out its "
        "bias whatever comes in; choose false, training.global_batch_size of at least 2, or less pooling before this block",
    ),
    (
        "",
        {
            "training.global_batch_size": 1,
            "model.whitening": {"size": 8, "eps": 1e-3},
            "model.blocks": [{"features": 4, "pool": 1} | NORM],
        },
        "model.blocks.0.batch_norm=true: sees one value a channel, a 1×1 map of training.global_batch_size=1, and puts out its "
        "bias whatever comes in; choose false, or training.global_batch_size of at least 2",
    ),
    (
        "model=airbench",
        {"training.global_batch_size": 1, "model.widths": [4, 4, 4]},  # 7×7 after the whitening, then 3×3 and 1×1
        "training.global_batch_size=1: BatchNorm of model.widths.1 sees one value a channel, a 1×1 map of one example, and "
        "puts out its bias whatever comes in; choose at least 2, or at most 1 of model.widths",
    ),
    (
        "model=airbench data=synthetic",
        ONE_PIXEL | {"model.whitening.size": 1},
        "training.global_batch_size=1: BatchNorm of model.widths.0 sees one value a channel, a 1×1 map of one example, and "
        "puts out its bias whatever comes in; choose at least 2",
    ),
    (
        "model=fnn",
        {"model.normalization": "layer", "model.hidden": [8, 1]},
        "model.hidden.1=1: model.normalization=layer normalises each example over 1 neuron here, and puts out its bias "
        "whatever comes in; choose more neurons, or model.normalization=none",
    ),
    (
        "data=synthetic",
        ONE_PIXEL | {"model.blocks": [], "data.augment.cutout": 1},
        "data.augment.cutout=1: greys out all of a 1×1 image; must be 0",
    ),
    (
        "optimizer=muon",
        {"parallel.gradients": "sharded"},
        "parallel.gradients=sharded: needs an optimizer that updates each number by itself; optimizer=muon needs whole tensors"
        "; choose automatic, per_tensor, buckets or flat",
    ),
    (
        "optimizer=muon_sgd",
        {"parallel.gradients": "sharded", "parallel.devices": 1},
        "parallel.gradients=sharded: needs an optimizer that updates each number by itself; optimizer=muon_sgd needs whole "
        "tensors; choose automatic, per_tensor, buckets or flat",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("choices", "changes", "first_line"), BAD_PAIRS)
def test_a_bad_pair_is_named_and_nothing_else(
    values_of: Values, choices: str, changes: dict[str, Any], first_line: str
) -> None:
    config = parse(TrainConfig, values_of(choices, changes))
    with pytest.raises(IncompatibleError) as caught:
        check_config(config)
    assert str(caught.value) == first_line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choices", "changes"),
    [
        ("", {}),
        ("", {"parallel.devices": 8}),
        ("debug=strict", {"parallel.devices": 1}),
        ("", {"training.global_batch_size": 1293}),
        ("", {"data.limit_train": 72}),
        ("", {"model.blocks": [{"features": 4}] * 3}),
        ("", {"model.blocks.0.kernel": 99}),
        # several values are normalised: of two examples, whatever the devices; of a map; of the first convolution's map
        (
            "data=synthetic",
            ONE_PIXEL
            | {"training.global_batch_size": 2, "training.eval_batch_size": 2, "parallel.devices": 2}
            | {"model.blocks": [{"features": 4, "pool": 1} | NORM]},
        ),
        (
            "",
            {"training.global_batch_size": 1, "model.blocks": [{"features": 4, "pool": 8} | NORM, {"features": 4, "pool": 1}]},
        ),
        ("model=airbench", {"training.global_batch_size": 1, "model.widths": [4]}),
        ("model=fnn", {"model.normalization": "layer", "model.hidden": [2]}),
        ("model=fnn", {"model.normalization": "batch", "model.hidden": [1]}),
        ("model=fnn", {"model.normalization": "batch", "model.hidden": [], "training.global_batch_size": 1}),
        ("", {"data.augment.crop": 7, "data.augment.cutout": 8}),
        ("loss=mse", {"model.output_activation": "sigmoid"}),
        ("", {"training.evaluate_every": "99epochs", "training.checkpoint_every": "99epochs"}),
        ("", {"training.stop.patience": 3, "data.validation": 0}),
        ("schedule=step", {"schedule.boundaries": ["1step", "599steps"]}),
        ("schedule=step debug=fast", {"schedule.boundaries": ["10epochs"]}),
        ("schedule=onecycle", {"training.duration": "2steps"}),
        ("debug=overfit data=cifar10", {}),
        ("model=fnn data=synthetic", VECTORS),
        ("model=fnn data=textbook", {}),
        (TEXTBOOK, {"data.inputs": [[1, 2, 3]] * 2, "data.targets": [[1], [0]]}),
        (f"{TEXTBOOK} data=synthetic loss=mse", REGRESSION | {"data.input_shape": [3]}),
        ("optimizer=muon", {"parallel.gradients": "flat"}),
        ("optimizer=lion", {"parallel.gradients": "sharded", "optimizer.clip_norm": 1.0}),
        (TEXTBOOK, {"parallel.gradients": "sharded"}),
        (TEXTBOOK, {"training.precision": "bfloat16", "data.limit_test": 1, "data.normalize": True}),
    ],
)
def test_a_pair_that_goes_together_passes(values_of: Values, choices: str, changes: dict[str, Any]) -> None:
    check_config(parse(TrainConfig, values_of(choices, changes)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice",
    [
        f"{group}={file.stem}"
        for group in ("model", "activation", "data", "loss", "optimizer", "schedule", "training", "parallel", "debug")
        for file in sorted((CONF / group).glob("*.yaml"))
        if file.stem not in ("textbook", "airline", "series") or group != "data"  # bring no image for the CNN
    ],
)
def test_each_shipped_option_goes_with_the_defaults(values_of: Values, choice: str) -> None:
    check_config(parse(TrainConfig, values_of(choice)))


@pytest.mark.parametrize("limit", range(2, 30))
def test_the_share_that_is_offered_sets_some_aside(values_of: Values, limit: int) -> None:
    batch_of_one = {"training.global_batch_size": 1, "training.test": "best", "data.limit_train": limit}
    with pytest.raises(IncompatibleError) as caught:
        check_config(parse(TrainConfig, values_of("", {**batch_of_one, "data.validation": 0.0})))
    (share,) = re.findall(r"choose data\.validation=([0-9.]+), or", str(caught.value))
    check_config(parse(TrainConfig, values_of("", {**batch_of_one, "data.validation": float(share)})))


@pytest.mark.parametrize(("installed", "wanted", "fits"), [(False, "on", False), (False, "auto", True), (True, "on", True)])
def test_tensorboard_is_looked_for_before_a_run(
    values_of: Values, monkeypatch: pytest.MonkeyPatch, installed: bool, wanted: str, fits: bool
) -> None:
    monkeypatch.setattr(
        "nnjax.checks.experiment_checks.find_spec", lambda name: {"tensorboardX": "here" if installed else None}[name]
    )
    config = parse(TrainConfig, values_of("", {"report.tensorboard": wanted}))
    if fits:
        check_config(config)
        return
    with pytest.raises(IncompatibleError, match=r"^report\.tensorboard=on: .*pip install -e '\.\[tensorboard\]'"):
        check_config(config)


def test_all_pairs_are_told_with_where_they_were_set(values_of: Values) -> None:
    class Where:
        def describe(self, key: str) -> str | None:
            return {"model": "the command line", "parallel.devices": "conf/parallel/pmap.yaml:3"}.get(key)

    config = parse(TrainConfig, values_of("model=cnn data=textbook debug=strict", {"parallel.devices": 2}))
    with pytest.raises(ConfigError) as caught:
        check_config(config, Where())
    first, *others = str(caught.value).splitlines()
    assert first.startswith("model=cnn: needs images")
    assert first.endswith("(set on the command line)")
    assert [line.partition(":")[0] for line in others] == ["  also"] * 3
    assert others[0].endswith("(set in conf/parallel/pmap.yaml:3)")
