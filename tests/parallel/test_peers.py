"""How the end of one process ends the others: here between threads, over real sockets."""

import socket
import threading
from types import SimpleNamespace

import pytest

from nnjax.config.processes import TOKEN, Processes
from nnjax.parallel import cluster, peers
from nnjax.parallel.jax_runtime import PeerError
from nnjax.parallel.peers import Peers, Timeouts


class JaxRuntimeError(Exception):
    """Has the name of JAX's."""


class Ends(Peers):
    """A process whose end is noted, and not done."""

    def __init__(self, rank, count, silence):
        super().__init__(Processes(rank, count, "test", local_rank=rank), Timeouts(peer=silence, start=20))
        self.ends = []
        self.ended = threading.Event()

    def _exit(self, code, line):
        self.ends.append((code, line))
        self.ended.set()


@pytest.fixture
def connected(monkeypatch):
    """Makes so many connected processes."""
    monkeypatch.setattr(peers, "forget", lambda: None)
    monkeypatch.setattr(peers, "_PARTING", 1)
    monkeypatch.setenv(TOKEN, "secret")
    made = []

    def connect(count, silence=20.0):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
        team = [Ends(rank, count, silence) for rank in range(count)]
        threads = [threading.Thread(target=one.connect, args=(address,)) for one in team]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        made.extend(team)
        return team

    yield connect
    for one in made:
        for line in one._line.lines.values():
            line.is_over = True
            line.close()


def gone(process):
    """Ends a process without a word."""
    process._line.lines[0].close()


def test_the_loss_of_a_process_is_told_to_all_with_step_and_checkpoint(connected):
    first, second, third = connected(3)
    for one in (first, third):
        one.note(step=40, saved=20)
    first.before_loss.append(lambda: first.note(saved=40))
    gone(second)
    assert first.ended.wait(10)
    assert third.ended.wait(10)
    (code, line), (other_code, _) = first.ends[0], third.ends[0]
    assert (code, other_code) == (1, 1)
    assert line.startswith("process 1 of 3 on ")
    assert line.endswith("is gone, at step 40; the last checkpoint is of step 40")


def test_a_whole_result_is_not_changed_by_the_end_of_a_peer(connected):
    first, second = connected(2)
    first.on_loss.append(lambda line: pytest.fail("the summary became failed"))
    first.needs_nobody = True
    gone(second)
    assert not first.ended.wait(1)
    assert first.finish(0) == 0


def test_all_are_as_patient_as_process_0(monkeypatch):
    """The others may not have its config, as at a resume."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    first, second = Ends(0, 2, 900.0), Ends(1, 2, 2.0)
    threading.Thread(target=first.connect, args=(address,)).start()
    second.connect(address)
    assert not second.ended.wait(4)  # process 0 gives signs of life for the least patient
    assert second._line.lines[0].silence == 900.0
    for one in (first, second):
        for line in one._line.lines.values():
            line.is_over = True
            line.close()


def test_a_process_that_is_turned_away_says_so_beside_process_0_too():
    hub, other = peers.Hub(2, 20.0, lambda peer, said: None), Ends(1, 3, 20.0)
    for target, arguments in ((hub.accept, (5,)), (other.connect, (f"127.0.0.1:{hub.port}",))):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    assert other.ended.wait(10)
    assert other.ends == [
        (1, "process 1 of 3 was turned away: process 0 is one of 2 (NNJAX_PROCESSES, or what the engine says)")
    ]


def test_who_waited_in_vain_says_who_was_turned_away(monkeypatch):
    def accept(hub, seconds):
        hub._server.close()
        hub.refusal = "process 1 of 3 was turned away: …"
        return [1]

    monkeypatch.setattr(peers.Hub, "accept", accept)
    with pytest.raises(PeerError, match=r"^process 1 of 2 did not come within 20 s .*; process 1 of 3 was turned away: …$"):
        Ends(0, 2, 20.0).connect("127.0.0.1:0")


def test_an_error_of_jax_waits_for_the_thread_that_saves(connected):
    first, second = connected(2)
    may_save = threading.Event()
    first.before_loss.append(lambda: may_save.wait(20))
    gone(second)
    went_on = threading.Event()

    def explain():
        first.explain(JaxRuntimeError("Connection closed by peer"))
        went_on.set()

    threading.Thread(target=explain, daemon=True).start()
    assert not went_on.wait(3)
    may_save.set()
    assert first.ended.wait(10)


def test_a_fault_of_all_processes_is_said_once_however_late_process_0_comes_to_it(connected, monkeypatch):
    """On a busy machine it comes to its own error when it has already said that of another."""
    monkeypatch.setattr(peers, "_SAME_FAULT", 0)
    monkeypatch.setattr(peers, "_PARTING", 0.1)
    first, second = connected(2)
    end, says = threading.Event(), Ends._exit
    monkeypatch.setattr(first, "_exit", lambda code, line: (says(first, code, line), end.wait(20)))
    late = threading.Thread(target=second.fail, args=(2, "3 processes cannot share"), daemon=True)
    late.start()
    assert first.ended.wait(10)  # its last line is being written
    assert first.fail(2, "3 processes cannot share")
    end.set()
    late.join(20)
    assert len(first.ends) == 1


def test_a_finished_run_dismisses_a_process_that_waits_for_the_start(connected):
    first, second = connected(2)
    threading.Thread(target=second.exchange, args=({"data": "x"},), daemon=True).start()
    first.dismiss(0)
    assert second.ended.wait(10)
    assert second.ends == [(0, "")]


def test_a_failed_program_does_not_train_together_again(connected, monkeypatch):
    first, second = connected(2)
    monkeypatch.setattr(peers, "_joined", [first])
    assert cluster.join(first.processes, first.timeouts) is first
    first.fail(3, "no data")
    with pytest.raises(PeerError, match="start the program again"):
        cluster.join(first.processes, first.timeouts)
    assert second.ended.wait(10)


def test_a_process_that_stops_taking_a_broadcast_is_named_and_the_others_end(connected, monkeypatch):
    """The message that it does not take must not keep process 0 from telling the others."""
    first, second, third = connected(3, silence=3.0)
    line, wakes = second._line.lines[0], threading.Event()
    # Like a process that is frozen: it sends nothing, and its receiving thread stands still.
    monkeypatch.setattr(line, "send", lambda head, payload=b"": None)
    monkeypatch.setattr(line, "inbox", SimpleNamespace(put=lambda item: wakes.wait(60)))
    threading.Thread(target=first.broadcast, args=(bytes(1),), daemon=True).start()
    threading.Thread(target=first.broadcast, args=(bytes(64_000_000),), daemon=True).start()
    assert first.ended.wait(20)
    assert third.ended.wait(20)
    assert "gave no sign of life for 3 s" in first.ends[0][1]
    assert third.ends[0][0] == 1
    wakes.set()
