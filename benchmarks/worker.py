"""A contestant in a process of its own: reads requests from stdin, a JSON object a line, and answers each on stdout.

    python -m benchmarks.worker torch FOLDER '{"channels_last": true}'

The first answer comes without a request, after the contestant's first step. The requests are {"do": "curve", "steps": 50},
{"do": "run", "seconds": 2.0} and {"do": "reach", "accuracy": 0.98, "epochs": 10}. The output of frameworks goes to stderr.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Answers requests until stdin ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    name, folder, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])

    def answer(**values: Any) -> None:
        print(json.dumps({"moment": time.monotonic(), **values}), file=answers)

    import_started = time.monotonic()
    from benchmarks.contestants import EVERYONE
    from benchmarks.tasks import read_inputs

    first = options.pop("first_step", True)
    inputs = read_inputs(folder)
    trainer = EVERYONE[name].make(inputs, **options)
    data_ready = time.monotonic()
    first_step = trainer.first_step() if first else None
    answer(import_started=import_started, data_ready=data_ready, first_step=first_step)
    for line in sys.stdin:
        request = json.loads(line)
        what = request.pop("do")
        if what == "peak_memory":
            from nnjax.reporting.run_summary import peak_rss_mb

            answer(megabytes=peak_rss_mb(), detail=trainer.detail)
        else:
            answer(result=getattr(trainer, what)(**request))


if __name__ == "__main__":
    main()
