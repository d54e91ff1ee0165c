"""The forecasts that a network has to beat, beside its own.

console.print(baselines_table(summary["forecast"]))
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text


def other_forecasts(forecast: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, float], bool]]:
    """Yields label, method, errors and whether the method beats the network, for all but the network's own forecast.

    Naive forecasts come first, in their order, then the baselines, best first, and several trials' mean forecast.

    Args:
        forecast: as in `summary.json`: rmse, mae, and `naive`, `baselines` (both by method) and `together`.
    """
    own = forecast.get("together") or forecast  # several trials answer as one

    def is_better(errors: Mapping[str, float]) -> bool:
        return not errors["rmse"] >= own["rmse"]  # nor where the network's is no number

    if errors := forecast.get("together"):
        yield "forecast", "the trials' mean forecast", errors, False
    for method, errors in forecast["naive"].items():
        yield "naive", method.replace("_", " "), errors, is_better(errors)
    for method, errors in sorted(forecast.get("baselines", {}).items(), key=lambda item: item[1]["rmse"]):
        yield "baseline", method.replace("_", " "), errors, is_better(errors)


def baselines_table(forecast: Mapping[str, Any]) -> Table:
    """All forecasts of the held-out rows, best first; see `other_forecasts`."""
    rows: list[tuple[str, Mapping[str, float]]] = [("network", forecast)]
    rows += [(method, errors) for _, method, errors, _ in other_forecasts(forecast)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("forecast")
    table.add_column("RMSE", justify="right")
    table.add_column("MAE", justify="right")
    for method, errors in sorted(rows, key=lambda row: _finite(row[1]["rmse"])):
        style = "bold" if errors is forecast else ""
        table.add_row(*(Text(text, style=style) for text in (method, f"{errors['rmse']:.4g}", f"{errors['mae']:.4g}")))
    return table


def errors_text(errors: Mapping[str, float]) -> str:
    """Both errors on a line: rmse 15.6   mae 13.3."""
    return f"rmse {errors['rmse']:.4g}   mae {errors['mae']:.4g}"


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
