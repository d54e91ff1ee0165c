"""Tables, as pandas makes them: columns that have names are found by these, as those of a CSV file are.

names = column_names(frame)                                                    # ("length", "width"); of an array ()
by_name(np.asarray(frame), names, ("width", "length"), "inputs", InputError)   # [n, 2], the width first
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnjax.config.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def column_names(values: object) -> tuple[str, ...]:
    """Returns the names of a table's columns; empty for an array, and where pandas only counted the columns, from 0."""
    columns = list(getattr(values, "columns", ()))
    return () if columns == list(range(len(columns))) else tuple(map(str, columns))


def by_name(
    array: "NDArray[Any]", names: Sequence[str], wanted: Sequence[str], where: str, error: type[UserError]
) -> "NDArray[Any]":
    """Returns a table's columns in the order that is wanted.

    Args:
        array: [n, d] the table's values.
        names: of its columns; empty if they have none, which leaves them as they are.
        wanted: the same names in another order; empty if any will do, or if they were counted from 0.
        where: what the table is, in the error.
        error: its class.

    Raises:
        error: if the names are others, or two are equal.
    """
    counted = tuple(map(str, range(len(names))))
    wanted = wanted or (counted if set(names) == set(counted) else names)
    if not names or tuple(names) == tuple(wanted):
        return array
    if sorted(names) != sorted(wanted) or len(set(names)) < len(names):
        raise error(f"{where} have the columns {', '.join(names)}; must have {', '.join(wanted)}, in any order")
    return array[:, [names.index(name) for name in wanted]]
