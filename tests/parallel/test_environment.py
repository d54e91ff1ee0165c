"""What the environment tells JAX: followed, set aside, or answered in a line; and JAX's settings come back."""

import jax
import jax.numpy as jnp
import pytest

from nnjax.config.errors import ConfigError, DataError, DivergedError
from nnjax.config.schema import TrainConfig
from nnjax.parallel import environment
from nnjax.parallel.devices import check_platform, select_devices
from nnjax.parallel.environment import import_guard, jax_settings

ASIDE = {
    "jax_enable_x64": True,
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_random_seed_offset": 7,
    "jax_disable_jit": True,
    "jax_no_tracing": True,
    "jax_no_execution": True,
    "jax_transfer_guard": "disallow",
    "jax_transfer_guard_device_to_host": "disallow",
    "jax_numpy_rank_promotion": "raise",
    "jax_numpy_dtype_promotion": "strict",
}


@pytest.fixture
def setting():
    """Changes a setting of JAX for one test."""
    before = {}

    def change(name, value):
        before.setdefault(name, jax.config.values[name])
        jax.config.update(name, value)

    yield change
    for name, value in before.items():
        jax.config.update(name, value)


def draw():
    key = jax.random.key(3)
    return [float(x) for x in jax.jit(lambda k: jax.random.normal(k, (2, 3)) + jnp.arange(3))(key).ravel()]


@pytest.mark.parametrize("name", ASIDE)
def test_numbers_hang_on_the_config_alone(setting, monkeypatch, name):
    usual = draw()
    monkeypatch.setenv(name.upper(), str(ASIDE[name]))
    setting(name, ASIDE[name])
    said = []
    with jax_settings(said.append):
        assert draw() == usual
        assert jnp.zeros(1).dtype == jnp.float32
    assert [line.partition(": ")[0] for line in said] == [f"{name.upper()}={ASIDE[name]} is not followed"]
    assert jax.config.values[name] == ASIDE[name]


def test_settings_come_back_after_an_error(setting):
    setting("jax_enable_x64", True)
    with pytest.raises(KeyError), jax_settings(print):
        raise KeyError
    assert jax.config.values["jax_enable_x64"]


def test_what_is_there_to_be_chosen_is_followed_and_noted(setting):
    setting("jax_default_matmul_precision", "highest")
    said = []
    with jax_settings(said.append):
        assert jax.config.values["jax_default_matmul_precision"] == "highest"
    assert said == ["jax_default_matmul_precision=highest: the numbers are not quite those of a run without it"]


def test_nothing_is_said_without_settings():
    said = []
    with jax_settings(said.append):
        pass
    assert said == []


@pytest.mark.parametrize(("name", "value"), [("jax_debug_nans", jnp.nan), ("jax_debug_infs", jnp.inf)])
@pytest.mark.parametrize("compiled", [True, False])
def test_a_number_that_jax_finds_is_a_divergence(setting, monkeypatch, name, value, compiled):
    monkeypatch.setenv(name.upper(), "1")
    setting(name, True)
    times = jax.jit(lambda x: x * value)
    if compiled:
        times = times.lower(jnp.ones(2)).compile()
    with pytest.raises(DivergedError, match=rf"^{name.upper()}=1: JAX says: .*{value}.*training diverged"), jax_settings(print):
        times(jnp.ones(2))


def test_debug_strict_looks_by_itself(setting):
    setting("jax_debug_nans", True)
    with jax_settings(print, strict=True):
        assert jnp.isnan(jax.jit(lambda x: x * jnp.nan)(1.0))
    assert jax.config.values["jax_debug_nans"]


def test_an_error_of_jax_under_an_unusual_setting_names_it(setting, monkeypatch):
    def fail():
        with jax_settings(print):
            jnp.zeros(3) + jnp.zeros(2)

    with pytest.raises(TypeError):
        fail()
    monkeypatch.setenv("JAX_ENABLE_CHECKS", "1")
    with pytest.raises(ConfigError, match=r"^JAX_ENABLE_CHECKS=1: set in the environment, and JAX stops: TypeError: add got"):
        fail()
    monkeypatch.setattr(jnp, "zeros", lambda _: [] + 1)  # an error of ours stays one
    with pytest.raises(TypeError):
        fail()


def test_our_own_errors_pass():
    with pytest.raises(DataError), jax_settings(print):
        raise DataError("gone")


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("JAX_ENABLE_X64", "invalid truth value 'maybe' for environment 'JAX_ENABLE_X64'"),
        ("JAX_DEFAULT_PRNG_IMPL", 'Invalid value "maybe" for JAX flag jax_default_prng_impl'),
        ("JAX_ODD", "cannot take 'maybe'"),
    ],
)
def test_a_value_that_jax_refuses_is_named(monkeypatch, variable, message):
    monkeypatch.setenv(variable, "maybe")
    with pytest.raises(ConfigError, match=rf"^{variable}=maybe: JAX refuses this setting of the environment: "), import_guard():
        raise ValueError(message)
    monkeypatch.delenv(variable)
    with pytest.raises(ValueError, match=r"."), import_guard():
        raise ValueError(message)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--xla_nonsense=1", "Unknown flag"),
        ("nonsense", "Could not open file"),
        ("--xla_force_host_platform_device_count=x", "interpret value x"),
    ],
)
def test_flags_over_which_xla_would_end_the_process(monkeypatch, flags, said):
    monkeypatch.setenv("XLA_FLAGS", flags)
    with import_guard():  # too late to matter in a process where XLA has started
        pass
    monkeypatch.setattr("jax._src.xla_bridge.backends_are_initialized", lambda: False)
    with pytest.raises(ConfigError, match=rf"^XLA_FLAGS={flags}: XLA refuses .*{said}") as caught, import_guard():
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flags", ["", "--xla_force_host_platform_device_count=8", "--xla_cpu_enable_fast_math=false"])
def test_flags_that_xla_takes(monkeypatch, flags):
    monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.setattr("jax._src.xla_bridge.backends_are_initialized", lambda: False)
    if not flags.startswith("--xla_cpu"):
        monkeypatch.setattr(environment.subprocess, "run", None)  # not asked
    with import_guard():
        pass


def test_flags_that_xla_took_are_not_tried_again_but_a_file_of_them_is(monkeypatch, tmp_path):
    tries, run = [], environment.subprocess.run
    monkeypatch.setattr(environment.subprocess, "run", lambda *words, **how: tries.append(0) or run(*words, **how))
    monkeypatch.setattr("jax._src.xla_bridge.backends_are_initialized", lambda: False)
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "flags").write_text("--xla_cpu_enable_fast_math=false")
    for flags, tried in (("--xla_cpu_enable_fast_math=false", 1), (str(tmp_path / "flags"), 2)):
        monkeypatch.setenv("XLA_FLAGS", flags)
        for _ in range(2):
            with import_guard():
                pass
        assert len(tries) == tried
        tries.clear()


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError("Unable to initialize backend 'cuda'")])
def test_a_platform_that_the_environment_asks_for_and_is_not_there(monkeypatch, error):
    def devices(*platform):
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for ask in (check_platform, lambda: select_devices(composed())):
        with pytest.raises(ConfigError, match=r"^JAX_PLATFORMS=cuda: JAX finds no such device here"):
            ask()
    with pytest.raises(ConfigError, match=r"^parallel\.platform=gpu: .* with JAX_PLATFORMS=cuda in the environment"):
        select_devices(composed("parallel.platform=gpu"))


def composed(*overrides) -> TrainConfig:
    from nnjax.cli.compose import compose_train

    return compose_train(overrides)
