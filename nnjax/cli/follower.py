"""All but the first process of a job: they train with it, and leave the folder, its files and the terminal to it.

code = follow(schema, task, composition, processes)

A mistake in the config ends every process by itself; of those on one machine, one says so. The config of a run that is resumed
or repeated lies in its folder, which only process 0 needs to see: it is sent to the others.
"""

import traceback
from collections.abc import Callable
from typing import Any

from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.checks.verb_checks import check
from nnjax.cli.compose import Composition, compose_train
from nnjax.cli.job import Task, plain_values
from nnjax.cli.process import complain
from nnjax.config.errors import DivergedError, PreemptedError, UserError
from nnjax.config.leaving import code_of, on_leaving
from nnjax.config.parsing import parse
from nnjax.config.processes import LAUNCHER, Processes

Tell = Callable[[int, str], None]
"""Called in the first process with its exit code and the line about it, if it ends without having trained."""


def told(tell: Tell, processes: Processes, run: Callable[[], int]) -> int:
    """Runs what only the first process does; if it ends without joining the others, which wait for it, tells them.

    Args:
        tell: does nothing if they were joined.
        processes: of the job.
        run: returns the exit code.
    """
    try:
        code = run()
    except UserError as error:
        if processes.engine != LAUNCHER:  # which ends them
            tell(error.exit_code, str(error))
        raise
    if processes.engine != LAUNCHER or code == 0:  # such as for a run that is complete
        tell(code, "")
    return code


def follow(schema: type, task: Task, composition: Composition, processes: Processes) -> int:
    """Runs the task without a folder; returns the exit code, which is process 0's where all end together.

    Args:
        schema: of the config.
        task: called with the config and None.
        composition: of the command line.
        processes: of the job.

    Raises:
        UserError: for a mistake in the config.
    """
    if any(composition.job.get(key) for key in ("resume", "rerun")):
        # Other overrides are for the config of the earlier run, which comes from process 0.
        config: Any = compose_train([text for text in composition.overrides if text.lstrip("+").startswith("parallel")])
    else:
        values, origins = plain_values(schema, composition)
        config = parse(schema, values, origins)
        check(config, origins)

    def answer(name: str) -> tuple[str, int] | None:
        return ("", code_of(name)) if processes.local_rank else None

    try:
        with on_leaving(answer), out_of_memory_explained(config):
            task(config, None)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except (PreemptedError, DivergedError) as error:  # agreed by all, and process 0 says so
        return error.exit_code
    except UserError as error:  # process 0 is gone, or did not come
        complain(error)
        return error.exit_code
    except Exception:
        complain(f"process {processes.rank}: {traceback.format_exc().rstrip()}")
        return 1
    return 0
