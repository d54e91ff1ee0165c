"""The sections of a run's report that show results: curves, trials, calibration, the first layer, a forecast.

sections = curve_sections(records) + calibration_sections(summary["calibration"])

Each takes plain values from the run's files and returns the sections that these allow; an empty list is no error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nnjax.config.neuron_names import weight_symbols
from nnjax.reporting.figures.inline_chart import MOST_LINES, Chart, Line, inline_svg, numbers, thinned
from nnjax.reporting.page_blocks import Block, Drawing, Picture, Pictures, Section, Table, Words
from nnjax.reporting.text import metric_text, percent_text, temperature_text

_FEW = 10  # examples of a bin, whose accuracy chance decides
_ABOUT = ("step", "epoch", "split", "seconds")


def drawing(chart: Chart, name: str) -> Drawing:
    """Draws a chart for a page."""
    return Drawing(inline_svg(chart, name), chart.title, numbers(chart))


def curve_sections(records: Sequence[Mapping[str, Any]]) -> list[Section]:
    """The learning curves: loss, accuracy and learning rate over the epochs, and the weights of a small network.

    Args:
        records: from `nnjax.reporting.metrics.read_metrics`; with several trials of their means and standard deviations.
    """
    charts = _curves(records)
    blocks: list[Block] = [drawing(chart, f"curve-{chart.title.replace(' ', '-')}") for chart in charts]
    if any(line.low for chart in charts for line in chart.lines):
        blocks.append(Words("Means over the trials; a band reaches one standard deviation to each side.", "note"))
    sections = [Section("Learning curves", blocks, wide=True)] if blocks else []
    weights = [record for record in records if record.get("split") == "weights"]
    if weights:
        names = [name for name in weights[0] if name not in _ABOUT]
        steps, symbols = [record["step"] for record in weights], _symbols(names)
        lines = [Line(symbols[name], steps, [record.get(name) for record in weights]) for name in names[:MOST_LINES]]
        more = [Words(f"The first {MOST_LINES} of {len(names)} weights.", "note")] if len(names) > MOST_LINES else []
        sections.append(Section("Weights", [drawing(Chart("weights", "step", lines), "weights"), *more]))
    return sections


def _symbols(names: Sequence[str]) -> dict[str, str]:
    """The weights' symbols, as in a trace; their recorded names where symbols would be equal, as of two convolutions."""
    symbols = weight_symbols(names)
    return symbols if len(set(symbols.values())) == len(names) else {name: name for name in names}


def _curves(records: Sequence[Mapping[str, Any]]) -> list[Chart]:
    charts = []
    for name in ("loss", "accuracy"):
        lines = []
        for split in ("train", "validation", "test"):
            mine = [record for record in records if record.get("split") == split and name in record]
            if not mine:
                continue
            epochs, values = [float(record["epoch"]) for record in mine], [record[name] for record in mine]
            if split == "test":
                lines.append(Line(f"test {metric_text(name, values[-1])}", epochs[-1:], values[-1:], form="mark"))
                continue
            low, high = _band(mine, name)
            lines.append(Line(f"{split} {metric_text(name, values[-1])}", epochs, values, low, high))
        if lines:
            charts.append(Chart(name, "epoch", lines, percent=name == "accuracy"))
    rates = [record for record in records if record.get("learning_rate") is not None]
    if len({record["learning_rate"] for record in rates}) > 1:
        rate = Line(
            "learning rate", [float(record["epoch"]) for record in rates], [record["learning_rate"] for record in rates]
        )
        charts.append(Chart("learning rate", "epoch", [rate], log_y=False))
    return charts


def _band(records: Sequence[Mapping[str, Any]], name: str) -> tuple[Sequence[float | None], Sequence[float | None]]:
    """Mean ± standard deviation over the trials; empty for one network."""
    if all(record.get(f"{name}_std") is None for record in records):
        return (), ()
    pairs = [(record[name], record.get(f"{name}_std")) for record in records]
    known = [(None, None) if mean is None or std is None else (mean - std, mean + std) for mean, std in pairs]
    return [low for low, _ in known], [high for _, high in known]


