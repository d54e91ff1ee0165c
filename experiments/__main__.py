"""The verbs, and a way to each: `python -m experiments train model=cnn`, or `nnjax train model=cnn` where nnjax is installed.

Without a verb, or with `--help`, lists them: each is a module of this package, with the first line and the first example of
`conf/hydra/help/VERB.yaml`.
"""

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import NoReturn

import experiments
import nnjax
from nnjax.cli.process import begin_process, complain, end_process, unread
from nnjax.config.errors import ConfigError
from nnjax.config.invocation import SCRIPT, is_script, verb_command


def main() -> NoReturn:
    """The command line."""
    words = sys.argv[1:]
    if len(words) == 2 and words[0] == "help" and words[1] in verbs():
        words = sys.argv[1:] = [words[1], "--help"]
    if words and words[0] in verbs():
        sys.argv[1:2] = []
        import_module(f"experiments.{words[0]}").main()
        sys.exit(0)  # a verb ends the process
    if words and words[0] in ("-sc", "--shell-completion"):
        import_module("experiments.train").main()  # any verb prints the completion of all
    module = "experiments.__main__"
    begin_process(module)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_listing())
        end_process(unread(0, "--help"), module)
    if words[0] == "--version":
        print(f"nnjax {nnjax.__version__}")
        end_process(unread(0, "--version"), module)
    complain(_no_such_verb(words))
    end_process(ConfigError.exit_code, module)


def verbs() -> list[str]:
    """The modules of this package that are verbs."""
    return sorted(module.name for module in iter_modules(experiments.__path__) if not module.name.startswith("_"))


def _listing() -> str:
    import yaml

    from nnjax.cli.compose import conf_dir  # takes a while to import, which a verb's own process need not wait for

    lines = [f"{_program()} VERB [group=option …] [key=value …]", ""]
    for verb in verbs():
        template = yaml.safe_load((conf_dir() / "hydra" / "help" / f"{verb}.yaml").read_text(encoding="utf-8"))["template"]
        lines.append(f"  {verb:<10} {template.partition(':')[0].strip()}")
        lines.append(f"  {'':<10} {verb_command(verb)} {_example(template)}")
    return "\n".join([*lines, "", f"To begin: {verb_command('train')}. {_program()} VERB --help shows all that a verb can do."])


def _example(template: str) -> str:
    """The first of the examples in a help page that is not "(nothing)"."""
    lines = template.partition("each after $COMMAND:\n")[2].splitlines()
    examples = (re.split(r"\s{2,}", line.strip())[0] for line in lines)
    return next(example for example in examples if example != "(nothing)")


def _no_such_verb(words: Sequence[str]) -> str:
    word = words[0]
    if "=" in word or word.startswith("-"):
        return f"{word}: the verb comes first, as in {_program()} train {' '.join(words)}; verbs: {', '.join(verbs())}"
    near = get_close_matches(word, verbs(), n=1)
    return f"{word}: no such verb;{f' did you mean {near[0]}?' if near else ''} verbs: {', '.join(verbs())}"


def _program() -> str:
    return SCRIPT if is_script() else "python -m experiments"


if __name__ == "__main__":
    main()
