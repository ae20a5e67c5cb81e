"""
Objects on their way out: our own notes removed, fields expanded where asked.

A field can be expanded when the SDK types it so, or when it is one of `ABSENT`: those that Stripe leaves out altogether unless asked.
"""

from collections.abc import Callable
from typing import Any

from .errors import Json, invalid
from .params import catalogue
from .work import Work, public

LEVELS_MAX = 4

ABSENT: dict[tuple[str, str], Callable[[Work, Json], Any]] = {}
"""(object, field) → what the field holds when asked for. Filled by `absent_unless_expanded`."""

Builder = Callable[[Work, Json], Any]


def absent_unless_expanded(object_name: str, field: str) -> Callable[[Builder], Builder]:
    """The decorated builder answers this field of this object, from the work and the object as rendered."""

    def register(builder: Builder) -> Builder:
        ABSENT[(object_name, field)] = builder
        return builder

    return register


def rendered(work: Work, result: Json, expand: list[str]) -> Json:
    """The answer as it goes out; `result` is not changed."""
    answer = public(result)
    for path in expand:
        segments = path.split(".")
        if len(segments) > LEVELS_MAX:
            raise invalid(f"You cannot expand more than {LEVELS_MAX} levels of a property: {path}.", param="expand")
        expand_in(work, answer, answer, "", segments, path)
    return answer


def expand_in(work: Work, node: Any, owner: Json, prefix: str, segments: list[str], path: str) -> None:
    """Expands `segments` below `node`, which is `owner` itself or a hash inside it reached by `prefix`."""
    if isinstance(node, list):
        for item in node:
            expand_in(work, item, item if "object" in item else owner, prefix, segments, path)
        return
    field, rest = segments[0], segments[1:]
    if node.get("object") == "list":
        if field != "data":
            raise not_expandable(field, path)
        if rest:
            for item in node["data"]:
                expand_in(work, item, item, "", rest, path)
        return
    expand_field(work, node, owner, prefix + field, field, rest, path)


def expand_field(work: Work, node: Json, owner: Json, dotted: str, field: str, rest: list[str], path: str) -> None:
    name = owner.get("object", "")
    if (name, dotted) in ABSENT:
        if field not in node and not owner.get("deleted"):
            node[field] = ABSENT[(name, dotted)](work, owner)
    elif dotted in catalogue().expandable.get(name, frozenset()):
        if isinstance(node.get(field), str):
            node[field] = looked_up(work, node[field])
        elif isinstance(node.get(field), list):
            node[field] = [looked_up(work, item) if isinstance(item, str) else item for item in node[field]]
    elif not rest or (field not in node and not leads_somewhere(name, dotted)):
        raise not_expandable(field, path)
    below = node.get(field)
    if rest and isinstance(below, dict | list):
        if isinstance(below, dict) and "object" in below:
            expand_in(work, below, below, "", rest, path)
        else:
            expand_in(work, below, owner, dotted + ".", rest, path)
    elif rest and isinstance(below, str):
        raise not_expandable(field, path)


def leads_somewhere(name: str, dotted: str) -> bool:
    inner = f"{dotted}."
    return any(known.startswith(inner) for known in catalogue().expandable.get(name, frozenset()))


def looked_up(work: Work, id: str) -> Any:
    found = work.any(id)
    return public(found) if found else id


def not_expandable(field: str, path: str) -> Exception:
    return invalid(
        f"This property cannot be expanded ({field}). You may want to try expanding a different property; the path was {path}.",
        param="expand",
    )