def calibration_sections(calibration: Mapping[str, Any] | None) -> list[Section]:
    """How often the network is right, by how sure it is.

    Args:
        calibration: as in `summary.json`; None where nothing was measured.
    """
    if not calibration or not calibration.get("bins"):
        return []
    lines = [Line("", [0, 1], [0, 1], form="guide")]
    names = {"before": "as trained", "after": "with temperature"} if calibration.get("fitted_on") else {"before": "as trained"}
    rows = []
    for state, name in names.items():
        filled = [each[state] for each in calibration["bins"] if each[state]["count"]]
        filled = [each for each in filled if each["count"] >= _FEW] or filled
        x, y = [each["confidence"] for each in filled], [each["accuracy"] for each in filled]
        lines.append(Line(f"{name}, error {percent_text(calibration[f'ece_{state}'])}", x, y))
    for each in calibration["bins"]:
        before = each["before"]
        if before["count"]:
            place = f"{100 * each['from']:.0f} to {100 * each['to']:.0f} %"
            rows.append((place, f"{before['count']:,}", percent_text(before["confidence"]), percent_text(before["accuracy"])))
    chart = Chart("accuracy by confidence", "confidence", lines, percent=True, percent_x=True, square=True)
    table = Table(("Confidence", "Examples", "Mean confidence", "Accuracy"), rows, "As trained, by confidence")
    words = f"Below the dashed line the network is surer than it is right. Bins of fewer than {_FEW} examples are not drawn."
    found = temperature_text(calibration["temperature"]) if len(names) > 1 else ""
    fitted = f" The {found} came from the validation split." if found else ""
    return [
        Section("Calibration", [Drawing(inline_svg(chart, "calibration"), chart.title, table), Words(words + fitted, "note")])
    ]


def layer_picture_sections(parts: Mapping[str, Any]) -> list[Section]:
    """The first layer's weights as pictures."""
    if not (first := parts.get("first_layer")):
        return []
    height, width, channels = first["size"]
    what = f"{first['form']}s of {height}×{width}×{channels}"
    counted = f"{first['count']} {what}" if first["shown"] == first["count"] else f"{first['shown']} of {first['count']} {what}"
    colours = "red, green and blue around grey" if channels == 3 else "orange: negative, purple: positive"
    caption = f"{counted}, each scaled by its largest weight; {colours}"
    return [Section("First layer", [Pictures([Picture(first["picture"], "", caption, f"First layer: {counted}")], large=True)])]


def value_sections(parts: Mapping[str, Any]) -> list[Section]:
    """A regression's predictions over the true values, and the forecast of a series."""
    sections = []
    if found := parts.get("regression"):
        true, predicted = found["true"], found["predicted"]
        ends = [min(true), max(true)]
        which = "" if found["outputs"] == 1 else f" of output 1 of {found['outputs']}"
        r_squared = "" if found["r_squared"] is None else f", R² {found['r_squared']:.4f}"
        chart = Chart(
            f"predicted{which}, RMSE {found['rmse']:.4g}{r_squared}",
            "true",
            [Line("", ends, ends, form="guide"), Line("predicted", true, predicted, form="points")],
        )
        few = len(true) < found["examples"]
        more = [Words(f"{len(true)} of {found['examples']:,} examples are drawn.", "note")] if few else []
        sections.append(Section("Predictions", [drawing(chart, "regression"), *more]))
    if found := parts.get("forecast"):
        sections.append(_forecast(found))
    return sections


_METHODS = {
    "network": "network",
    "last_season": "last known season, repeated",
    "season_before": "truth of one season before",
}


