"""An hour in which nothing that Stripe sends arrives: life goes on there, and afterwards everything is here, by itself."""

from typing import Any

from tests.flows.catalog import PACK_USD
from tests.flows.shop import Shop
from tests.harness.waiting import until


def reconciled(shop: Shop, **wish: Any) -> dict[str, Any]:
    """As the worker asks for it every hour; the books are checked when the story is over."""
    asked = shop.http.post("/v1/reconcile", json=wish)
    assert asked.status_code == 202, asked.text
    address = f"/v1/reconcile/{asked.json()['id']}"
    until(lambda: shop.http.get(address).json()["status"] == "finished", "the comparison to finish", timeout_s=60)
    shop.settle()
    return dict(shop.http.get(address).json())


def test_an_hour_without_deliveries_is_made_good_without_a_human(shop: Shop, chaos_seed: int) -> None:
    shop.buy("u_1", "pro")
    shop.advance("30d")
    shop.advance("23h")
    before = shop.credits("u_1")
    shop.account.chaos(drop=1.0, seed=chaos_seed)
    bought = shop.checkout("u_2", "pack")
    shop.pay(bought)
    subscribed = shop.checkout("u_3", "team")
    shop.pay(subscribed)
    returned = shop.checkout("u_4", "pack")
    shop.pay(returned)
    paid = next(each for each in shop.account.every("/v1/payment_intents") if each["amount"] == PACK_USD)
    shop.account.post("/v1/refunds", form={"payment_intent": paid["id"]})
    shop.advance("1h")
    shop.advance("1h")  # Stripe charges a renewal an hour after its period has begun.
    assert (shop.owned("u_2"), shop.owned("u_3"), shop.owned("u_4")) == ({}, {}, {})
    shop.account.chaos()

    found = reconciled(shop)
    assert (found["lines"], found["counts"]["events"] > 0) == (0, True)
    assert (shop.owned("u_2"), shop.owned("u_3")) == ({"pack": 1}, {"team": 1})
    assert {each.status for each in shop.client.list_payments(limit=100).data} == {"paid", "refunded"}
    assert shop.event_types().count("subscription.renewed") == 1
    assert shop.credits("u_1") == before
    assert reconciled(shop, depth="full")["lines"] == 0


def test_what_no_delivery_was_ever_meant_to_tell_is_found_too(shop: Shop) -> None:
    """Somebody disabled the endpoint: Stripe's log names nothing as undelivered."""
    [endpoint] = shop.account.every("/v1/webhook_endpoints")
    shop.account.post(f"/v1/webhook_endpoints/{endpoint['id']}", form={"disabled": "true"})
    session = shop.checkout("u_1", "pack")
    shop.pay(session)
    shop.settle()
    assert shop.owned("u_1") == {}
    found = reconciled(shop, fix=True)
    assert found["lines"] == found["fixed"] > 0
    assert shop.owned("u_1") == {"pack": 1}
    shop.account.post(f"/v1/webhook_endpoints/{endpoint['id']}", form={"disabled": "false"})
