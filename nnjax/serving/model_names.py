"""Names of the models of one server: each has its own.

own_names(["digits", "mnist", "digits"])               # ["digits", "mnist", "digits_2"]
"""

from collections.abc import Iterable
from itertools import chain, count


def own_names(names: Iterable[str]) -> list[str]:
    """The names in their order; one that was there before gets the next free number."""
    own: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        own.append(next(new for new in chain([name], numbered) if new not in own))
    return own
