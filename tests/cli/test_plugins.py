"""Files that register options, loaded by a flag: what they may be, what a run notes of them, and who asks for them again."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from nnjax.cli import plugins
from nnjax.cli.plugins import PLUGINS_FILE, load_plugins, note_plugins, plugin_flags, plugin_words, require_plugins
from nnjax.config import registry
from nnjax.config.errors import ConfigError

SOUND = """from dataclasses import dataclass
import nnjax
@dataclass(frozen=True)
class Mine:
    width: int = 3
@nnjax.register_model("mine")
def mine(options: Mine, activation, spec, *, rngs, dtype): ...
"""


@pytest.fixture(autouse=True)
def own_process(tmp_path, monkeypatch):
    """As in a process of its own, whose folder is that of the plugins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setattr(plugins, "_warned", set())
    monkeypatch.setattr(plugins, "offer_to_hydra", lambda: None)
    before, modules = set(registry._registered), set(sys.modules)
    yield
    registry.forget([key for key in registry._registered if key not in before])
    for name in set(sys.modules) - modules:
        if name.startswith("nnjax_plugin_"):
            del sys.modules[name]


def test_flags_are_taken_out_of_the_arguments():
    argv = ["--plugin", "a.py", "model=mine", "--plugin=b c.py", "-m"]
    assert plugin_flags(argv) == (["a.py", "b c.py"], ["model=mine", "-m"])
    for wrong in (["--plugin"], ["--plugin="], ["--plugin", "-m"], ["--plugin", "model=mine"]):
        with pytest.raises(ConfigError, match=r"--plugin: needs a Python file, as in --plugin my_models.py"):
            plugin_flags(wrong)


