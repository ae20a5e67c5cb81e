"""Which route a path means, for callers that come without the router: the same table, and the same percent-encoded paths."""

import re
from functools import cache

from paywright.api.route import Route
from paywright.api.routes import ROUTES

_PART = re.compile(r"{(\w+)}")


@cache
def _patterns() -> dict[tuple[str, int], list[tuple[re.Pattern[str], Route]]]:
    """By method and number of segments; fixed segments come before named ones."""
    found: dict[tuple[str, int], list[tuple[re.Pattern[str], Route]]] = {}
    for route in sorted(ROUTES, key=lambda each: each.path.replace("{", "~")):
        pattern = re.compile(_PART.sub(r"(?P<\1>[^/]+)", route.path.replace(".", r"\.")))
        found.setdefault((route.method, route.path.count("/")), []).append((pattern, route))
    return found


METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


def methods_of(path: str) -> list[str]:
    """What a path takes, for the answer to a method it does not take."""
    return [method for method in METHODS if match(method, path) is not None]


def match(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route and the encoded parts of its path."""
    for pattern, route in _patterns().get((method, path.count("/")), []):
        matched = pattern.fullmatch(path)
        if matched is not None:
            return route, matched.groupdict()
    return None
