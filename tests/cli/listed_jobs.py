from nnjax.cli.compose import override_texts
from nnjax.cli.sweep_jobs import job_configs


def expand(sweep):
    """The overrides of every job of a composed multirun, Hydra's own left out."""
    return [tuple(override_texts(single.hydra, "task")) for single in job_configs(sweep, lambda line: None)]
