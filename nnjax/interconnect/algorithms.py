"""How an exchange between devices is divided: the bytes that a device sends, the rounds, and the bandwidths of nccl-tests.

    bytes_sent("all_reduce", "ring", size=1000, devices=4)      # 1500.0
    rounds("all_reduce", "ring", devices=4)                     # 6
    bus_factor("all_reduce", devices=4)                         # 1.5

`size` is that of the whole buffer, in bytes, as in `Collective.size`. Sources: Thakur, Rabenseifner and Gropp, "Optimization of
collective communication operations in MPICH", 2005 (ring, halving and doubling); Sanders, Speck and Träff, "Two-tree
algorithms for full bandwidth broadcast, reduction and scan", 2009 (tree); nccl-tests, doc/PERFORMANCE.md (bandwidths).
"""

from nnjax.config.link_options import Algorithm
from nnjax.interconnect.collective import Kind

HALVES = frozenset({"reduce_scatter", "all_gather"})
"""Collectives that are one half of an all-reduce."""

WHOLE = frozenset({"broadcast", "collective_permute"})
"""Collectives in which a device sends the whole buffer."""


def bytes_sent(kind: Kind, algorithm: Algorithm, size: float, devices: int, per_machine: int = 1) -> float:
    """Bytes of data that the busiest device sends; it receives as many.

    | collective | ring, halving and doubling | tree |
    |---|---|---|
    | all_reduce | 2 · (N − 1) / N · size | 2 · size, at N = 2: size |
    | reduce_scatter, all_gather, all_to_all | (N − 1) / N · size | as a ring |
    | broadcast, collective_permute | size | size |

    For an all-reduce by halving and doubling, N is the largest power of two within the group; each device above it sends its
    buffer to one of the others beforehand and receives the result, which that one sends as well: `size` more. The tree is a
    pair of trees with half of the buffer each; every device is an inner node of one and a leaf of the other. `hierarchical`
    adds the bytes inside a machine of G devices, (G − 1) / G · size before and after, and those of a ring between M = N / G
    machines, 2 · (M − 1) / M · size / G; `inner_and_outer` has them apart.

    Args:
        kind: the collective.
        algorithm: for all_reduce; all others have one way here, and the ring's for their halves.
        size: bytes of the whole buffer.
        devices: N.
        per_machine: G, for `hierarchical`.
    """
    if devices == 1:
        return 0.0
    if algorithm == "hierarchical" and kind in HALVES | {"all_reduce"}:
        return sum(inner_and_outer(kind, size, devices, per_machine))
    if kind in WHOLE:
        return size
    share = (devices - 1) / devices
    if kind != "all_reduce":
        return share * size
    if algorithm == "tree":
        return size if devices == 2 else 2 * size
    if algorithm == "halving_doubling":
        power = 1 << devices.bit_length() - 1
        return 2 * (power - 1) / power * size + (size if power < devices else 0)
    return 2 * share * size


def inner_and_outer(kind: Kind, size: float, devices: int, per_machine: int) -> tuple[float, float]:
    """Bytes that a device sends inside its machine, and to other machines, by the hierarchical algorithm.

    Reduce-scatter inside each machine, a ring between devices of the same place in their machines, all-gather inside.

    Raises:
        ValueError: if the machines do not divide the devices.
    """
    inner, outer = groups(devices, per_machine)
    halves = 1 if kind in HALVES else 2
    return halves * (inner - 1) / inner * size, halves * (outer - 1) / outer * size / inner


def groups(devices: int, per_machine: int) -> tuple[int, int]:
    """Devices of one machine that take part, and machines.

    Raises:
        ValueError: if the machines do not divide the devices.
    """
    inner = min(devices, per_machine)
    if devices % inner:
        raise ValueError(f"{devices} devices cannot be divided into machines of {per_machine}")
    return inner, devices // inner


def rounds(kind: Kind, algorithm: Algorithm, devices: int, per_machine: int = 1) -> int:
    """Messages that follow one another: each waits for the one before.

    | collective | ring | tree | halving and doubling |
    |---|---|---|---|
    | all_reduce | 2 · (N − 1) | 2 · ⌈log₂ N⌉ | 2 · log₂ N, and 2 more unless N is a power of two |
    | reduce_scatter, all_gather, all_to_all | N − 1 | as a ring | ⌈log₂ N⌉; all_to_all as a ring |
    | broadcast | N − 1 | ⌈log₂ N⌉ | ⌈log₂ N⌉ |
    | collective_permute | 1 | 1 | 1 |

    `hierarchical` has the rings' rounds inside a machine and between machines, one after another.
    """
    if devices == 1:
        return 0
    if kind == "collective_permute":
        return 1
    if algorithm == "hierarchical" and kind in HALVES | {"all_reduce"}:
        return sum(inner_and_outer_rounds(kind, devices, per_machine))
    logarithm = (devices - 1).bit_length()
    if kind == "broadcast":
        return devices - 1 if algorithm in ("ring", "hierarchical") else logarithm
    if kind != "all_reduce":
        return logarithm if algorithm == "halving_doubling" and kind in HALVES else devices - 1
    if algorithm == "tree":
        return 2 * logarithm
    if algorithm == "halving_doubling":
        lower = devices.bit_length() - 1
        return 2 * lower + (0 if lower == logarithm else 2)
    return 2 * (devices - 1)


def inner_and_outer_rounds(kind: Kind, devices: int, per_machine: int) -> tuple[int, int]:
    """Rounds inside a machine and between machines, by the hierarchical algorithm."""
    inner, outer = groups(devices, per_machine)
    halves = 1 if kind in HALVES else 2
    return halves * (inner - 1), halves * (outer - 1)


def bus_factor(kind: Kind, devices: int) -> float:
    """The factor from `algbw` to `busbw` in nccl-tests: what a link carries for each byte of the buffer.

    2 · (N − 1) / N for all_reduce, (N − 1) / N for reduce_scatter, all_gather and all_to_all, 1 for broadcast and permutation.
    """
    if kind in WHOLE:
        return 1.0
    return (2 if kind == "all_reduce" else 1) * (devices - 1) / devices


def algbw(size: float, seconds: float) -> float:
    """Bytes of the buffer by time, in GB/s (10⁹ bytes), as nccl-tests; 0 for an empty exchange."""
    return size / seconds / 1e9 if seconds else 0.0


def busbw(kind: Kind, size: float, seconds: float, devices: int) -> float:
    """`algbw` · `bus_factor`, in GB/s (10⁹ bytes): comparable with the link's bandwidth, whatever the number of devices."""
    return algbw(size, seconds) * bus_factor(kind, devices)
