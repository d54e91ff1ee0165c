"""Facts of small models, and models of a plain function.

model = Model(facts_of((4,)), lambda inputs: ..., None)
"""

from nnjax.serving.facts import InputFacts, ModelFacts, SeriesFacts


def facts_of(shape=(4,), **changes):
    """Facts of a classifier of two classes, or with the changes."""
    values = {
        "name": "small",
        "task": "classification",
        "inputs": InputFacts(shape, "float32"),
        "labels": ("no", "yes"),
        "num_outputs": 2,
        "num_trials": 1,
        "from_logits": True,
        "temperatures": (1.0,),
        "series": None,
        "metrics": {},
        "calibration": None,
        "provenance": {},
    }
    return ModelFacts(**(values | changes))


def series_facts(**changes):
    """Facts of a series of windows of 3."""
    values = {
        "name": "passengers",
        "log": False,
        "difference": 0,
        "mean": 0.0,
        "std": 1.0,
        "season": 12,
        "values": (),
        "labels": (),
        "residuals": (),
    }
    return facts_of((3, 1), task="regression", labels=(), num_outputs=1, series=SeriesFacts(**(values | changes)))
