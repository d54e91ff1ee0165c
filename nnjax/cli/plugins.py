"""Files of a person's own that register options: `--plugin my_models.py`, a flag and never a key, so no config runs code.

names, argv = plugin_flags(["model=mine", "--plugin", "my_models.py"])
load_plugins(names)                          # now model=mine is an option
note_plugins(run_dir, config)                # .hydra/plugins.json: files, hashes, options
require_plugins(run_dir, "resume", warn)     # the flag is asked for again, and the same content
"""

import hashlib
import importlib.machinery
import importlib.util
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from hydra.core.config_store import ConfigStore

from nnjax.config.errors import ConfigError
from nnjax.config.option_class import default_values
from nnjax.config.parsing import to_mapping
from nnjax.config.paths import absence, expanded, is_file, reaching, shown_path
from nnjax.config.registry import GROUPS, PluginFile, Registered, loading, registered, registered_as
from nnjax.config.shell import shell_word
from nnjax.config.stored_files import read_json, write_text

PLUGINS_FILE = ".hydra/plugins.json"

_LONGEST_NOTE = 4096  # characters of a path, or of an option

_loaded: dict[Path, PluginFile] = {}
_warned: set[str] = set()  # a command reads a run's config twice


def plugin_flags(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the files that `--plugin` names, in order, and the arguments without them.

    Raises:
        ConfigError: if no file follows a flag.
    """
    names, others, words = [], [], iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag != "--plugin":
            others.append(word)
            continue
        name = value if equals else next(words, "")
        if not name or name.startswith("-") or (not equals and "=" in name and not is_file(Path(name))):
            raise ConfigError("--plugin: needs a Python file, as in --plugin my_models.py")
        names.append(name)
    return names, others


def load_plugins(names: Sequence[str]) -> None:
    """Imports files that register options, and offers these to Hydra; a file that is loaded already is not loaded again.

    Raises:
        ConfigError: if a file is not there, fails, registers a name that is taken, or registers nothing.
    """
    for name in names:
        path = expanded(name, "--plugin").absolute()
        if not is_file(path):
            raise ConfigError(f"--plugin {name}: {'is a folder, not a file' if path.is_dir() else absence(path, 'file')}")
        path = path.resolve()
        if path not in _loaded:
            _loaded[path] = _load(name, path)
    if names:
        offer_to_hydra()


def loaded_plugins() -> tuple[PluginFile, ...]:
    """Returns the plugins of this process."""
    return tuple(_loaded.values())


def offer_to_hydra() -> None:
    """Stores the registered options where Hydra finds them beside the YAML files, which go before."""
    for option in registered():
        values, _ = values_and_place(option)
        ConfigStore.instance().store(group=option.group, name=option.name, node=values, provider="nnjax")


def registered_option(config_path: str) -> Registered | None:
    """Returns the registered option that a name in the config folders stands for, such as "model/mine"."""
    group, _, name = config_path.partition("/")
    return next((option for option in registered(group) if option.name == name), None) if group in GROUPS else None


def values_and_place(option: Registered) -> tuple[dict[str, Any], str]:
    """Returns the defaults of a registered option as plain data, and where they were set."""
    values = {key: to_mapping(value) for key, value in default_values(option.options).items()}
    name = values.pop("name")
    return {"name": name, **values}, "Python code" if option.plugin is None else shown_path(option.plugin.path)


def plugins_summary() -> dict[str, Any]:
    """Returns the plugins for `summary.json`; nothing where there is none."""
    return {"plugins": [{"file": plugin.name, "sha256": plugin.sha256} for plugin in loaded_plugins()]} if _loaded else {}


def plugin_arguments() -> list[str]:
    """The words of a command line that load the same plugins: ``["--plugin", "/home/…/my_models.py"]``."""
    return [word for plugin in loaded_plugins() for word in ("--plugin", str(plugin.path))]


def plugin_words() -> str:
    """Returns the flags that a command needs again, each after a space."""
    return "".join(f" --plugin {shell_word(plugin.name)}" for plugin in loaded_plugins())


def note_plugins(run_dir: Path, config: object) -> None:
    """Writes which files, of which content, a run depends on, and which options of its config other code registered."""
    noted: list[dict[str, Any]] = [
        {
            "file": plugin.name,
            "sha256": plugin.sha256,
            "options": [f"{option.group}={option.name}" for option in registered() if option.plugin == plugin],
        }
        for plugin in loaded_plugins()
    ]
    used = [registered_as(getattr(config, group, None)) for group in GROUPS]
    if by_code := [f"{option.group}={option.name}" for option in used if option is not None and option.plugin is None]:
        noted.append({"file": None, "sha256": None, "options": by_code})
    path = run_dir / PLUGINS_FILE
    if noted or path.exists():
        with reaching("", path, "cannot be written"):
            path.parent.mkdir(exist_ok=True)
            write_text(path, json.dumps(noted, indent=2))


def noted_plugins(run_dir: Path) -> tuple[str, list[str]]:
    """Returns the flags that a command needs for a run's plugins, each after a space, and the options of other code.

    For these the flag names FILE: a person has to write such a file.

    Raises:
        ConfigError: if the note of the plugins is damaged.
    """
    notes = _noted(run_dir)
    flags = [f" --plugin {'FILE' if note['file'] is None else shell_word(note['file'])}" for note in notes]
    return "".join(flags), [option for note in notes if note["file"] is None for option in note["options"]]


def require_plugins(run_dir: Path, key: str, warn: Callable[[str], object]) -> None:
    """Checks that the plugins of an earlier run are loaded.

    A resumed run refuses a file whose content has changed, since it has to stay the experiment that it was. Where the run is
    only read, that is a warning; a new run like it, by `rerun`, takes the file as it is.

    Args:
        run_dir: the earlier run.
        key: `resume`, `rerun` or `run`.
        warn: called with a line.

    Raises:
        ConfigError: if a plugin is missing or, for `resume`, has changed.
    """
    run, options = f"{key}={shown_path(run_dir)}", {f"{option.group}={option.name}": option for option in registered()}
    for noted in _noted(run_dir):
        name, sha256 = noted["file"], noted["sha256"]
        if sha256 is not None and any(plugin.sha256 == sha256 for plugin in loaded_plugins()):
            continue
        # Whatever stands for the run's options now, under whatever file name, or else the file of the same name.
        present = [option.plugin for text, option in options.items() if text in noted["options"]]
        present += [plugin for plugin in loaded_plugins() if name and plugin.path.name == Path(name).name]
        if sha256 is not None and present:
            changed = present[0]
            what, now = (f"--plugin {changed.name}", changed.sha256[:12]) if changed else (noted["options"][0], "Python code")
            reason = f"has changed since {run} began (sha256 {sha256[:12]}, now {now})"
            if key == "resume":
                raise ConfigError(f"{what}: {reason}; put the old content back, or start anew with rerun=")
            line = f"{what}: {reason}: it may measure something else"
            if key == "run" and line not in _warned:
                _warned.add(line)
                warn(line)
        elif missing := sorted(set(noted["options"]) - options.keys()):
            if name is None:
                raise ConfigError(f"{run}: its {missing[0]} was registered by Python code; give a file of it: --plugin FILE")
            raise ConfigError(f"{run}: was started with a plugin; give it again: --plugin {shell_word(name)}")


def _noted(run_dir: Path) -> list[dict[str, Any]]:
    try:
        noted = read_json(run_dir / PLUGINS_FILE)
    except FileNotFoundError:
        return []
    if not isinstance(noted, list) or not all(map(_is_note, noted)):
        raise ConfigError(f"{shown_path(run_dir / PLUGINS_FILE)}: is damaged: must be a list of file, sha256 and options")
    return noted


def _is_note(noted: object) -> bool:
    """Whether a value has the form that `note_plugins` writes."""
    if not isinstance(noted, dict):
        return False
    file, sha256, options = (noted.get(name) for name in ("file", "sha256", "options"))
    names = isinstance(options, list) and bool(options) and all(isinstance(option, str) for option in options)
    if not names or type(file) is not type(sha256) or not isinstance(file, str | None):
        return False
    return all(text.isprintable() and len(text) < _LONGEST_NOTE for text in (file or "", str(sha256), *(options or ())))


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Loads what stands in a file now: Python takes its bytecode for a file of the same size and second of change."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _load(name: str, path: Path) -> PluginFile:
    with reaching("--plugin", path):
        plugin = PluginFile(name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    module_name = f"nnjax_plugin_{plugin.sha256[:8]}_{path.stem}"
    loader = _SourceLoader(module_name, str(path))
    spec = importlib.util.spec_from_loader(module_name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = len(registered())
    sys.modules[module_name] = module  # dataclasses look for their module
    sys.path.insert(0, str(path.parent))  # as of a script: it may import what lies beside it
    try:
        with loading(plugin):
            loader.exec_module(module)
            if len(registered()) == before:
                raise ConfigError('registers nothing; decorate a builder with @nnjax.register_model("NAME")')
    except ConfigError as error:
        raise ConfigError(f"--plugin {name}: {error}") from error
    except (Exception, SystemExit) as error:
        raise ConfigError(f"--plugin {name}: cannot be loaded: {_last_line(error, path)}") from error
    finally:
        sys.path.remove(str(path.parent))
        if not any(option.plugin == plugin for option in registered()):
            del sys.modules[module_name]
    return plugin


def _last_line(error: BaseException, path: Path) -> str:
    """Where an import failed, in the plugin's own file where that can be said, and the error."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
    file = error.filename if isinstance(error, SyntaxError) and error.filename else str(path)
    said = error.msg if isinstance(error, SyntaxError) else str(error).strip().partition("\n")[0]
    return f"{shown_path(Path(file))}:{line}: {type(error).__name__}{f': {said}' if said else ''}"
