"""What somebody does in Stripe's dashboard or portal, what time does, and answers that never came: at the sandbox, on both databases."""

from typing import Any

import pytest

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Product
from paywright.catalog.parse import parse_inline
from paywright.catalog.push import push
from paywright.environments import actions as environments
from paywright.kernel.ids import wall_ms
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import AskedLine
from paywright.stripe.gateway import StripeUnknown
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import changes, policy, quotes, switching
from paywright.subscriptions.requests import Change
from paywright.subscriptions.tables import subscription_changes
from paywright.worker import carry_out_commands
from tests.harness.shop import instant
from tests.subscriptions.terms import CATALOG, USER, asked, code, done, switched, told
from tests.subscriptions.till import ASKS_ALWAYS, DECLINES_LATER, StripeShop

EACH_WEEK = {"credits": {"quantity": 10, "repeat": "1 week", "expires": "never"}}


def price_of(till: StripeShop, product_id: str, price_id: str = "monthly") -> str:
    push(till.app, "test")
    with till.app.database.read() as connection:
        return catalog_queries.stripe_price_ids(connection, "test", product_id)[price_id]


def change_in_dashboard(till: StripeShop, subscription_id: str, product_id: str, price_id: str = "monthly") -> None:
    item = till.get(f"/v1/subscriptions/{subscription_id}")["items"]["data"][0]
    items = [{"id": item["id"], "price": price_of(till, product_id, price_id), "quantity": 1}]
    till.post(f"/v1/subscriptions/{subscription_id}", {"items": items})