def _forecast(found: Mapping[str, Any]) -> Section:
    labels, values, methods = found["labels"], found["values"], found["methods"]
    ahead = len(methods["network"])
    start = len(values) - ahead
    rows = list(range(start, len(values)))
    truth = list(range(len(values)))
    lines = [Line(_METHODS.get(name, name), rows, forecast) for name, forecast in methods.items()]
    title = f"{found['name']}: {ahead} values forecast from {labels[start]} on"
    ticks = list(enumerate(labels))
    near = max(0, start - ahead // 4)  # of the known values, so that the lines' beginning is seen
    charts = [
        Chart(title, "row", [Line("truth", truth, values), *lines[:1]], ticks=ticks),
        Chart("The forecasts alone", "row", [Line("truth", truth[near:], values[near:]), *lines], ticks=ticks[near:]),
    ]
    errors = [
        (_METHODS.get(name, name), *(f"{value:.4g}" for value in each.values())) for name, each in found["errors"].items()
    ]
    heads = ("Forecast", *(name.upper() for name in next(iter(found["errors"].values()), {})))
    drawn = [drawing(chart, f"forecast-{place}") for place, chart in enumerate(charts)]
    return Section("Forecast", [*drawn, Table(heads, errors)], wide=True)


def trial_sections(summary: Mapping[str, Any]) -> list[Section]:
    """The results of several trials: spread, a point for each, and a row for each."""
    rows = summary.get("trials") or ()
    if not rows:
        return []
    results = [name for split in ("test_", "forecast_", "validation_") for name in rows[0] if name.startswith(split)]
    results = results or [name for name in rows[0] if name.startswith("train_")]
    rates = sorted({row["learning_rate"] for row in rows})
    blocks: list[Block] = []
    for name in [name for name in results if name.startswith(results[0].partition("_")[0])][:2]:
        vary = len(rates) > 1
        places = [row["learning_rate"] if vary else row["trial"] for row in rows]
        values = [row.get(name) for row in rows]
        label = "learning rate" if vary else "trial"
        chart = Chart(
            name.replace("_", " "),
            label,
            [Line(name.replace("_", " "), places, values, form="points")],
            percent="accuracy" in name,
            log_x=vary and 0 < 3 * rates[0] < rates[-1],
        )
        blocks.append(drawing(chart, f"trials-{name.replace('_', '-')}"))
    blocks += _by_rate(summary, results)
    heads = ("Trial", "Seed", "Learning rate", *(name.replace("_", " ") for name in results), "Diverged")
    shown = thinned(list(rows), 500)
    table = [
        (
            *(str(row[key]) for key in ("trial", "seed")),
            f"{row['learning_rate']:.4g}",
            *(metric_text(name, row.get(name)) for name in results),
            "" if row.get("diverged") is None else f"step {row['diverged']}",
        )
        for row in shown
    ]
    blocks.append(Table(heads, table, f"{len(shown)} of {len(rows)} trials", text_columns=0, folded=True))
    lost = sum(row.get("diverged") is not None for row in rows)
    means = f"; {lost} of them diverged. Means are of the others" if lost else ""
    words = f"{len(rows)} trials, trained together{means}."
    return [Section("Trials", [Words(words), *blocks], wide=True)]


def _by_rate(summary: Mapping[str, Any], results: Sequence[str]) -> list[Block]:
    """The results of each learning rate; nothing where all trials have the same."""
    names = [name for name in results if name.startswith(("test_", "forecast_"))]
    rows = []
    for each in summary.get("learning_rates") or ():
        spreads = [each["spread"].get(name) or {} for name in names]
        texts = []
        for name, spread in zip(names, spreads, strict=True):
            mean, low, high = (metric_text(name, spread.get(key)) for key in ("mean", "low", "high"))
            texts.append(mean if spread.get("std") is None else f"{mean} ({low} to {high})")
        finite = min((spread.get("n", 0) for spread in spreads), default=0)
        rows.append((f"{each['learning_rate']:.4g}", str(finite), *texts))
    heads = ("Learning rate", "Trials", *(name.replace("_", " ") for name in names))
    return [Table(heads, rows, "By learning rate: mean (95 % interval)", text_columns=0)] if rows else []
