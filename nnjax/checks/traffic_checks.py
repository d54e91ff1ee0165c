"""Checks the values of a traffic report's config against each other.

check_traffic(config, origins)
num_devices(config)                      # 8, where parallel.devices=auto
"""

from dataclasses import replace

from nnjax.checks.link_checks import check_link
from nnjax.config.diagnostics import NO_ORIGINS, Origins
from nnjax.config.schema import Config
from nnjax.config.traffic_options import TrafficConfig

_USUAL_DEVICES = 8
"""What `parallel.devices=auto` stands for, where it divides the batch."""


def check_traffic(config: TrafficConfig, origins: Origins = NO_ORIGINS) -> None:
    """Checks that link, device and algorithm go together.

    Raises:
        ConfigError: if they do not.
    """
    device = config.device
    if device.name == "measured" and device.run is None:
        device = replace(device, run=config.run)
    check_link(config.link, device, origins, algorithm=config.algorithm, devices=num_devices(config))


def num_devices(config: Config) -> int:
    """The devices of a report: as set; for `auto` as many as processes are set, else 8, or the most that divide a batch."""
    wanted, processes = config.parallel.devices, config.parallel.processes
    if config.debug.strict:
        return 1
    if wanted != "auto":
        return wanted
    if processes not in ("auto", 1):
        return int(processes)
    batch = config.training.global_batch_size
    return next(count for count in range(_USUAL_DEVICES, 0, -1) if batch % count == 0)
