"""Folders as bare words of a command line, for a verb that takes many: `experiments.compare A B metric=test_loss`.

with_words(["outputs/a", "outputs/b c", "rank=false"], "runs")     # ["rank=false", "runs=['outputs/a','outputs/b c']"]
"""

from collections.abc import Sequence
from pathlib import Path

from nnjax.cli.hydra_internals import get_args_parser
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.config.errors import ConfigError


def with_words(argv: Sequence[str], key: str) -> list[str]:
    """Returns the arguments with the words that are no overrides as the value of a key.

    A word with a "=" is a path if a folder comes before it, or if there is such a file or folder.

    Args:
        argv: as typed, without the program.
        key: a list of texts.

    Raises:
        ConfigError: if the key is given, too.
    """
    texts = overrides_of(argv)
    words = [text for text in texts if _is_path(text)]
    if not words:
        return list(argv)
    if given := next((text for text in texts if text.partition("=")[0].lstrip("+~") == key and text not in words), None):
        raise ConfigError(f"{given}: {words[0]} is given, too; name all of them in one way {ON_COMMAND_LINE}")
    return [*(text for text in argv if text not in words), with_list(key, words)]


def overrides_of(argv: Sequence[str]) -> list[str]:
    """The arguments that are no flags, nor the values of flags."""
    parser = get_args_parser()
    parser.add_argument("--explain", nargs="?", const="")
    parser.add_argument("--plugin", action="append")
    arguments = parser.parse_intermixed_args(list(argv))
    texts: list[str] = arguments.overrides
    return [] if arguments.shell_completion else texts


def with_list(key: str, words: Sequence[str]) -> str:
    """The override that gives a key a list of texts, whatever letters they hold."""
    return f"{key}=[{','.join(map(in_quotes, words))}]"


def in_quotes(text: str) -> str:
    """A text as Hydra's grammar reads it back, whatever letters it holds."""
    return f"'{_escaped(text)}'"


def _is_path(text: str) -> bool:
    before, equals, _ = text.partition("=")
    if text.startswith("~") and not text.startswith("~/"):  # removes a key
        return False
    return not equals or "/" in before.lstrip("+") or Path(text).exists()


def _escaped(word: str) -> str:
    r"""Quotes are escaped, and backslashes before one or at the end, as Hydra's grammar has it; ${…} would be resolved."""
    escaped = ""
    for place, letter in enumerate(word):
        rest = word[place:].lstrip("\\")
        if letter == "'" or (letter == "\\" and (not rest or rest[0] == "'")) or word[place : place + 2] == "${":
            escaped += "\\"
        escaped += letter
    return escaped
