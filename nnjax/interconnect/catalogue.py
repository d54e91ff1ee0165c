"""Every formula of the predictions by name, and the figures that they give.

    figure("time between failures", "time_between_failures", device_hours=50_677, devices=16_384).value      # 11135 seconds
    FORMULAS["young"].text, FORMULAS["young"].source

`docs/network-models.md` is this list as a table; `tests/interconnect/test_catalogue.py` holds the two together.
"""

from nnjax.interconnect.formula import Figure
from nnjax.interconnect.link_formulas import LINK_FORMULAS
from nnjax.interconnect.run_formulas import RUN_FORMULAS

FORMULAS = {formula.name: formula for formula in (*LINK_FORMULAS, *RUN_FORMULAS)}


def figure(what: str, formula: str, /, **inputs: float) -> Figure:
    """Computes a formula.

    Args:
        what: the figure's name.
        formula: the formula's name.
        **inputs: of the formula, in its units. Values outside its range are computed, and named in `Figure.outside`.
    """
    found = FORMULAS[formula]
    return Figure(what, found.function(**inputs), found.unit, formula, inputs, found.outside(inputs))
