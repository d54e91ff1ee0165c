"""The tables and the figure of `experiments.netlab`."""

import io

from rich.console import Console

from nnjax.reporting.figures.lab_points import lab_points
from nnjax.reporting.netlab_tables import fault_table, link_table, point_table


def row(kind, measured, predicted, loss=0.0, bandwidth=20e6, **more):
    return {
        "kind": kind,
        "processes": 2,
        "tensors": 4,
        "bandwidth": bandwidth,
        "delay": 1e-3,
        "loss": loss,
        "measured": measured,
        "predicted": predicted,
        "error": predicted / measured - 1,
        "sent_bytes": [1000.0, 3000.0],
        "bytes_error": -0.01,
        "label": f"{kind} at {bandwidth}",
        **more,
    }


def text_of(table, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


def test_every_point_has_a_row_with_its_link_and_its_error():
    text = text_of(point_table([row("calibration", 0.02, 0.02, bandwidth=None), row("judged", 0.1, 0.12, 0.001)]))
    calibration, judged = (line.split() for line in text.splitlines() if "-1.0" in line)
    assert judged == ["judged", "2", "4", "20", "1", "0.1%", "100.0", "120.0", "+20.0%", "2.0", "-1.0%"]
    assert calibration[3] == "–"
    assert "…" not in text


def test_bytes_are_shown_without_a_time_that_was_not_predicted():
    (line,) = (line for line in text_of(point_table([row("bytes", 0.1, 0.1)])).splitlines() if "bytes" in line)
    assert line.split()[6:9] == ["100.0", "–", "–"]


def test_the_slow_link_stands_out():
    text = text_of(link_table([row("straggler", 0.3, 0.3, link_use=[0.09, 0.09, 0.9])]))
    assert "link of rank 2" in text
    assert "90% busy" in text


def test_a_process_that_hung_is_named():
    fault = {"fault": "cut", "seconds": None, "peer_timeout": 6.0, "codes": [1, None], "line": "process 1 is gone"}
    text = text_of(fault_table([fault, {**fault, "fault": "killed", "seconds": 0.24, "codes": [1, -9]}]))
    assert "never" in text
    assert "0.2 s" in text
    assert "1, –" in text
    assert "1, -9" in text


def test_every_point_is_drawn(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn, bars = [], []
    scatter, barh = Axes.scatter, Axes.barh
    monkeypatch.setattr(
        Axes, "scatter", lambda self, x, y, **more: (drawn.extend(zip(x, y, strict=True)), scatter(self, x, y, **more))
    )
    monkeypatch.setattr(Axes, "barh", lambda self, y, width, **more: (bars.extend(width), barh(self, y, width, **more))[1])
    rows = [
        row("calibration", 0.02, 0.02),
        row("judged", 0.1, 0.12),
        row("judged", 0.4, 0.3, 0.001),
        row("straggler", 0.2, 0.2),
    ]
    lab_points(rows, tmp_path / "figures/netlab.png")
    assert sorted(drawn) == [(20.0, 20.0), (100.0, 120.0), (200.0, 200.0), (400.0, 300.0)]
    assert [round(bar) for bar in bars] == [0, 20, -25, 0]
    assert (tmp_path / "figures/netlab.png").stat().st_size > 10_000
