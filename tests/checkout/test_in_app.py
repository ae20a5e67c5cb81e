"""Paying inside the app, against the sandbox: a Payment Intent behind the session, and the same fulfilment. On both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from paywright.checkout import actions as checkout
from paywright.checkout import in_app
from paywright.checkout.in_app import BareIntent
from paywright.checkout.model import CheckoutSession
from paywright.checkout.queries import overdue
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import AskedLine
from paywright.payments import queries as payment_queries
from tests.checkout.test_sandbox import USER, StripeShop, sandbox

__all__ = ["sandbox"]

FREE: dict[str, Any] = {
    "items": {"credits": {}},
    "products": {
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000, "jpy": 1500}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
        "gift": {"prices": {"once": {"amounts": {"usd": 0}}}},
        "pro": {"prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}}},
    },
}


@pytest.fixture
def shop(database_url: str, sandbox: Any) -> Iterator[StripeShop]:
    made = StripeShop(database_url, sandbox)
    made.apply(FREE)
    yield made
    made.close()


def opened(shop: StripeShop, product_id: str = "pack", **changes: Any) -> CheckoutSession:
    outcome = shop.start(product_id, ui="elements", success_url="", cancel_url="", **changes)
    assert isinstance(outcome, CheckoutSession), outcome
    return outcome


def confirm(shop: StripeShop, session: CheckoutSession, method: str = "pm_card_visa") -> None:
    """What the browser does, with Stripe.js."""
    path = f"/v1/payment_intents/{session.stripe_payment_intent_id}/confirm"
    params = {"payment_method": method, "return_url": "https://app.test/done"}
    shop.app.gateway(shop.environment).post(path, params, idempotency_key=f"confirm-{session.id}-{method}")


def paid_by(shop: StripeShop, customer: Customer) -> list[tuple[str, int, str | None]]:
    with shop.app.database.read() as connection:
        rows = payment_queries.page(connection, "test", customer=customer, status=None, after=None, limit=10)
    return [(row.status, row.amount.amount, row.checkout_session_id) for row in rows]


def test_paid_in_the_app_is_granted_once(shop: StripeShop) -> None:
    session = opened(shop, lines=(AskedLine(product_id="pack", quantity=3),))
    assert (session.status, session.url, session.mode) == ("open", None, "payment")
    secret = in_app.client_secret(shop.app, shop.environment, session)
    assert secret is not None
    assert secret.startswith(f"{session.stripe_payment_intent_id}_secret_")
    assert shop.sync(session).status == "open"
    assert shop.units(USER) == 0
    confirm(shop, session)
    for _ in range(3):
        done = shop.sync(session)
        assert (done.status, done.payment_status, done.is_fulfilled) == ("completed", "paid", True)
    assert shop.units(USER) == 300
    assert paid_by(shop, USER) == [("paid", 3000, session.id)]
    assert in_app.client_secret(shop.app, shop.environment, done) is None


def test_the_same_request_is_the_same_intent(shop: StripeShop) -> None:
    first, again, keyed = opened(shop), opened(shop), opened(shop, key="k1")
    assert first == again == keyed
    other = opened(shop, lines=(AskedLine(product_id="pack", quantity=2),))
    assert other.id != first.id
    canceled = [each["status"] for each in shop.at_stripe("/v1/payment_intents")]
    assert sorted(canceled) == ["canceled", "requires_payment_method"]


def test_a_declined_card_leaves_the_session_open_and_another_pays(shop: StripeShop) -> None:
    session = opened(shop)
    with pytest.raises(Exception, match="declined"):
        confirm(shop, session, "pm_card_visa_chargeDeclined")
    assert shop.sync(session).status == "open"
    assert shop.units(USER) == 0
    confirm(shop, session)
    assert shop.sync(session).status == "completed"
    assert shop.units(USER) == 100


def test_an_in_app_session_that_ends_cancels_its_intent(shop: StripeShop) -> None:
    session = opened(shop)
    ended = checkout.expire(shop.app, shop.environment, session.id)
    assert isinstance(ended, CheckoutSession)
    assert ended.status == "expired"
    assert [each["status"] for each in shop.at_stripe("/v1/payment_intents")] == ["canceled"]


def test_a_total_of_nothing_is_granted_without_an_intent(shop: StripeShop) -> None:
    session = opened(shop, "gift")
    assert (session.status, session.payment_status, session.is_fulfilled) == ("completed", "no_payment_required", True)
    assert [each.product_id for each in shop.owned(USER)] == ["gift"]
    assert shop.at_stripe("/v1/payment_intents") == []


def test_a_subscription_is_not_paid_in_the_app(shop: StripeShop) -> None:
    refusal = shop.start("pro", ui="elements", success_url="", cancel_url="")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.param) == ("invalid_request", "line_items")
    assert shop.at_stripe("/v1/payment_intents") == []


def test_a_guest_pays_in_the_app_and_their_address_is_known(shop: StripeShop) -> None:
    guest = Customer("guest", "gst_1")
    session = opened(shop, customer=guest, customer_email="Buyer@X.com", with_secret_key=False)
    confirm(shop, session)
    done = shop.sync(session)
    assert (done.buyer_email, done.is_fulfilled) == ("buyer@x.com", True)
    assert shop.units(guest) == 100
    assert paid_by(shop, guest) == [("paid", 1000, session.id)]


def test_an_intent_that_only_claims_a_session_grants_nothing(shop: StripeShop) -> None:
    session = opened(shop)
    gateway = shop.app.gateway(shop.environment)
    forged = gateway.post(
        "/v1/payment_intents",
        {
            "amount": 50,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": "https://app.test/done",
            "metadata": {"paywright_environment": "test", "paywright_checkout_session": session.id},
        },
        idempotency_key="forged",
    )
    in_app.sync(shop.app, shop.environment, forged["id"])
    assert shop.sync(session).status == "open"
    assert shop.units(USER) == 0


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [(49, "usd", "amount_too_small"), (100_000_000, "usd", "amount_too_large"), (500, "xau", "currency_not_available")],
)
def test_a_bare_amount_is_checked(shop: StripeShop, amount: int, currency: str, code: str) -> None:
    refusal = bare(shop, amount, currency)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_a_bare_amount_is_a_payment_and_grants_nothing(shop: StripeShop) -> None:
    made = bare(shop, 750, "usd")
    assert isinstance(made, BareIntent)
    gateway = shop.app.gateway(shop.environment)
    params = {"payment_method": "pm_card_visa", "return_url": "https://app.test/done"}
    gateway.post(f"/v1/payment_intents/{made.id}/confirm", params, idempotency_key="confirm")
    in_app.sync(shop.app, shop.environment, made.id)
    assert paid_by(shop, USER) == [("paid", 750, None)]
    assert shop.owned(USER) == []


def bare(shop: StripeShop, amount: int, currency: str) -> BareIntent | Refusal:
    return in_app.create_bare(
        shop.app,
        shop.environment,
        USER,
        amount=amount,
        currency=currency,
        receipt_email=None,
        description="By hand",
        app_metadata={"order": "17"},
    )


def test_what_nobody_paid_is_canceled_when_its_time_is_over(shop: StripeShop) -> None:
    session = opened(shop)
    with shop.app.database.read() as connection:
        assert overdue(connection, "test", session.expires_at) == []
        assert overdue(connection, "test", session.expires_at + 1) == [session.id]
    ended = checkout.end_overdue(shop.app, shop.environment, session.id)
    assert isinstance(ended, CheckoutSession)
    assert ended.status == "expired"
    assert [each["status"] for each in shop.at_stripe("/v1/payment_intents")] == ["canceled"]


def test_automatic_tax_is_passed_on(shop: StripeShop) -> None:
    shop.opened("pack", automatic_tax=True)
    assert [each["automatic_tax"]["enabled"] for each in shop.at_stripe("/v1/checkout/sessions")] == [True]
