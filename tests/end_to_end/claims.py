"""For tests of what the pages say in sentences: is the sentence still there, and what does a trace compute?

said("06-update", "The weights now go uphill")
value(traced("iterations=1", "loss=mse"), "E")          # 0.038416
"""

import jax
from commands import ROOT

from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.textbook.trace import trace


def page(name):
    """A page's text, without line breaks."""
    return " ".join((ROOT / "docs" / f"{name}.md").read_text().split())


def said(name, *sentences):
    """Fails unless the page still has the sentences."""
    text = page(name)
    for sentence in sentences:
        assert sentence in text


def traced(*overrides):
    config = compose_config("trace", list(overrides), TraceConfig)
    return trace(config, load(config.data), jax.devices()[:1])


def value(found, symbol, iteration=1):
    return next(row["value"] for row in found["rows"] if (row["iteration"], row["symbol"]) == (iteration, symbol))


def outputs(found):
    """The output of each iteration, before its update."""
    return [row["value"] for row in found["rows"] if row["symbol"] == "y_b"]
