"""The overrides of trainings that take a moment."""

TINY = (
    "model=fnn",
    "model.hidden=[8]",
    "data.limit_train=80",
    "data.limit_test=30",
    "training.global_batch_size=24",
    "training.duration=2epochs",
    "parallel.devices=1",
)

SERIES = (
    "model=rnn",
    "data=series",
    "data.window=3",
    "data.holdout=3",
    "data.season=1",
    "training.duration=2epochs",
    "report.figures=false",
)
"""Needs `data.file`."""
