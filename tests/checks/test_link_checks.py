import pytest
from link_presets import device_of, link_of

from nnjax.checks.link_checks import check_link
from nnjax.config.errors import ConfigError


@pytest.mark.parametrize(
    ("link", "device", "group", "message"),
    [
        ({"mtu": 40}, {}, {}, "link.mtu=40: leaves no room for data beside link.header_bytes=52; must be at least 53"),
        ({"jitter": 1.0}, {}, {}, "link.jitter=1.0: a latency of 5e-05 s cannot vary by more than itself; must be at most"),
        ({}, {"name": "measured"}, {}, "device.run: missing; device=measured takes the time of a step from a run"),
        ({}, {"run": "outputs/a"}, {}, "device.run=outputs/a: device=h100 has its own peak; must be null"),
        (
            {},
            {},
            {"algorithm": "hierarchical", "devices": 12},
            "device.per_machine=8: does not divide 12 devices, which a hierarchical exchange needs; such as",
        ),
    ],
)
def test_what_does_not_go_together_is_named(link, device, group, message):
    with pytest.raises(ConfigError) as error:
        check_link(link_of("ethernet_10g", **link), device_of("h100", **device), **group)
    assert str(error.value).startswith(message)


def test_all_faults_are_named_at_once():
    with pytest.raises(ConfigError, match=r"link\.mtu=40[\s\S]*link\.jitter=1\.0"):
        check_link(link_of("ethernet_10g", mtu=40, jitter=1.0), device_of("h100"))


@pytest.mark.parametrize("devices", [4, 8, 16])
def test_machines_that_divide_the_devices_are_right(devices):
    check_link(link_of("roce_100g"), device_of("h100"), algorithm="hierarchical", devices=devices)


def test_a_measured_step_may_be_given_as_a_number():
    check_link(link_of("ethernet_1g"), device_of("cpu", name="measured", step_time=0.03))
