"""A lab that is built: its links do what they are told, and nothing of it is left, however it ends. Needs root.

Times are only bounded from below, by what a packet cannot be faster than: a busy machine is no fault.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from nnjax.config.errors import ConfigError, UserError
from nnjax.interconnect.netlab import lab_state, system
from nnjax.interconnect.netlab.lab_network import new_token, open_network
from nnjax.interconnect.netlab.lab_state import clear_leftovers
from nnjax.interconnect.netlab.shaping import LinkConditions, Means
from nnjax.interconnect.netlab.topology import Lab

TALKER = str(Path(__file__).with_name("talker.py"))
ROOT = Path(__file__).parents[3]


def present(lab):
    return [name for name in lab.namespaces if Path("/run/netns", name).exists()]


def machine_links():
    """The machine's own interfaces and addresses, without counters."""
    found = json.loads(subprocess.run(["ip", "-j", "addr"], capture_output=True, check=True).stdout)
    return [(link["ifname"], link.get("mtu"), [address["local"] for address in link["addr_info"]]) for link in found]


@contextmanager
def talking(network, folder):
    """Rank 1 answers; yields a function with which rank 0 asks."""
    with (folder / "server").open("wb") as output:
        server = network.start(1, [sys.executable, TALKER, "serve"], os.environ, output)
    deadline = time.monotonic() + 20
    while b"ready" not in (folder / "server").read_bytes():
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)

    def ask(count, times, seconds=30):
        words = [sys.executable, TALKER, "ask", network.lab.host(1), str(count), str(times)]
        with (folder / "client").open("wb") as output:
            client = network.start(0, words, os.environ, output)
            try:
                code = client.wait(seconds)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()
                return None
        said = (folder / "client").read_text()
        assert code == 0, said
        return [float(line) for line in said.split()]

    try:
        yield ask
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    before = machine_links()
    folder = tmp_path_factory.mktemp("lab")
    lab = Lab(new_token(), 2)
    with open_network(lab, "reno", seed=1) as network, talking(network, folder) as ask:
        yield network, ask
        assert machine_links() == before
    assert present(lab) == []
    assert not (lab_state.STATE_DIR / f"{lab.token}.json").exists()
    assert not (lab_state.STATE_DIR / f"{lab.token}.hosts").exists()
    assert machine_links() == before


@pytest.mark.netlab
def test_headers_are_paid_for_each_packet_of_the_mtu(lab):
    network, ask = lab
    network.shape({})
    before = network.counters(0)
    ask(1448 * 500 - 8, 1)
    sent = network.counters(0).since(before)
    # the connection's beginning and end, and acknowledgements, besides
    assert 500 <= sent.sent_packets <= 520
    assert 500 * 1514 <= sent.sent_bytes <= 500 * 1514 + 20 * 80


@pytest.mark.netlab
def test_a_bandwidth_limits(lab):
    network, ask = lab
    network.shape({rank: LinkConditions(bandwidth=20e6) for rank in range(2)})
    (seconds,) = ask(500_000, 1)
    assert seconds >= 0.98 * 8 * 500_000 / 20e6


@pytest.mark.netlab
@pytest.mark.parametrize("conditions", [LinkConditions(delay=0.02), LinkConditions(delay=0.03, jitter=0.01)])
def test_a_delay_counts_there_and_back(lab, conditions):
    network, ask = lab
    network.shape({0: conditions, 1: conditions})
    assert min(ask(0, 4)) >= 2 * (conditions.delay - conditions.jitter)
    network.shape({1: conditions})  # only packets to rank 1 wait
    assert min(ask(0, 4)) >= conditions.delay - conditions.jitter
    network.shape({})
    assert min(ask(0, 20)) < 0.01


def lost_of(network, ask):
    """Packets that were sent again, of 1400."""
    before = network.counters(0)
    ask(1448 * 1400 - 8, 1, 120)
    return network.counters(0).since(before).sent_packets - 1400


@pytest.mark.netlab
def test_without_nft_the_relay_loses_packets(lab):
    network, ask = lab
    means, network.means = network.means, Means(netem=False, nft=False)
    try:
        network.shape({1: LinkConditions(loss=0.1)})
        assert network.means.of(LinkConditions(loss=0.1)) == {"loss": "relay"}
        assert lost_of(network, ask) > 40
        network.shape({})
        assert min(lost_of(network, ask) for _ in range(3)) < 20  # on a busy machine TCP sends some again by itself
    finally:
        network.means = means


