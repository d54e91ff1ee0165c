"""Downloads a dataset of tensorflow-datasets and prepares it, once, without TensorFlow.

    folder = prepare(config.data)                                   # from the official addresses
    folder = prepare(config.data, archives=Path("usb-stick"))       # from archives that are here already

Everything is made in a temporary folder, and one rename at the end puts it in place. So the remains of an interrupted
preparation are never taken for a dataset, and the next preparation removes them. Downloaded archives are kept in
`downloads/NAME`.
"""

import fcntl
import hashlib
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from nnjax.config.data_options import TfdsData
from nnjax.config.errors import DataError
from nnjax.data.contents import write_contents
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.tfds import check_prepared, data_directory, dataset_folder, is_prepared, prepare_command

if TYPE_CHECKING:  # imports tensorflow_datasets
    from nnjax.data.builders import Archive

_TIMEOUT = 30  # seconds without a byte
_BLOCK = 1 << 16


def prepare(data: TfdsData, archives: Path | None = None, echo: Callable[[str], None] = print) -> Path:
    """Makes sure that a dataset lies in its folder.

    Args:
        data: which dataset, and where.
        archives: folder of the official archives; None downloads them.
        echo: called with a line for each thing that is done.

    Returns:
        The dataset's folder.

    Raises:
        DataError: if an archive cannot be fetched, is missing or is not the official one, or the place cannot be written, or
            the prepared data is damaged.
    """
    folder = dataset_folder(data)
    try:
        if not is_prepared(folder):
            with _alone(folder.parent, echo):
                if not is_prepared(folder):  # another process may have done it meanwhile
                    _make(data, folder, archives, echo)
                    echo(f"{data.name} is prepared: {folder}")
                    return folder
    except OSError as error:
        raise DataError(f"data={data.name}: cannot prepare it in {folder}: {error}") from error
    check_prepared(folder, dataset_spec(data))
    echo(f"{data.name} is prepared already: {folder}")
    return folder


def _make(data: TfdsData, folder: Path, archives: Path | None, echo: Callable[[str], None]) -> None:
    """Prepares a dataset that does not exist yet."""
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} holds something that is not a prepared dataset: remove it and run this again")
    import tensorflow_datasets as tfds

    from nnjax.data import builders

    wanted = builders.official_archives(data.name)
    if archives is None:
        archives = data_directory(data) / "downloads" / data.name
        _download(data, wanted, archives, echo)
    else:
        _check(data, wanted, archives)
    staging = folder.with_name("incomplete.nnjax")  # TFDS ignores folders of such a name
    _remove(staging)
    echo(f"preparing {data.name}")
    tfds.disable_progress_bar()  # the builders show their own
    try:
        builder = builders.builder_class(data.name)(archives=archives, data_dir=staging)
        builder.download_and_prepare(file_format="array_record")
        write_contents(builder.contents, Path(builder.data_dir))
        Path(builder.data_dir).rename(folder)
    finally:
        _remove(staging)


def _check(data: TfdsData, wanted: "tuple[Archive, ...]", archives: Path) -> None:
    """Raises a DataError unless the folder holds the official archives, byte for byte."""
    missing = [archive for archive in wanted if not (archives / archive.filename).is_file()]
    if missing:
        raise DataError(
            f"archives={archives}: {', '.join(archive.filename for archive in missing)} not found\n"
            f"data={data.name} is made from:\n" + "\n".join(f"  {archive.url}" for archive in wanted)
        )
    for archive in wanted:
        found = _sha256(archives / archive.filename)
        if found != archive.sha256:
            raise DataError(_mismatch(archives / archive.filename, archive, found))


def _download(data: TfdsData, wanted: "tuple[Archive, ...]", archives: Path, echo: Callable[[str], None]) -> None:
    """Downloads the missing archives; a file gets its name only after its checksum was right."""
    from nnjax.data.tracking import track_reading

    archives.mkdir(parents=True, exist_ok=True)
    for archive in wanted:
        path = archives / archive.filename
        if path.exists() and _sha256(path) == archive.sha256:
            continue
        echo(f"downloading {archive.url} ({archive.size / 1e6:.2f} MB)")
        unfinished = path.with_name(path.name + ".unfinished")
        try:
            with (
                urllib.request.urlopen(archive.url, timeout=_TIMEOUT) as response,
                track_reading(response, archive.filename, archive.size) as body,
                unfinished.open("wb") as file,
            ):
                shutil.copyfileobj(body, file, _BLOCK)
        except (OSError, HTTPException) as error:  # URLError, HTTPError and timeouts are OSErrors
            raise DataError(
                f"data={data.name}: cannot download {archive.url}: {getattr(error, 'reason', error)}\n"
                f"Without a network: fetch {', '.join(archive.filename for archive in wanted)} elsewhere, then run\n"
                f"  {prepare_command(data, 'archives=FOLDER')}"
            ) from error
        found = _sha256(unfinished)
        if found != archive.sha256:
            unfinished.unlink()
            raise DataError(_mismatch(archive.url, archive, found))
        unfinished.replace(path)


def _mismatch(what: object, archive: "Archive", found: str) -> str:
    return (
        f"{what} is not the official file: it is damaged, cut short or changed\n"
        f"  expected SHA-256 {archive.sha256} ({archive.size} bytes)\n"
        f"  found            {found}"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _alone(folder: Path, echo: Callable[[str], None]) -> Iterator[None]:
    """Waits until no other process prepares a dataset in the folder; the lock ends with its process."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            echo(f"waiting for another process that prepares {folder}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