def test_a_switch_in_the_dashboard_ends_in_the_same_state(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    before = till.seen("pro")
    till.advance("10d")
    change_in_dashboard(till, subscription_id, "max")
    for _ in range(2):
        till.sync(subscription_id)
    assert till.owned_now() == [("max", "monthly", 1)]
    after = till.seen("max")
    assert after["subscription"]["id"] == before["subscription"]["id"]
    assert (till.units(USER), till.units(USER, "seats")) == (500, 0)
    assert told(till).count("subscription.switched") == 1
    till.advance("21d")
    assert till.units(USER) == 1000


def test_there_and_back_again(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    for product_id in ("max", "pro", "max"):
        change_in_dashboard(till, subscription_id, product_id)
        till.sync(subscription_id)
        assert till.owned_now() == [(product_id, "monthly", 1)]
    assert told(till).count("subscription.switched") == 3


def test_another_price_of_the_same_product_in_the_dashboard_changes_no_unit(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    (first,) = (each for each in till.owned(USER) if each.source != "default")
    till.advance("10d")
    change_in_dashboard(till, subscription_id, "pro", "yearly")
    till.sync(subscription_id)
    (after,) = (each for each in till.owned(USER) if each.source != "default")
    assert (after.id, after.price_id) == (first.id, "yearly")
    assert (till.units(USER), till.units(USER, "seats")) == (100, 3)
    till.advance("21d")
    assert till.units(USER) == 100


def test_a_schedule_made_in_the_dashboard_is_shown_and_followed(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    made = till.post("/v1/subscription_schedules", {"from_subscription": subscription_id})
    first = made["phases"][0]
    now = {"start_date": first["start_date"], "end_date": first["end_date"]}
    later = {
        "items": [{"price": price_of(till, "basic"), "quantity": 1}],
        "duration": {"interval": "month", "interval_count": 1},
    }
    running = {**now, "items": [{"price": price_of(till, "pro"), "quantity": 1}]}
    till.post(f"/v1/subscription_schedules/{made['id']}", {"end_behavior": "release", "phases": [running, later]})
    till.sync(subscription_id)
    shown = till.seen("pro")["subscription"]["pending_change"]
    assert (shown["to_product_id"], shown["at"]) == ("basic", "2027-02-01T00:00:00Z")
    done(changes.resume(till.app, till.environment, USER, "pro"))
    assert till.seen("pro")["subscription"]["pending_change"] is None
    assert till.get(f"/v1/subscriptions/{subscription_id}")["schedule"] is None


def test_S7_news_older_than_the_end_revives_nothing(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    old = subscriptions.fetch(till.app, till.environment, subscription_id)
    done(changes.cancel(till.app, till.environment, USER, "pro", at="now"))
    for _ in range(2):
        with till.app.work("test") as work:
            subscriptions.apply(work, old)
        assert till.owned_now() == []
    till.sync(subscription_id)
    assert till.owned_now() == []


def set_policy(till: StripeShop, **choices: Any) -> None:
    with till.app.work("test") as work:
        done(environments.change(work, {"access": choices}))
    changed = till.app.environment("test")
    assert changed is not None
    till.environment = changed


def access(till: StripeShop) -> bool:
    return bool(till.seen("pro")["access"])


def fall_past_due(till: StripeShop) -> str:
    """The renewal of 1 February is declined an hour later."""
    subscription_id = till.buy("pro")
    till.put_card(subscription_id, DECLINES_LATER)
    till.advance("31d")
    till.advance("2h")
    till.sync(subscription_id)
    assert till.seen("pro")["subscription"]["status"] == "past_due"
    return subscription_id


def pay_open_invoice(till: StripeShop) -> None:
    found = till.app.gateway(till.environment).pages("/v1/invoices")
    till.post(f"/v1/invoices/{next(each['id'] for each in found if each['status'] == 'open')}/pay", {})


def test_S6_days_of_grace_end_on_time_and_money_brings_access_back(till: StripeShop) -> None:
    set_policy(till, past_due=7)
    subscription_id = fall_past_due(till)
    assert access(till)
    (owned,) = (each for each in till.owned(USER) if each.source != "default")
    assert owned.access_until == instant("2027-02-08T01:00:00Z")
    till.advance("6d")
    till.advance("22h")
    assert access(till)
    till.advance("2h")
    assert not access(till)
    assert policy.apply_due(till.app, till.environment) == 1
    assert policy.apply_due(till.app, till.environment) == 0
    till.put_card(subscription_id, "pm_card_visa")
    pay_open_invoice(till)
    till.sync(subscription_id)
    assert access(till)
    assert till.seen("pro")["subscription"]["status"] == "active"
    kinds = told(till)
    assert kinds.count("product.access_changed") == 2
    assert kinds.count("subscription.past_due") == kinds.count("subscription.recovered") == 1


def test_S6_repeats_pause_when_access_is_lost_and_the_latest_missed_one_comes_on_recovery(till: StripeShop) -> None:
    set_policy(till, past_due=7)
    catalog = {
        **CATALOG,
        "products": {**CATALOG["products"], "pro": {**CATALOG["products"]["pro"], "included_items": EACH_WEEK}},
    }
    till.apply(catalog)
    subscription_id = fall_past_due(till)
    assert till.units(USER) == 50
    till.advance("4d")
    assert till.units(USER) == 60
    till.advance("9d")
    assert not access(till)
    assert till.units(USER) == 60
    till.put_card(subscription_id, "pm_card_visa")
    pay_open_invoice(till)
    till.sync(subscription_id)
    assert access(till)
    assert till.units(USER) == 70


def test_a_policy_that_changes_is_applied_to_those_in_trouble(till: StripeShop) -> None:
    fall_past_due(till)
    assert access(till)
    set_policy(till, past_due="none")
    assert policy.apply_due(till.app, till.environment) == 1
    assert not access(till)
    set_policy(till, past_due="keep")
    assert policy.apply_due(till.app, till.environment) == 1
    assert access(till)
    assert policy.apply_due(till.app, till.environment) == 0


def test_a_switch_whose_answer_was_lost_is_carried_out_once_by_the_worker(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    made = done(quotes.quote(till.app, till.environment, USER, asked("pro", "max"), with_secret_key=True))
    till.fail_next("POST", f"/v1/subscriptions/{subscription_id}", "drop_response", times=3)
    with pytest.raises(StripeUnknown):
        switching.switch(till.app, till.environment, USER, made.id, with_secret_key=True)
    assert [each.ask.kind for each in unanswered(till)] == ["switch"]
    assert carried_out(till) == [None]
    assert unanswered(till) == []
    assert till.owned_now() == [("max", "monthly", 1)]
    assert till.invoices() == [("paid", 2000, 2000), ("paid", made.due_now, made.due_now)]


@pytest.mark.parametrize(
    ("how", "times", "product_id"), [("drop_response", 3, "max"), (500, 1, "pro")], ids=["it was made", "it was not"]
)
def test_for_a_switch_that_got_no_answer_for_long_we_look(
    till: StripeShop, how: Any, times: int, product_id: str
) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    till.fail_next("POST", f"/v1/subscriptions/{subscription_id}", how, times)
    with pytest.raises(StripeUnknown):
        switched(till, "pro", "max")
    if product_id == "pro":
        # Stripe repeats its 500 now, so nothing will come of it any more: no need to wait.
        assert code(switched(till, "pro", "basic")) == "quote_expired"
    else:
        long_ago(till)
    refusals = carried_out(till)
    assert [None if each is None else each.code for each in refusals] == [
        None if product_id == "max" else "quote_expired"
    ]
    assert unanswered(till) == []
    assert till.owned_now() == [(product_id, "monthly", 1)]
    assert done(switched(till, product_id, "basic")).pending_change is not None


@pytest.mark.parametrize(("how", "times"), [("drop_response", 3), (500, 1)], ids=["it was made", "it was not"])
def test_for_a_schedule_that_got_no_answer_for_long_we_look(till: StripeShop, how: Any, times: int) -> None:
    till.buy("pro")
    till.fail_next("POST", "/v1/subscription_schedules", how, times)
    with pytest.raises(StripeUnknown):
        switched(till, "pro", "basic")
    long_ago(till)
    carried_out(till)
    change = till.seen("pro")["subscription"]["pending_change"]
    assert (change is not None) is (how != 500)
    assert unanswered(till) == []


def test_a_cancel_that_stripe_broke_on_is_asked_for_anew_at_once(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.fail_next("POST", f"/v1/subscriptions/{subscription_id}", 500, times=1)
    with pytest.raises(StripeUnknown):
        changes.cancel(till.app, till.environment, USER, "pro", at="period_end")
    assert carried_out(till) == [None]
    assert till.seen("pro")["ends_at"] == "2027-02-01T00:00:00Z"


def bought_with_a_card_that_asks(till: StripeShop) -> str:
    subscription_id = till.buy("pro")
    till.advance("10d")
    till.put_card(subscription_id, ASKS_ALWAYS)
    return subscription_id


def waits_for_buyer(till: StripeShop) -> str:
    """Answers the payment intent."""
    refusal = switched(till, "pro", "max")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "payment_action_required"
    return str(refusal.facts["client_secret"]).partition("_secret")[0]


def test_a_cancel_is_taken_back_once_the_buyer_has_authenticated(till: StripeShop) -> None:
    subscription_id = bought_with_a_card_that_asks(till)
    done(changes.cancel(till.app, till.environment, USER, "pro", at="period_end"))
    intent_id = waits_for_buyer(till)
    till.sync(subscription_id)
    assert till.seen("pro")["ends_at"] == "2027-02-01T00:00:00Z"
    till.control(f"payments/{intent_id}/authenticate", {"outcome": "succeed"})
    till.sync(subscription_id)
    assert till.owned_now() == [("max", "monthly", 1)]
    due = changes.unanswered(till.app, till.environment, attempted_before=0)
    assert [each.ask.kind for each in due] == ["update"]
    assert carried_out(till) == [None]
    assert till.seen("max")["ends_at"] is None


def test_a_switch_the_buyer_never_authenticated_leaves_everything_as_it_was(till: StripeShop) -> None:
    subscription_id = bought_with_a_card_that_asks(till)
    done(switched(till, "pro", "basic"))
    waits_for_buyer(till)
    till.advance("24h")
    till.sync(subscription_id)
    assert carried_out(till) == [None]
    assert till.owned_now() == [("pro", "monthly", 1)]
    assert till.seen("pro")["subscription"]["pending_change"]["to_product_id"] == "basic"
    assert [status for status, _, _ in till.invoices()] == ["paid", "void"]
    till.put_card(subscription_id, "pm_card_visa")
    assert done(switched(till, "pro", "max")).product_id == "max"


def unanswered(till: StripeShop) -> list[Change]:
    return changes.unanswered(till.app, till.environment, attempted_before=wall_ms() + 1)


def carried_out(till: StripeShop) -> list[Refusal | None]:
    """What the worker does."""
    refusals = []
    for each in unanswered(till):
        refusals.append(changes.carry_out(till.app, till.environment, each))
        till.sync(each.subscription_id)
    return refusals


def long_ago(till: StripeShop) -> None:
    """As if what is unanswered had been asked a quarter of an hour ago, by the wall clock."""
    with till.app.work("test") as work:
        work.execute(subscription_changes.update().values(created_at=wall_ms() - 15 * 60_000))


def test_a_repeat_of_a_switch_without_an_answer_goes_on_with_it(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    till.advance("10d")
    wish = asked("pro", "max")
    till.fail_next("POST", f"/v1/subscriptions/{subscription_id}", "drop_response")
    with pytest.raises(StripeUnknown):
        switching.switch(till.app, till.environment, USER, wish, with_secret_key=True)
    after = done(switching.switch(till.app, till.environment, USER, wish, with_secret_key=True))
    assert after.product_id == "max"
    assert len(till.invoices()) == 2


def test_a_schedule_cut_off_between_its_two_calls_is_finished(till: StripeShop) -> None:
    till.buy("pro")
    till.fail_next("POST", "/v1/subscription_schedules/*", "drop_response")
    with pytest.raises(StripeUnknown):
        switched(till, "pro", "basic")
    assert [each.ask.kind for each in unanswered(till)] == ["phases"]
    assert carried_out(till) == [None]
    assert till.seen("pro")["subscription"]["pending_change"]["to_product_id"] == "basic"


def test_a_switch_racing_a_cancel_has_one_outcome(till: StripeShop) -> None:
    subscription_id = till.buy("pro")
    made = done(quotes.quote(till.app, till.environment, USER, asked("pro", "max"), with_secret_key=True))
    till.app.gateway(till.environment).delete(f"/v1/subscriptions/{subscription_id}")
    assert code(switching.switch(till.app, till.environment, USER, made.id, with_secret_key=True)) == "quote_expired"
    till.sync(subscription_id)
    assert till.owned_now() == []
    assert till.invoices() == [("paid", 2000, 2000)]


def test_O5_an_add_on_with_a_subscription_of_its_own_ends_with_its_base(till: StripeShop) -> None:
    base, add_on = till.buy("pro"), till.buy("support")
    done(changes.cancel(till.app, till.environment, USER, "pro", at="period_end"))
    assert till.seen("support")["ends_at"] == till.seen("pro")["ends_at"] == "2027-02-01T00:00:00Z"
    till.sync(add_on)
    assert till.seen("support")["ends_at"] == "2027-02-01T00:00:00Z"
    till.advance("31d")
    assert till.owned_now() == []
    till.sync(base)
    carry_out_commands(till.app, till.environment)
    assert till.get(f"/v1/subscriptions/{add_on}")["status"] == "canceled"
    till.advance("3d")
    assert sum(paid for _, _, paid in till.invoices()) == 2500
    assert told(till).count("product.ended") == 2


def inline(till: StripeShop, name: str, amount: int, credits: int) -> Product:
    prices = {"monthly": {"amounts": {"usd": amount}, "interval": "1 month"}}
    included = {"credits": {"quantity": credits, "repeat": "1 month"}}
    with till.app.database.read() as connection:
        catalog = catalog_queries.current(connection, "test")
    product = parse_inline({"display_name": name, "prices": prices, "included_items": included}, catalog, mode="test")
    assert isinstance(product, Product), product
    return product


def test_inline_subscriptions_are_owned_renewed_and_ended_like_others(till: StripeShop) -> None:
    small, large = inline(till, "Small", 700, 5), inline(till, "Large", 900, 9)
    lines = (AskedLine(product=large), AskedLine(product_id="pro"), AskedLine(product=small))
    subscription_id = till.buy_lines(*lines)
    for _ in range(2):
        till.sync(subscription_id)
    assert sorted(each.display_name for each in owned_products(till)) == ["Large", "Small", "pro"]
    assert till.units(USER) == 100 + 5 + 9
    till.advance("32d")
    till.sync(subscription_id)
    assert len(owned_products(till)) == 3
    assert till.units(USER) == 114
    name = next(each.id for each in till.owned(USER) if each.product.display_name == "Small")
    done(changes.cancel(till.app, till.environment, USER, name, at="now"))
    assert sorted(each.display_name for each in owned_products(till)) == ["Large", "pro"]
    till.app.gateway(till.environment).delete(f"/v1/subscriptions/{subscription_id}")
    till.sync(subscription_id)
    assert owned_products(till) == []
    assert told(till).count("product.ended") == 3


def owned_products(till: StripeShop) -> list[Product]:
    return [each.product for each in till.owned(USER) if each.source != "default"]
