"""A subscription from its first payment to its end, a month at a time."""

from tests.flows.catalog import PRO_USD
from tests.flows.shop import Shop


def test_a_subscription_renews_and_ends_with_the_period_it_was_cancelled_in(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    (pro,) = shop.client.user("u_1").list_products()
    assert (pro.product_id, pro.type, pro.source) == ("pro", "subscription", "checkout")
    assert pro.subscription is not None
    first_end = pro.subscription.current_period_end
    assert shop.credits("u_1") == 50
    shop.client.user("u_1").get_item("credits").decrease_quantity(20)

    shop.advance("32d")
    (pro,) = shop.client.user("u_1").list_products()
    assert pro.subscription is not None
    assert pro.subscription.current_period_end is not None
    assert first_end is not None
    assert pro.subscription.current_period_end > first_end
    assert shop.credits("u_1") == 50
    assert paid(shop) == [PRO_USD, PRO_USD]
    assert shop.event_types().count("subscription.renewed") == 1

    kept = shop.client.user("u_1").cancel_subscription("pro")
    assert kept.subscription is not None
    assert kept.subscription.cancel_at_period_end
    shop.settle()
    assert shop.owned("u_1") == {"pro": 1}

    shop.advance("32d")
    assert shop.owned("u_1") == {}
    assert shop.credits("u_1") == 0
    shop.advance("62d")
    assert paid(shop) == [PRO_USD, PRO_USD]
    assert shop.event_types().count("product.ended") == 1


def test_a_cancellation_taken_back_changes_nothing(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    user = shop.client.user("u_1")
    user.cancel_subscription("pro")
    resumed = user.resume_subscription("pro")
    assert resumed.subscription is not None
    assert not resumed.subscription.cancel_at_period_end
    shop.advance("32d")
    assert shop.owned("u_1") == {"pro": 1}
    assert paid(shop) == [PRO_USD, PRO_USD]


def test_cancelled_now_it_ends_now(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    shop.client.user("u_1").cancel_subscription("pro", at="now")
    shop.settle()
    assert shop.owned("u_1") == {}
    assert shop.credits("u_1") == 0
    shop.buy("u_1", "team")
    assert shop.owned("u_1") == {"team": 1}
    assert shop.credits("u_1") == 500


def test_a_subscriber_is_sent_to_a_switch_and_not_to_a_second_subscription(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    refused = shop.http.post(
        "/v1/checkout-sessions",
        json={
            "customer": {"type": "user", "id": "u_1"},
            "line_items": [{"product_id": "team"}],
            "success_url": "https://app.example/a",
            "cancel_url": "https://app.example/b",
        },
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "switch_required")
    assert refused.json()["error"]["facts"] == {"from_product_id": "pro"}


def paid(shop: Shop) -> list[int]:
    return [payment.amount.amount for payment in shop.client.list_payments().data if payment.status == "paid"]
