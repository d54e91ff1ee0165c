"""The source of the live page, put together: a template, style sheets and ES modules become one HTML text without network.

text = page_source({"TITLE": "two_neuron on textbook", "TRACE": script_json(trace)})
script = joined_modules(read_modules(SOURCE))          # every module once, each after those that it imports

The modules are plain ES modules, which `node --test` runs as they are. Joined, they share one scope: imports and the word
`export` go, so a name may be defined at the top level of one module only.
"""

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).with_name("live_page")

_IMPORT = re.compile(r'import \{ ?([\w$]+(?:, ?[\w$]+)*),? ?\} from "\./([\w-]+\.js)";')
_EXPORT = re.compile(r"export (?=(?:async )?function\b|const\b|let\b|class\b)")
_DEFINITION = re.compile(r"(?:export )?(?:(?:async )?function\*? ?|class |const |let |var )([\w$]+|[{\[][^=]*?[}\]](?= =))")
_WORDS = re.compile(r"[\w$]+")


class PageSourceError(Exception):
    """The modules cannot be joined; the message names the module and the line."""


def page_source(values: Mapping[str, str], source: Path = SOURCE) -> str:
    """Returns the page with its style sheets and modules.

    Args:
        values: text for each @NAME@ of the template besides @CSS@ and @JS@, already escaped for its place.
        source: the folder of page.html, the style sheets and the modules.

    Raises:
        PageSourceError: for a placeholder without text, a text without placeholder, or modules that cannot be joined.
    """
    template = (source / "page.html").read_text(encoding="utf-8")
    styles = "\n".join(path.read_text(encoding="utf-8").rstrip("\n") for path in _style_sheets(source))
    texts = {**values, "CSS": styles, "JS": joined_modules(read_modules(source))}
    parts = re.split(r"@([A-Z_]+)@", template)
    names = parts[1::2]
    if sorted(names) != sorted(texts):
        raise PageSourceError(f"page.html has the placeholders {sorted(names)}, each once; the texts are {sorted(texts)}")
    return "".join(texts[part] if index % 2 else part for index, part in enumerate(parts))


def _style_sheets(source: Path) -> list[Path]:
    """The style sheets, page.css first, as the others build on its variables."""
    return sorted(source.glob("*.css"), key=lambda path: (path.name != "page.css", path.name))


def read_modules(source: Path) -> dict[str, str]:
    """Returns the modules of a folder by their file names, in alphabetical order."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(source.glob("*.js"))}


def joined_modules(modules: Mapping[str, str]) -> str:
    """Returns one script of all modules: strict, each module after those that it imports.

    Raises:
        PageSourceError: for an import of a missing module or name, modules that import each other in a circle, an import or
            export in another form, or a name defined at the top level of two modules.
    """
    imports = {name: dict(_imports(name, text)) for name, text in modules.items()}
    defined = {name: list(_definitions(text)) for name, text in modules.items()}
    exported = {name: set(_definitions(text, exported=True)) for name, text in modules.items()}
    for name, wanted in imports.items():
        for other, names in wanted.items():
            if other not in modules:
                raise PageSourceError(f"{name} imports ./{other}, which is not there")
            if missing := sorted(names - exported[other]):
                raise PageSourceError(f"{name} imports {', '.join(missing)} from ./{other}, which does not export it")
    owners: dict[str, str] = {}
    for name in modules:
        for word in defined[name]:
            if word in owners:
                raise PageSourceError(f"{name} and {owners[word]} both define {word}; joined modules share one scope")
            owners[word] = name
    try:
        order = list(TopologicalSorter({name: sorted(wanted) for name, wanted in imports.items()}).static_order())
    except CycleError as error:
        raise PageSourceError(f"modules import each other in a circle: {' → '.join(error.args[1])}") from None
    script = "\n".join(f"// ---- {name}\n{_stripped(name, modules[name])}" for name in order)
    if "</script" in script.lower() or "<!--" in script:
        raise PageSourceError("a module holds </script or <!--, which ends or changes a script in HTML")
    return f'"use strict";\n{script}'


def _imports(name: str, text: str) -> Iterator[tuple[str, set[str]]]:
    found: dict[str, set[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not re.match(r"import\b", line):
            continue
        match = _IMPORT.fullmatch(line)
        if match is None:
            wanted = 'must be on one line: import { a, b } from "./other.js";'
            raise PageSourceError(f"{name}:{number}: {line.strip()}: an import {wanted}")
        found.setdefault(match[2], set()).update(_WORDS.findall(match[1]))
    yield from found.items()


def _definitions(text: str, *, exported: bool = False) -> Iterator[str]:
    """The names defined at the top level: at the start of a line, as the formatter indents everything else."""
    for line in text.splitlines():
        match = _DEFINITION.match(line)
        if match and (not exported or line.startswith("export ")):
            yield from _WORDS.findall(match[1])


def _stripped(name: str, text: str) -> str:
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"import\b", line):
            continue
        if re.match(r"export\b", line):
            if _EXPORT.match(line) is None:
                wanted = "must be export function, export const, export let or export class"
                raise PageSourceError(f"{name}:{number}: {line.strip()}: an export {wanted}")
            line = _EXPORT.sub("", line, count=1)
        lines.append(line)
    return "\n".join(lines).strip("\n")
