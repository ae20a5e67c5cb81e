"""A bank takes the money back, or tries to. Told by events that come twice and overtake each other."""

from typing import Any

from tests.flows.shop import Shop
from tests.flows.test_refunds import intent_of, paid

DISPUTES, INQUIRES, WARNS = "4000000000000259", "4000000000001976", "4000000000005423"


def opened(shop: Shop, **asked: Any) -> str:
    made = shop.account.post("/_sandbox/disputes", {"payment_intent": intent_of(shop), **asked})
    shop.settle()
    return str(made["id"])


def resolved(shop: Shop, dispute_id: str, outcome: str) -> None:
    shop.account.post(f"/_sandbox/disputes/{dispute_id}/resolve", {"outcome": outcome})
    shop.settle()


def test_P7_a_dispute_that_is_lost(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    user = shop.client.user("u_1")
    user.get_item("credits").decrease_quantity(80)
    dispute = opened(shop)
    (product,) = user.list_products()
    assert (product.access, product.frozen, user.owns("pack")) == (False, True, False)
    balance = user.get_item("credits")
    assert (balance.quantity, balance.held) == (0, 20)
    assert not balance.try_decrease_quantity(1)
    access = user.get_product_access("pack")
    assert (access.allowed, access.reason) == (False, "frozen")
    assert paid(shop).disputed

    resolved(shop, dispute, "lost")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, -80)
    assert [each.status for each in paid(shop).disputes] == ["lost"]
    told = [kind for kind in shop.event_types() if kind.startswith(("dispute.", "product."))]
    assert sorted(told) == ["dispute.closed", "dispute.opened", "product.ended", "product.frozen", "product.granted"]


def test_G2_a_frozen_product_opens_no_gate(shop: Shop) -> None:
    shop.buy("u_1", "lifetime")
    post = {"title": "t", "content": "secret"}
    assert shop.client.user("u_1").gate(post, content="lifetime") == post
    opened(shop)
    assert shop.client.user("u_1").gate(post, content="lifetime") == {"title": "t"}


def test_P8_a_dispute_that_is_won_and_then_refunded(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    dispute = opened(shop)
    assert (shop.credits("u_1"), shop.client.user("u_1").owns("pro")) == (0, False)
    resolved(shop, dispute, "won")
    assert (shop.credits("u_1"), shop.client.user("u_1").owns("pro")) == (50, True)
    assert not paid(shop).disputed
    told = [kind for kind in shop.event_types() if kind.startswith(("dispute.", "product."))]
    assert sorted(told) == ["dispute.closed", "dispute.opened", "product.frozen", "product.granted", "product.unfrozen"]
    shop.client.refund_payment(paid(shop).id)
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, 0)


def test_an_inquiry_changes_nothing_until_it_becomes_a_dispute(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    inquiry = opened(shop, inquiry=True)
    assert (paid(shop).disputed, shop.client.user("u_1").owns("pack")) == (False, True)
    resolved(shop, inquiry, "escalated")
    assert (paid(shop).disputed, shop.client.user("u_1").owns("pack")) == (True, False)


def test_cards_that_dispute_by_themselves(shop: Shop) -> None:
    shop.buy("u_1", "pack", DISPUTES)
    shop.buy("u_2", "pack", INQUIRES)
    shop.buy("u_3", "pack", WARNS)
    shop.advance("1m")
    assert [shop.client.user(user).owns("pack") for user in ("u_1", "u_2", "u_3")] == [False, True, True]
    payments = {each.customer.id: each for each in shop.client.list_payments().data if each.customer is not None}
    assert [payments[user].disputed for user in ("u_1", "u_2", "u_3")] == [True, False, False]
    assert [bool(payments[user].fraud_warning) for user in ("u_1", "u_2", "u_3")] == [False, False, True]
    incidents = [event.data for event in shop.client.list_events(type="incident.opened").data]
    assert [incident["kind"] for incident in incidents] == ["early_fraud_warning"]
