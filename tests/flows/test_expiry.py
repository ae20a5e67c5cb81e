"""Checkouts that nobody finished."""

from tests.flows.shop import Shop


def test_a_checkout_expires_after_a_day_and_its_key_opens_a_new_one(shop: Shop) -> None:
    first = shop.checkout("u_1", "pack", key="K4")
    shop.advance("25h")
    assert shop.client.get_checkout_session(first.id).status == "expired"
    assert "error" in shop.pay(first)

    second = shop.checkout("u_1", "pack", key="K4")
    assert (second.status, second.renews) == ("open", first.id)
    assert second.id != first.id
    shop.pay(second)
    shop.settle()
    assert shop.credits("u_1") == 100


def test_an_expired_checkout_cannot_be_paid(shop: Shop) -> None:
    session = shop.checkout("u_1", "pro")
    assert shop.client.expire_checkout_session(session.id).status == "expired"
    assert shop.client.expire_checkout_session(session.id).status == "expired"
    assert "error" in shop.pay(session)
    shop.settle()
    assert shop.owned("u_1") == {}
    assert shop.event_types().count("checkout.expired") == 1


def test_one_open_checkout_per_product_line_and_the_other_plan_replaces_it(shop: Shop) -> None:
    pro = shop.checkout("u_1", "pro")
    assert shop.checkout("u_1", "pro").id == pro.id
    team = shop.checkout("u_1", "team")
    assert shop.client.get_checkout_session(pro.id).status == "expired"
    shop.pay(team)
    shop.settle()
    assert shop.owned("u_1") == {"team": 1}
