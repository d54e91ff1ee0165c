"""Compiled programs kept in memory, for a process that trains again and again: the jobs of a sweep, a search's trials.

    PROGRAMS.keep(16)                                      # off until then: every training compiles its own
    chunk = PROGRAMS.get(key, lambda: compile_lowered(lowered, "cpu"))

JAX keeps a program for a function object, and each training makes new ones: it would trace, lower and look for the same program
on the disk again, which takes longer than the training of a small network. A key must hold all that a program follows from,
besides its arguments: see `nnjax.training.program_key`.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class ProgramStore:
    """The programs that were used last, by key."""

    def __init__(self) -> None:
        self._most = 0
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()

    def keep(self, most: int) -> None:
        """Keeps at most so many programs from now on; 0 keeps none, and forgets those that are kept."""
        self._most = most
        while len(self._programs) > most:
            self._programs.popitem(last=False)

    def get(self, key: Callable[[], Hashable] | None, make: Callable[[], Any]) -> Any:
        """Returns the program of a key, which is made where it is not kept.

        Args:
            key: called where programs are kept; None keeps nothing.
            make: compiles it.
        """
        if not self._most or key is None:
            return make()
        known = key()
        program = self._programs.pop(known, None)
        self._programs[known] = make() if program is None else program
        self.keep(self._most)
        return self._programs[known]


PROGRAMS = ProgramStore()
"""Those of this process."""
