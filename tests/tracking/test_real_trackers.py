"""Runs with all trackers, without an account or network, read back with their own readers."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.trackers,
    pytest.mark.filterwarnings("ignore:.*noload:DeprecationWarning"),  # MLflow's, of SQLAlchemy 2.1
]

ROOT = Path(__file__).parents[2]
TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")
TEXTS = ("config", "checkpoint", "summary")
TINY = (
    "model=fnn",
    "model.hidden=[8]",
    "data.limit_train=80",
    "data.limit_test=30",
    "training.global_batch_size=24",
    "parallel.devices=1",
    f"report.trackers=[{','.join(TRACKERS)}]",
    "report.tracking.patience=300",
)

# What Python itself would send: an address that is no path of a socket file, or a name to look up.
GUARD = """
import os, sys
def guard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0] if event.startswith("socket.get") else arguments[1]
        if not isinstance(address, (str, bytes)) or event.startswith("socket.get"):
            with open(os.environ["GUARD_LOG"], "a") as log:
                log.write(f"{sys.argv[:2]} {event} {address}\\n")
            raise OSError("no network here")
sys.addaudithook(guard)
"""


class Person:
    """A home folder of the test's own, and a Python that notes and refuses each use of the network."""

    def __init__(self, folder):
        self.folder, self.home, self.seen = folder, folder / "home", folder / "network.log"
        for name in ("home", "guard", "scratch"):
            (folder / name).mkdir()
        (folder / "guard/sitecustomize.py").write_text(GUARD)

    def train(self, *overrides, check=0, before=(), **environ):
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("XDG", "WANDB", "MLFLOW", "TRACKIO", "HF_"))
        }
        paths = os.pathsep.join([str(self.folder / "guard"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        more = {
            "HOME": str(self.home),
            "TMPDIR": str(self.folder / "scratch"),
            "GUARD_LOG": str(self.seen),
            "PYTHONPATH": paths,
        }
        command = [*before, sys.executable, "-m", "experiments.train", *overrides]
        done = subprocess.run(command, env=kept | more | environ, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == check, done.stdout + done.stderr
        assert not self.seen.exists(), self.seen.read_text()
        return done


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    return Person(tmp_path_factory.mktemp("person"))


@pytest.fixture(scope="module")
def run(person):
    """A run of two sessions: the second one resumes the first."""
    folder = person.folder / "run"
    first = person.train(*TINY, "training.duration=1epochs", f"hydra.run.dir={folder}")
    second = person.train(f"resume={folder}", "training.duration=2epochs", "report.tracking.checkpoint=copy")
    folder.joinpath("said.txt").write_text(first.stdout + second.stdout)
    return folder


def records_of(run):
    """SPLIT/NAME and step to value, of `metrics.jsonl`."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    about = ("step", "epoch", "split", "seconds")
    return {
        (f"{line['split']}/{key}", line["step"]): value for line in lines for key, value in line.items() if key not in about
    }


def wandb_records(path):
    """The records of a .wandb file: LevelDB's log format (blocks of 32 KiB; checksum, length, kind), each one a protobuf."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, found = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        found += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(found)
            found = b""


def wandb_sessions(run):
    return [list(wandb_records(path)) for path in sorted((run / "wandb").glob("offline-run-*/*.wandb"))]


def rows_of(records):
    for record in records:
        if record.WhichOneof("record_type") == "history":
            row = {}
            for item in record.history.item:
                name, *inner = item.nested_key or [item.key]
                if inner:  # of an image
                    row.setdefault(name, {})[inner[0]] = json.loads(item.value_json)
                else:
                    row[name] = json.loads(item.value_json)
            yield row


def test_weights_and_biases_holds_the_run(run):
    sessions = wandb_sessions(run)
    identity = json.loads((run / ".hydra/run.json").read_text())["id"]
    starts = [record.run for records in sessions for record in records if record.WhichOneof("record_type") == "run"]
    assert {(start.run_id, start.project, start.display_name) for start in starts} == {(identity, "nnjax", "run")}
    assert {(start.host, str(start.git)) for start in starts} == {("", "")}
    assert len(sessions) == 2  # which `wandb sync` puts together, by the identity
    settings = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in starts[0].config.update}
    assert (settings["model.name"], settings["training.global_batch_size"], settings["seed"]) == ("fnn", 24, 0)
    rows = [row for records in sessions for row in rows_of(records)]
    numbers = {
        (key, row["step"]): value for row in rows for key, value in row.items() if "/" in key and not isinstance(value, dict)
    }
    expected = records_of(run)
    assert {place: numbers[place] for place in expected} == pytest.approx(expected, rel=1e-6)
    images = [value for row in rows_of(sessions[1]) for key, value in row.items() if key.startswith("figures/")]
    (folder, _) = sorted((run / "wandb").glob("offline-run-*"))[::-1]
    assert len(images) == len(list((run / "figures").iterdir()))
    assert all((folder / "files" / image["path"]).is_file() for image in images)
    artifacts = [
        record.artifact for records in sessions for record in records if record.WhichOneof("record_type") == "artifact"
    ]
    assert [artifact.type for artifact in artifacts] == ["model", "model"]
    assert all(entry.ref.startswith(f"file://{run}/checkpoints") for entry in artifacts[0].manifest.contents)
    exits = [record.exit.exit_code for records in sessions for record in records if record.WhichOneof("record_type") == "exit"]
    assert exits == [0, 0]


def test_tensorboard_holds_the_run(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    expected = records_of(run)
    found = {(name, event.step): event.value for name in tags["scalars"] if "/" in name for event in events.Scalars(name)}
    assert found == pytest.approx(expected, rel=1e-6)
    assert set(tags["images"]) == {f"figures/{path.stem}" for path in (run / "figures").iterdir()}
    texts = {name: events.Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val[0].decode() for name in TEXTS}
    assert "| model.name | fnn |" in texts["config"]
    assert texts["checkpoint"] == str(run / "checkpoints")
    assert "| status | completed |" in texts["summary"]


def test_mlflow_holds_the_run(run):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{run}/mlflow/mlflow.db")
    (found,) = client.search_runs([client.get_experiment_by_name("nnjax").experiment_id])
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    assert (found.data.params["model.name"], found.data.params["training.duration"]) == ("fnn", "1epoch")
    tags = found.data.tags
    assert (tags["nnjax.resumed.training.duration"], tags["nnjax.status"]) == ("2epochs", "completed")
    for (name, step), value in records_of(run).items():
        points = {point.step: point.value for point in client.get_metric_history(found.info.run_id, name)}
        assert points[step] == pytest.approx(value, rel=1e-6), name
    artifacts = run / "mlflow/artifacts" / found.info.run_id / "artifacts"
    assert {path.name for path in (artifacts / "figures").iterdir()} == {path.name for path in (run / "figures").iterdir()}
    assert json.loads((artifacts / "summary.json").read_text())["test.accuracy"] >= 0
    assert json.loads((artifacts / "checkpoints.json").read_text())["folder"] == str(run / "checkpoints")
    copies = {path.name: path.read_bytes() for path in (artifacts / "checkpoints").iterdir() if path.is_file()}
    assert copies == {path.name: path.read_bytes() for path in (run / "checkpoints").iterdir() if path.is_file()}


def test_trackio_holds_the_run(run):
    with sqlite3.connect(run / "trackio/nnjax.db") as store:
        names = {name for (name,) in store.execute("select run_name from metrics")}
        rows = [(step, json.loads(metrics)) for step, metrics in store.execute("select step, metrics from metrics")]
        ((config,),) = store.execute("select config from configs").fetchall()
        manifests = [json.loads(text) for (text,) in store.execute("select manifest from artifact_versions order by id")]
    store.close()
    identity = json.loads((run / ".hydra/run.json").read_text())["id"]
    assert names == {f"run-{identity[:8]}"}
    assert json.loads(config)["model.name"] == "fnn"
    numbers = {(key, step): value for step, metrics in rows for key, value in metrics.items()}
    expected = records_of(run)
    assert {place: numbers[place] for place in expected} == pytest.approx(expected, rel=1e-6)
    media = [value for (key, _), value in numbers.items() if key.startswith("figures/")]
    assert media
    assert all((run / "trackio/media" / image["file_path"]).is_file() for image in media)
    assert manifests[0][0]["ref"].startswith(f"file://{run}/checkpoints")
    assert "ref" not in manifests[-1][0]  # a copy
    last = max(step for step, _ in rows)
    assert numbers["status", last] == "completed"
    assert numbers["summary/test.accuracy", last] == pytest.approx(expected["test/accuracy", last])


def test_the_console_says_where_the_runs_are(run):
    said = (run / "said.txt").read_text()
    assert f"tensorboard: tensorboard --logdir {run}/tensorboard\n" in said
    assert f"wandb: wandb sync {run}/wandb/offline-run-" in said
    assert f"mlflow: mlflow ui --backend-store-uri sqlite:///{run}/mlflow/mlflow.db\n" in said
    assert f"trackio: TRACKIO_DIR={run}/trackio trackio show --project nnjax\n" in said


def test_nothing_else_on_the_machine_is_touched(person, run):
    """Whatever the cache of compiled programs leaves in the home folder, nothing there is a tracker's."""
    assert not [
        path
        for path in person.home.rglob("*")
        if any(name in path.as_posix() for name in ("wandb", "mlflow", "trackio", "netrc", "hugg"))
    ]
    assert list((person.folder / "scratch").iterdir()) == []
    assert {path.name for path in person.folder.iterdir()} <= {"home", "guard", "scratch", "run", "sweep", "alone"}


def test_the_jobs_of_a_sweep_are_told_apart_in_one_store(person):
    from mlflow.tracking import MlflowClient

    folder = person.folder / "sweep"
    person.train(
        *TINY[:-2],
        *("training.duration=1epochs", "report.trackers=[mlflow]", "report.tracking.project=digits", "-m", "seed=0,1"),
        *(f"report.tracking.folder={folder}/store", "report.figures=false", f"hydra.sweep.dir={folder}"),
    )
    client = MlflowClient(f"sqlite:///{folder}/store/mlflow/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert {each.data.params["seed"] for each in found} == {"0", "1"}
    assert {each.data.tags["nnjax.group"] for each in found} == {f"{person.folder.name}_sweep"}
    assert len({each.info.run_name for each in found}) == 2


@pytest.mark.parametrize("tracker", TRACKERS[1:])
def test_a_run_that_diverged_is_closed_as_failed(person, tracker, tmp_path):
    overrides = ("optimizer=sgd", "optimizer.learning_rate=1e30", "training.duration=1epochs", "report.figures=false")
    person.train(*TINY[:-2], *overrides, f"report.trackers=[{tracker}]", f"hydra.run.dir={tmp_path}/run", check=4)
    run = tmp_path / "run"
    if tracker == "wandb":
        (records,) = wandb_sessions(run)
        assert [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"] == [1]
    elif tracker == "mlflow":
        with sqlite3.connect(run / "mlflow/mlflow.db") as store:
            assert store.execute("select status from runs").fetchall() == [("FAILED",)]
        store.close()
    else:
        with sqlite3.connect(run / "trackio/nnjax.db") as store:
            assert '"status":"diverged"' in b"".join(row[0] for row in store.execute("select metrics from metrics")).decode()
        store.close()


@pytest.mark.netlab
def test_no_packet_leaves_the_machine(person):
    """Also of programs that are not Python: in a network namespace whose counters are the run's alone."""
    count = "cat /proc/net/snmp"
    script = f'ip link set lo up; "$@" > train.out 2>&1; code=$?; {count} > counters.txt; exit $code'
    folder = person.folder / "alone"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    before = (
        "unshare",
        "--net",
        "sh",
        "-c",
        script.replace("train.out", f"{folder}/train.out").replace("counters", f"{folder}/counters"),
        "sh",
    )
    person.train(*TINY, "training.duration=1epochs", f"hydra.run.dir={folder}/run", before=before)
    lines = [line.split() for line in (folder / "counters.txt").read_text().splitlines()]
    counters = {
        (names[0], name): int(value)
        for names, values in zip(lines[::2], lines[1::2], strict=True)
        for name, value in zip(names[1:], values[1:], strict=True)
    }
    assert counters["Ip:", "OutNoRoutes"] == 0
    assert counters["Ip:", "OutRequests"] == 0
    assert counters["Tcp:", "ActiveOpens"] == 0
    assert counters["Udp:", "OutDatagrams"] == 0
    assert (folder / "run/wandb").is_dir()
