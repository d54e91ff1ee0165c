"""Surveys all jobs of a sweep before the first one starts: shapes, parameters, FLOPs, memory, time, and a faster way.

    command.run("train", TrainConfig, train, sweep=SweepCalls(on_start=survey))

Prints a table, and a line for jobs that one program could train together.
"""

from collections import defaultdict
from collections.abc import Sequence

from nnjax.api.run_speeds import measured_speeds
from nnjax.api.sweep_shapes import evaluated_shapes, refuse_problems
from nnjax.checks.job_costs import JobCost, Speed, job_cost, joint_seconds, predicted_seconds
from nnjax.checks.joint_trials import JointTrials, joint_trials
from nnjax.cli.compose import project_root
from nnjax.cli.sweep_plan import PlannedJob
from nnjax.config.shell import shell_word
from nnjax.reporting.console import RunConsole
from nnjax.reporting.sweep_plan_table import PlanRow, numbers_text, sweep_plan_table
from nnjax.reporting.text import seconds_text

_WORTH = 1.2
"""The factor by which training together must be faster to be named."""

_COMMAND_LINE = 0.5  # seconds, for Python and Hydra
_LEAST_START = 1.5  # seconds, of a command with JAX


def survey(jobs: Sequence[PlannedJob], *, keep_going: bool) -> None:
    """Prints what a sweep will cost.

    Args:
        jobs: all jobs, checked.
        keep_going: whether a job whose network cannot be built fails alone, later.

    Raises:
        IncompatibleError: for a network whose shapes do not fit.
    """
    shapes, evaluated, networks = evaluated_shapes([job.plan for job in jobs])
    if not keep_going:
        refuse_problems(shapes, [job.overrides for job in jobs])
    costs = {
        number: job_cost(job.plan) if found is None else job_cost(job.plan, found.num_params, found.flops)
        for number, (job, found) in enumerate(zip(jobs, shapes, strict=True))
        if job.plan is not None and not (found and found.problem)
    }
    if not costs:
        return
    speeds, source = measured_speeds(project_root() / "outputs")
    console = RunConsole(None)
    rows = _rows(jobs, costs, speeds)
    console.print(sweep_plan_table(rows))
    start = _start_seconds(speeds)
    console.print(f"{len(jobs)} jobs checked; time one after another, {source}, and {seconds_text(start)} to start")
    if evaluated < networks:
        console.print(f"the shapes of {evaluated} of {networks} networks were evaluated; the others are counted by formula")
    for joint in joint_trials([job.config if number in costs else None for number, job in enumerate(jobs)])[:3]:
        if line := _advice(joint, costs, speeds):
            console.print(line)


def _rows(jobs: Sequence[PlannedJob], costs: dict[int, JobCost], speeds: Sequence[Speed]) -> list[PlanRow]:
    """A row for each cost, in the order of the first job that has it."""
    groups: dict[JobCost, list[int]] = defaultdict(list)
    for number, cost in costs.items():
        groups[cost].append(number)
    rows = []
    for cost, numbers in groups.items():
        shared = set.intersection(*(set(jobs[number].overrides) for number in numbers))
        overrides = tuple(text for text in jobs[numbers[0]].overrides if text in shared)
        seconds = sum(predicted_seconds(cost, speeds))
        rows.append(PlanRow(tuple(numbers), overrides, cost.num_params, cost.flops, cost.memory, seconds))
    return rows


def _start_seconds(speeds: Sequence[Speed]) -> float:
    """The time before a command's first job; a sweep's later jobs import nothing, so the longest time counts."""
    return max(_LEAST_START, max(speed.import_seconds for speed in speeds) + _COMMAND_LINE)


def _advice(joint: JointTrials, costs: dict[int, JobCost], speeds: Sequence[Speed]) -> str | None:
    """A line about jobs that one program could train; None if that saves little."""
    count, start = len(joint.jobs), _start_seconds(speeds)
    apart, together = (start + seconds for seconds in joint_seconds(costs[joint.jobs[0]], count, speeds))
    if apart < _WORTH * together:
        return None
    words = " ".join(shell_word(word) for word in joint.words)
    return (
        f"jobs {numbers_text(joint.jobs)} differ in seed or learning rate only: {words} trains all {count} in one program, "
        f"about {apart / together:.2g} times as fast as one after another, as it starts and compiles once"
    )
