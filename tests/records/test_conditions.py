"""Conditions on runs: what they mean for numbers, texts, lists, and facts that are missing."""

import pytest

from nnjax.config.errors import ConfigError
from nnjax.records.conditions import Condition, parse_condition

FACTS = {
    "status": "completed",
    "model": "cnn",
    "name": "14-05-09_cnn_digits",
    "group": "a[1]",
    "seed": 3,
    "test_accuracy": 0.985,
    "started": "2026-11-23 14:05:09",
    "tags": ["best", "paper"],
    "model.hidden": [256, 128],
    "report.figures": False,
    "training.duration": "10epochs",
    "training.planned": None,
    "parallel.memory_limit": "500MB",
    "number": "007",
    "huge": 10**400,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("status=completed", True),
        ("status==completed", True),
        ("status=Completed", False),
        ("status=failed,completed", True),
        ("status!=failed", True),
        ("status!=failed,completed", False),
        ("status=comp*", True),
        ("seed=3", True),
        ("seed=3.0", True),
        ("seed=30", False),
        ("seed<10", True),
        ("seed>=3", True),
        ("seed>3", False),
        ("test_accuracy>0.98", True),
        ("test_accuracy>98%", True),
        ("test_accuracy>99%", False),
        ("test_accuracy=98.5%", True),
        ("test_accuracy > 9.8e-1", True),
        ("started>2026-11-22", True),
        ("started>2026-11-23", False),  # a date is all of its day, for an order as for =
        ("started>=2026-11-23", True),
        ("started<=2026-11-23", True),
        ("started<2026-11-23", False),
        ("started<=2026-11", True),
        ("started>2026-11", False),
        ("started<=2026-11-23T14:05", True),
        ("started>2026-11-23T14:05", False),
        ("started<2026-11-24", True),
        ("started>2026-11-23T14:05:08", True),
        ("started<2026-11-23 14:05", False),
        ("started>3", False),
        ("started=2026-11-23", True),
        ("started=2026-11", True),
        ("started=2026-11-23T14:05", True),
        ("started!=2026-11-23", False),
        ("started=2026-11-24", False),
        ("group=a[1]", True),
        ("group=a[12]", False),
        ("group=a?1?", True),
        ("tags=best", True),
        ("tags!=best", False),
        ("tags~pap", True),
        ("tags=other", False),
        ("name~CNN", True),
        ("name~rnn", False),
        ("model.hidden=[256,128]", True),
        ("model.hidden=[256, 128]", True),
        ("model.hidden=128", True),
        ("model.hidden=[256]", False),
        ("report.figures=false", True),
        ("report.figures=0", False),
        ("training.duration>=9epochs", True),
        ("training.duration<1epoch", False),
        ("training.duration>9steps", False),
        ("training.duration=10epoch", True),
        ("training.duration=10.0Epochs", True),
        ("training.duration!=10epoch", False),
        ("training.duration=10steps", False),
        ("training.duration=1*epochs", True),
        ("parallel.memory_limit<1GB", True),
        ("parallel.memory_limit=0.5GB", True),
        ("parallel.memory_limit>1MiB", True),
        ("number=7", False),  # a name of digits is no number
        ("training.planned=null", True),
        ("none=null", True),
        ("none!=3", True),
        ("none>3", False),
        ("none~x", False),
        ("status>3", False),
        ("huge>3", False),
    ],
)
def test_a_condition_holds_or_not(text, holds):
    assert parse_condition(text).holds(FACTS) is holds


def test_a_condition_is_read():
    assert parse_condition("model = cnn, fnn") == Condition("model", "=", ("cnn", "fnn"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("completed", "must be a key, one of = != < <= > >= ~ and a value, such as 'test_accuracy>0.98'"),
        (">3", "must be a key"),
        ("test_accuracy>", "the value is missing"),
        ("test_accuracy>98", "an accuracy is a share, from 0 to 1; 98 per cent is 98%"),
        ("test_accuracy>high", "high must be a number (0.98, 98%, 5epochs) or a date (2026-11-23)"),
    ],
)
def test_what_is_no_condition_is_refused(text, reason):
    with pytest.raises(ConfigError, match=r"^where=") as caught:
        parse_condition(text)
    assert reason in str(caught.value)


def test_texts_of_a_person_have_no_units():
    """Tags choose what `remove=` moves away."""
    assert parse_condition("training.duration=1epochs").holds({"training.duration": "1epoch"})
    assert not parse_condition("tags=1kb").holds({"tags": ["1000b"]})
    assert not parse_condition("name=0_5b").holds({"name": "05b"})
