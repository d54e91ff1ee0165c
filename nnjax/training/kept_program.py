"""A training's programs: taken from memory or from a file where they are kept, and else compiled.

use = ProgramUse(config, spec, network, devices, "train")
program = kept_program(use, arguments, lambda: results, compiled)

forward = KeptFunction(jax.jit(f), use, results=0)
forward(*arguments)
"""

from collections.abc import Callable
from typing import Any

from nnjax.parallel.program_files import get_program
from nnjax.parallel.program_store import PROGRAMS
from nnjax.training.program_use import ProgramUse, forms_of


def kept_program(use: ProgramUse, arguments: tuple[Any, ...], results: Callable[[], Any], compiled: Callable[[], Any]) -> Any:
    """The program for a use.

    Args:
        use: what it is for.
        arguments: what it is called with, or their shapes.
        results: makes anything of the structure of what it returns.
        compiled: compiles it.
    """

    def from_file() -> Any:
        return get_program(PROGRAMS.code, lambda: use.facts(arguments), compiled, use.devices, arguments, results())

    return PROGRAMS.get(lambda: use.key(arguments), from_file)


class KeptFunction:
    """A compiled function whose programs are kept in `PROGRAMS` and in files, one for each form of its arguments.

    Where programs are not kept, it is the function itself.

    Args:
        function: as from `jax.jit`.
        use: what it is for; None keeps none.
        results: anything of the structure of what it returns.
        static: its static arguments, before the others.
    """

    def __init__(self, function: Any, use: ProgramUse | None, results: Any, *static: Any) -> None:
        self._function, self._use, self._results, self._static = function, use, results, static
        self._newest: tuple[Any, Any] = None, None  # the form of the arguments, and the program

    def __call__(self, *arguments: Any) -> Any:
        """Calls it with arrays."""
        if self._use is None or not PROGRAMS.are_kept:
            return self._function(*self._static, *arguments)
        newest, forms = self._newest, forms_of(arguments)
        if newest[0] != forms:
            newest = self._newest = forms, self._program(self._use, arguments)
        return newest[1](*arguments)

    def lower(self, *arguments: Any) -> Any:
        """As of `jax.jit`, without the static arguments."""
        return self._function.lower(*self._static, *arguments)

    def _program(self, use: ProgramUse, arguments: tuple[Any, ...]) -> Any:
        return kept_program(use, arguments, lambda: self._results, lambda: self.lower(*arguments).compile())
