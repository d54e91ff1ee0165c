"""Checks class names that stand in the config with the examples: `data.classes`, and a name for each of `data.targets`.

problems = list(class_problems(config.data))
# data.targets.1=dgo: must be one of cat, dog; did you mean dog?
"""

from collections.abc import Iterator

from nnjax.config.annotations import choice
from nnjax.config.data_options import TextbookData
from nnjax.config.diagnostics import Problem, show

Problems = Iterator[Problem]


def class_problems(data: TextbookData) -> Problems:
    """Yields the problems of the names, and of targets that are no names."""
    if data.classes is None:
        yield from _names_without_classes(data)
        return
    wrong = tuple(_names(data.classes))
    yield from wrong
    if wrong:  # the targets' problems would follow from these
        return
    for place, target in enumerate(data.targets):
        if not isinstance(target, str):
            first = ",".join([*map(show, data.classes)][:2])
            reason = f"must be the name of its class, as data.classes has names; such as data.targets=[{first}]"
            yield Problem(f"data.targets.{place}", target, f"{reason}; or choose data.classes=null")
        elif target not in data.classes:
            yield Problem(f"data.targets.{place}", target, f"must be {choice(data.classes, target)}")


def _names_without_classes(data: TextbookData) -> Problems:
    names = dict.fromkeys(target for target in data.targets if isinstance(target, str))
    for place, target in enumerate(data.targets):
        if isinstance(target, str):
            reason = "names a class, and data.classes=null has none; must be a list, each item a number"
            lines = (f"for classes, write data.classes={show(list(names))}",) if len(names) == len({*data.targets}) > 1 else ()
            yield Problem(f"data.targets.{place}", target, reason, lines)


def _names(classes: tuple[str, ...]) -> Problems:
    if len(classes) < 2:
        reason = "needs at least 2 names; for one real-valued output choose data.classes=null and a row of numbers a target"
        yield Problem("data.classes", classes, reason)
    for place, name in enumerate(classes):
        if not name.strip():
            yield Problem(f"data.classes.{place}", f'"{name}"', "is blank; must be a name")
        elif name != name.strip() or not name.isprintable():
            reason = "must not begin or end with a blank, nor hold tabs or ends of lines"
            yield Problem(f"data.classes.{place}", f'"{name}"', reason)
        elif (first := classes.index(name)) != place:
            yield Problem(f"data.classes.{place}", name, f"must differ from data.classes.{first}; each class is named once")
