"""Configs of worksheets for these tests: each kind of network, activation and loss."""

from dataclasses import replace
from functools import cache

from nnjax.cli.compose import compose_config
from nnjax.config.worksheet_options import WorksheetConfig
from nnjax.data.dataset_spec import dataset_spec
from nnjax.worksheets.drawn_numbers import draw_all

SHAPES = (
    (),
    ("dead_neurons=true",),
    ("iterations=2", "decimals=2"),
    ("model.learn_biases=false", "optimizer=sgd", "optimizer.learning_rate=0.5"),
    ("activation=tanh", "model.output_activation=sigmoid", "loss=mse"),
    ("model=fnn", "model.hidden=[3]", "data.inputs=[[0,0]]", "data.targets=[[0,0]]", "loss=mse"),
    ("model=fnn", "model.hidden=[2]", "data.inputs=[[0,0],[0,0]]", "data.targets=[[0],[0]]", "training.global_batch_size=2"),
    ("model=neurons", "model.layers=[{size: 2, bias: false}, {size: 2, activation: tanh}, {size: 1, activation: identity}]"),
    *((f"activation={name}", f"model.output_activation={name}") for name in ("gelu", "silu", "leaky_relu", "elu", "softplus")),
)


@cache
def config_of(*overrides):
    return compose_config("worksheet", list(overrides), WorksheetConfig)


def drawn_of(*overrides, seed=0, sheets=1):
    config = replace(config_of(*overrides), seed=seed, sheets=sheets)  # composing takes far longer than drawing
    return draw_all(config, dataset_spec(config.data))
