"""The parser of XLA's text: instructions, loops and their rounds, and what it refuses."""

import pytest

from nnjax.interconnect.products import product_flops
from nnjax.interconnect.program_text import Array, ProgramTextError, is_collective, parse_program

PROGRAM = """HloModule jit_f, is_scheduled=true, num_partitions=4, replica_count=1

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %add = f32[] add(%a, %b)
}

%inner_body (p: (s32[], f32[2,3])) -> (s32[], f32[2,3]) {
  %p = (s32[], f32[2,3]{1,0}) parameter(0)
  %x = f32[2,3]{1,0} get-tuple-element(%p), index=1
  %w = f32[3,3]{1,0} constant({...})
  %i = s32[] get-tuple-element(%p), index=0
  %y = f32[2,3]{1,0} dot(%x, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %t = (s32[], f32[2,3]{1,0}) tuple(%i, %y)
}

%yes (p.0: (s32[], f32[2,3])) -> pred[] {
  %p.0 = (s32[], f32[2,3]{1,0}) parameter(0)
  ROOT %true = pred[] constant(true)
}

%body (p.1: (s32[], f32[2,3])) -> (s32[], f32[2,3]) {
  %p.1 = (s32[], f32[2,3]{1,0}) parameter(0)
  %scan = (s32[], /*index=1*/f32[2,3]{1,0}) while(%p.1), body=%inner_body, backend_config={"known_trip_count":{"n":"7"},"x":1}
  %g = f32[2,3]{1,0} get-tuple-element(%scan), index=1, metadata={op_name="jit(f)/while/body/jvp(layer)/dot" stack_frame_id=1}
  %all-reduce.1 = f32[2,3]{1,0} all-reduce(%g), channel_id=1, to_apply=%sum, metadata={op_name="jit(f)/while/body/psum"}
  %n = s32[] get-tuple-element(%scan), index=0
  ROOT %next = (s32[], f32[2,3]{1,0}) tuple(%n, %all-reduce.1)
}

ENTRY %main (in: (s32[], f32[2,3])) -> f32[] {
  %in = (s32[], f32[2,3]{1,0}) parameter(0)
  %steps = (s32[], f32[2,3]{1,0}) while(%in), condition=%yes, body=%body
  %loss = f32[] constant(1)
  ROOT %all-reduce.2 = f32[] all-reduce(%loss), replica_groups={}, to_apply=%sum, metadata={op_name="jit(f)/psum"}
}
"""


def test_instructions_are_walked_in_order_with_their_loops():
    program = parse_program(PROGRAM)
    assert (program.entry, program.is_scheduled, program.num_devices) == ("main", True, 4)
    found = [place for place in program.walk() if is_collective(place.instruction.opcode)]
    assert [(place.instruction.name, place.times, place.per_step) for place in found] == [
        ("all-reduce.1", 1, True),
        ("all-reduce.2", 1, False),
    ]
    (dot,) = (place for place in program.walk() if place.instruction.opcode == "dot")
    assert (dot.times, dot.per_step, dot.computation) == (7, True, "inner_body")


def test_an_instruction_has_its_arrays_operands_and_scopes():
    instruction = parse_program(PROGRAM).computations["body"]["scan"]
    assert instruction.arrays == (Array("s32", ()), Array("f32", (2, 3)))
    assert instruction.operands == ("p.1",)
    assert instruction.called == ("inner_body",)
    assert instruction.trip_count == 7
    assert parse_program(PROGRAM).computations["body"]["all-reduce.1"].op_name == "jit(f)/while/body/psum"


def test_products_count_two_operations_each_and_every_round_of_a_loop():
    flops = product_flops(parse_program(PROGRAM))
    assert flops.once == 2 * (2 * 3) * 3
    assert flops.total == 7 * flops.once
    assert flops.repeated == 6 * flops.once


def test_a_convolution_sums_over_its_kernel():
    text = """HloModule m

ENTRY %main (x: f32[8,5,5,4], k: f32[3,3,4,16]) -> f32[8,5,5,16] {
  %x = f32[8,5,5,4]{3,2,1,0} parameter(0)
  %k = f32[3,3,4,16]{3,2,1,0} parameter(1)
  ROOT %c = f32[8,5,5,16]{3,2,1,0} convolution(%x, %k), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f
}
"""
    assert product_flops(parse_program(text)).total == 2 * (8 * 5 * 5 * 16) * (3 * 3 * 4)


def test_a_text_of_another_kind_is_refused():
    with pytest.raises(ProgramTextError, match="no text that begins with HloModule"):
        parse_program("module @jit_f {}")
    with pytest.raises(ProgramTextError, match="no ENTRY"):
        parse_program("HloModule m\n\n%f (x: f32[]) -> f32[] {\n  %x = f32[] parameter(0)\n}\n")


def test_an_exchange_in_a_loop_of_unknown_length_inside_the_steps_is_refused():
    unknown = (
        PROGRAM.replace(', backend_config={"known_trip_count":{"n":"7"},"x":1}', "")
        .replace("%y = f32", "%y = f32")
        .replace("ROOT %t = (s32[]", "%r = f32[2,3]{1,0} all-reduce(%y), to_apply=%sum\n  ROOT %t = (s32[]")
    )
    with pytest.raises(ProgramTextError, match="scan: a loop of unknown length inside the loop over the steps"):
        list(parse_program(unknown).walk())
