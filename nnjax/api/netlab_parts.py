"""The parts of `experiments.netlab`: each opens a lab, trains in it, and returns rows of plain numbers.

    lab = LabSession(config, programs, run_dir, console)
    measure_grid(lab)                           # rows of calibration, and of judged points
    measure_bytes(lab), measure_faults(lab), measure_straggler(lab)

A row's columns follow from its `kind`; `nnjax.reporting.netlab_tables` shows them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnjax.cli.hydra_runner import quoted
from nnjax.config.netlab_options import NetlabConfig
from nnjax.interconnect.collective import Collective
from nnjax.interconnect.netlab.expected import Expected, computing_time, expected_step
from nnjax.interconnect.netlab.lab_network import Network, new_token, open_network
from nnjax.interconnect.netlab.measuring import FAULTS, Measured, break_training, measure
from nnjax.interconnect.netlab.points import STEPS_PER_RECORD, Point, conditions_text, grid_points, train_overrides
from nnjax.interconnect.netlab.ranks import Team, training
from nnjax.interconnect.netlab.shaping import LinkConditions
from nnjax.interconnect.netlab.topology import Lab
from nnjax.reporting.console import RunConsole

Programs = Mapping[tuple[int, int], Sequence[Collective]]
"""What a training sends, by hidden layers and number of ranks."""

Row = dict[str, Any]

BYTE_RANKS = (2, 3, 4)
STRAGGLER_RANKS = 3

_START = 180.0  # seconds for the first record: imports and compilation on a busy machine
_WARM_RECORDS = 3
_BYTE_LINK = LinkConditions(bandwidth=100e6)
_FAST, _SLOW = LinkConditions(bandwidth=100e6, delay=1e-3), LinkConditions(bandwidth=10e6, delay=1e-3)
_FAULT_RANKS, _VICTIM = 2, 1
_CALIBRATION = LinkConditions(delay=2.5e-3)  # unlike all judged points, which have a bandwidth


@dataclass(frozen=True)
class LabSession:
    """What all parts need.

    Attributes:
        config: of the command.
        programs: what each training sends.
        run_dir: folder of the command's run; each training has a folder in it.
        console: shows each result as it comes.
        networks: the labs that were built, for the report.
    """

    config: NetlabConfig
    programs: Programs
    run_dir: Path
    console: RunConsole
    networks: list[Network] = field(default_factory=list)

    @contextmanager
    def network(self, ranks: int) -> Iterator[Network]:
        """A lab of so many ranks."""
        config = self.config
        with open_network(Lab(new_token(), ranks, config.mtu), config.congestion_control, config.seed) as network:
            self.networks.append(network)
            yield network

    @contextmanager
    def trained(self, network: Network, layers: int, name: str, *more: str) -> Iterator[Team]:
        """A training that has passed its first calls, in which the number of steps of a call still grows."""
        folder = self.run_dir.absolute() / name
        overrides = train_overrides(self.config, layers, network.lab.ranks, more)
        with training(network, [*overrides, quoted("hydra.run.dir", folder)], folder) as team:
            team.next_mark(_START)
            team.wait_for(team.look() + _WARM_RECORDS * STEPS_PER_RECORD, _START)
            yield team

    def expect(
        self, layers: int, ranks: int, conditions: LinkConditions, computing: float, measured: float | None = None
    ) -> Expected:
        """The prediction for a training."""
        program = self.programs[layers, ranks]
        return expected_step(program, conditions, ranks, computing, self.config.mtu, measured)

    def computing(self, layers: int, ranks: int, conditions: LinkConditions, measured: float) -> float:
        """The seconds of a measured step that the links do not explain."""
        return computing_time(self.programs[layers, ranks], conditions, ranks, measured, self.config.mtu)


def needed_programs(config: NetlabConfig) -> list[tuple[int, int]]:
    """Hidden layers and ranks of all trainings whose traffic is predicted; the most ranks first."""
    wanted: set[tuple[int, int]] = set()
    if "grid" in config.parts:
        wanted |= {(layers, config.processes) for layers in config.hidden_layers}
    if "bytes" in config.parts:
        wanted |= {(config.hidden_layers[0], ranks) for ranks in BYTE_RANKS}
    if "straggler" in config.parts:
        wanted.add((config.hidden_layers[0], STRAGGLER_RANKS))
    return sorted(wanted, key=lambda key: (-key[1], key[0]))


def measure_grid(lab: LabSession) -> list[Row]:
    """Measures the calibration points and the judged points of each network, in one training each."""
    config, ranks, rows = lab.config, lab.config.processes, list[Row]()
    with lab.network(ranks) as network:
        for layers in config.hidden_layers:
            points = [point for point in grid_points(config) if point.hidden_layers == layers]
            with lab.trained(network, layers, f"grid-{points[0].tensors}-tensors") as team:
                computing, before = _calibrated(lab, network, team, layers)
                rows += before
                for point in points:
                    measured = _at(network, team, point.conditions, point.seconds)
                    expected = lab.expect(layers, ranks, point.conditions, computing)
                    rows.append(_row("judged", network, point, measured, expected))
                    times = f"{_seconds(measured.step_time)}, predicted {_seconds(expected.step_time)}"
                    lab.console.print(f"  {point.label}: {times}")
    return rows


def measure_bytes(lab: LabSession) -> list[Row]:
    """Counts what the interfaces of 2, 3 and 4 processes send."""
    layers, rows = lab.config.hidden_layers[0], list[Row]()
    for ranks in BYTE_RANKS:
        with lab.network(ranks) as network, lab.trained(network, layers, f"bytes-{ranks}") as team:
            measured = _at(network, team, _BYTE_LINK, lab.config.seconds)
            # How many steps a call has follows from the time of a step, so that is taken as measured.
            computing = lab.computing(layers, ranks, _BYTE_LINK, measured.step_time)
            expected = lab.expect(layers, ranks, _BYTE_LINK, computing, measured.step_time)
            rows.append(_row("bytes", network, Point(layers, _BYTE_LINK, lab.config.seconds), measured, expected))
            counted = ", ".join(f"{value:,.0f}" for value in measured.sent_bytes)
            lab.console.print(f"  {ranks} processes: {counted} bytes a step, predicted {expected.sent_bytes:,.0f}")
    return rows


def measure_straggler(lab: LabSession) -> list[Row]:
    """Trains with three processes: all links fast, then the last one slow; each link's use shows which holds the others up."""
    layers, ranks, rows = lab.config.hidden_layers[0], STRAGGLER_RANKS, list[Row]()
    with lab.network(ranks) as network, lab.trained(network, layers, "straggler") as team:
        computing, before = _calibrated(lab, network, team, layers)
        rows += before
        for slowest in (_FAST, _SLOW):
            links = [_FAST] * (ranks - 1) + [slowest]
            network.shape(dict(enumerate(links)))
            measured = measure(team, lab.config.seconds)
            expected = lab.expect(layers, ranks, slowest, computing)
            row = _row("straggler", network, Point(layers, slowest, lab.config.seconds), measured, expected)
            row["link_use"] = [
                8 * sent / measured.step_time / link.bandwidth
                for sent, link in zip(measured.sent_bytes, links, strict=True)
                if link.bandwidth
            ]
            rows.append(row)
            used = ", ".join(f"{share:.0%}" for share in row["link_use"])
            step = _seconds(measured.step_time)
            lab.console.print(f"  slowest link {conditions_text(slowest)}: {step}; use of the links: {used}")
    return rows


