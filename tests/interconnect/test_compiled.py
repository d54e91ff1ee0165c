"""What a compiled step sends: read from the programs of every shipped model, and from texts made by hand."""

from dataclasses import replace

import pytest

from nnjax.cli.compose import compose_train
from nnjax.interconnect.collective import Part, scaled
from nnjax.interconnect.compiled import Leaf, read_collectives
from nnjax.interconnect.program_text import ProgramTextError, parse_program
from nnjax.interconnect.step_program import compiled_step
from nnjax.parallel import averaging

IMAGES = [
    "data=synthetic",
    "data.num_train=64",
    "data.num_test=16",
    "training.global_batch_size=16",
    "training.eval_batch_size=16",
]
TWO = ["data.inputs=[[0.4,0.1,0.2],[0.2,0.3,0.1]]", "data.targets=[[0.7],[0.1]]"]
BATCH_OF_TWO = ["training.global_batch_size=2", "training.eval_batch_size=2"]
MODELS = {
    "two_neuron": ["model=two_neuron", *TWO, *BATCH_OF_TWO],
    "neurons": ["model=neurons", "data=textbook", "training=textbook", "loss=half_mse", *TWO, *BATCH_OF_TWO],
    "fnn": [*IMAGES, "model=fnn", "model.hidden=[8,8,8]"],
    "fnn, batch norm": [*IMAGES, "model=fnn", "model.hidden=[8,8]", "model.normalization=batch"],
    "fnn, layer norm": [*IMAGES, "model=fnn", "model.hidden=[8,8]", "model.normalization=layer"],
    "cnn": [*IMAGES, "model=cnn"],
    "airbench": [*IMAGES, "data.input_shape=[32,32,3]", "model=airbench", "model.widths=[4,8,8]"],
    "rnn": [*IMAGES, "data.input_shape=[6,4,1]", "model=rnn", "model.hidden=[4,4]", "model.cell=simple"],
    "gru": [*IMAGES, "data.input_shape=[6,4,1]", "model=rnn", "model.hidden=[4]", "model.cell=gru"],
    "lstm": ["data=airline", "model=rnn", "model.cell=lstm", "model.hidden=[4]", "training.global_batch_size=16"],
}


def facts_of(*overrides, devices=2):
    config = compose_train([*overrides, f"parallel.devices={devices}"])
    return compiled_step(config, devices)


FAST = ("two_neuron", "fnn", "cnn", "rnn")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in MODELS])
def test_the_gradients_of_every_model_have_the_bytes_of_its_parameters(name):
    facts = facts_of(*MODELS[name])
    assert facts.gradient_bytes == facts.parameters > 0
    gradients = [c for c in facts.of_step if c.phase == "gradients"]
    assert {c.kind for c in gradients} == {"all_reduce"}
    named = [(part.layer, part.tensor) for collective in gradients for part in collective.parts]
    assert len(named) == len(set(named))
    assert {tensor for layer, tensor in named if not layer} <= {"loss"}  # of a stop rule that the devices check
    assert all(collective.group_size == 2 and collective.dtype == "float32" for collective in facts.reading.collectives)
    metrics = facts.of_call
    assert [c.phase for c in metrics] == ["metrics"]
    assert metrics[0].size == 3 * 4 * facts.steps_per_call


WAYS = {
    "per_tensor": ("all_reduce", 8),
    "buckets": ("all_reduce", 2),
    "flat": ("all_reduce", 1),
    "sharded": ("reduce_scatter", 2),
}


@pytest.mark.parametrize("way", [pytest.param(way, marks=() if way == "sharded" else pytest.mark.slow) for way in WAYS])
def test_each_way_to_average_gradients_sends_every_parameter(way):
    kind, exchanges = WAYS[way]
    model = ["model=fnn", "model.hidden=[9,7]", "model.normalization=batch"]
    facts = facts_of(*IMAGES, *model, f"parallel.gradients={way}", "parallel.bucket_bytes=1kB", devices=4)
    automatic = facts_of(*IMAGES, *model, devices=4)
    assert facts.gradient_bytes == facts.parameters == automatic.parameters
    gradients = [c for c in facts.of_step if c.phase == "gradients"]
    assert {c.kind for c in gradients} == {kind}
    assert len(gradients) == exchanges
    parameters = [c for c in facts.of_step if c.phase == "parameters"]
    if way == "sharded":
        assert {c.kind for c in parameters} == {"all_gather"}
        assert [c.parts for c in parameters] == [c.parts for c in gradients]
        assert facts.optimizer < automatic.optimizer / 3
        assert facts.memory["arguments"] < automatic.memory["arguments"]
    else:
        assert (parameters, facts.optimizer) == ([], automatic.optimizer)


def test_a_gradient_that_is_not_averaged_is_found(monkeypatch):
    averages = averaging.mean_over_devices
    monkeypatch.setattr(averaging, "mean_over_devices", lambda tree: {**averages(tree), "output": tree["output"]})
    with pytest.raises(ProgramTextError, match="exchanges no gradient of output/bias"):
        facts_of(*IMAGES, "model=fnn", "model.hidden=[8]")


