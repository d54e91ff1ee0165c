"""The size of a group is read in every way that XLA writes groups; what cannot be read is refused."""

import pytest

from nnjax.interconnect.program_text import Instruction, ProgramTextError
from nnjax.interconnect.replica_groups import group_size


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("replica_groups={{0,1,2},{3,4,5}}", 3),
        ("replica_groups={}", 8),
        ("replica_groups=[2,4]<=[8]", 4),
        ("replica_groups=[4,2]<=[2,4]T(1,0)", 2),
        ("replica_groups=mesh['data'=8] {'data'}, use_global_device_ids=true", 8),
        ("replica_groups=mesh['a'=2,'b'=4] {'b'}", 4),
        ("replica_groups=mesh['x'=1,'a-b.c'=4,'z'=2], device_ids=([2,4]T(1,0)) {'a-b.c'}, to_apply=%sum", 4),
        ("replica_groups=mesh['a'=2,'b'=4] {'a','b':(1)2}", 4),
        ("", 8),
    ],
)
def test_the_size_of_a_group(attributes, size):
    assert group_size(Instruction("x", "all-reduce", (), (), attributes), 8) == size


@pytest.mark.parametrize(
    "attributes",
    [
        "replica_groups={{0,1},{2}}",
        "replica_groups=mesh<x=2>",
        "replica_groups=mesh['a'=8] {'b'}",
        "replica_groups=mesh['a'=8], frontend_attributes={'a'}",
    ],
)
def test_groups_that_cannot_be_read_are_refused(attributes):
    with pytest.raises(ProgramTextError):
        group_size(Instruction("x", "all-reduce", (), (), attributes), 8)
