"""The hook the sandbox calls with every answer and event; it collects what does not fit."""

from collections.abc import Iterator
from typing import Any

from tests.contract.always_present import ALWAYS_PRESENT
from tests.contract.sdk_schemas import event_types, problems

UPCOMING_HAS_NO_ID = "invoice.upcoming:invoice.id: required and missing"


class Conformance:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.seen = 0

    def check(self, kind: str, value: dict[str, Any]) -> None:
        """Called on the server's thread, so it collects and the fixture asserts."""
        self.seen += 1
        found = problems(value) if "object" in value else []
        self.problems += [problem for problem in found if problem != UPCOMING_HAS_NO_ID]
        self.problems += missing_keys(value, value.get("object", "?"))
        if kind == "event" and value["type"] not in event_types():
            self.problems.append(f"event type {value['type']!r} is none of the SDK's")


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
