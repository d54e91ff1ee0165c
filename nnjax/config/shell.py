r"""Text that a terminal shows as it is and a shell takes back, whatever letters a path holds.

shell_text(Path("caf\udce9"))        # $'caf\xe9', where the name is not UTF-8
shell_word("a b")                   # 'a b'
"""

import codecs
import os
import shlex
import sys

STAND_INS = "nnjax-stand-ins"
"""Error handling of a stream: as "replace", but a minus or a dash that it cannot encode becomes a hyphen, not a question."""

_HYPHENS = "\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}"


def _stand_ins(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join("-" if letter in _HYPHENS else "?" for letter in letters), error.end


codecs.register_error(STAND_INS, _stand_ins)


def shell_text(text: object) -> str:
    r"""A text as it is where the terminal can show all of it; else in the quotes of a shell, byte by byte: ``$'caf\xe9'``."""
    plain = str(text)
    return plain if _can_be_shown(plain) else _escaped(plain)


def shell_word(text: object) -> str:
    """A text to be pasted into a shell as one word."""
    plain = str(text)
    return shlex.quote(plain) if _can_be_shown(plain) else _escaped(plain)


def _can_be_shown(text: str) -> bool:
    if text.isascii():
        return text.isprintable()
    if not text.isprintable():
        return False
    for stream in (sys.stdout, sys.stderr):
        try:
            text.encode(getattr(stream, "encoding", None) or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return False
    return True


def _escaped(text: str) -> str:
    try:
        content = os.fsencode(text)
    except UnicodeEncodeError:  # no name of a file
        content = text.encode("utf-8", "backslashreplace")
    letters = (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in content)
    written = "".join(f"\\{letter}" if letter in "'\\" else letter for letter in letters)
    return f"$'{written}'"
