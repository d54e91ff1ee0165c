"""The presets of links and devices: every file is read, every number states its source, and wrong values are refused."""

import re
from dataclasses import fields
from typing import get_args

import pytest
from link_presets import CONF, device_of, link_of

from nnjax.config.errors import ConfigError
from nnjax.config.link_options import Device, DeviceName, Link, LinkName

PRESETS = sorted([*(CONF / "link").glob("*.yaml"), *(CONF / "device").glob("*.yaml")])
GIVEN = {
    "link": {"custom": {"bandwidth": 1e9, "latency": 1e-3}},
    "device": {"custom": {"peak_flops": 1e12, "flops_share": 0.5}},
}


def preset(path):
    group, name = path.parent.name, path.stem
    return (link_of if group == "link" else device_of)(name, **GIVEN[group].get(name, {}))


def test_every_name_has_a_file():
    assert {path.stem for path in PRESETS if path.parent.name == "link"} == set(get_args(LinkName))
    assert {path.stem for path in PRESETS if path.parent.name == "device"} == set(get_args(DeviceName))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_preset_is_read_and_says_where_its_numbers_are_from(path):
    assert preset(path).name == path.stem
    keys = [item.name for item in fields(Link if path.parent.name == "link" else Device)]
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert [line.partition(":")[0] for line in lines] == keys
    for line in lines[1:]:
        assert re.fullmatch(r"\w+: \S+ +# \S.{2,}", line), line
    assert path.read_text().startswith("# ")
    assert "python -m experiments.traffic" in path.read_text().splitlines()[0] + path.read_text().splitlines()[1]


@pytest.mark.parametrize("group", ["link", "device"])
def test_what_has_no_default_must_be_given(group):
    read = link_of if group == "link" else device_of
    with pytest.raises(ConfigError) as error:
        read("custom")
    for key in GIVEN[group]["custom"]:
        assert f"{key}: missing" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": 1.0}, "loss=1.0: must be a number of at least 0 and less than 1"),
        ({"bandwidth": 0}, "bandwidth=0: must be a number greater than 0"),
        ({"oversubscription": 0.5}, "oversubscription=0.5: must be a number of at least 1"),
        ({"transport": "udp"}, "transport=udp: must be one of tcp, go_back_n, go_back_0, selective_repeat"),
        ({"windw": 4}, "windw=4: unknown key; did you mean window"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(changes, message):
    with pytest.raises(ConfigError) as error:
        link_of("roce_100g", **changes)
    assert str(error.value).startswith(message), str(error.value)


def test_payload_and_round_trip():
    assert link_of("ethernet_10g").payload == 1448
    assert link_of("infiniband_400g").payload == 4096
    assert link_of("ethernet_10g").round_trip == pytest.approx(1e-4)
