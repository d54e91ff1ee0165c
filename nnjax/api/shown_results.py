"""The results of the trial that figures and page show: one network's, where several were trained together.

trial = shown_trial(evaluation)                                   # None: each trial diverged
results = results_of_trial(trial, experiment, evaluation, forecasts)
kernel = kernel_of("conv_1", trial, experiment, state)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnjax.training.evaluation import Evaluation
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState


def shown_trial(evaluation: "Evaluation | None") -> int | None:
    """The number of the first trial with a finite test loss; 0 where nothing was tested, None where no trial has one."""
    return 0 if evaluation is None else evaluation.first_finite()


def results_of_trial(
    trial: int, experiment: "Experiment", evaluation: "Evaluation | None", forecasts: Sequence[Any]
) -> dict[str, Any]:
    """Returns arguments of `nnjax.reporting.figures.run_figures.draw_run` and `nnjax.reporting.report_parts.parts_of_test`.

    Args:
        trial: its number.
        experiment: with its dataset.
        evaluation: of the test split; None where nothing was held out.
        forecasts: one for each trial, if the data is a series.
    """
    placement, dataset = experiment.placement, experiment.dataset
    return {
        "inputs": dataset.test.inputs,
        "targets": dataset.test.targets,
        "outputs": None if evaluation is None else placement.one_of(evaluation.outputs, trial),
        "losses": None if evaluation is None else placement.one_of(evaluation.losses, trial),
        "class_names": dataset.class_names,
        "from_logits": experiment.config.loss.from_logits,
        "forecast": forecasts[trial] if forecasts else None,
    }


def kernel_of(layer: str, trial: int, experiment: "Experiment", state: "TrainState") -> Any:
    """Returns a layer's kernel; None if it has none, or if other processes hold parts of it, which are not asked.

    Args:
        layer: its name.
        trial: the number of the network's trial.
        experiment: of the training.
        state: on the devices.
    """
    placement = experiment.placement
    if placement.num_processes > 1 and placement.whole_trials:
        return None
    return placement.one_of(placement.get(state.params.get(layer, {})), trial).get("kernel")
