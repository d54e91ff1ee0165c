"""Numbers for readers: the only place that chooses digits and units.

metric_text("accuracy", 0.98611)         # "98.61%"
duration_text(83)                        # "1:23"
"""

import math
from collections.abc import Mapping, Sequence

_SHORT_NAMES = {"accuracy": "acc"}


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def metric_text(name: str, value: float | None) -> str:
    """A metric's value: percent for accuracies, else four decimals from 0.001 to 10 000, else an exponent."""
    if value is None or not math.isfinite(value):
        return "nan" if value is None else str(value)
    if "accuracy" in name:
        return f"{100 * value:.2f}%"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def percent_text(share: float) -> str:
    """A share as percent, with two digits below 10 %: "0.84%", "98.6%"."""
    percent = 100 * share
    return f"{percent:.1f}%" if percent >= 9.995 else f"{percent:.2f}%"


def temperature_text(temperature: float | Sequence[float | None]) -> str:
    """The temperature that a classifier's logits are divided by; of several trials the range."""
    known = [each for each in temperature if each is not None] if isinstance(temperature, Sequence) else [temperature]
    low, high = f"{min(known):.3g}", f"{max(known):.3g}"
    return f"temperature {low}" if low == high else f"temperatures {low} to {high}"


def spread_text(name: str, spread: Mapping[str, float]) -> str:
    """A metric's mean ± standard deviation [95 % interval of the mean] over several trials; for one trial only the mean.

    Args:
        name: the metric's name.
        spread: mean, std, low and high.
    """
    mean, std, low, high = (metric_text(name, spread[key]) for key in ("mean", "std", "low", "high"))
    return f"{mean} ± {std} [{low}, {high}]" if math.isfinite(spread["std"]) else mean


def number_text(value: float) -> str:
    """A number of the textbook's arithmetic: exact if six decimals suffice (0.76), else rounded to six (0.953470).

    Below 0.001 and from 10⁹ on: six digits, with an exponent if that is shorter.
    """
    short = f"{value:.6f}".rstrip("0").rstrip(".")
    if abs(value) < 1e9 and math.isclose(float(short), value, rel_tol=1e-12):
        text = short
    else:
        text = f"{value:.6f}" if 1e-3 <= abs(value) < 1e9 else f"{value:.6g}"
    return "0" if value == 0 else text.replace("-", "−")


def short_name(metric: str) -> str:
    """A metric's abbreviated name."""
    return _SHORT_NAMES.get(metric, metric)


def si_text(value: float) -> str:
    """Three digits and a magnitude: 27100000 is "27.1 M"."""
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * factor:
            scaled = value / factor
            digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            return f"{scaled:.{digits}f}{unit}"
    return f"{value:.3g}"


def duration_text(seconds: float) -> str:
    """Seconds as "0:07", "12:34" or "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def seconds_text(seconds: float) -> str:
    """A duration to two or three digits, or to the second: "0.12 s", "8.3 s", "5:07"."""
    if seconds >= 100:
        return duration_text(seconds)
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def bytes_text(size: float | None) -> str:
    """Bytes in powers of ten: "1.05 MB"."""
    return "" if size is None else unit_text(size, "B")


def unit_text(value: float, unit: str) -> str:
    """Three digits, a magnitude and a unit: "1.05 MB", "82.5 FLOP"."""
    text = si_text(value)
    return f"{text}{unit}" if " " in text else f"{text} {unit}"


def time_text(seconds: float) -> str:
    """A duration with three digits: "12.3 µs", "4.50 ms", "1.20 s", "3.4 h", "2.1 d"."""
    if not math.isfinite(seconds):
        return "never ends"
    for limit, factor, unit in (
        (1e-3, 1e6, "µs"),
        (1, 1e3, "ms"),
        (120, 1, "s"),
        (7200, 1 / 60, "min"),
        (172800, 1 / 3600, "h"),
    ):
        if seconds < limit:
            return f"{three_digits(seconds * factor)} {unit}"
    return f"{three_digits(seconds / 86400)} d"


def three_digits(value: float) -> str:
    """A number with three digits, or all before the point."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def time_unit(seconds: float) -> tuple[float, str]:
    """The factor and the unit of an axis whose longest time this is: µs, ms or s."""
    return (1e6, "µs") if seconds < 1e-3 else (1e3, "ms") if seconds < 1 else (1, "s")


def shorten(text: str, length: int) -> str:
    """`text` cut to `length` characters with … in the middle, since long names differ at their ends."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


def visible(text: str) -> str:
    """A text in one line, without letters that a terminal would obey: "?" stands for each."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def numbered(names: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Names of jobs, with the number of each job whose name is empty or another one's, too."""
    return [
        f"{name} (job {number})".lstrip() if names.count(name) > 1 or not name else name
        for name, number in zip(names, numbers, strict=True)
    ]


def short_names(names: Sequence[str], length: int) -> list[str]:
    """`names` shortened, and numbered if shortening would make two of them equal."""
    shortened = [shorten(name, length) for name in names]
    if len(set(shortened)) == len(set(names)):
        return shortened
    return [shorten(f"{index} {name}", length) for index, name in enumerate(names)]
