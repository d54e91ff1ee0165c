"""Counts the floating-point operations of the matrix products and convolutions of a compiled program.

    product_flops(parse_program(compiled.as_text())).total

XLA's own count takes every loop once, which is right for the loop over the training steps and wrong for a loop over the time
steps of a recurrent network; `repeated` is what its further rounds add.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from nnjax.interconnect.program_text import Instruction, Program, ProgramTextError


@dataclass(frozen=True)
class ProductFlops:
    """Operations of matrix products and convolutions: two for each multiplication and addition.

    Attributes:
        once: every loop counted once.
        total: loops of known length counted as often as they run.
    """

    once: float
    total: float

    @property
    def repeated(self) -> float:
        """What the further rounds of loops add."""
        return self.total - self.once


def product_flops(program: Program) -> ProductFlops:
    """Counts one device's products, in one step where they are inside the loop over the steps.

    Raises:
        ProgramTextError: if an operand is missing from the text.
    """
    once = total = 0.0
    for place in program.walk():
        if place.instruction.opcode in ("dot", "convolution"):
            flops = _flops(place.instruction, program.computations[place.computation])
            once += flops
            total += flops * place.times
    return ProductFlops(once, total)


def _flops(product: Instruction, beside: Mapping[str, Instruction]) -> float:
    """2 · (numbers of the result) · (products that are summed for each)."""
    (result,) = product.arrays
    try:
        left, right = (beside[name].arrays[0] for name in product.operands[:2])
    except (KeyError, ValueError):
        raise ProgramTextError(f"{product.name}: an operand is missing from the text of the compiled program") from None
    if product.opcode == "dot":
        axes = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", product.attributes)
        summed = prod(left.shape[int(axis)] for axis in axes[1].split(",") if axis) if axes else 1
    else:
        # dim_labels=b01f_01io->b01f: of the kernel, o is the axis of the output's features; groups see a part of the inputs.
        labels = re.search(r"dim_labels=[\w?]+_([\w?]+)->", product.attributes)
        if labels is None:
            raise ProgramTextError(f"{product.name}: a convolution without dim_labels")
        features = right.shape[labels[1].index("o")]
        summed = right.size // features
    return 2.0 * result.size * summed