@pytest.mark.netlab
@pytest.mark.nft
def test_nft_loses_packets(lab):
    network, ask = lab
    assert network.means.nft
    network.shape({1: LinkConditions(loss=0.1)})
    if not network.means.netem:
        assert network.means.of(LinkConditions(loss=0.1)) == {"loss": "nft"}
    assert lost_of(network, ask) > 40
    network.shape({})
    assert min(lost_of(network, ask) for _ in range(3)) < 20


@pytest.mark.netlab
def test_nothing_passes_a_cut_link_until_it_is_mended(lab):
    network, ask = lab
    network.shape({1: LinkConditions(cut=True)})
    assert ask(0, 1, seconds=2) is None
    network.shape({})
    assert ask(0, 1)


@pytest.mark.netlab
def test_an_unknown_congestion_control_is_refused_with_those_that_there_are():
    with (
        pytest.raises(ConfigError, match=r"^congestion_control=vegan: must be one of .*reno"),
        open_network(Lab("0", 2), "vegan"),
    ):
        pass
    assert present(Lab("0", 2)) == []


@pytest.mark.netlab
def test_a_command_that_fails_is_named_and_leaves_nothing(monkeypatch):
    lab = Lab(new_token(), 2)
    monkeypatch.setattr(Lab, "gateway", lambda self, rank: "198.18.900.1")
    with pytest.raises(UserError, match=r"^ip -n nnl-\S+-hub addr add 198.18.900.1/24 dev nnl-0: "), open_network(lab, "reno"):
        pass
    assert present(lab) == []


KILLED = """
import sys, time
from nnjax.interconnect.netlab.lab_network import open_network
from nnjax.interconnect.netlab.shaping import LinkConditions
from nnjax.interconnect.netlab.topology import Lab
with open_network(Lab(sys.argv[1], 2), "reno") as network:
    network.shape({0: LinkConditions(delay=1e-3)})
    sleeper = network.start(0, ["sleep", "600"], {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}, open("/dev/null", "wb"))
    print(sleeper.pid, network._relay.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.netlab
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_dead_lab_leaves_is_cleared_and_a_living_one_is_not(number):
    lab, living = Lab(new_token(), 2), Lab(new_token(), 2)
    words = [
        sys.executable,
        "-c",
        ("import nnjax.config.leaving as l; l.begin()\n" if number == signal.SIGTERM else "") + KILLED,
    ]
    with open_network(living, "reno"):
        process = subprocess.Popen([*words, lab.token], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        assert len(present(lab)) == 3
        process.send_signal(number)
        process.wait(20)
        process.stdout.close()
        if number == signal.SIGKILL:
            assert len(present(lab)) == 3
            assert lab.hub in clear_leftovers()
        assert present(lab) == []
        assert len(present(living)) == 3
    deadline = time.monotonic() + 10
    while any(lab_state.start_time(pid) is not None and "Z" not in state(pid) for pid in pids):
        assert time.monotonic() < deadline, "a process was left"
        time.sleep(0.02)


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_reused_number_of_a_process_is_not_killed(monkeypatch):
    killed = []
    monkeypatch.setattr(lab_state, "_kill", killed.append)
    own = lab_state.start_time(os.getpid())
    lab_state.remove(["eth0", "nnl-not-ours", "nnl-0a-9x"], [(os.getpid(), own + 1), (2**22 + 1, 5)])
    assert killed == []
    lab_state.remove([], [(os.getpid(), own)])
    assert killed == [os.getpid()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda patch: patch.setattr(os, "geteuid", lambda: 1000), "needs root"),
        (lambda patch: patch.setattr(sys, "platform", "darwin"), "needs Linux"),
        (
            lambda patch: patch.setattr(system.shutil, "which", lambda name: None if name == "tc" else name),
            "needs the command tc",
        ),
        (lambda patch: patch.setattr(system, "TUN", Path("/dev/net/none")), "needs /dev/net/none"),
    ],
)
def test_what_is_missing_is_said_in_one_line(monkeypatch, change, said):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system.shutil, "which", lambda name: name)
    monkeypatch.setattr(system, "TUN", Path("/dev/null"))
    assert system.missing_here() == ""
    change(monkeypatch)
    with pytest.raises(UserError, match=f"^netlab: {said}") as caught:
        system.check_machine()
    assert "\n" not in str(caught.value)
