"""Switches that meet each other, a cancel, or the webhook: one outcome, whoever is first. Real threads, both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from paywright.kernel.refusals import Refusal
from paywright.ownership.model import OwnedProduct
from paywright.storage.work import Work
from paywright.subscriptions import changes, quotes, requests, switching
from tests.harness.shop import Shop
from tests.harness.together import at_once
from tests.subscriptions.terms import CATALOG, USER, asked, done, switched, told
from tests.subscriptions.till import StripeShop


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


def codes(outcomes: list[Any]) -> list[str]:
    return [each.code for each in outcomes if isinstance(each, Refusal)]


def quoted(shop: Shop, from_product_id: str, to_product_id: str, **how: Any) -> str:
    wish = asked(from_product_id, to_product_id, **how)
    return done(quotes.quote(shop.app, shop.environment, USER, wish, with_secret_key=True)).id


def confirm(shop: Shop, quote_id: str) -> Any:
    return switching.switch(shop.app, shop.environment, USER, quote_id, with_secret_key=False)


def test_S4_one_quote_confirmed_ten_times_at_once_switches_once(shop: Shop) -> None:
    shop.grant(USER, "basic")
    quote_id = quoted(shop, "basic", "pro")
    outcomes = at_once([*[lambda: confirm(shop, quote_id)] * 10])
    assert codes(outcomes) == ["quote_expired"] * 9
    assert told(shop).count("subscription.switched") == 1
    assert shop.units(USER) == 100


def test_two_quotes_confirmed_at_once_without_stripe(shop: Shop) -> None:
    shop.grant(USER, "basic")
    first, second = quoted(shop, "basic", "pro"), quoted(shop, "basic", "max")
    outcomes = at_once([lambda: confirm(shop, first), lambda: confirm(shop, second)])
    assert codes(outcomes) == ["quote_expired"]
    (winner,) = (each for each in outcomes if isinstance(each, OwnedProduct))
    assert [each.product_id for each in shop.owned(USER) if each.source != "default"] == [winner.product_id]


def test_settling_by_ten_workers_at_once_switches_once(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    shop.grant(USER, "pro")
    done(switched(shop, "pro", "basic"))
    shop.at("2026-02-01T00:00:00Z")
    at_once([*[lambda: shop.settle(USER)] * 10])
    assert told(shop).count("subscription.switched") == 1
    assert [each.product_id for each in shop.owned(USER)] == ["basic"]
    assert shop.units(USER) == 10


def test_one_quote_confirmed_twice_at_once_charges_once(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    quote_id = quoted(till, "pro", "max")
    outcomes = at_once([*[lambda: confirm(till, quote_id)] * 4])
    # A twin that meets the change while Stripe is asked goes on with it, under the same key.
    assert set(codes(outcomes)) <= {"quote_expired"}
    assert any(isinstance(each, OwnedProduct) for each in outcomes)
    till.sync(subscription_id)
    assert till.owned_now() == [("max", "monthly", 1)]
    assert len(till.invoices()) == 2
    assert told(till).count("subscription.switched") == 1


def test_two_quotes_confirmed_at_once_charge_once(till: StripeShop) -> None:
    subscription_id = till.buy("basic")
    till.advance("10d")
    first, second = quoted(till, "basic", "pro"), quoted(till, "basic", "max")
    outcomes = at_once([lambda: confirm(till, first), lambda: confirm(till, second)])
    assert codes(outcomes) == ["quote_expired"]
    (winner,) = (each for each in outcomes if isinstance(each, OwnedProduct))
    till.sync(subscription_id)
    assert till.owned_now() == [(winner.product_id, "monthly", 1)]
    assert len(till.invoices()) == 2


def test_a_switch_and_a_cancel_at_once_have_one_outcome(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    quote_id = quoted(till, "pro", "max")

    def cancel() -> Any:
        return changes.cancel(till.app, till.environment, USER, "pro", at="now")

    switch, canceled = at_once([lambda: confirm(till, quote_id), cancel])
    till.sync(subscription_id)
    found = till.get(f"/v1/subscriptions/{subscription_id}")
    if found["status"] == "canceled":
        assert till.owned_now() == []
    else:
        assert isinstance(switch, OwnedProduct)
        assert isinstance(canceled, Refusal)
        assert till.owned_now() == [("max", "monthly", 1)]
    assert told(till).count("subscription.ended") == (1 if found["status"] == "canceled" else 0)


def test_a_switch_that_a_cancel_overtook_on_its_way_to_stripe_finds_nothing_owned(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    quote_id = quoted(till, "pro", "max")
    gateway = till.app.gateway(till.environment)

    def overtake(work: Work) -> None:
        if requests.under_way(work.connection, "test", subscription_id):
            till.app.at_commit.remove(overtake)
            gateway.delete(f"/v1/subscriptions/{subscription_id}")

    till.app.at_commit.append(overtake)
    assert codes([confirm(till, quote_id)]) == ["not_owned"]
    assert overtake not in till.app.at_commit
    assert (till.owned_now(), len(till.invoices())) == ([], 1)


def test_the_answer_and_the_webhook_at_once_switch_once(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    quote_id = quoted(till, "pro", "max")
    at_once([lambda: confirm(till, quote_id), *[lambda: till.sync(subscription_id)] * 4])
    till.sync(subscription_id)
    assert till.owned_now() == [("max", "monthly", 1)]
    assert told(till).count("subscription.switched") == 1
    assert till.units(USER) == 500