def measure_faults(lab: LabSession) -> list[Row]:
    """Kills and freezes a process, and cuts its link; every other process must end by itself."""
    timeout, rows = lab.config.peer_timeout, list[Row]()
    for fault in FAULTS:
        with lab.network(_FAULT_RANKS) as network:
            limit = f"parallel.peer_timeout={timeout:g}"
            with lab.trained(network, lab.config.hidden_layers[0], f"fault-{fault}", limit) as team:
                ended = break_training(team, network, fault, _VICTIM, timeout)
        rows.append(
            {
                "kind": "fault",
                "fault": fault,
                "processes": _FAULT_RANKS,
                "seconds": ended.longest,
                "peer_timeout": timeout,
                "codes": list(ended.codes),
                "line": ended.line,
            }
        )
        took = "a process hung" if ended.longest is None else f"all others ended after {ended.longest:.1f} s"
        lab.console.print(f"  {fault}: {took}: {ended.line}")
    return rows


def _at(network: Network, team: Team, conditions: LinkConditions, seconds: float) -> Measured:
    network.shape(dict.fromkeys(range(network.lab.ranks), conditions))
    return measure(team, seconds)


def _calibrated(lab: LabSession, network: Network, team: Team, layers: int) -> tuple[float, list[Row]]:
    """Measures a step with a delay that no judged point has; returns the seconds that the links do not hide.

    A step without any limit is measured, too, and shown; nothing follows from it.
    """
    ranks, seconds, rows = network.lab.ranks, lab.config.seconds, list[Row]()
    found = {conditions: _at(network, team, conditions, seconds) for conditions in (LinkConditions(), _CALIBRATION)}
    computing = lab.computing(layers, ranks, _CALIBRATION, found[_CALIBRATION].step_time)
    for conditions, measured in found.items():
        expected = lab.expect(layers, ranks, conditions, computing, measured.step_time)
        rows.append(
            _row(
                "calibration" if conditions == _CALIBRATION else "unlimited",
                network,
                Point(layers, conditions, seconds),
                measured,
                expected,
            )
        )
    return computing, rows


def _row(kind: str, network: Network, point: Point, measured: Measured, expected: Expected) -> Row:
    conditions = point.conditions
    mean_bytes = sum(measured.sent_bytes) / len(measured.sent_bytes)
    return {
        "kind": kind,
        "processes": network.lab.ranks,
        "tensors": point.tensors,
        "bandwidth": conditions.bandwidth,
        "delay": conditions.delay,
        "jitter": conditions.jitter,
        "loss": conditions.loss,
        "steps": measured.steps,
        "steps_per_call": expected.steps_per_call,
        "measured": measured.step_time,
        "measured_median": measured.median_time,
        "predicted": expected.step_time,
        "error": expected.step_time / measured.step_time - 1,
        "sent_bytes": list(measured.sent_bytes),
        "predicted_bytes": expected.sent_bytes,
        "bytes_error": expected.sent_bytes / mean_bytes - 1,
        "sent_packets": list(measured.sent_packets),
        "predicted_packets": expected.sent_packets,
        "applied_by": network.means.of(conditions),
        "label": point.label,
    }


def _seconds(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"
