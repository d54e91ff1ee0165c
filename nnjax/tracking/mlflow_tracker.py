"""Writes a run into a local store of MLflow, an SQLite file beside a folder of artifacts.

    mlflow ui --backend-store-uri sqlite:////home/me/outputs/train/…/mlflow/mlflow.db

It runs in a process of its own: see `nnjax.tracking.tracker_process`. `MLFLOW_TRACKING_URI` names another store or a server.
The package mlflow-skinny is enough; the page that shows a store is in the package mlflow, which may be installed elsewhere.
"""

import fcntl
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nnjax.tracking.tracker import SUCCEEDED, Scalar, TrackedRun, checkpoint_files

_RUN_ID = "nnjax.run_id"
_MOST_METRICS, _MOST_PARAMS, _LONGEST = 1000, 100, 5000  # MLflow refuses larger requests


class MLflow:
    """One run of MLflow, found again by the tag `nnjax.run_id`."""

    def __init__(self) -> None:
        self._client: Any = None
        self._run_id = ""

    def start(self, run: TrackedRun, config: Mapping[str, Scalar]) -> str:
        """Creates the run, or opens the one of the earlier sessions."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        uri, name = os.environ.get("MLFLOW_TRACKING_URI"), os.environ.get("MLFLOW_EXPERIMENT_NAME", run.project)
        if uri:
            self._client = client = MlflowClient(tracking_uri=uri)
            place, experiment = uri, _experiment(client, name, None)
        else:
            uri = f"sqlite:///{run.store / 'mlflow.db'}"
            place = f"mlflow ui --backend-store-uri {shlex.quote(uri)}"
            with _alone_in(run.store):
                self._client = client = MlflowClient(tracking_uri=uri)
                experiment = _experiment(client, name, (run.store / "artifacts").as_uri())
        found = client.search_runs([experiment], f"tags.`{_RUN_ID}` = '{run.run_id}'", max_results=1)
        known: Mapping[str, str] = found[0].data.params if found else {}
        if found:
            self._run_id = found[0].info.run_id
            client.update_run(self._run_id, status="RUNNING")
        else:
            tags = {_RUN_ID: run.run_id, "nnjax.folder": str(run.folder)} | ({"nnjax.group": run.group} if run.group else {})
            tags |= {"mlflow.source.name": "nnjax", "mlflow.user": "nnjax"}
            self._run_id = client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
        settings = {key: "null" if value is None else str(value)[:_LONGEST] for key, value in config.items()}
        new = [Param(key, value) for key, value in settings.items() if key not in known]
        for part in _parts(new, _MOST_PARAMS):
            client.log_batch(self._run_id, params=part)
        for key, value in settings.items():  # MLflow keeps the first value of a parameter
            if known.get(key, value) != value:
                client.set_tag(self._run_id, f"nnjax.resumed.{key}", value)
        return place

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes numbers."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(name, value, now, step) for name, value in metrics.items()]
        for part in _parts(points, _MOST_METRICS):
            self._client.log_batch(self._run_id, metrics=part)

    def figure(self, path: Path) -> None:
        """Copies the picture to the artifacts."""
        self._client.log_artifact(self._run_id, str(path), "figures")

    def checkpoint(self, folder: Path, copy: bool) -> None:
        """Writes the folder and its files' sizes; with `copy` also the files."""
        self._client.set_tag(self._run_id, "nnjax.checkpoints", str(folder))
        listed = {"folder": str(folder), "files": checkpoint_files(folder)}
        self._client.log_dict(self._run_id, listed, "checkpoints.json")
        if copy:
            self._client.log_artifacts(self._run_id, str(folder), "checkpoints")

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Writes the summary as an artifact, the status, and its reason."""
        if self._client is None:
            return
        self._client.log_dict(self._run_id, {"status": status, **summary}, "summary.json")
        for key in ("status", "reason", "error"):
            if text := {**summary, "status": status}.get(key):
                self._client.set_tag(self._run_id, f"nnjax.{key}", str(text)[:_LONGEST])
        ended = "FINISHED" if status in SUCCEEDED else "KILLED" if status in ("preempted", "killed") else "FAILED"
        self._client.set_terminated(self._run_id, ended)


@contextmanager
def _alone_in(store: Path) -> Iterator[None]:
    """Makes a local store, one process at a time: the jobs of a sweep may share it, and MLflow creates tables in steps.

    MLflow makes an empty folder `mlruns` where the process stands; here that is the store, from which it is removed.
    """
    store.mkdir(parents=True, exist_ok=True)
    os.chdir(store)
    with (store / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            with suppress(OSError):
                (store / "mlruns").rmdir()


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    """The id of an experiment, which is made if it is not there; another job of a sweep may make it at the same time."""
    from mlflow.exceptions import MlflowException

    if (found := client.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=artifacts))
    except MlflowException:
        if (found := client.get_experiment_by_name(name)) is None:
            raise
        return str(found.experiment_id)


def _parts(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + most] for start in range(0, len(items), most))
