"""`paywright events`, on both databases."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from paywright.cli.events import group
from paywright.healing.tables import reconciliations
from paywright.webhooks.tables import stripe_events
from tests.webhooks.deliveries import event
from tests.webhooks.mill import Mill


@pytest.fixture
def paywright(mill: Mill, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    mill.deliver([event("issuing_card.created", {"id": "ic_1", "name": "Zoë"})])
    mill.wall.advance(60)
    mill.deliver([event("invoice.paid", {"id": "in_1", "object": "invoice"}, event_id="evt_2")])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "PAYWRIGHT_DATABASE_URL", mill.app.database.url.render_as_string(hide_password=False).replace("+psycopg", "")
    )
    monkeypatch.setenv("PAYWRIGHT_SECRET", "a secret of tests only, long enough")
    return lambda *arguments: CliRunner().invoke(group, arguments)


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_inbox_is_listed_newest_first(paywright: Any) -> None:
    listed = answer(paywright("list", "--json"))
    assert [(row["id"], row["status"], row["reason"]) for row in listed["data"]] == [
        ("evt_2", "pending", None),
        ("evt_1", "ignored", "unknown_type"),
    ]
    assert listed["has_more"] is False
    assert answer(paywright("list", "--limit", "1", "--json"))["has_more"] is True


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--status", "ignored"), ["evt_1"]),
        (("--type", "invoice.paid"), ["evt_2"]),
        (("--reason", "unknown_type"), ["evt_1"]),
        (("--status", "failed"), []),
    ],
)
def test_the_list_is_narrowed(paywright: Any, options: tuple[str, ...], expected: list[str]) -> None:
    assert [row["id"] for row in answer(paywright("list", *options, "--json"))["data"]] == expected


def test_people_read_a_table_or_that_there_is_nothing(paywright: Any) -> None:
    assert "issuing_card.created  ignored" in paywright("list").output
    assert paywright("list", "--status", "failed").output == "No Stripe events to show.\n"


def test_one_is_shown_with_its_payload(paywright: Any) -> None:
    assert answer(paywright("show", "evt_1", "--json"))["payload"]["data"]["object"]["name"] == "Zoë"
    assert "issuing_card.created" in paywright("show", "evt_1").output


@pytest.mark.parametrize("command", ["show", "replay"])
def test_one_that_is_not_there_is_a_refusal(paywright: Any, command: str) -> None:
    result = paywright(command, "evt_9", "--json")
    assert (result.exit_code, json.loads(result.output)["error"]["code"]) == (1, "not_found")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("evt_2",), ["evt_2"]),
        (("--failed",), ["evt_2"]),
        (("--ignored", "unknown_type"), ["evt_1"]),
        (("--since", "2020-01-01T00:00:00Z"), ["evt_1", "evt_2"]),
        (("--since", "2099-01-01T00:00:00Z"), []),
        (("--failed", "--since", "2099-01-01T00:00:00Z"), []),
    ],
    ids=["one", "failed", "ignored", "since", "later", "both"],
)
def test_replay_of_one_or_many(mill: Mill, paywright: Any, arguments: tuple[str, ...], expected: list[str]) -> None:
    with mill.app.work("test") as work:
        failed = {"status": "failed", "reason": "dead_letter", "attempts": 9, "next_attempt_at": None}
        work.execute(stripe_events.update().where(stripe_events.c.id == "evt_2").values(**failed))
    assert answer(paywright("replay", *arguments, "--json"))["replayed"] == expected
    assert mill.inbox()["evt_2"].status == ("pending" if "evt_2" in expected else "failed")
    assert mill.inbox()["evt_1"].status == "ignored"


@pytest.mark.parametrize(
    "arguments", [(), ("evt_1", "--failed"), ("--since", "yesterday")], ids=["nothing", "both", "no instant"]
)
def test_a_replay_of_nobody_knows_what_is_a_usage_error(paywright: Any, arguments: tuple[str, ...]) -> None:
    assert paywright("replay", *arguments).exit_code == 2


def test_the_endpoint_is_made_and_rolled(mill: Mill, paywright: Any) -> None:
    refused = paywright("endpoint", "--json")
    assert (refused.exit_code, json.loads(refused.output)["error"]["code"]) == (1, "invalid_request")
    first = answer(paywright("endpoint", "--url", "http://127.0.0.1:1", "--json"))
    assert first["url"] == "http://127.0.0.1:1/webhooks/stripe/test"
    second = paywright("endpoint", "--url", "http://127.0.0.1:1")
    assert f"Replaced: {first['id']};" in second.output
    with mill.app.database.read() as connection:
        [asked] = connection.execute(sa.select(reconciliations.c.asked_by, reconciliations.c.status)).all()
    assert tuple(asked) == ("cli", "requested")
    assert len(mill.account.every("/v1/webhook_endpoints")) == 1
