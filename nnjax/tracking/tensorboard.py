"""Writes TensorBoard's event files with tensorboardX: `tensorboard --logdir RUN/tensorboard`, or `--logdir outputs` for all.

    tracker = TensorBoard()
    tracker.start(run, {"model.name": "cnn"})
    tracker.log(60, {"train/loss": 0.35})

It is light, so it writes in the training's own process. Each event is written as it comes: a full disk raises here, where the
queue of `tensorboardX.SummaryWriter` would block, and its `flush` waits for the disk (fsync).
"""

import os
import shlex
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from nnjax.tracking.tracker import SUCCEEDED, Scalar, TrackedRun


class TensorBoard:
    """A writer of one file of events; a resumed run adds a file to the folder, which TensorBoard shows as one run."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._config: Mapping[str, Scalar] = {}
        self._tags: set[str] = set()
        self._step = 0

    def start(self, run: TrackedRun, config: Mapping[str, Scalar]) -> str:
        """Opens the file. Of a resumed run, TensorBoard drops the events after the step that it resumes from."""
        import tensorboardX  # noqa: F401  (missing, it must be missed before there is a file)
        from tensorboardX.proto.event_pb2 import SessionLog

        run.store.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = (run.store / name).open("xb", buffering=0)
        self._config = config
        self._event(file_version="brain.Event:2")
        if run.resume_step is not None:
            self._event(step=run.resume_step + 1, session_log=SessionLog(status=SessionLog.START))
        self._text("config", _table(config))
        return f"tensorboard --logdir {shlex.quote(str(run.store))}"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes scalars."""
        from tensorboardX.proto.summary_pb2 import Summary

        self._step = step
        for name, value in metrics.items():
            self._tags.add(name)
            self._event(step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))

    def figure(self, path: Path) -> None:
        """Writes the PNG as it is."""
        from tensorboardX.proto.summary_pb2 import Summary

        data = path.read_bytes()
        width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))  # PNG's header
        image = Summary.Image(encoded_image_string=data, colorspace=3, width=width, height=height)
        self._event(step=self._step, summary=Summary(value=[Summary.Value(tag=f"figures/{path.stem}", image=image)]))

    def checkpoint(self, folder: Path, copy: bool) -> None:
        """Writes the folder as text: events hold no files."""
        self._text("checkpoint", str(folder))

    def finish(self, status: str, summary: Mapping[str, Scalar]) -> None:
        """Writes status, summary, and what the page of hyperparameters shows."""
        from tensorboardX.summary import hparams

        if self._file is None:
            return
        settings = {key: value for key, value in self._config.items() if value is not None}
        tags = sorted(tag for tag in self._tags if "_trial_" not in tag)
        experiment, begun, ended = hparams(settings, dict.fromkeys(tags, 0.0))
        try:
            self._text("summary", _table({"status": status, **summary}))
            for part in (experiment, begun, *([ended] if status in SUCCEEDED else [])):
                self._event(step=self._step, summary=part)
        finally:
            self._file.close()
            self._file = None

    def _text(self, tag: str, text: str) -> None:
        from tensorboardX.summary import text as summary_of_text

        self._event(step=self._step, summary=summary_of_text(tag, text))

    def _event(self, **content: Any) -> None:
        """Appends a record: length (uint64), its checksum (uint32), the event and its checksum, as in TFRecord files."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        assert self._file is not None
        event = Event(wall_time=time.time(), **content).SerializeToString()
        length = struct.pack("<Q", len(event))
        checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, event)]
        self._file.write(length + checksums[0] + event + checksums[1])


def _table(values: Mapping[str, Scalar]) -> str:
    """A table in Markdown."""
    rows = [f"| {key} | {'' if value is None else str(value).replace('|', chr(92) + '|')} |" for key, value in values.items()]
    return "\n".join(["| key | value |", "|---|---|", *rows])
