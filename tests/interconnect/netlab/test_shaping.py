"""The commands that make and shape a lab: what they name, and what they apply with what."""

import re

import pytest

from nnjax.interconnect.netlab.shaping import (
    LinkConditions,
    Means,
    needs_relay,
    relay_commands,
    shape_commands,
    unrelay_commands,
)
from nnjax.interconnect.netlab.topology import LINK, PREFIX, Lab, as_machine, build_commands

LAB = Lab("1f3a", 3)
PLAIN, NFT, NETEM = Means(netem=False, nft=False), Means(netem=False, nft=True), Means(netem=True, nft=True)


def words_of(commands):
    return [" ".join(command) for command in commands]


def test_every_interface_is_made_inside_of_a_namespace_of_the_lab():
    assert LAB.namespaces == ("nnl-1f3a-hub", "nnl-1f3a-0", "nnl-1f3a-1", "nnl-1f3a-2")
    conditions = LinkConditions(bandwidth=1e6, delay=1e-3, loss=0.1, cut=True)
    commands = [*build_commands(LAB, "reno"), *relay_commands(LAB), *unrelay_commands(LAB)]
    commands += [command for means in (PLAIN, NFT, NETEM) for command in shape_commands(LAB, 1, conditions, means)]
    for command in commands:
        if command[:3] in (("ip", "netns", "add"), ("ip", "netns", "exec")):
            assert command[3] in LAB.namespaces
        else:
            assert command[0] in ("ip", "tc")
            assert (command[1], command[2] in LAB.namespaces) == ("-n", True), command
    made = [command[i + 1] for command in commands for i, word in enumerate(command) if word == "dev"]
    assert all(name.startswith(PREFIX) or name == "lo" for name in made)
    assert all(len(name) < 16 for name in made)  # the kernel's limit for interfaces


def test_segments_leave_as_packets_of_the_mtu():
    links = [
        text for text in words_of(build_commands(Lab("1f3a", 2, mtu=1400), "reno")) if "mtu" in text and "veth" not in text
    ]
    assert len([text for text in links if "mtu 1400 gso_max_size 1500 gso_max_segs 1" in text]) == 4


def test_the_congestion_control_is_set_in_each_namespace():
    settings = [text for text in words_of(build_commands(LAB, "cubic")) if "tcp_congestion_control" in text]
    assert len(settings) == 4
    assert all("echo cubic > /proc/sys/net/ipv4/tcp_congestion_control" in text for text in settings)


def test_a_process_sees_a_host_name_of_its_own_and_nothing_outside_changes():
    command = as_machine(LAB, 2, "/run/hosts", "python", "-m", "it")
    assert command[:6] == ("ip", "netns", "exec", "nnl-1f3a-2", "unshare", "--uts")
    assert command[-6:] == ("sh", "rank-2", "/run/hosts", "python", "-m", "it")
    assert LAB.hosts.splitlines()[1:] == ["198.18.0.2 rank-0", "198.18.1.2 rank-1", "198.18.2.2 rank-2"]


@pytest.mark.parametrize(
    ("means", "conditions", "relayed"),
    [
        (PLAIN, LinkConditions(bandwidth=1e6), False),
        (PLAIN, LinkConditions(delay=1e-3), True),
        (PLAIN, LinkConditions(jitter=1e-3), True),
        (PLAIN, LinkConditions(loss=1e-3), True),
        (NFT, LinkConditions(loss=1e-3), False),
        (NFT, LinkConditions(delay=1e-3, loss=1e-3), True),
        (NETEM, LinkConditions(delay=1e-3, loss=1e-3), False),
    ],
)
def test_the_relay_does_what_the_kernel_cannot(means, conditions, relayed):
    assert needs_relay(conditions, means) == relayed
    assert ("relay" in " ".join(means.of(conditions).values())) == relayed


def test_bandwidth_holds_in_both_directions():
    texts = words_of(shape_commands(LAB, 1, LinkConditions(bandwidth=20e6), PLAIN))
    limited = [text for text in texts if "tbf rate 20000000bit burst 3028" in text]
    assert [re.search(r"-n (\S+) .* dev (\S+) ", text).groups() for text in limited] == [
        ("nnl-1f3a-1", LINK),
        ("nnl-1f3a-hub", "nnl-1"),
    ]


def test_nft_drops_a_share_of_what_arrives():
    (rule,) = (command[-1] for command in shape_commands(LAB, 0, LinkConditions(loss=0.0125), NFT) if "nft" in command)
    assert "iifname nnl-link meta l4proto tcp numgen random mod 1000000 < 12500 counter drop" in rule
    (none,) = (command[-1] for command in shape_commands(LAB, 0, LinkConditions(), NFT) if "nft" in command)
    assert none == "table inet nnl; delete table inet nnl"


def test_netem_has_delay_jitter_loss_and_bandwidth():
    conditions = LinkConditions(bandwidth=1e6, delay=2e-3, jitter=5e-4, loss=0.01)
    (down,) = (text for text in words_of(shape_commands(LAB, 0, conditions, NETEM)) if "netem" in text)
    assert down.endswith("dev nnl-0 root netem limit 100000 delay 2000us 500us loss 1.000000% rate 1000000bit")


def test_a_cut_link_is_down_and_comes_up_again():
    assert words_of(shape_commands(LAB, 1, LinkConditions(cut=True), PLAIN))[-1].endswith("set dev nnl-1 down")
    assert words_of(shape_commands(LAB, 1, LinkConditions(), PLAIN))[-1].endswith("set dev nnl-1 up")
