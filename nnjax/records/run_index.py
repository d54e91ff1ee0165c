"""Ten thousand runs in a second or two: what was read of a run is kept, and read again only where its files have changed.

    rows = read_rows([Path("outputs").resolve()])
    rows[0]["status"], rows[0].get("optimizer.learning_rate")

The index is a file in the cache: one for all of `outputs`, and one for each other folder. It is made from the runs' folders,
never read in place of them: an entry counts only while its run's config, summary and labels have the times and sizes that they
had. An index that is damaged, or of another version, is made anew. Processes may use it at once: it is replaced as a whole, and
the last one wins. Whether a run is running is asked anew each time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnjax.cli.compose import project_root
from nnjax.cli.folder_lock import in_use_elsewhere
from nnjax.cli.runs import CONFIG_FILE
from nnjax.config.errors import ConfigError
from nnjax.config.paths import cache_directory, shown_path
from nnjax.config.stored_files import read_bytes, replaced
from nnjax.records.find import Kind, folder_kind, run_folders
from nnjax.records.labels import LABELS_FILE
from nnjax.records.record import RUNNING, status_now, stored_record
from nnjax.records.run_facts import result_facts
from nnjax.records.settings import flat

_VERSION = 2  # of an entry's form and of the facts in it
_FILES = (CONFIG_FILE, "summary.json", LABELS_FILE)
_MOST_BYTES = 1 << 30

Stamp = list[int] | None
Track = Callable[[Sequence[Path]], Iterable[Path]]
"""Passes on the folders that have to be read, and may show the progress."""


@dataclass(frozen=True, eq=False)
class RunRow(Mapping[str, Any]):
    """The facts of a run, as `facts_of` gives them; settings are shared between the runs that have the same ones.

    Attributes:
        folder: the run's folder, absolute.
        facts: all but the settings and the folder.
        groups: the settings by dotted key, a mapping for each group.
    """

    folder: Path
    facts: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, key: str) -> Any:
        if key in self.facts:
            return self.facts[key]
        if key == "folder":
            return shown_path(self.folder)
        return self.groups[key.partition(".")[0]][key]

    def __iter__(self) -> Iterator[str]:
        yield from ("folder", *self.facts)
        for group in self.groups.values():
            yield from (key for key in group if key not in self.facts)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_rows(folders: Sequence[Path], track: Track = lambda paths: paths) -> list[RunRow]:
    """Reads the runs at or below folders, each once, sorted by path within a folder.

    Args:
        folders: absolute; of runs or of anything above them.
        track: called for each folder with the runs that have to be read, because the index lacks them.
    """
    outputs = (project_root() / "outputs").resolve()
    inside = [folder for folder in folders if folder.is_relative_to(outputs)]
    others = [folder for folder in folders if not folder.is_relative_to(outputs)]
    parts = [(outputs, inside), (_around(others), others)]
    rows = {row.folder: row for root, part in parts if part for row in _Index(root).rows(part, track)}
    return list(rows.values())


def _around(folders: Sequence[Path]) -> Path:
    """The folder whose index holds the runs of several: the one that all are in, and of a run the one around it."""
    holders = [folder.parent if (folder / CONFIG_FILE).is_file() else folder for folder in folders]
    return Path(os.path.commonpath(holders)) if holders else Path()


def index_file(folder: Path) -> Path:
    """The index of a folder."""
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return cache_directory() / "runs" / f"{name}.json"


class _Index:
    """The index of one folder, as it is read and brought up to date.

    An entry holds `stamps`, times and sizes of the files; `kind`, a run's folder or another; and of a run `facts` and `groups`,
    places in the pool of settings.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool: list[Group] = []
        self._places: dict[tuple[str, object], int] = {}
        self._entries: dict[str, dict[str, Any]] = {}
        self._changed = False

    def rows(self, folders: Sequence[Path], track: Track) -> list[RunRow]:
        """The runs at or below folders in this one, read where they have changed; entries of other folders stay."""
        kept = self._load()
        walked = {self._key(folder) for folder in folders}
        self._entries = {key: entry for key, entry in kept.items() if walked.isdisjoint(_and_above(key))}
        runs = (run for folder in folders for run in run_folders(folder, lambda path: self._kind(path, kept)))
        found = list(dict.fromkeys(runs))
        missing = [run for run in found if "facts" not in self._entries.get(self._key(run), {})]
        for run in track(missing) if missing else ():
            self._read(run)
        rows = [self._row(run) for run in found]
        if self._changed or self._entries.keys() != kept.keys():
            self._save()
        return rows

    def _key(self, folder: Path) -> str:
        return str(folder)[len(str(self._folder)) :]

    def _kind(self, folder: Path, kept: Mapping[str, dict[str, Any]]) -> Kind:
        """As `folder_kind`, without reading a config that has not changed; an entry that is up to date is taken over."""
        stamps = [_stamp(f"{folder}/{name}") for name in _FILES]
        if stamps[0] is None:
            return folder_kind(folder)
        key = self._key(folder)
        if (entry := kept.get(key)) is None or entry["stamps"] != stamps:
            self._changed = True
            entry = {"stamps": stamps, "kind": folder_kind(folder)}
        self._entries[key] = entry
        kind: Kind = entry["kind"]
        return kind

    def _read(self, run: Path) -> None:
        """Makes the entry of a run."""
        stamps = [_stamp(f"{run}/{name}") for name in _FILES]  # before reading: what changes later is read again
        record = stored_record(run)
        facts = result_facts(record)
        places = [self._place(name, values) for name, values in record.config.items()]
        self._entries[self._key(run)] = {"stamps": stamps, "kind": "run", "facts": facts, "groups": places}
        self._changed |= stamps[1] is not None

    def _place(self, name: str, values: Any) -> int:
        """The place of a group in the pool; for equal texts `read_settings` returns the same object."""
        key = (name, id(values) if isinstance(values, dict) else repr(values))
        if key not in self._places:
            self._places[key] = len(self._pool)
            self._pool.append(Group(name, flat({name: values}), values))
        return self._places[key]

    def _row(self, run: Path) -> RunRow:
        entry = self._entries[self._key(run)]
        config, summary, _ = entry["stamps"]
        facts = dict(entry["facts"])
        if in_use_elsewhere(run):
            facts["status"] = RUNNING
        elif config and summary and config[0] > summary[0]:
            facts["status"] = status_now(run, facts["status"], facts.get("steps"))
        groups = [self._pool[place] for place in entry["groups"]]
        return RunRow(run, facts, {group.name: group.settings for group in groups})

    def _load(self) -> dict[str, dict[str, Any]]:
        """Reads the file; returns no entries if it is missing or not in order."""
        try:
            checksum, _, content = read_bytes(index_file(self._folder), _MOST_BYTES).partition(b"\n")
            if checksum.decode() != hashlib.sha256(content).hexdigest():
                return {}
            stored = json.loads(content)
            if stored["version"] != _VERSION or stored["folder"] != str(self._folder):
                return {}
            self._pool = [Group(name, settings) for name, settings in stored["pool"]]
            entries: dict[str, dict[str, Any]] = stored["entries"]
            return entries
        except (OSError, ConfigError, ValueError, TypeError, KeyError):
            return {}

    def _save(self) -> None:
        """Writes the file, with the settings that are in use; without it, the next command takes longer, and that is all."""
        pool: dict[str, int] = {}
        places = [pool.setdefault(json.dumps([group.name, group.settings], default=str), len(pool)) for group in self._pool]
        entries = {}
        for key, entry in self._entries.items():
            # A run without a result changes without these files; it is read each time.
            is_kept = entry["kind"] != "run" or (entry["stamps"][1] is not None and "facts" in entry)
            if is_kept:
                entries[key] = entry | ({"groups": [places[place] for place in entry["groups"]]} if "groups" in entry else {})
        stored = json.dumps({"version": _VERSION, "folder": str(self._folder), "entries": entries})
        content = f'{stored[:-1]}, "pool": [{", ".join(pool)}]}}'.encode()
        path = index_file(self._folder)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced(path) as part:
                part.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


@dataclass(frozen=True, eq=False)
class Group:
    """The settings of one group.

    Attributes:
        name: of the group.
        settings: by dotted key.
        source: the object that they were made from, which stays in memory so that its identity stays its own.
    """

    name: str
    settings: dict[str, Any]
    source: Any = None


def _and_above(key: str) -> list[str]:
    """A folder's path inside the index's folder, and those of the folders above it: "/a/b", "/a" and ""."""
    parts = key.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _stamp(path: str) -> Stamp:
    """Time of the last change in nanoseconds, and size in bytes; None without such a file."""
    try:
        state = os.lstat(path)
    except OSError:
        return None
    return [state.st_mtime_ns, state.st_size]
