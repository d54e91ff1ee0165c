"""What runs of many kinds leave, for the tests of pages: plain values, as their files hold them.

facts = classifier(classes=100)
page = run_page(replace(facts, problems=("…",)))
"""

import numpy as np

from nnjax.reporting.report_parts import begun_parts, parts_of_test
from nnjax.reporting.run_page import RunFacts
from nnjax.training.calibration import reliability

CONFIG = {
    "seed": 0,
    "model": {"name": "cnn", "dropout": 0.5},
    "data": {"name": "digits"},
    "activation": {"name": "relu"},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "adam", "learning_rate": 0.001},
    "schedule": {"name": "cosine"},
    "training": {"duration": "3epochs", "stop": {"loss_below": None}},
}
LAYERS = [
    {"name": "conv_1", "kind": "conv 3×3", "output_shape": [8, 8, 4], "num_params": 40, "flops": 5120},
    {"name": "output", "kind": "dense", "output_shape": [10], "num_params": 2570, "flops": 5130},
]


def summary_of(**changes):
    return {
        "name": "14-05-09_cnn_digits",
        "status": "completed",
        "model": "cnn",
        "data": "digits",
        "seed": 0,
        "config_hash": "f4e9218729f6",
        "data_hash": "sha256:b716",
        "test_hash": "sha256:e418",
        "versions": {"python": "3.11.7", "nnjax": "0.2.0", "jax": "0.10.2"},
        "git": {"commit": "80a76d87ed01df7aa951dd5118905b475d29bba0", "dirty": True},
        "host": {"platform": "Linux", "cpu": "a CPU", "cpu_cores": 2},
        "seconds": {"import": 1.5, "compile": 4.0, "train": 2.5, "total": 10.0},
        "goodput": {"goodput": 0.25},
        "platform": "cpu",
        "num_devices": 2,
        "num_params": 2610,
        "forward_flops": 10250,
        "train_examples": 1293,
        "validation_examples": 144,
        "test_examples": 300,
        "steps": 60,
        "epochs": 3.0,
        "test": {"loss": 0.4, "accuracy": 0.9},
        "examples_per_second": 5370.0,
        "peak_rss_mb": 573.0,
        **changes,
    }


def records_of(epochs=3, *, trials=0, diverges=False):
    records = []
    for epoch in range(1, epochs + 1):
        for split, factor in (("train", 1.0), ("validation", 1.1)):
            loss = None if diverges and epoch == epochs else factor * 2 / epoch
            record = {"step": 20 * epoch, "epoch": float(epoch), "split": split, "loss": loss, "accuracy": 1 - 0.5 / epoch}
            if split == "train":
                record["learning_rate"] = 0.001 / epoch
            if trials:
                record |= {"loss_std": 0.1, "accuracy_std": 0.01, "trials": trials}
            records.append(record)
    if not diverges:
        records.append({"step": 20 * epochs, "epoch": float(epochs), "split": "test", "loss": 0.4, "accuracy": 0.9})
    return records


def examples_of(classes=10, count=300, *, images=True, wrong=30, seed=0):
    """The arguments of `parts_of_test`, with exactly so many mistakes."""
    random = np.random.default_rng(seed)
    targets = np.arange(count) % classes
    predicted = targets.copy()
    predicted[:wrong] = (targets[:wrong] + 1 + np.arange(wrong) % (classes - 1)) % classes
    outputs = random.normal(size=(count, classes)).astype(np.float32)
    outputs[np.arange(count), predicted] = 6 + random.random(count)
    inputs = random.integers(0, 256, (count, 8, 8, 1), np.uint8) if images else random.normal(size=(count, 5))
    return {
        "inputs": inputs,
        "targets": targets,
        "outputs": outputs,
        "losses": random.random(count).astype(np.float32),
        "class_names": [f"class {n}" for n in range(classes)],
        "from_logits": True,
    }


def calibration_of(classes=10):
    test = examples_of(classes)
    shares = np.exp(test["outputs"].astype(np.float64))
    shares /= shares.sum(axis=1, keepdims=True)
    found = reliability(shares, test["targets"])
    bins = [
        {"from": n / 15, "to": (n + 1) / 15, "before": vars(each), "after": vars(each)} for n, each in enumerate(found.bins)
    ]
    return {"temperature": 1.2, "fitted_on": "validation", "ece_before": found.error, "ece_after": found.error, "bins": bins}


def classifier(classes=10, **changes):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 1, 32))
    parts = begun_parts([]) | {"layers": LAYERS} | parts_of_test(**examples_of(classes), kernel=kernel)
    return RunFacts(
        "14-05-09_cnn_digits",
        CONFIG,
        summary_of(calibration=calibration_of(classes), **changes),
        records_of(),
        parts,
        (("training.duration", "30epochs", "3epochs"),),
        "python -m experiments.train training.duration=3epochs",
    )


def trials(count=64):
    rows = [
        {
            "trial": n,
            "seed": n,
            "learning_rate": 0.001,
            "steps": 60,
            "diverged": 7 if n == 3 else None,
            "test_loss": None if n == 3 else 0.4 + 0.001 * n,
            "test_accuracy": None if n == 3 else 0.9 + 0.001 * n,
        }
        for n in range(count)
    ]
    spread = {"mean": 0.93, "std": 0.018, "low": 0.925, "high": 0.935, "n": count - 1}
    summary = summary_of(trials=rows, spread={"test_accuracy": spread})
    return RunFacts("many", CONFIG, summary, records_of(trials=count), {"version": 1, "layers": LAYERS})


class Forecast:
    name = "passengers"
    labels = tuple(f"{1949 + n // 12}-{n % 12 + 1:02}" for n in range(144))
    values = np.linspace(100, 600, 144) + 40 * np.sin(np.arange(144) / 2)
    season = 12
    methods = {"network": values[-24:] + 5, "last_season": values[-36:-12], "season_before": values[-36:-12]}  # noqa: RUF012
    errors = {name: {"rmse": 12.3, "mae": 9.5} for name in methods}  # noqa: RUF012


def series():
    inputs = np.zeros((24, 13, 1), np.float32)
    test = {"inputs": inputs, "targets": np.zeros((24, 1)), "outputs": np.ones((24, 1)), "losses": np.ones(24)}
    parts = parts_of_test(**test, class_names=(), from_logits=False, forecast=Forecast())
    forecast = {"of": "passengers", "first": "1959-01", "last": "1960-12", "rmse": 12.3, "mae": 9.5}
    summary = summary_of(test={"loss": 0.23}, data="airline", model="rnn", forecast=forecast, test_examples=24)
    return RunFacts("series", CONFIG, summary, records_of(), {"version": 1, "layers": LAYERS, **parts})


def diverged():
    summary = summary_of(
        status="diverged", error="the training loss became inf at step 3\ntry a smaller learning rate", test=None, steps=2
    )
    return RunFacts("lost", CONFIG, summary, records_of(diverges=True), {"version": 1, "layers": LAYERS})
