import pytest

from nnjax.checks.predict_checks import check_predict
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import IncompatibleError
from nnjax.config.predict_options import PredictConfig


def config(**values):
    usual = {"checkpoint": "tested", "image": None, "rows": None, "format": "table", "top": 3, "explain": False}
    return PredictConfig(run="run", memory_limit="auto", **(usual | values))


@pytest.mark.parametrize("values", [{"image": "a.png"}, {"rows": "a.csv"}, {"image": "a.png", "explain": True}])
def test_one_kind_of_input(values):
    check_predict(config(**values), NO_ORIGINS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "^image: missing; must be a picture, a folder, a pattern .* rows=FILE.csv$"),
        ({"image": "a.png", "rows": "a.csv"}, "^image=a.png: rows=a.csv is there, too; give one of them$"),
        ({"rows": "a.csv", "explain": True}, "^explain=true: draws pictures, and rows= gives none; leave it out$"),
    ],
)
def test_what_does_not_go_together(values, message):
    with pytest.raises(IncompatibleError, match=message):
        check_predict(config(**values), NO_ORIGINS)
