"""What no worksheet can be made of is refused in a line that says what to choose."""

import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.worksheet_options import WorksheetConfig


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("model=cnn data=digits", "model=cnn: is not fully connected"),
        (
            "model=fnn data=digits optimizer=sgd loss=mse",
            "data=digits: a worksheet draws its own inputs and targets; choose data=",
        ),
        ("optimizer=adam", "optimizer=adam: moves a weight by more than learning rate × gradient; choose optimizer=textbook"),
        ("model=fnn", "model.hidden=[256]: a worksheet is done by hand; must be at most 6 neurons in each layer"),
        ("model=fnn model.hidden=[2,2,2,2]", "model.hidden=[2,2,2,2]: a worksheet is done by hand; must be at most 4 layers"),
        (
            "model=fnn model.hidden=[6,6]",
            "model.hidden=[6,6]: a worksheet is done by hand, and a sheet would have 358 lines, more",
        ),
        (
            "iterations=8",
            "iterations=8: a worksheet is done by hand, and a sheet would have 280 lines, more than 250; choose fewer",
        ),
        ("experiment=two_gpus", "training.global_batch_size=8: a worksheet is done by hand, and a sheet would have "),
        (
            "data.inputs=[[1,2,3,4,5,6,7]] model=fnn model.hidden=[2]",
            "data.inputs=[7 numbers each]: a worksheet is done by hand",
        ),
        ("data.normalize=true", "data.normalize=true: a worksheet's inputs are used as they are printed; must be false"),
        (
            "model=neurons model.layers=[{size:2}] data.inputs=[[1,2]] data.classes=[a,b] data.targets=[a]",
            "data.classes=[a,b]: a worksheet draws numbers as targets; must be null",
        ),
        ("steps=[]", "steps=[]: must name at least one of forward"),
        ("steps=[error,error]", "steps=[error,error]: must name each phase once"),
        ("steps=[forwrd]", "steps.0=forwrd: must be one of forward, error, backward, adjust, update; did you mean forward?"),
        ("seed=4294967295 sheets=2", "sheets=2: the last sheet's seed would be above 4294967295; lower seed"),
        ("sheets=101", "sheets=101: must be a whole number of at least 1 and at most 100"),
        ("round_to=2", "round_to=2: must be a whole number of at least 3 and at most 8"),
        ("activation=tanh dead_neurons=true", "dead_neurons=true: no hidden layer has relu"),
        ("model=neurons model.layers=[{size:1}] dead_neurons=true", "dead_neurons=true: no hidden layer has relu"),
        ("format=word", "format=word: must be one of html, pdf"),
    ],
)
def test_what_cannot_be_a_worksheet_is_refused_and_named(overrides, message):
    with pytest.raises(ConfigError) as error:
        compose_config("worksheet", overrides.split(), WorksheetConfig)
    assert str(error.value).startswith(message)


def test_the_largest_networks_that_fit_are_taken():
    compose_config("worksheet", ["iterations=7"], WorksheetConfig)
    compose_config("worksheet", ["model=fnn", "model.hidden=[6]", "data.inputs=[[0,0,0,0,0,0]]"], WorksheetConfig)
