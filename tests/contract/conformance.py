"""The hook the sandbox calls with every answer and event; it collects what does not fit."""

from collections.abc import Iterator
from typing import Any

from tests.contract.always_present import ALWAYS_PRESENT
from tests.contract.sdk_schemas import event_types, problems

THIN = {"object": "v2.core.event", "id": str, "created": str, "livemode": False, "type": str, "snapshot_event": str}
UPCOMING_HAS_NO_ID = "invoice.upcoming:invoice.id: required and missing"


class Conformance:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.seen = 0

    def check(self, kind: str, value: dict[str, Any]) -> None:
        """Called on the server's thread, so it collects and the fixture asserts."""
        self.seen += 1
        if value.get("object") == THIN["object"]:
            found = thin_problems(value)
        else:
            found = problems(value) if "object" in value else []
        self.problems += [problem for problem in found if problem != UPCOMING_HAS_NO_ID]
        self.problems += missing_keys(value, value.get("object", "?"))
        if kind == "event" and value["type"] not in event_types():
            self.problems.append(f"event type {value['type']!r} is none of the SDK's")


def thin_problems(event: dict[str, Any]) -> list[str]:
    """The SDK has no schema of a thin event: its notifications read these keys."""
    wrong = [f"v2.core.event.{name}: {event.get(name)!r}" for name in THIN if not fits(event.get(name), THIN[name])]
    related = set(event["related_object"] or {})
    return wrong if related <= {"id", "type", "url"} else [*wrong, f"v2.core.event.related_object: {related}"]


def fits(value: Any, wanted: Any) -> bool:
    return isinstance(value, wanted) if isinstance(wanted, type) else bool(value == wanted)


def missing_keys(value: Any, at: str) -> Iterator[str]:
    """Always-present keys that are not there, in the object and everything inside it."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from missing_keys(item, f"{at}[{position}]")
    if not isinstance(value, dict):
        return
    name = value.get("object")
    if isinstance(name, str) and not value.get("deleted") and not is_upcoming(value):
        for key in sorted(ALWAYS_PRESENT.get(name, frozenset()) - set(value)):
            yield f"{at}: {name}.{key} is always present at Stripe"
    for key, inner in value.items():
        if key not in ("metadata", "previous_attributes"):
            yield from missing_keys(inner, f"{at}.{key}")


def is_upcoming(value: dict[str, Any]) -> bool:
    """`invoice.upcoming` shows an invoice that does not exist and so has no id."""
    return value.get("object") == "invoice" and "id" not in value
