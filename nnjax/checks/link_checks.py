"""Checks that a link, a device and an algorithm go together.

check_link(config.link, config.device, origins, algorithm="hierarchical", devices=12)
# ConfigError: link.mtu=40: leaves no room for data beside link.header_bytes=52; must be at least 53
"""

from nnjax.checks.data_checks import Problems
from nnjax.config.diagnostics import MISSING, NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.link_options import Algorithm, Device, Link


def check_link(
    link: Link,
    device: Device,
    origins: Origins = NO_ORIGINS,
    *,
    algorithm: Algorithm = "ring",
    devices: int | None = None,
) -> None:
    """Checks pairs of values that their own ranges allow.

    Args:
        link: of the prediction.
        device: of the prediction.
        origins: where the values were set.
        algorithm: of the all-reduces.
        devices: how many take part; None leaves out what depends on it.

    Raises:
        ConfigError: it names all faults.
    """
    raise_problems([*_link(link), *_device(device, algorithm, devices)], origins)


def _link(link: Link) -> Problems:
    if link.payload < 1:
        reason = f"leaves no room for data beside link.header_bytes={link.header_bytes}"
        yield Problem("link.mtu", link.mtu, f"{reason}; must be at least {link.header_bytes + 1}")
    if link.jitter > link.latency:
        reason = f"a latency of {link.latency:g} s cannot vary by more than itself"
        yield Problem("link.jitter", link.jitter, f"{reason}; must be at most link.latency={link.latency:g}")


def _device(device: Device, algorithm: Algorithm, devices: int | None) -> Problems:
    if device.name == "measured" and device.run is None and device.step_time is None:
        reason = "device=measured takes the time of a step from a run: device.run=outputs/train/…, or device.step_time=0.03"
        yield Problem("device.run", MISSING, reason)
    if device.name != "measured" and device.run is not None:
        yield Problem(
            "device.run", device.run, f"device={device.name} has its own peak; must be null, or choose device=measured"
        )
    if algorithm == "hierarchical" and devices is not None and devices > device.per_machine and devices % device.per_machine:
        reason = f"does not divide {devices} devices, which a hierarchical exchange needs"
        allowed = [number for number in range(1, devices + 1) if devices % number == 0]
        near = min(allowed, key=lambda number: abs(number - device.per_machine))
        yield Problem("device.per_machine", device.per_machine, f"{reason}; such as {near}")
