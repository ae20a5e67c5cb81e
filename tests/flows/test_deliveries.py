"""Deliveries doubled, shuffled, late, lost: what was paid for arrives once."""

import pytest

from tests.flows.shop import Shop


def test_everything_twice_and_in_any_order_grants_once(shop: Shop, chaos_seed: int) -> None:
    shop.account.chaos(duplicate=1.0, shuffle_window=12, delay_ms=[0, 60], seed=chaos_seed)
    shop.buy("u_1", "pack", quantity=2)
    shop.buy("u_1", "pro")
    shop.advance("32d")
    assert shop.owned("u_1") == {"pack": 2, "pro": 1}
    assert shop.credits("u_1") == 250
    told = shop.event_types()
    assert told.count("product.granted") == 2
    assert told.count("payment.paid") == 3
    assert told.count("checkout.completed") == 2


def test_events_sent_again_after_it_is_all_done_change_nothing(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    shop.buy("u_1", "pro")
    before = shop.client.user("u_1").get_state()
    for event in shop.account.every("/v1/events"):
        shop.account.post(f"/_sandbox/events/{event['id']}/resend")
    shop.settle()
    assert shop.client.user("u_1").get_state() == before


def test_when_every_delivery_is_lost_the_success_page_still_tells_the_truth(shop: Shop, chaos_seed: int) -> None:
    shop.account.chaos(drop=1.0, seed=chaos_seed)
    session = shop.checkout("u_1", "pack")
    shop.pay(session)
    shop.settle()
    assert (shop.client.get_checkout_session(session.id).status, shop.credits("u_1")) == ("open", 0)
    synced = shop.client.sync_checkout_session(session.id)
    assert (synced.status, synced.payment_status, shop.credits("u_1")) == ("completed", "paid", 100)
    assert shop.client.sync_checkout_session(session.id).status == "completed"
    assert shop.credits("u_1") == 100


def test_a_lost_subscription_is_found_by_the_success_page_too(shop: Shop, chaos_seed: int) -> None:
    shop.account.chaos(drop=1.0, seed=chaos_seed)
    session = shop.checkout("u_1", "pro")
    shop.pay(session)
    shop.client.sync_checkout_session(session.id)
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pro": 1}, 50)


@pytest.mark.parametrize(
    "trouble", [{"drop_first": 2}, {"wrong_secret": 0.5}, {"stale_stamp": 0.5}, {"future_stamp": 0.5}]
)
def test_a_delivery_that_failed_at_first_is_taken_when_it_comes_again(
    shop: Shop, trouble: dict[str, float], chaos_seed: int
) -> None:
    shop.account.chaos(**trouble, seed=chaos_seed)
    session = shop.checkout("u_1", "pack")
    shop.pay(session)
    shop.settle()
    shop.account.chaos()
    for event in shop.account.every("/v1/events", delivery_success="false"):
        shop.account.post(f"/_sandbox/events/{event['id']}/resend")
    shop.settle()
    assert (shop.client.get_checkout_session(session.id).status, shop.credits("u_1")) == ("completed", 100)
