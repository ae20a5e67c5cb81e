"""What the demo store says after a checkout: never a thank-you for what did not happen, never a wait for what will not come."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paywright.client.model import CheckoutSession, Payment, StripeIds
from paywright.demo.outcome import outcome_of
from paywright.kernel.model import Money


def session(status: str, payment_status: str) -> CheckoutSession:
    known: dict[str, Any] = {
        "id": "chk_1",
        "environment": "test",
        "mode": "payment",
        "status": status,
        "payment_status": payment_status,
        "customer": None,
        "url": None,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
        "stripe": StripeIds("cs_1", "cus_1", "pi_1", None),
    }
    return CheckoutSession(**known)


def payment(status: Any) -> Payment:
    return Payment("pay_1", status, Money(1000, "usd"), Money(0, "usd"), False)


@pytest.mark.parametrize(
    ("status", "payment_status", "paid_by", "title"),
    [
        ("completed", "unpaid", None, "Your bank is on it"),
        ("completed", "unpaid", "pending", "Your bank is on it"),
        ("completed", "unpaid", "failed", "Your bank sent the debit back"),
        ("completed", "unpaid", "cancelled", "Your bank sent the debit back"),
        ("completed", "paid", "paid", "Thank you. It is yours."),
        ("completed", "no_payment_required", None, "Thank you. It is yours."),
        ("open", "unpaid", "failed", "Not paid yet"),
        ("expired", "unpaid", None, "This checkout has expired"),
    ],
)
def test_the_page_says_how_it_is(status: str, payment_status: str, paid_by: str | None, title: str) -> None:
    said = outcome_of(session(status, payment_status), None if paid_by is None else payment(paid_by))
    assert said.title == title
    assert (said.refresh_s is None) == (title != "Your bank is on it")
