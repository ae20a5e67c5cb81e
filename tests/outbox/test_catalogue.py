"""The event catalogue: every type that is recorded stands in it, and every type in it is recorded by somebody."""

import ast
from collections.abc import Iterator
from pathlib import Path

from paywright.outbox.catalogue import EVENTS
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
