"""Cards that say no, and then yes; cards that ask first."""

import pytest

from tests.flows.catalog import PACK_USD
from tests.flows.sandbox import DECLINES, PAYS
from tests.flows.shop import Shop

ASKS = "4000002500003155"


@pytest.mark.parametrize(("product_id", "credits"), [("pack", 100), ("pro", 50)])
def test_declined_and_then_paid_is_one_purchase(shop: Shop, product_id: str, credits: int) -> None:
    session = shop.checkout("u_1", product_id)
    declined = shop.pay(session, DECLINES)
    assert declined["error"]["code"] == "card_declined"
    shop.settle()
    assert shop.client.sync_checkout_session(session.id).status == "open"
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, 0)

    shop.pay(session, PAYS)
    shop.settle()
    done = shop.client.get_checkout_session(session.id)
    assert (done.status, done.payment_status) == ("completed", "paid")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({product_id: 1}, credits)
    assert [payment.status for payment in shop.client.list_payments().data] == ["paid"]


def test_3d_secure_passed_pays(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack")
    shop.pay(session, ASKS)
    shop.settle()
    assert (shop.client.sync_checkout_session(session.id).status, shop.credits("u_1")) == ("open", 0)
    (payment,) = shop.client.list_payments().data
    assert payment.status == "requires_action"
    shop.account.post(f"/_sandbox/payments/{intent_of(shop)}/authenticate", {"outcome": "succeed"})
    shop.settle()
    assert shop.credits("u_1") == 100
    (payment,) = shop.client.list_payments().data
    assert (payment.status, payment.amount.amount) == ("paid", PACK_USD)


def test_3d_secure_failed_leaves_the_checkout_open(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack")
    shop.pay(session, ASKS, authenticate=False)
    shop.settle()
    assert (shop.client.sync_checkout_session(session.id).status, shop.credits("u_1")) == ("open", 0)
    shop.pay(session, ASKS, authenticate=True)
    shop.settle()
    assert shop.credits("u_1") == 100


def intent_of(shop: Shop) -> str:
    (intent,) = shop.account.every("/v1/payment_intents")
    return str(intent["id"])
