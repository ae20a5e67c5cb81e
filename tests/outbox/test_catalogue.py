"""The event catalogue: every type that is recorded stands in it, and every type in it is recorded by somebody."""

import ast
from collections.abc import Iterator
from pathlib import Path

from paywright.outbox.catalogue import EVENTS, INCIDENTS
from paywright.payments.model import STATUSES
from tests.house.trees import ROOT

SOURCE = ROOT / "src" / "paywright"
NOT_WRITING = ("outbox/catalogue.py", "emails/", "webhooks/", "demo/", "client/", "docs/")
"""Where a type of event is named without being written. `webhooks` names Stripe's."""

BY_PAYOUT = {"payout.paid", "payout.failed"}
DERIVED = {"item.balance_changed": "an entry of the ledger is its own event"}
BY_STATUS = {f"payment.{status}" for status in STATUSES} | {"payment.refund_failed"}
"""Told by `payments` under the name of the status, and of what became of a refund."""


def written() -> Iterator[str]:
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        if not where.startswith(NOT_WRITING):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from (
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in EVENTS
            )


def recorded(path: Path) -> Iterator[str]:
    """The types that are written out in calls of `record`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "record":
            for argument in node.args[1:2]:
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)


def test_every_type_in_the_catalogue_is_written_by_somebody() -> None:
    assert EVENTS.keys() - set(written()) - BY_STATUS - BY_PAYOUT - DERIVED.keys() == set()


def test_every_type_that_is_recorded_stands_in_the_catalogue() -> None:
    found = {name for path in SOURCE.rglob("*.py") for name in recorded(path)}
    assert found - EVENTS.keys() == set()
    assert len(found) > 15


def incidents_opened(path: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Kinds in calls of `open_incident`, and of `record` with `incident.opened`; with the names of their facts where they are written out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called == "open_incident" and isinstance(node.args[1], ast.Constant):
            yield str(node.args[1].value), names_in(node.args[2])
        elif called == "record" and isinstance(node.args[1], ast.Constant) and node.args[1].value == "incident.opened":
            said = node.args[2]
            if isinstance(said, ast.Dict) and isinstance(said.values[0], ast.Constant):
                yield str(said.values[0].value), names_in(said.values[1])


def names_in(facts: ast.expr) -> frozenset[str]:
    if not isinstance(facts, ast.Dict):
        return frozenset()
    return frozenset(str(key.value) for key in facts.keys if isinstance(key, ast.Constant))


def test_every_kind_of_incident_stands_in_the_catalogue_with_its_facts_and_is_opened_by_somebody() -> None:
    found = [each for path in SOURCE.rglob("*.py") for each in incidents_opened(path)]
    assert {kind for kind, _ in found} == INCIDENTS.keys()
    told = {kind: {name.rstrip("?") for name in names.split()} for kind, (_, names) in INCIDENTS.items()}
    assert [(kind, names - told[kind]) for kind, names in found if names - told[kind]] == []
