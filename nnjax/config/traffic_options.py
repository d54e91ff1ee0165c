"""The config of `experiments.traffic`: an experiment, and the devices and links that its traffic is reported for.

python -m experiments.traffic model=cnn data=cifar10 parallel.devices=8 link=roce_100g device=a100
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.link_options import Algorithm, Device, Link
from nnjax.config.parallel_options import Gradients
from nnjax.config.schema import Config

Export = Literal["chrome", "astra-sim"]


@dataclass(frozen=True, kw_only=True)
class TrafficConfig(Config):
    """`python -m experiments.traffic`: what an experiment's training step sends, and how long a link takes for it.

    `parallel.devices=auto` stands for 8 devices, or fewer where 8 do not divide the batch. No data is read.

    Attributes:
        run: folder of an earlier run, whose experiment is reported, and whose time of a step `device=measured` takes; null
            reports the experiment of this config.
        link: joins the devices.
        device: computes.
        algorithm: how collectives are done where the report needs one; bytes are given for every algorithm.
        compare: the ways to average gradients that are compared with `parallel.gradients`; each compiles a program.
        fixed: what stays the same as devices are added in the table of scaling: each device's batch, or the batch of all.
        export: writes the predicted step for another program: `chrome` a trace for a browser's trace viewer, `astra-sim` the
            workload and network files of ASTRA-sim's analytical model; null writes neither.
    """

    run: str | None
    link: Link
    device: Device
    algorithm: Algorithm
    compare: tuple[Gradients, ...]
    fixed: Literal["device_batch", "global_batch"]
    export: Export | None
