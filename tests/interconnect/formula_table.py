"""The tables of docs/network-models.md, from the catalogue and from conf/.

PYTHONPATH=.:tests python tests/interconnect/formula_table.py          # writes them anew
"""

import re
from pathlib import Path

from link_presets import CONF, device_of, link_of

from nnjax.interconnect.catalogue import FORMULAS

PAGE = Path(__file__).parents[2] / "docs/network-models.md"
LINKS = ("nvlink", "infiniband_400g", "roce_400g", "roce_100g", "ethernet_10g", "ethernet_1g", "wifi")
DEVICES = ("h100", "h200", "a100", "tpu_v5e", "cpu")
SETTINGS = ("mtu", "header_bytes", "frame_bytes", "transport", "lossless")


def formulas():
    yield "| name | formula | unit | inputs, and the range in which the formula is valid | what it takes for granted | source |"
    yield "|---|---|---|---|---|---|"
    for formula in FORMULAS.values():
        inputs = "; ".join(f"`{name}`{of(one.unit)}: {one.bounds}" for name, one in formula.inputs.items())
        inputs = "; ".join([inputs, *(words for words, _ in formula.relations)])
        cells = (f"`{formula.name}`", formula.text, formula.unit or "—", inputs, formula.validity, formula.source)
        yield f"| {' | '.join(cells)} |"


def of(unit):
    return f" ({unit})" if unit else ""


def links():
    yield "| `link=` | Gb/s (10⁹) | latency | jitter | loss | " + " | ".join(f"`{name}`" for name in SETTINGS) + " |"
    yield "|---" * (5 + len(SETTINGS)) + "|"
    for name in LINKS:
        link = link_of(name)
        settings = (str(getattr(link, name)).lower() for name in SETTINGS)
        first = (f"`{name}`", f"{link.bandwidth / 1e9:g}", micro(link.latency), micro(link.jitter), f"{link.loss:g}")
        yield f"| {' | '.join((*first, *settings))} |"


def micro(seconds):
    return f"{1e6 * seconds:g} µs"


def devices():
    yield "| `device=` | TFLOP/s (10¹²) | share reached | memory | in a machine | inner Gb/s (10⁹) | hours between failures |"
    yield "|---|---|---|---|---|---|---|"
    for name in DEVICES:
        device = device_of(name)
        inner = f"{device.inner_bandwidth / 1e9:g}" if device.inner_bandwidth else "the link's"
        hours = f"{device.failure_hours:,.0f}".replace(",", " ") if device.failure_hours else "no source"
        cells = (f"`{name}`", f"{device.peak_flops / 1e12:g}", f"{device.flops_share:g}", str(device.memory))
        yield f"| {' | '.join((*cells, str(device.per_machine), inner, hours))} |"


TABLES = {"formulas": formulas, "links": links, "devices": devices}


def filled(page):
    """A page with the tables between their markers written anew."""
    for name, table in TABLES.items():
        marks = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text = "\n".join(table())
        page, times = re.subn(marks, lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page, flags=re.DOTALL)
        assert times == 1, name
    return page


if __name__ == "__main__":
    assert CONF.is_dir()
    PAGE.write_text(filled(PAGE.read_text()))
