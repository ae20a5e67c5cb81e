"""A subscription's life through the inbox: what is heard of it, in any order, is one row of each. Against the sandbox."""

import random
from typing import Any

import pytest

from paywright.invoices import queries as invoice_queries
from paywright.kernel.model import Customer
from tests.webhooks.mill import Mill

USER = Customer("user", "u_1")


@pytest.fixture
def subscription(mill: Mill) -> str:
    """Monthly, 19.99, paid by a saved card; its id."""
    return str(mill.subscribe()["id"])


def invoices(mill: Mill) -> list[dict[str, Any]]:
    with mill.app.database.read() as connection:
        rows = invoice_queries.page(connection, "test", customer=USER, limit=50)
    return [invoice_queries.shown(row) for row in reversed(rows)]


def lived_through(mill: Mill, *, months: int) -> list[dict[str, Any]]:
    """Everything that happened; Stripe forgets its events after 30 days, so they are read week by week."""
    happened = {event["id"]: event for event in mill.happened()}
    for _ in range(months * 5):
        mill.account.post("/_sandbox/clock/advance", {"by": "7d"})
        happened |= {event["id"]: event for event in mill.happened()}
    return list(happened.values())


@pytest.mark.parametrize("seed", [None, 1, 2, 3], ids=["in order", "shuffled 1", "shuffled 2", "shuffled 3"])
def test_each_paid_period_is_one_invoice_one_payment_and_one_renewal(
    mill: Mill, subscription: str, seed: int | None
) -> None:
    happened = lived_through(mill, months=2)
    if seed is not None:
        happened = happened * 2
        random.Random(seed).shuffle(happened)
    for place in range(0, len(happened), 4):
        mill.deliver(happened[place : place + 4])
        mill.work()
    assert {row.status for row in mill.inbox().values()} <= {"processed", "ignored"}
    found = invoices(mill)
    assert [invoice["billing_reason"] for invoice in found] == [
        "subscription_create",
        "subscription_cycle",
        "subscription_cycle",
    ]
    assert {(invoice["status"], invoice["subscription_id"]) for invoice in found} == {("paid", subscription)}
    assert all(invoice["hosted_invoice_url"] for invoice in found)
    payments = mill.payments()
    assert {payment.status for payment in payments} == {"paid"}
    assert {payment.invoice_id for payment in payments} == {invoice["id"] for invoice in found}
    assert len(payments) == 3
    renewed = [told["invoice_id"] for kind, told in mill.told() if kind == "subscription.renewed"]
    assert sorted(renewed) == sorted(invoice["id"] for invoice in found[1:])
    assert mill.told_types().count("invoice.paid") == 3
    assert mill.told_types().count("payment.paid") == 3


def test_a_renewal_that_fails_is_told_and_renews_when_it_is_paid(mill: Mill, subscription: str) -> None:
    mill.deliver(mill.happened())
    customer = mill.account.every("/v1/customers")[0]["id"]
    broken = mill.post("/v1/payment_methods/pm_card_chargeCustomerFail/attach", customer=customer)["id"]
    mill.post(f"/v1/customers/{customer}", invoice_settings={"default_payment_method": broken})
    mill.account.post("/_sandbox/clock/advance", {"by": "32d"})
    mill.deliver(mill.happened())
    mill.work()
    assert invoices(mill)[-1]["status"] == "open"
    assert "subscription.renewed" not in mill.told_types()
    assert mill.told_types().count("invoice.payment_failed") == 1
    assert [payment.status for payment in mill.payments()] == ["failed", "paid"]
    good = mill.post("/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
    mill.post(f"/v1/invoices/{invoices(mill)[-1]['id']}/pay", payment_method=good)
    mill.deliver(mill.happened())
    mill.work()
    assert [payment.status for payment in mill.payments()] == ["paid", "paid"]
    assert mill.told_types().count("subscription.renewed") == 1
