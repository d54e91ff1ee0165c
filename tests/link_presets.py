"""The presets of conf/link and conf/device as the command line would give them."""

from pathlib import Path

from omegaconf import OmegaConf

from nnjax.config.link_options import Device, Link
from nnjax.config.parsing import parse
from nnjax.interconnect.collective import Collective, Part

CONF = Path(__file__).parents[1] / "conf"


def link_of(preset, /, **changes):
    return parse(Link, OmegaConf.to_container(OmegaConf.load(CONF / f"link/{preset}.yaml")) | changes)


def device_of(preset, /, **changes):
    return parse(Device, OmegaConf.to_container(OmegaConf.load(CONF / f"device/{preset}.yaml")) | changes)


def plain_link(**changes):
    """A link without headers, loss, jitter or overhead: 8 Gb/s, 10 µs."""
    plain = {
        "header_bytes": 0,
        "frame_bytes": 0,
        "ack_bytes": 0,
        "round_latencies": 1,
        "call_overhead": 0.0,
        "transport": "go_back_n",
    }
    return link_of("custom", **({"bandwidth": 8e9, "latency": 1e-5} | plain | changes))


def plain_device(**changes):
    """A device that computes for a second in each step, alone in its machine, without overlap."""
    plain = {"peak_flops": 1e12, "flops_share": 0.5, "step_time": 1.0, "overlap": False}
    return device_of("custom", **(plain | changes))


def all_reduce(count=250_000, **changes):
    """An all-reduce of 1 MB (10⁶ bytes) unless told otherwise."""
    fields = {"dtype": "float32", "parts": (Part("dense_1", "kernel", count),), "group_size": 2, "phase": "gradients"}
    return Collective("all_reduce", **(fields | changes))