@pytest.mark.parametrize("wrapper", ["pmap", pytest.param("shard_map", marks=pytest.mark.slow)])
def test_the_statistics_of_batch_norm_are_traffic(wrapper):
    facts = facts_of(*IMAGES, "model=fnn", "model.hidden=[8,4]", "model.normalization=batch", f"parallel={wrapper}", devices=4)
    statistics = [c for c in facts.of_step if c.phase == "batch_statistics"]
    assert [(c.kind, c.layers, c.backward) for c in statistics] == [
        ("all_gather", ("dense_1_norm",), False),
        ("all_gather", ("dense_2_norm",), False),
        ("all_reduce", ("dense_2_norm",), True),
        ("all_reduce", ("dense_1_norm",), True),
    ]
    # Three statistics of 8 and 4 channels from each of 4 devices; two sums of each channel in the backward pass.
    assert [c.size for c in statistics] == [4 * 3 * 4 * 8, 4 * 3 * 4 * 4, 4 * 2 * 4, 4 * 2 * 8]
    assert [c.buffers for c in statistics] == [1, 1, 2, 2]


@pytest.mark.slow
def test_the_operations_of_a_recurrent_network_count_each_time_step():
    short, long = (
        facts_of(*IMAGES, f"data.input_shape=[{time},8,1]", "model=rnn", "model.hidden=[16]", "model.cell=simple")
        for time in (4, 16)
    )
    assert 3 < long.product_flops / short.product_flops < 4.2
    assert long.flops > long.product_flops


def test_the_operations_of_a_dense_network_are_those_of_the_formula():
    facts = facts_of("data=mnist", "model=fnn", "model.hidden=[256]", "training.global_batch_size=128")
    first, second, batch = 784 * 256, 256 * 10, 64
    # Forward, the weights' gradients, and the gradient by the inputs of every layer but the first: two operations a product.
    assert facts.product_flops == 2 * batch * (2 * first + 3 * second)
    assert facts.product_flops < facts.flops < 1.1 * facts.product_flops


@pytest.mark.slow
@pytest.mark.parametrize(("hidden", "exchanges"), [(8, 1), (300, 3)])
def test_trials_that_share_devices_send_each_their_own(hidden, exchanges):
    """Small networks are computed as one batch of networks, larger ones in turn, each with an exchange of its own."""
    model = [*IMAGES, "model=fnn", f"model.hidden=[{hidden}]"]
    one, three = (facts_of(*model, f"training.seeds={seeds}", devices=4) for seeds in (1, 3))
    assert three.gradient_bytes == three.parameters == 3 * one.parameters
    assert sum(collective.phase == "gradients" for collective in three.of_step) == exchanges


def test_whole_trials_exchange_nothing():
    facts = facts_of(*IMAGES, "model=fnn", "model.hidden=[8]", "training.seeds=2", devices=2)
    assert facts.reading.collectives == ()


def test_one_device_exchanges_nothing():
    facts = facts_of(*IMAGES, "model=fnn", "model.hidden=[8]", devices=1)  # XLA keeps the all-reduce of the metrics
    assert facts.reading.collectives == ()


def test_a_stop_rule_that_the_devices_check_is_traffic():
    rule = ["training.stop.loss_below=0.1", "training.evaluate_every=1steps", "data.validation=0"]
    facts = facts_of(*IMAGES, "model=fnn", "model.hidden=[8]", *rule)
    assert facts.gradient_bytes == facts.parameters
    parts = [part for collective in facts.of_step for part in collective.parts]
    assert [part for part in parts if not part.layer] == [Part("", "loss", 1)]


@pytest.mark.slow
def test_more_devices_than_are_simulated(monkeypatch):
    overrides = [*IMAGES, "data.num_train=512", "model=fnn", "model.hidden=[8]", "model.normalization=batch"]
    many = ["training.global_batch_size=64", "training.eval_batch_size=64"]
    exact = facts_of(*overrides, *many, devices=8)
    monkeypatch.setattr("nnjax.interconnect.step_program.MOST_SIMULATED", 2)
    few = facts_of(*overrides, *many, devices=8)
    assert (exact.simulated, few.simulated) == (8, 2)
    assert few.reading.collectives == exact.reading.collectives
    assert few.flops == pytest.approx(exact.flops, rel=0.02)
    assert few.memory["temporary"] == pytest.approx(exact.memory["temporary"], rel=0.1)


