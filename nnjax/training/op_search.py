"""Finds the operation that makes the first number that is not finite, in any function of JAX.

    found = first_bad_operation(step, state, inputs, targets, names=("dense_1", "output"))
    found.operation, found.layer, found.is_backward       # "log", "dense_1", False

The function is traced, and its operations are computed one by one. From the first result that is not finite the search goes
back, from each operation to the input of it that is not finite, until an operation is found whose inputs all are: an infinity
that a later `where` leaves out is no cause, and one that the program writes itself, as −∞ under a mask, is not either. Loops,
branches and calls are searched inside only where they make such a number.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from nnjax.training.operations import WORDS, BadOperation, Facts, Operation, facts_of

# The parameters that hold the program of an operation that only calls it.
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def first_bad_operation(function: Callable[..., Any], *args: Any, names: Sequence[str]) -> BadOperation | str | None:
    """Computes a function operation by operation, and finds the first cause of a result that is not finite.

    Args:
        function: its result is a mapping by name; the results are looked at in the order of their names.
        args: pytrees of arrays.
        names: of layers, as they are in named scopes.

    Returns:
        The operation; the path of an argument, such as "[0].params['dense']['kernel']", which is not finite itself; or None if
        every result is finite.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    leaves = jax.tree_util.tree_leaves_with_path(args)
    recorder = _Recorder()
    inputs = [recorder.new(jnp.asarray(leaf) if not hasattr(leaf, "dtype") else leaf) for _, leaf in leaves]
    outputs = recorder.run(closed, inputs, "")
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(shape)]
    for path, number in zip(paths, outputs, strict=True):
        if not recorder.facts[number].is_finite:
            found = recorder.cause(number)
            if isinstance(found, int):
                return jax.tree_util.keystr(leaves[inputs.index(found)][0]) if found in inputs else "a constant"
            assert found.result is not None
            layers = [name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", found.scopes)]
            return BadOperation(
                WORDS.get(found.name, found.name) + found.params,
                found.name,
                layers[-1] if layers else None,
                "transpose(" in found.scopes,
                found.place,
                found.facts,
                found.result,
                path,
            )
    return None


class _Recorder:
    """Computes a jaxpr and notes each operation; values are numbered."""

    def __init__(self) -> None:
        self.values: dict[int, Any] = {}
        self.facts: dict[int, Facts] = {}
        self.made_by: dict[int, Operation] = {}
        # Infinities that the program writes itself, such as the −∞ that a maximum starts from, and what only hands them on.
        self._written: set[int] = set()
        self._count = 0

    def new(self, value: Any, facts: Facts | None = None) -> int:
        """Numbers a value, whose facts may be known already."""
        self._count += 1
        self.values[self._count], self.facts[self._count] = value, facts or facts_of(value)
        return self._count

    def _constant(self, value: Any) -> int:
        """Numbers a constant of the program."""
        number = self.new(value)
        if not self.facts[number].nans:
            self._written.add(number)
        return number

    def _note(self, operation: Operation) -> None:
        """Notes who made the results of an operation."""
        self.made_by |= dict.fromkeys(operation.outputs, operation)
        bad = list(self._bad_inputs(operation))
        if bad and self._written.issuperset(bad):
            self._written |= {number for number in operation.outputs if not self.facts[number].nans}

    def run(self, closed: Any, numbers: Sequence[int], scopes: str) -> list[int]:
        """Computes a closed jaxpr, from and to numbered values."""
        jaxpr = closed.jaxpr
        known: dict[Any, int] = dict(zip(jaxpr.invars, numbers, strict=True))

        def number_of(atom: Any) -> int:
            if isinstance(atom, core.Literal):
                return self._constant(jnp.asarray(atom.val, getattr(atom.aval, "dtype", None)))
            return known[atom]

        for variable, constant in zip(jaxpr.constvars, closed.consts, strict=True):
            known[variable] = self._constant(constant)
        for equation in jaxpr.eqns:
            taken = [number_of(atom) for atom in equation.invars]
            for variable, number in zip(equation.outvars, self._compute(equation, taken, scopes), strict=True):
                known[variable] = number
        return [number_of(atom) for atom in jaxpr.outvars]

    def _compute(self, equation: Any, taken: Sequence[int], scopes: str) -> list[int]:
        """Computes one operation; a call or a loop with a result that is not finite is computed again, inside."""
        values = [self.values[number] for number in taken]
        bound = equation.primitive.get_bind_params(equation.params)
        # Earlier versions of JAX return functions besides.
        functions, params = bound if isinstance(bound, tuple) else ((), bound)
        results = equation.primitive.bind(*functions, *values, **params)
        results = list(results) if equation.primitive.multiple_results else [results]
        scopes = "/".join(part for part in (scopes, str(equation.source_info.name_stack)) if part)
        facts = [facts_of(result) for result in results]
        if not all(item.is_finite for item in facts):
            if equation.primitive.name == "scan":
                return self._scan(equation, taken, scopes)
            if equation.primitive.name == "while":
                return self._while(equation, taken, scopes)
            if equation.primitive.name == "cond":
                branches = equation.params["branches"]
                branch = branches[int(np.clip(int(values[0]), 0, len(branches) - 1))]
                return self.run(branch, taken[1:], scopes)
            inner = next((equation.params[name] for name in _CALLS if name in equation.params), None)
            if inner is not None:
                closed = inner if hasattr(inner, "consts") else core.ClosedJaxpr(inner, ())
                if len(closed.jaxpr.invars) == len(taken):
                    return self.run(closed, taken, scopes)
        numbers = [self.new(*pair) for pair in zip(results, facts, strict=True)]
        bad = next((self.facts[number] for number in numbers if not self.facts[number].is_finite), None)
        operation = Operation(
            equation.primitive.name,
            scopes,
            _place(equation),
            tuple(taken),
            tuple(self.facts[number] for number in taken),
            tuple(numbers),
            bad,
            f" to {equation.params['new_dtype']}" if equation.primitive.name == "convert_element_type" else "",
        )
        self._note(operation)
        return numbers

    def _while(self, equation: Any, taken: Sequence[int], scopes: str) -> list[int]:
        """Computes the steps of a loop until its condition fails."""
        params = equation.params
        num_cond, num_body = params["cond_nconsts"], params["body_nconsts"]
        cond_consts, body_consts = taken[:num_cond], taken[num_cond : num_cond + num_body]
        carry = list(taken[num_cond + num_body :])
        while bool(self.values[self.run(params["cond_jaxpr"], [*cond_consts, *carry], scopes)[0]]):
            carry = self.run(params["body_jaxpr"], [*body_consts, *carry], scopes)
        return carry

    def _scan(self, equation: Any, taken: Sequence[int], scopes: str) -> list[int]:
        """Computes the steps of a loop one after another."""
        params = equation.params
        num_consts, num_carry = _sizes_of_scan(params)
        length = params["length"]
        consts, carry, xs = (
            taken[:num_consts],
            list(taken[num_consts : num_consts + num_carry]),
            taken[num_consts + num_carry :],
        )
        rows: list[list[int]] = []
        order = range(length - 1, -1, -1) if params["reverse"] else range(length)
        for step in order:
            slices = [self._derived([number], self.values[number][step], "slice", scopes) for number in xs]
            numbers = [*consts, *carry, *slices]
            results = self.run(params["jaxpr"], numbers, scopes)
            carry, row = results[:num_carry], results[num_carry:]
            rows.append(row)
        if params["reverse"]:
            rows.reverse()
        stacked = [
            self._derived(list(column), jnp.stack([self.values[number] for number in column]), "stack", scopes)
            for column in zip(*rows, strict=True)
        ]
        return [*carry, *stacked]

    def _derived(self, taken: list[int], value: Any, name: str, scopes: str) -> int:
        """Numbers a value that only moves numbers of others."""
        number = self.new(value)
        facts = tuple(self.facts[item] for item in taken)
        bad = None if self.facts[number].is_finite else self.facts[number]
        self._note(Operation(name, scopes, "", tuple(taken), facts, (number,), bad, ""))
        return number

    def cause(self, number: int) -> Operation | int:
        """Goes back from a value that is not finite to the operation that is to blame; or to the argument."""
        while (operation := self.made_by.get(number)) is not None:
            bad = [taken for taken in self._bad_inputs(operation) if taken not in self._written]
            if not bad:
                return operation
            # Where the result is NaN, an input that is NaN is to blame before one that is infinite.
            with_nan = [taken for taken in bad if self.facts[taken].nans]
            number = min(with_nan if with_nan and self.facts[number].nans else bad)
        return number

    def _bad_inputs(self, operation: Operation) -> Iterator[int]:
        return (taken for taken in operation.inputs if not self.facts[taken].is_finite)


def _sizes_of_scan(params: Mapping[str, Any]) -> tuple[int, int]:
    """The numbers of constants and of carried values, which come first among the arguments of a scan."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()  # since JAX 0.11
    return len(consts), len(carry)


def _place(equation: Any) -> str:
    """Where the source has an operation: file, line and function; empty where JAX does not say."""
    try:
        from jax._src import source_info_util

        frame = source_info_util.user_frame(getattr(equation.source_info, "traceback", None))
        return "" if frame is None else f"{frame.file_name}:{frame.start_line} ({frame.function_name})"
    except Exception:  # a private part of JAX
        return ""
