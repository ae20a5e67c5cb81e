"""Saved cards, against the sandbox: rules.md and interface.md on billing."""

import pytest
import sqlalchemy as sa

from paywright.customers import billing
from paywright.customers import sync as customer_sync
from paywright.customers.actions import ensure_stripe_customer
from paywright.customers.model import Billing, Card, SetupIntent
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.tables import events
from tests.customers.test_stripe_customers import sandbox, shop
from tests.harness.shop import Shop

__all__ = ["sandbox", "shop"]

USER = Customer("user", "u_1")
OTHER = Customer("user", "u_2")


def saved(shop: Shop, customer: Customer, method: str = "pm_card_visa") -> SetupIntent:
    made = billing.create_setup_intent(shop.app, shop.environment, customer)
    assert isinstance(made, SetupIntent)
    confirm = {"payment_method": method, "return_url": "https://app.test/"}
    shop.app.gateway(shop.environment).post(
        f"/v1/setup_intents/{made.id}/confirm", confirm, idempotency_key=f"t:{made.id}"
    )
    return made


def test_a_card_saved_in_the_browser_becomes_the_default(shop: Shop) -> None:
    assert billing.billing(shop.app, shop.environment, USER) == Billing(False, None, None)
    intent = saved(shop, USER)
    state = billing.set_default_payment_method(shop.app, shop.environment, USER, intent.id)
    assert isinstance(state, Billing)
    assert state.has_stripe_customer
    assert isinstance(state.default_payment_method, Card)
    assert (state.default_payment_method.brand, state.default_payment_method.last4) == ("visa", "4242")
    assert billing.set_default_payment_method(shop.app, shop.environment, USER, intent.id) == state
    with shop.app.database.read() as connection:
        told = connection.execute(sa.select(events.c.type).where(events.c.type == "payment_method.updated")).all()
    assert len(told) == 1


@pytest.mark.parametrize("case", ["somebody else's", "not confirmed", "unknown"])
def test_only_a_succeeded_intent_of_the_customer_counts(shop: Shop, case: str) -> None:
    ensure_stripe_customer(shop.app, shop.environment, USER)
    intent_id = "seti_unknown"
    if case == "somebody else's":
        intent_id = saved(shop, OTHER).id
    if case == "not confirmed":
        made = billing.create_setup_intent(shop.app, shop.environment, USER)
        assert isinstance(made, SetupIntent)
        intent_id = made.id
    refusal = billing.set_default_payment_method(shop.app, shop.environment, USER, intent_id)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.param) == ("invalid_request", "setup_intent_id")
    assert billing.billing(shop.app, shop.environment, USER).default_payment_method is None


def test_a_customer_deleted_at_stripe_is_mapped_no_more(shop: Shop) -> None:
    stripe_customer = ensure_stripe_customer(shop.app, shop.environment, USER)
    shop.app.gateway(shop.environment).delete(f"/v1/customers/{stripe_customer}")
    fetched = customer_sync.fetch(shop.app, shop.environment, stripe_customer)
    with shop.app.work("test") as work:
        assert customer_sync.apply(work, fetched).status == "processed"
    assert billing.billing(shop.app, shop.environment, USER).has_stripe_customer is False
    assert ensure_stripe_customer(shop.app, shop.environment, USER) != stripe_customer