@pytest.mark.slow
def test_shares_of_more_devices_than_are_simulated(monkeypatch):
    overrides = [*IMAGES, "model=fnn", "model.hidden=[64]", "parallel.gradients=sharded"]
    exact = facts_of(*overrides, devices=8)
    monkeypatch.setattr("nnjax.interconnect.step_program.MOST_SIMULATED", 2)
    few = facts_of(*overrides, devices=8)
    assert [(c.kind, c.group_size) for c in few.of_step] == [(c.kind, c.group_size) for c in exact.of_step]
    assert few.gradient_bytes == exact.gradient_bytes == exact.parameters
    assert few.optimizer == pytest.approx(exact.optimizer, abs=100)  # padding, and the count of steps
    assert few.memory["arguments"] == pytest.approx(exact.memory["arguments"], rel=0.01)


# --- texts made by hand ---

LEAVES = [Leaf("a", "kernel", (2, 3), "float32"), Leaf("b", "kernel", (2, 3), "float32"), Leaf("b", "bias", (3,), "float32")]
TEXT = """HloModule m, is_scheduled=true, num_partitions=2

%body (p: f32[2,3]) -> f32[2,3] {{
  %p = f32[2,3]{{1,0}} parameter(0)
  %first = f32[2,3]{{1,0}} add(%p, %p){first}
  %second = f32[2,3]{{1,0}} add(%p, %p){second}
  %third = f32[3]{{0}} reduce(%p)
  %ar = (f32[2,3], f32[2,3], f32[3]) all-reduce(%first, %second, %third), replica_groups=[1,2]<=[2], {psum}
  ROOT %out = f32[2,3]{{1,0}} get-tuple-element(%ar), index=0
}}

ENTRY %main (in: f32[2,3]) -> f32[2,3] {{
  %in = f32[2,3]{{1,0}} parameter(0)
  ROOT %w = f32[2,3]{{1,0}} while(%in), condition=%body, body=%body
}}
"""
A, B = (f', metadata={{op_name="jit(f)/while/body/transpose(jvp({layer}))/dot"}}' for layer in "ab")


def read(first="", second="", leaves=LEAVES, text=TEXT, scope="psum", **buckets):
    psum = f'metadata={{op_name="jit(f)/while/body/{scope}"}}'
    program = parse_program(text.format(first=first, second=second, psum=psum).replace("condition=%body, ", ""))
    return read_collectives(program, leaves, ("a", "b"), buckets)


def test_operands_of_one_shape_are_told_apart_by_their_scopes():
    (collective,) = read(B, A).collectives
    assert [part.layer for part in collective.parts] == ["b", "a", "b"]
    assert collective.buffers == 3


def test_names_that_xla_lists_for_what_it_combined_come_first():
    listed = "(gradients/b/kernel/psum:gradients/a/kernel/psum:gradients/b/bias/psum)"
    (collective,) = read(A, B, scope=listed).collectives
    assert [(part.layer, part.tensor) for part in collective.parts] == [("b", "kernel"), ("a", "kernel"), ("b", "bias")]


def test_without_scopes_the_order_of_the_tree_counts_and_is_said():
    reading = read()
    assert [part.layer for part in reading.collectives[0].parts] == ["a", "b", "b"]
    assert reading.by_order == ("a/kernel",)
    assert read(A, B).by_order == ()


def test_a_parameter_that_is_not_sent_is_an_error():
    with pytest.raises(ProgramTextError, match=r"exchanges no gradient of c/kernel \[9\]"):
        read(leaves=[*LEAVES, Leaf("c", "kernel", (9,), "float32")])


def test_exchanges_of_a_device_with_itself_are_left_out():
    alone = TEXT.replace("is_scheduled=true, num_partitions=2", "num_partitions=2").replace("[1,2]<=[2]", "{{{{0}},{{1}}}}")
    reading = read(text=alone, leaves=[*LEAVES, Leaf("c", "kernel", (9,), "float32")])
    assert (reading.collectives, reading.remarks) == ((), ())


def test_an_unknown_type_is_an_error():
    with pytest.raises(ProgramTextError, match="numbers of the type c64"):
        read(text=TEXT.replace("f32[3]", "c64[3]"))


def test_starts_of_exchanges_are_read_and_their_ends_are_not():
    text = TEXT.replace(
        "  ROOT %out",
        "  %s = ((f32[4]{{0}}), (f32[8]{{0}})) all-gather-start(%third), replica_groups=[1,2]<=[2], "
        'metadata={{op_name="jit(f)/while/body/jvp(a)/all_gather"}}\n'
        "  %d = f32[8]{{0}} all-gather-done(%s)\n  ROOT %out",
    )
    kinds = [(c.kind, c.count, c.phase) for c in read(text=text).collectives]
    assert kinds == [("all_reduce", 15, "gradients"), ("all_gather", 8, "batch_statistics")]


def test_scaling_changes_what_depends_on_the_group_alone():
    (collective,) = read(A, B).collectives
    gathered = replace(collective, kind="all_gather", phase="batch_statistics", parts=(Part("a", "statistics", 6),))
    one, other = scaled([collective, gathered], 2, 64)
    assert (one.size, one.group_size) == (collective.size, 64)
    assert (other.count, other.group_size) == (6 * 32, 64)
