"""How many devices take part in an exchange, from the groups that a compiled program names, in each way that XLA writes them.

group_size(instruction, num_devices=8)      # 4 of replica_groups=[2,4]<=[8], of mesh['a'=2,'b'=4] {'b'}
"""

import re
from math import prod

from nnjax.interconnect.program_text import Instruction, ProgramTextError

# Groups as XLA writes them since JAX 0.11: mesh['data'=4] {'data'}. A part of an axis is 'data':(1)2, of which 2 is the size.
_MESH_GROUPS = re.compile(r"replica_groups=mesh\[(?P<axes>[^\]]*)\](?:, device_ids=\([^{}]*\))? \{(?P<grouped>[^}]*)\}")
_AXIS_SIZE = re.compile(r"'([^']*)'=(\d+)")
_GROUPED_AXIS = re.compile(r"'([^']*)'(?::\(\d+\)(\d+))?")


def group_size(instruction: Instruction, num_devices: int) -> int:
    """The number of devices that take part in an exchange.

    Args:
        instruction: the exchange.
        num_devices: of the program; all take part where it names no groups.

    Raises:
        ProgramTextError: if the groups differ in size, or are written in an unknown way.
    """
    if (mesh := _MESH_GROUPS.search(instruction.attributes)) is not None:
        sizes_of_axes = dict(_AXIS_SIZE.findall(mesh["axes"]))
        grouped = _GROUPED_AXIS.findall(mesh["grouped"])
        if unknown := [name for name, _ in grouped if name not in sizes_of_axes]:
            raise ProgramTextError(f"{instruction.name}: its groups are of the axis {unknown[0]}, which its mesh does not have")
        return prod(int(size or sizes_of_axes[name]) for name, size in grouped)
    found = re.search(r"replica_groups=(\{(?:\{[\d,]*\},?)*\}|\[[\d,]+\]<=\[[\d,]+\])", instruction.attributes)
    if found is None:
        if "replica_groups=" in instruction.attributes:
            raise ProgramTextError(f"{instruction.name}: its replica_groups are written in an unknown way")
        return num_devices
    if found[1].startswith("["):
        return int(found[1].partition("]")[0].rpartition(",")[2])
    sizes = {len(group.split(",")) for group in re.findall(r"\{([\d,]+)\}", found[1])}
    if len(sizes) > 1:
        raise ProgramTextError(f"{instruction.name}: its groups have {', '.join(map(str, sorted(sizes)))} devices")
    return sizes.pop() if sizes else num_devices
