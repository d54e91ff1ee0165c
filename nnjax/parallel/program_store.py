"""Compiled programs kept in memory, for a process that trains again and again: the jobs of a sweep, a search's trials.

    with PROGRAMS.kept(24):                                # elsewhere every training compiles its own
        chunk = PROGRAMS.get(key, lambda: compile_lowered(lowered, "cpu"))

JAX keeps a program for a function object, and each training makes new ones: it would trace, lower and look for the same program
on the disk again, which takes longer than the training of a small network. A key must hold all that a program follows from,
besides its arguments: see `nnjax.training.program_use`.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any


class LoadedCode:
    """The version of the code that this process has loaded.

    Args:
        ask: looks at its files, a thousand and more; None where they do not say what is loaded.
    """

    def __init__(self, ask: Callable[[], str | None]) -> None:
        self._ask = ask

    @cached_property
    def version(self) -> str | None:
        """As it was when first asked for, with all code loaded; for this, the files are looked at once."""
        return self._ask()

    def is_unchanged(self) -> bool:
        """Whether the files still are those of `version`."""
        return self._ask() == self.version


class ProgramStore:
    """The programs that were used last, by key.

    Attributes:
        code: the code that this process has loaded, where programs of other processes may be taken, too; else None. See
            `nnjax.parallel.program_files`.
    """

    def __init__(self) -> None:
        self.code: LoadedCode | None = None
        self._most = 0
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()

    @contextmanager
    def kept(self, most: int, code: LoadedCode | None = None) -> Iterator[None]:
        """Keeps at most so many programs while the context is open; the next context finds those that this one leaves."""
        before = self._most, self.code
        self._most, self.code = most, code
        try:
            yield
        finally:
            self._most, self.code = before

    @property
    def are_kept(self) -> bool:
        """Whether programs are kept now."""
        return self._most > 0

    def forget(self) -> None:
        """Forgets all programs."""
        self._programs.clear()

    def get(self, key: Callable[[], Hashable], make: Callable[[], Any]) -> Any:
        """Returns the program of a key, which is made where it is not kept.

        Args:
            key: called where programs are kept; one that has no hash keeps nothing.
            make: compiles it.
        """
        if not self._most:
            return make()
        known = key()
        try:
            program = self._programs.pop(known, None)
        except TypeError:  # a registered model may hold a list
            return make()
        if program is None:
            program = make()
        self._programs[known] = program
        while len(self._programs) > self._most:
            self._programs.popitem(last=False)
        return program


PROGRAMS = ProgramStore()
"""Those of this process."""
