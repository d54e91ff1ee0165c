"""Names of the models of one server: each has its own.

own_names(["digits", "mnist", "digits"])               # ["digits", "mnist", "digits_2"]
"""

from collections.abc import Iterable
from itertools import chain, count


def own_names(names: Iterable[str]) -> list[str]:
    """The names in their order; one that was there before gets the next free number.

    What cannot be printed becomes _: a file's name need not be UTF-8, as the answers and the metrics are.
    """
    own: list[str] = []
    for given in names:
        name = "".join(letter if letter.isprintable() else "_" for letter in given)
        numbered = (f"{name}_{number}" for number in count(2))
        own.append(next(new for new in chain([name], numbered) if new not in own))
    return own
