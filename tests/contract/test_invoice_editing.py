"""Lines of drafts added, changed and removed; subscriptions migrated and rid of discounts."""

from typing import Any

import pytest
import stripe

from paywright_sandbox import Sandbox
from tests.contract.billing import APRIL_1, Desk, amounts, first_item
from tests.contract.conformance import Conformance
from tests.contract.shop import Shop

DAY = 86_400


@pytest.fixture
def draft(desk: Desk) -> Any:
    customer = desk.customer()
    desk.v1.invoice_items.create({"customer": customer, "amount": 1000, "currency": "usd", "description": "Work"})
    return desk.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})


def test_lines_are_added(desk: Desk, draft: Any) -> None:
    waiting = desk.v1.invoice_items.create({"customer": draft.customer, "amount": 70, "currency": "usd"}).id
    lines = [
        {"description": "More", "amount": 300},
        {"pricing": {"price": desk.once(250)}, "quantity": 2},
        {"invoice_item": waiting},
    ]
    log = desk.during()
    bill = desk.v1.invoices.add_lines(draft.id, {"lines": lines, "invoice_metadata": {"a": "1"}})
    assert (amounts(bill), bill.total, bill.metadata.a) == ([1000, 300, 500, 70], 1870, "1")
    assert log.find("invoice.updated")["previous_attributes"]["total"] == 1000
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.invoices.add_lines(draft.id, {"lines": [{"invoice_item": waiting}]})
    assert refusal.value.param == "lines[0][invoice_item]"


def test_lines_are_changed(desk: Desk, draft: Any) -> None:
    line = draft.lines.data[0].id
    bill = desk.v1.invoices.update_lines(draft.id, {"lines": [{"id": line, "amount": 400, "description": "Less"}]})
    assert (bill.total, bill.lines.data[0].description, bill.lines.data[0].id) == (400, "Less", line)
    changed = desk.v1.invoices.line_items.update(draft.id, line, {"amount": 900})
    assert (changed.id, changed.amount) == (line, 900)
    assert desk.v1.invoices.retrieve(draft.id).total == 900


@pytest.mark.parametrize(("behavior", "waiting"), [("delete", 0), ("unassign", 1)])
def test_lines_are_removed(desk: Desk, draft: Any, behavior: str, waiting: int) -> None:
    line = draft.lines.data[0].id
    bill = desk.v1.invoices.remove_lines(draft.id, {"lines": [{"id": line, "behavior": behavior}]})
    assert (bill.total, bill.lines.data) == (0, [])
    assert len(desk.v1.invoice_items.list({"pending": True}).data) == waiting


def test_lines_that_cannot_be_edited(desk: Desk, draft: Any) -> None:
    made = desk.subscribe()
    desk.shop.advance("30d")
    cycle = desk.again(made).latest_invoice
    for bill, line, code in [
        (cycle, cycle.lines.data[0].id, "invoice_not_editable"),
        (draft, "il_none", "resource_missing"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            desk.v1.invoices.update_lines(bill.id, {"lines": [{"id": line, "amount": 1}]})
        assert refusal.value.code == code
    with pytest.raises(stripe.InvalidRequestError) as final:
        desk.v1.invoices.add_lines(made.latest_invoice.id, {"lines": [{"amount": 5}]})
    assert final.value.code == "invoice_not_editable"


def test_classic_becomes_flexible(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000), billing_mode={"type": "classic"})
    target = desk.price(2000)
    desk.shop.advance("15d")
    moved = desk.v1.subscriptions.migrate(made.id, {"billing_mode": {"type": "flexible"}})
    assert (moved.billing_mode.type, moved.billing_mode.updated_at) == ("flexible", APRIL_1 + 15 * DAY)
    assert amounts(desk.switch(made, price=target, proration_behavior="always_invoice").latest_invoice) == [-500, 1000]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.subscriptions.migrate(made.id, {"billing_mode": {"type": "flexible"}})
    assert refusal.value.param == "billing_mode"
    ended = desk.v1.subscriptions.cancel(desk.subscribe().id)
    with pytest.raises(stripe.InvalidRequestError, match="ended"):
        desk.v1.subscriptions.migrate(ended.id, {"billing_mode": {"type": "flexible"}})


def test_a_discount_is_deleted(desk: Desk) -> None:
    half = desk.v1.coupons.create({"percent_off": 50, "duration": "forever"}).id
    made = desk.subscribe(discounts=[{"coupon": half}])
    log = desk.during()
    assert desk.v1.subscriptions.delete_discount(made.id).deleted is True
    assert log.types() == ["customer.subscription.updated", "customer.discount.deleted"]
    assert desk.again(made).discounts == []
    with pytest.raises(stripe.InvalidRequestError, match="no active discount"):
        desk.v1.subscriptions.delete_discount(made.id)


def test_a_subscription_survives_a_restart(tmp_path: Any) -> None:
    """Its calendar too: the renewal that was due comes after the restart."""
    checked = Conformance()
    path = str(tmp_path / "sandbox.db")
    with Sandbox(path=path, seed=5, check=checked.check) as sandbox, Shop(sandbox.url, sandbox.secret_key) as shop:
        desk = Desk(shop)
        desk.freeze()
        made = desk.subscribe(desk.price(1000))
        key = shop.secret_key
    with Sandbox(path=path, check=checked.check) as sandbox, Shop(sandbox.url, key) as shop:
        shop.http.headers["Authorization"] = f"Bearer {key}"
        shop.client = shop.client_with(key)
        desk = Desk(shop)
        shop.advance("31d")
        after = desk.again(made)
        assert (after.latest_invoice.status, first_item(after).current_period_start) == ("paid", APRIL_1 + 30 * DAY)
    assert checked.problems == []
