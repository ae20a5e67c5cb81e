"""Switching at Stripe (the sandbox), through the official SDK, on both databases: rules.md 5.2, stripe.md 11."""

from typing import Any

import pytest

from paywright.kernel.refusals import Refusal
from paywright.subscriptions import changes, quotes, switching
from paywright.subscriptions.quoted import Quote, shown
from tests.harness.shop import instant
from tests.subscriptions.terms import CATALOG, USER, asked, code, done, switched, told
from tests.subscriptions.till import ASKS_ALWAYS, DECLINES_LATER, StripeShop


def quote(till: StripeShop, from_product_id: str, to_product_id: str, **how: Any) -> Quote:
    wish = asked(from_product_id, to_product_id, **how)
    return done(quotes.quote(till.app, till.environment, USER, wish, with_secret_key=True))


def confirm(till: StripeShop, quote_id: str) -> Any:
    return switching.switch(till.app, till.environment, USER, quote_id, with_secret_key=False)


def test_up_charges_exactly_the_quote(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    made = quote(till, "pro", "max")
    seen = shown(made)
    assert (seen["direction"], seen["at"]) == ("up", "now")
    assert made.due_now == sum(line.amount for line in made.told.lines)
    assert 0 < made.due_now < 3000
    assert seen["next_invoice"] == {"amount": {"amount": 5000, "currency": "usd"}, "at": "2027-02-01T00:00:00Z"}
    till.advance("10m")
    after = done(confirm(till, made.id))
    assert (after.product_id, after.is_stripe_backed) == ("max", True)
    assert after.subscription is not None
    assert after.subscription.id == subscription_id
    assert till.owned_now() == [("max", "monthly", 1)]
    assert till.invoices() == [("paid", 2000, 2000), ("paid", made.due_now, made.due_now)]
    assert (till.units(USER), till.units(USER, "seats")) == (500, 0)
    kinds = told(till)
    assert kinds.count("subscription.switched") == 1
    assert "subscription.ended" not in kinds
    assert code(confirm(till, made.id)) == "quote_expired"
    till.sync(subscription_id)
    assert told(till).count("subscription.switched") == 1


def test_repeats_keep_the_anchor_of_the_first_purchase(till: StripeShop) -> None:
    till.buy("pro")
    till.advance("10d")
    done(switched(till, "pro", "max"))
    assert till.units(USER) == 500
    till.advance("20d")
    assert till.units(USER) == 500
    till.advance("1d")
    assert till.units(USER) == 1000


def test_down_waits_for_the_end_of_the_period(till: StripeShop) -> None:
    subscription_id = till.buy("max")
    till.advance("10d")
    made = quote(till, "max", "basic")
    assert (made.due_now, made.direction, made.happens) == (0, "down", "period_end")
    same = done(confirm(till, made.id))
    assert same.product_id == "max"
    change = {"to_product_id": "basic", "price_id": "monthly", "quantity": 1, "at": "2027-02-01T00:00:00Z"}
    assert till.seen("max")["subscription"]["pending_change"] == change
    assert told(till).count("subscription.change_scheduled") == 1
    till.sync(subscription_id)
    assert told(till).count("subscription.change_scheduled") == 1
    till.advance("22d")
    till.sync(subscription_id)
    assert till.owned_now() == [("basic", "monthly", 1)]
    assert till.seen("basic")["subscription"]["pending_change"] is None
    assert till.seen("basic")["granted_at"] == "2027-02-01T00:00:00Z"
    assert told(till).count("subscription.switched") == 1
    till.advance("2h")
    assert till.invoices() == [("paid", 5000, 5000), ("paid", 1000, 1000)]
    till.advance("60d")
    till.sync(subscription_id)
    assert till.owned_now() == [("basic", "monthly", 1)]


def test_S3_resume_releases_the_schedule(till: StripeShop) -> None:
    subscription_id = till.buy("max")
    done(switched(till, "max", "basic"))
    resumed = done(changes.resume(till.app, till.environment, USER, "max"))
    assert resumed.pending_change is None
    assert till.get(f"/v1/subscriptions/{subscription_id}")["schedule"] is None
    assert told(till).count("subscription.resumed") == 1
    assert code(changes.resume(till.app, till.environment, USER, "max")) == "nothing_to_resume"
    till.advance("33d")
    till.sync(subscription_id)
    assert till.owned_now() == [("max", "monthly", 1)]


def test_S8_a_declined_card_leaves_the_old_plan_and_price(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    till.put_card(subscription_id, DECLINES_LATER)
    made = quote(till, "pro", "max")
    refusal = confirm(till, made.id)
    assert code(refusal) == "card_declined"
    assert isinstance(refusal, Refusal)
    assert refusal.facts == {"decline_code": "card_declined"}
    found = till.get(f"/v1/subscriptions/{subscription_id}")
    assert [item["price"]["unit_amount"] for item in found["items"]["data"]] == [2000]
    assert (found["pending_update"], found["status"]) == (None, "active")
    assert till.owned_now() == [("pro", "monthly", 1)]
    assert [status for status, _, _ in till.invoices()] == ["paid", "void"]
    assert (till.units(USER), till.units(USER, "seats")) == (100, 3)


def test_a_card_that_asks_changes_nothing_until_the_buyer_has_authenticated(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    till.put_card(subscription_id, ASKS_ALWAYS)
    made = quote(till, "pro", "max")
    refusal = confirm(till, made.id)
    assert code(refusal) == "payment_action_required"
    assert isinstance(refusal, Refusal)
    secret = refusal.facts["client_secret"]
    assert isinstance(secret, str)
    assert refusal.facts["hosted_invoice_url"].startswith("http")
    assert till.owned_now() == [("pro", "monthly", 1)]
    till.sync(subscription_id)
    assert till.owned_now() == [("pro", "monthly", 1)]
    till.control(f"payments/{secret.partition('_secret')[0]}/authenticate", {"outcome": "succeed"})
    till.sync(subscription_id)
    assert till.owned_now() == [("max", "monthly", 1)]
    assert till.invoices()[-1] == ("paid", made.due_now, made.due_now)


def test_nobody_can_pay_for_a_switch_of_a_subscription_that_was_canceled_meanwhile(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.put_card(subscription_id, ASKS_ALWAYS)
    till.advance("10d")
    refusal = confirm(till, quote(till, "pro", "max").id)
    assert code(refusal) == "payment_action_required"
    done(changes.cancel(till.app, till.environment, USER, "pro", at="now"))
    (left,) = changes.unanswered(till.app, till.environment, attempted_before=0)
    assert changes.carry_out(till.app, till.environment, left) is None
    assert changes.unanswered(till.app, till.environment, attempted_before=0) == []
    assert [status for status, _, _ in till.invoices()] == ["paid", "void"]
    assert till.owned_now() == []


def test_something_to_pay_needs_a_saved_card(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    made = quote(till, "pro", "max")
    till.post(f"/v1/payment_methods/{made.payment_method_id}/detach", {})
    assert code(confirm(till, made.id)) == "payment_method_required"
    refused = quotes.quote(till.app, till.environment, USER, asked("pro", "max"), with_secret_key=True)
    assert code(refused) == "payment_method_required"
    assert quote(till, "pro", "basic").due_now == 0
    till.sync(subscription_id)
    assert till.owned_now() == [("pro", "monthly", 1)]


def test_more_seats_now_fewer_at_the_end(till: StripeShop) -> None:
    subscription_id = till.buy("desk", quantity=2)
    till.advance("10d")
    more = done(switched(till, "desk", "desk", quantity=5))
    assert (more.product_id, more.quantity) == ("desk", 5)
    assert (till.units(USER, "seats"), till.units(USER)) == (5, 20)
    fewer = done(switched(till, "desk", "desk", quantity=1))
    assert fewer.quantity == 5
    assert till.seen("desk")["subscription"]["pending_change"]["quantity"] == 1
    till.advance("22d")
    till.sync(subscription_id)
    assert till.owned_now() == [("desk", "monthly", 1)]
    assert till.units(USER, "seats") == 1


@pytest.mark.parametrize("what", ["card", "items", "cancel", "time"])
def test_a_quote_is_void_once_something_differs_at_stripe(till: StripeShop, what: str) -> None:
    subscription_id = till.buy("pro")
    made = quote(till, "pro", "max")
    if what == "card":
        till.put_card(subscription_id, "pm_card_mastercard")
    elif what == "items":
        item = till.get(f"/v1/subscriptions/{subscription_id}")["items"]["data"][0]
        yearly = next(
            each for each in till.app.gateway(till.environment).pages("/v1/prices") if each["unit_amount"] == 20_000
        )
        till.post(
            f"/v1/subscriptions/{subscription_id}",
            {"items": [{"id": item["id"], "price": yearly["id"], "quantity": 1}]},
        )
    elif what == "cancel":
        till.post(f"/v1/subscriptions/{subscription_id}", {"cancel_at_period_end": True})
    else:
        till.advance("15m")
    assert code(confirm(till, made.id)) == "quote_expired"


def test_a_cancel_replaces_a_switch_to_come_and_an_up_switch_replaces_a_cancel(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    done(switched(till, "pro", "basic"))
    canceled = done(changes.cancel(till.app, till.environment, USER, "pro", at="period_end"))
    assert (canceled.pending_change, canceled.ends_at) == (None, instant("2027-02-01T00:00:00Z"))
    assert till.get(f"/v1/subscriptions/{subscription_id}")["schedule"] is None
    again = done(switched(till, "pro", "basic"))
    assert again.ends_at is None
    assert again.pending_change is not None
    up = done(switched(till, "pro", "max"))
    assert (up.product_id, up.ends_at, up.pending_change) == ("max", None, None)
    done(changes.cancel(till.app, till.environment, USER, "max", at="period_end"))
    yearly = done(switched(till, "max", "pro", price_id="yearly", at="now"))
    assert (yearly.product_id, yearly.ends_at) == ("pro", None)
    assert till.get(f"/v1/subscriptions/{subscription_id}")["cancel_at_period_end"] is False


def test_a_declined_up_switch_puts_the_switch_to_come_back(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    done(switched(till, "pro", "basic"))
    till.put_card(subscription_id, DECLINES_LATER)
    assert code(switched(till, "pro", "max")) == "card_declined"
    change = {"to_product_id": "basic", "price_id": "monthly", "quantity": 1, "at": "2027-02-01T00:00:00Z"}
    assert till.seen("pro")["subscription"]["pending_change"] == change


def test_a_trial_keeps_its_end_and_nothing_is_due(till: StripeShop) -> None:
    basic = {**CATALOG["products"]["basic"], "trial": "14 day"}
    till.apply({**CATALOG, "products": {**CATALOG["products"], "basic": basic}})
    subscription_id = till.buy("basic")
    till.advance("5d")
    made = quote(till, "basic", "pro")
    assert made.due_now == 0
    after = done(confirm(till, made.id))
    assert after.product_id == "pro"
    found = till.get(f"/v1/subscriptions/{subscription_id}")
    assert (found["status"], found["trial_end"]) == ("trialing", instant("2027-01-15T00:00:00Z") // 1000)
    assert shown(made)["next_invoice"] == {"amount": {"amount": 2000, "currency": "usd"}, "at": "2027-01-15T00:00:00Z"}


def test_an_add_on_of_the_same_subscription_is_kept_by_another_base(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support")
    till.advance("10d")
    done(switched(till, "pro", "max"))
    assert sorted(till.owned_now()) == [("max", "monthly", 1), ("support", "monthly", 1)]
    assert len(till.get(f"/v1/subscriptions/{subscription_id}")["items"]["data"]) == 2
    assert till.units(USER, "tickets") == 5


def test_an_add_on_of_the_same_subscription_that_loses_its_base_goes_with_the_switch(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support")
    till.advance("10d")
    done(switched(till, "pro", "basic"))
    assert till.seen("support")["ends_at"] == "2027-02-01T00:00:00Z"
    done(changes.resume(till.app, till.environment, USER, "pro"))
    assert till.seen("support")["ends_at"] is None
    done(switched(till, "pro", "basic", at="now"))
    assert till.owned_now() == [("basic", "monthly", 1)]
    found = till.get(f"/v1/subscriptions/{subscription_id}")
    assert [item["price"]["unit_amount"] for item in found["items"]["data"]] == [1000]
    assert found["status"] == "active"
    assert told(till).count("product.ended") == 2


def test_an_add_on_goes_at_the_end_of_the_period_too(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support")
    done(switched(till, "pro", "basic"))
    till.advance("32d")
    till.sync(subscription_id)
    assert till.owned_now() == [("basic", "monthly", 1)]
    found = till.get(f"/v1/subscriptions/{subscription_id}")
    assert [item["price"]["unit_amount"] for item in found["items"]["data"]] == [1000]
    assert told(till).count("subscription.switched") == 1


def test_a_switch_takes_back_an_end_that_the_portal_scheduled(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.post(f"/v1/subscriptions/{subscription_id}", {"cancel_at": instant("2027-01-20T00:00:00Z") // 1000})
    till.sync(subscription_id)
    assert till.seen("pro")["ends_at"] == "2027-01-20T00:00:00Z"
    after = done(switched(till, "pro", "max"))
    assert (after.product_id, after.ends_at) == ("max", None)
    till.post(f"/v1/subscriptions/{subscription_id}", {"cancel_at": instant("2027-01-20T00:00:00Z") // 1000})
    till.sync(subscription_id)
    later = done(switched(till, "max", "basic"))
    assert later.ends_at is None
    assert later.pending_change is not None


def test_down_during_a_trial_comes_when_the_trial_ends(till: StripeShop) -> None:
    pro = {**CATALOG["products"]["pro"], "trial": "14 day"}
    till.apply({**CATALOG, "products": {**CATALOG["products"], "pro": pro}})
    subscription_id = till.buy("pro")
    till.advance("5d")
    assert done(switched(till, "pro", "basic")).product_id == "pro"
    assert till.seen("pro")["subscription"]["pending_change"]["at"] == "2027-01-15T00:00:00Z"
    assert till.get(f"/v1/subscriptions/{subscription_id}")["status"] == "trialing"
    till.advance("9d")
    till.advance("2h")
    till.sync(subscription_id)
    assert till.owned_now() == [("basic", "monthly", 1)]
    assert till.seen("basic")["subscription"]["status"] == "active"
    assert [paid for _, _, paid in till.invoices()][-1] == 1000


def test_canceling_an_add_on_leaves_the_plan_it_was_bought_with(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support")
    till.advance("10d")
    kept = done(changes.cancel(till.app, till.environment, USER, "support", at="period_end"))
    assert kept.ends_at == instant("2027-02-01T00:00:00Z")
    assert till.seen("pro")["ends_at"] is None
    for _ in range(2):
        till.sync(subscription_id)
    assert done(changes.cancel(till.app, till.environment, USER, "support", at="period_end")).ends_at == kept.ends_at
    assert done(changes.resume(till.app, till.environment, USER, "support")).ends_at is None
    assert till.get(f"/v1/subscriptions/{subscription_id}")["schedule"] is None
    done(changes.cancel(till.app, till.environment, USER, "support", at="period_end"))
    till.advance("22d")
    till.sync(subscription_id)
    assert till.owned_now() == [("pro", "monthly", 1)]
    till.advance("2h")
    assert till.invoices() == [("paid", 2500, 2500), ("paid", 2000, 2000)]
    assert till.get(f"/v1/subscriptions/{subscription_id}")["status"] == "active"


def test_an_add_on_canceled_now_goes_alone_and_its_plan_takes_it_along(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support", "desk")
    done(changes.cancel(till.app, till.environment, USER, "desk", at="now"))
    assert sorted(each for each, _, _ in till.owned_now() if each) == ["pro", "support"]
    assert len(till.get(f"/v1/subscriptions/{subscription_id}")["items"]["data"]) == 2
    ended = done(changes.cancel(till.app, till.environment, USER, "pro", at="now"))
    assert ended.end_reason == "canceled"
    assert till.owned_now() == []
    assert till.get(f"/v1/subscriptions/{subscription_id}")["status"] == "canceled"


def test_a_plan_canceled_beside_a_stranger_takes_only_its_add_ons_along(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support", "desk")
    done(changes.cancel(till.app, till.environment, USER, "pro", at="now"))
    assert till.owned_now() == [("desk", "monthly", 1)]
    found = till.get(f"/v1/subscriptions/{subscription_id}")
    assert (found["status"], [item["price"]["unit_amount"] for item in found["items"]["data"]]) == ("active", [300])


def test_revoking_an_add_on_leaves_the_plan_it_was_bought_with(till: StripeShop) -> None:
    subscription_id = till.buy("pro", "support")
    ended = done(changes.revoke(till.app, till.environment, USER, "support"))
    assert ended.end_reason == "revoked"
    till.sync(subscription_id)
    assert till.owned_now() == [("pro", "monthly", 1)]
    assert till.get(f"/v1/subscriptions/{subscription_id}")["status"] == "active"
    done(changes.revoke(till.app, till.environment, USER, "pro"))
    assert till.owned_now() == []
    assert till.get(f"/v1/subscriptions/{subscription_id}")["status"] == "canceled"
