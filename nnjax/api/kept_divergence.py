"""Between a training and the step at which it diverges: where that is kept, and what is said about it.

keeper = keeper_of(run_dir, experiment, state, checkpoints, clock)
fit(…, keeper=keeper)
note_divergence(keeper, run_dir, summary, console)      # summary["diverged"], and the command that explains it
"""

from pathlib import Path
from typing import Any

from nnjax.cli.plugins import plugin_words
from nnjax.config.invocation import verb_command
from nnjax.config.shell import shell_word
from nnjax.reporting.console import RunConsole
from nnjax.training.checkpoints import CheckpointStore
from nnjax.training.clock import Clock
from nnjax.training.diverged import DivergenceKeeper
from nnjax.training.experiment import Experiment
from nnjax.training.state import TrainState

FOLDER = "diverged"


def keeper_of(
    run_dir: Path | None, experiment: Experiment, template: TrainState, checkpoints: CheckpointStore, clock: Clock
) -> DivergenceKeeper | None:
    """The keeper of a run; None for a training without a folder.

    Args:
        run_dir: the run's folder.
        experiment: the training.
        template: a state of the same shapes.
        checkpoints: of the run.
        clock: says how long training took.
    """
    if run_dir is None or experiment.placement.num_processes > 1:  # its replays would need all processes
        return None

    def restore(step: int) -> tuple[int, TrainState] | None:
        """The newest checkpoint before a step."""
        checkpoints.wait()
        found = max((saved for saved in checkpoints.steps if saved < step), default=None)
        return None if found is None else (found, checkpoints.restore(template, found)[0])

    return DivergenceKeeper(run_dir / FOLDER, experiment, restore, lambda: clock.read("train"))


def note_divergence(
    keeper: DivergenceKeeper | None, run_dir: Path | None, summary: dict[str, Any], console: RunConsole
) -> None:
    """Says how a step that diverged can be explained, if there was one."""
    if keeper is None or not keeper.note:
        return
    if not keeper.is_kept:
        console.warn(keeper.note)
        return
    command = f"{verb_command('autopsy')} {shell_word(f'run={run_dir}')}{plugin_words()}"
    summary["diverged"] = FOLDER
    console.print(f"The step that diverged is kept; to find the layer and the operation: {command}")