def test_what_is_loaded_is_what_stands_in_the_file_now(monkeypatch):
    """Python's bytecode would be taken for that of another text of the same length, saved within the same second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for width in (3, 4):
        Path("my_models.py").write_text(SOUND.replace("3", str(width)))
        os.utime("my_models.py", (1e9, 1e9))
        plugins._loaded.clear()
        load_plugins(["my_models.py"])
        (option,) = registry.registered("model")
        assert option.options.__dataclass_fields__["width"].default == width
        registry.forget([("model", "mine")])
    assert [path.name for path in Path().iterdir()] == ["my_models.py"]  # and nothing is left beside it


def test_a_file_is_loaded_once(tmp_path):
    Path("my_models.py").write_text(SOUND)
    for name in ("my_models.py", str(tmp_path / "my_models.py")):
        load_plugins([name])
    (option,) = registry.registered("model")
    assert (option.name, option.plugin.name, option.options().width) == ("mine", "my_models.py", 3)
    assert plugin_words() == " --plugin my_models.py"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1", r'--plugin p.py: registers nothing; decorate a builder with @nnjax.register_model\("NAME"\)'),
        ("\nimport nowhere", "--plugin p.py: cannot be loaded: p.py:2: ModuleNotFoundError: No module named 'nowhere'"),
        ("def f(:", "--plugin p.py: cannot be loaded: p.py:1: SyntaxError: invalid syntax"),
        ("import sys\n\nsys.exit(3)", "--plugin p.py: cannot be loaded: p.py:3: SystemExit: 3"),
        (
            SOUND + "raise ValueError('bad', \n'luck')",
            r"--plugin p.py: cannot be loaded: p.py:8: ValueError: \('bad', 'luck'\)",
        ),
        (SOUND.replace('"mine"', '"fnn"'), "--plugin p.py: model=fnn: is a shipped option; register another name"),
        (SOUND + SOUND, "--plugin p.py: model=mine: is registered already by p.py; register another name"),
        (SOUND.replace("int", "set"), "--plugin p.py: model=mine: Mine.width: a config cannot hold set"),
    ],
)
def test_a_file_that_is_no_plugin(content, message):
    before = set(sys.modules)  # other files' plugins
    Path("p.py").write_text(content)
    with pytest.raises(ConfigError, match=f"^{message}") as raised:
        load_plugins(["p.py"])
    assert "\n" not in str(raised.value)
    assert not registry.registered("model")
    assert not [name for name in set(sys.modules) - before if name.startswith("nnjax_plugin_")]
    Path("p.py").write_text(SOUND)
    load_plugins(["p.py"])


def test_a_file_that_is_not_there():
    Path("folder").mkdir()
    for name, reason in {"nowhere.py": "no such file", "folder": "is a folder, not a file", "a\0b": "cannot be found"}.items():
        with pytest.raises(ConfigError, match=f"--plugin.*{reason}"):
            load_plugins([name])


def test_two_files_with_one_name():
    Path("a.py").write_text(SOUND)
    Path("b.py").write_text("# another\n" + SOUND)
    load_plugins(["a.py"])
    with pytest.raises(ConfigError, match=r"--plugin b.py: model=mine: is registered already by a.py"):
        load_plugins(["b.py"])


def test_what_lies_beside_a_plugin_can_be_imported():
    Path("sub").mkdir()
    Path("sub/beside_the_plugin.py").write_text("WIDTH = 7")
    Path("sub/p.py").write_text("from beside_the_plugin import WIDTH\n" + SOUND.replace("= 3", "= WIDTH"))
    path = list(sys.path)
    load_plugins(["sub/p.py"])
    assert registry.registered("model")[0].options().width == 7
    assert sys.path == path


def restart():
    registry.forget(list(registry._registered))
    plugins._loaded.clear()


def test_a_run_asks_for_its_plugin(tmp_path):
    run, warned = tmp_path / "run", []
    run.mkdir()
    note_plugins(run, None)
    assert not list(run.iterdir())
    require_plugins(run, "resume", warned.append)
    Path("my_models.py").write_text(SOUND)
    load_plugins(["my_models.py"])
    note_plugins(run, None)
    assert '"sha256": "' in (run / PLUGINS_FILE).read_text()
    for key in ("resume", "rerun", "run"):
        require_plugins(run, key, warned.append)
    restart()
    for key in ("resume", "rerun", "run"):
        with pytest.raises(ConfigError, match=rf"^{key}=run: was started with a plugin; give it again: --plugin my_models.py$"):
            require_plugins(run, key, warned.append)
    # the same content under another name is the same plugin
    Path("other.py").write_text(SOUND)
    load_plugins(["other.py"])
    require_plugins(run, "resume", warned.append)
    restart()
    # other content: an error for a resume, a warning for reading the run, accepted for a new run
    Path("my_models.py").write_text(SOUND + "# more")
    load_plugins(["my_models.py"])
    with pytest.raises(ConfigError, match=r"--plugin my_models.py: has changed since resume=run began \(sha256 \w+, now \w+\)"):
        require_plugins(run, "resume", warned.append)
    require_plugins(run, "rerun", warned.append)
    assert not warned
    for _ in range(2):
        require_plugins(run, "run", warned.append)
    assert len(warned) == 1
    assert "my_models.py: has changed since run=run began" in warned[0]


@pytest.mark.parametrize("by_code", [False, True])
def test_other_content_under_another_name_is_a_change_too(tmp_path, by_code):
    Path("my_models.py").write_text(SOUND)
    load_plugins(["my_models.py"])
    note_plugins(tmp_path, None)
    restart()
    if by_code:
        exec(compile(SOUND, "cell", "exec"), {"__name__": __name__})
    else:
        Path("changed.py").write_text(SOUND + "# more")
        load_plugins(["changed.py"])
    with pytest.raises(
        ConfigError, match=r"(--plugin changed.py|model=mine): has changed since resume=\S+ began \(sha256 \w+, now"
    ):
        require_plugins(tmp_path, "resume", print)
    warned = []
    require_plugins(tmp_path, "run", warned.append)
    assert len(warned) == 1


@pytest.mark.parametrize("content", ["[1]", "[{}]", "null", '{"a": 1}', '[{"file": 3, "sha256": null, "options": null}]', "{"])
def test_a_damaged_note_is_refused(tmp_path, content):
    (tmp_path / PLUGINS_FILE).parent.mkdir()
    (tmp_path / PLUGINS_FILE).write_text(content)
    with pytest.raises(ConfigError, match=r"plugins.json: (is damaged|cannot be read): "):
        require_plugins(tmp_path, "resume", print)


def test_options_that_other_code_registered(tmp_path):
    exec(compile(SOUND, "cell", "exec"), {"__name__": __name__})
    config = type("Config", (), {"model": registry.registered("model")[0].options()})()
    note_plugins(tmp_path, config)
    require_plugins(tmp_path, "resume", print)
    restart()
    with pytest.raises(ConfigError, match="its model=mine was registered by Python code; give a file of it: --plugin FILE"):
        require_plugins(tmp_path, "run", print)
    Path("p.py").write_text(SOUND)
    load_plugins(["p.py"])
    require_plugins(tmp_path, "resume", print)


def test_a_launcher_s_worker_loads_the_plugin(tmp_path):
    from nnjax.cli.job import Job
    from nnjax.config.schema import TrainConfig

    Path("p.py").write_text(SOUND)
    load_plugins(["p.py"])
    (tmp_path / "job").write_bytes(pickle.dumps(Job(TrainConfig, print)))
    code = """import pickle, sys
pickle.load(open(sys.argv[1], "rb"))
from nnjax.config.registry import registered
print([option.name for option in registered()])"""
    command = [sys.executable, "-c", code, str(tmp_path / "job")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "['mine']\n"
