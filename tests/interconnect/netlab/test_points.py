"""The grid's points: all combinations, judged apart from the calibration, with networks of equal size."""

from itertools import pairwise

import pytest

from nnjax.cli.compose import compose_config, compose_train, conf_dir
from nnjax.config.errors import ConfigError
from nnjax.config.netlab_options import NetlabConfig
from nnjax.interconnect.netlab.points import grid_points, hidden_width, train_overrides
from nnjax.interconnect.netlab.shaping import LinkConditions


def composed(*overrides):
    return compose_config("netlab", list(overrides), NetlabConfig, (conf_dir(),))


def test_the_default_grid_has_at_least_twelve_points_none_of_them_a_calibration():
    points = grid_points(composed())
    assert len(points) == len({point.label for point in points}) == 16
    assert all(point.conditions.bandwidth and point.conditions.delay for point in points)
    assert {point.tensors for point in points} == {4, 14}
    for tensors in (4, 14):  # a window that loss left small must not slow down a point without loss
        losses = [point.conditions.loss for point in points if point.tensors == tensors]
        assert losses == sorted(losses)


def test_a_point_with_loss_is_measured_longer():
    seconds = {point.conditions.loss: point.seconds for point in grid_points(composed("seconds=2"))}
    assert seconds == {0.0: 2.0, 0.001: 8.0}


@pytest.mark.parametrize("layers", [1, 2, 6, 20])
def test_networks_have_equally_many_parameters(layers):
    width = hidden_width(60_000, layers)
    sizes = [64, *[width] * layers, 10]
    parameters = sum((a + 1) * b for a, b in pairwise(sizes))
    assert parameters == pytest.approx(60_000, rel=0.01)


def test_the_overrides_make_a_training_with_a_device_for_each_rank():
    config = composed("hidden_layers=[3]", "train=['training.precision=bfloat16']")
    trained = compose_train(train_overrides(config, 3, 3))
    assert (len(trained.model.hidden), trained.parallel.devices, trained.training.precision) == (3, 3, "bfloat16")
    assert trained.training.global_batch_size % 12 == 0  # for 2, 3 and 4 ranks


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("processes=1", "processes=1: must be a whole number of at least 2"),
        ("losses=[1]", "losses.0=1: must be a number of at least 0 and less than 1"),
        ("mtu=9000", "mtu=9000: must be a whole number of at least 576 and at most 1500"),
        ("parts=[grit]", "parts.0=grit: must be one of bytes, grid, faults, straggler; did you mean grid?"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(override, said):
    with pytest.raises(ConfigError) as caught:
        composed(override)
    assert str(caught.value).splitlines()[0].startswith(said)


def test_labels_name_all_conditions():
    (point, *_) = grid_points(composed("jitter=5e-4", "losses=[0.02]"))
    assert point.label == "4 tensors, 20 Mb/s, 1 ± 0.5 ms, loss 2 %"
    assert point.conditions == LinkConditions(bandwidth=20e6, delay=1e-3, jitter=5e-4, loss=0.02)
