"""Switching without Stripe, on both databases: rules.md 3 and 5.2. What is to come is right at any instant, with nobody having applied it."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from paywright.environments import actions as environments
from paywright.kernel.model import Customer
from paywright.ledger.hot import decrease
from paywright.ledger.opening import Opening
from paywright.ledger.queries import item_state_as_of
from paywright.ledger.verify import verify
from paywright.outbox.tables import events
from paywright.ownership import defaults
from paywright.ownership.present import shown
from paywright.subscriptions import changes, quoted, quotes, switching
from paywright.subscriptions.quoted import Quote
from paywright.worker import settle_customers
from tests.harness.shop import Shop, instant
from tests.subscriptions.terms import CATALOG, USER, asked, code, done, switched, told


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    opening = made.app.resource(Opening)
    opening.align, opening.included = defaults.align, defaults.included_by_default
    yield made
    assert [str(problem) for problem in verify(made.app, "test")] == []
    made.close()


def owned_now(shop: Shop, customer: Customer = USER) -> list[tuple[str | None, str | None, int]]:
    return [
        (each.product_id, each.price_id, each.quantity) for each in shop.owned(customer) if each.source != "default"
    ]


def pending(shop: Shop, product_id: str) -> Any:
    each = next(each for each in shop.owned(USER) if each.product_id == product_id)
    seen = shown(each, shop.app.now("test"), catalog=None, currency="usd", with_secret_key=True)
    return seen["subscription"]["pending_change"]


def quote(shop: Shop, from_product_id: str, to_product_id: str, **how: Any) -> Quote:
    wish = asked(from_product_id, to_product_id, **how)
    return done(quotes.quote(shop.app, shop.environment, USER, wish, with_secret_key=True))


def confirm(shop: Shop, quote_id: str, customer: Customer = USER) -> Any:
    return switching.switch(shop.app, shop.environment, customer, quote_id, with_secret_key=False)


def event(shop: Shop, kind: str) -> dict[str, Any]:
    """The last one of a kind."""
    with shop.app.database.read() as connection:
        statement = sa.select(events.c.data).where(events.c.type == kind).order_by(events.c.sequence.desc()).limit(1)
        decoded: dict[str, Any] = msgspec.json.decode(connection.execute(statement).scalar_one())
        return decoded


def test_S1_up_is_at_once_and_nothing_is_due(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    before = done(shop.grant(USER, "basic"))
    shop.at("2026-01-15T00:00:00Z")
    made = quote(shop, "basic", "pro")
    seen = quoted.shown(made)
    assert seen["due_now"] == {"amount": 0, "currency": "usd"}
    assert (seen["direction"], seen["at"], seen["lines"], seen["next_invoice"]) == ("up", "now", [], None)
    assert seen["items"] == [{"item_id": "credits", "change": 90}, {"item_id": "seats", "change": 3}]
    assert seen["expires_at"] == "2026-01-15T00:15:00Z"
    after = done(confirm(shop, made.id))
    assert (after.product_id, after.granted_at, after.source) == ("pro", shop.instant, "grant")
    assert owned_now(shop) == [("pro", "monthly", 1)]
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)
    assert after.subscription is not None
    assert before.subscription is not None
    assert after.subscription.id == before.subscription.id
    kinds = [kind for kind in told(shop)[2:] if not kind.startswith(("item.", "customer."))]
    assert kinds == ["product.ended", "product.granted", "subscription.switched"]
    assert "subscription.ended" not in told(shop)
    switched_event = event(shop, "subscription.switched")
    assert (switched_event["from"]["product_id"], switched_event["to"]["product_id"]) == ("basic", "pro")
    assert event(shop, "product.ended")["reason"] == "switched"


def test_a_switch_within_one_interval_keeps_the_anchor_of_repeats_and_of_billing(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "basic")
    shop.at("2026-01-20T00:00:00Z")
    after = done(switched(shop, "basic", "max"))
    assert after.subscription is not None
    assert after.subscription.period_end(shop.instant) == instant("2026-02-10T00:00:00Z")
    assert shop.units(USER) == 500
    shop.at("2026-02-09T23:59:59Z")
    assert shop.units(USER) == 500
    shop.at("2026-02-10T00:00:00Z")
    assert shop.units(USER) == 1000


def test_a_switch_to_another_interval_starts_anew(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "basic")
    shop.at("2026-01-20T00:00:00Z")
    after = done(switched(shop, "basic", "pro", price_id="yearly"))
    assert after.subscription is not None
    assert after.subscription.period_end(shop.instant) == instant("2027-01-20T00:00:00Z")
    shop.at("2026-02-10T00:00:00Z")
    done_credits = shop.units(USER)
    assert done_credits == 100
    with shop.app.database.read() as connection:
        assert [each.repeats_from for each in shop.owned(USER)] == [instant("2026-01-20T00:00:00Z")], connection


def test_S2_down_is_at_the_end_of_the_period_on_time_with_nobody_looking(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "pro")
    shop.at("2026-01-20T00:00:00Z")
    same = done(switched(shop, "pro", "basic"))
    assert same.product_id == "pro"
    assert pending(shop, "pro") == {
        "to_product_id": "basic",
        "price_id": "monthly",
        "quantity": 1,
        "at": "2026-02-10T00:00:00Z",
    }
    assert told(shop)[-2:] == ["subscription.change_scheduled", "customer.state_changed"]
    shop.at("2026-02-09T23:59:59.999Z")
    assert owned_now(shop) == [("pro", "monthly", 1)]
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)
    shop.at("2026-02-10T00:00:00Z")
    assert owned_now(shop) == [("basic", "monthly", 1)]
    assert (shop.units(USER), shop.units(USER, "seats")) == (10, 0)
    shop.at("2027-05-01T00:00:00Z")
    (basic,) = shop.owned(USER)
    assert (basic.granted_at, basic.access) == (instant("2026-02-10T00:00:00Z"), True)
    assert basic.subscription is not None
    assert basic.subscription.period_end(shop.instant) == instant("2027-05-10T00:00:00Z")
    assert shop.units(USER) == 10
    settle_customers(shop.app, shop.environment)
    (settled,) = shop.owned(USER)
    assert settled == basic
    assert shop.units(USER) == 10
    assert told(shop).count("subscription.switched") == 1
    assert settle_customers(shop.app, shop.environment) == 0


def test_the_future_shows_a_switch_to_come(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "pro")
    done(switched(shop, "pro", "basic"))
    with shop.app.database.read() as connection:
        for item_id, before, after in (("credits", 100, 10), ("seats", 3, 0)):
            for when, expected in (("2026-02-09T00:00:00Z", before), ("2026-02-15T00:00:00Z", after)):
                then = item_state_as_of(connection, "test", USER, item_id, shop.instant, instant(when))
                assert done(then).quantity == expected


def test_a_spend_right_after_a_switch_that_nobody_applied_uses_the_new_units(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "pro")
    done(switched(shop, "pro", "basic"))
    shop.at("2026-02-10T00:00:01Z")
    assert done(decrease(shop.app, "test", USER, "credits", 4)).quantity == 6
    assert code(decrease(shop.app, "test", USER, "seats", 1)) == "insufficient_quantity"
    shop.settle(USER)
    assert shop.units(USER) == 6


def test_S3_resume_takes_a_pending_change_back_once(shop: Shop) -> None:
    shop.grant(USER, "pro")
    done(switched(shop, "pro", "basic"))
    assert done(changes.resume(shop.app, shop.environment, USER, "pro")).pending_change is None
    assert told(shop)[-2:] == ["subscription.resumed", "customer.state_changed"]
    assert code(changes.resume(shop.app, shop.environment, USER, "pro")) == "nothing_to_resume"
    shop.at("2026-02-01T00:00:00Z")
    assert owned_now(shop) == [("pro", "monthly", 1)]
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)


def test_S4_a_quote_is_good_once(shop: Shop) -> None:
    shop.grant(USER, "basic")
    made = quote(shop, "basic", "pro")
    done(confirm(shop, made.id))
    assert code(confirm(shop, made.id)) == "quote_expired"
    assert owned_now(shop) == [("pro", "monthly", 1)]


def test_S5_a_longer_interval_is_up_a_shorter_one_down_and_no_unit_changes(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    first = done(shop.grant(USER, "pro"))
    shop.at("2026-01-20T00:00:00Z")
    longer = done(switched(shop, "pro", "pro", price_id="yearly"))
    assert (longer.id, longer.price_id) == (first.id, "yearly")
    assert longer.subscription is not None
    assert longer.subscription.period_end(shop.instant) == instant("2027-01-20T00:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)
    shop.at("2026-02-10T00:00:00Z")
    assert shop.units(USER) == 100
    done(switched(shop, "pro", "pro", price_id="monthly"))
    assert pending(shop, "pro")["at"] == "2027-01-20T00:00:00Z"
    shop.at("2027-01-20T00:00:00Z")
    assert owned_now(shop) == [("pro", "monthly", 1)]
    shop.settle(USER)
    (after,) = shop.owned(USER)
    assert after.id == first.id
    assert after.subscription is not None
    assert after.subscription.period_end(shop.instant) == instant("2027-02-20T00:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)
    assert "product.ended" not in told(shop)


def test_a_quote_is_void_after_fifteen_minutes_of_business_time(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    shop.grant(USER, "basic")
    made, twin = quote(shop, "basic", "pro"), quote(shop, "basic", "pro")
    shop.at("2026-01-01T00:15:00Z")
    assert code(confirm(shop, made.id)) == "quote_expired"
    shop.at("2026-01-01T00:14:59.999Z")
    assert done(confirm(shop, twin.id)).product_id == "pro"


@pytest.mark.parametrize("what", ["subscription", "target", "ended"])
def test_a_quote_is_void_once_something_changed(shop: Shop, what: str) -> None:
    shop.grant(USER, "basic")
    made = quote(shop, "basic", "pro")
    if what == "subscription":
        done(changes.cancel(shop.app, shop.environment, USER, "basic", at="period_end"))
    elif what == "ended":
        done(changes.cancel(shop.app, shop.environment, USER, "basic", at="now"))
    else:
        pro = {**CATALOG["products"]["pro"], "display_name": "Pro, dearer"}
        shop.apply({**CATALOG, "products": {**CATALOG["products"], "pro": pro}})
    assert code(confirm(shop, made.id)) == "quote_expired"


def test_somebody_elses_quote_does_not_exist(shop: Shop) -> None:
    shop.grant(USER, "basic")
    made = quote(shop, "basic", "pro")
    assert code(confirm(shop, made.id, Customer("user", "u_2"))) == "quote_not_found"
    assert code(confirm(shop, "quo_nothing")) == "quote_not_found"


def test_O11_blocked_purchases_block_quotes_and_switches(shop: Shop) -> None:
    shop.grant(USER, "basic")
    made = quote(shop, "basic", "pro")
    with shop.app.work("test") as work:
        done(environments.change(work, {"block_new_purchases": True}))
    blocked = shop.app.environment("test")
    assert blocked is not None
    shop.environment = blocked
    wish = asked("basic", "pro")
    assert code(quotes.quote(shop.app, blocked, USER, wish, with_secret_key=True)) == "purchases_blocked"
    assert code(confirm(shop, made.id)) == "purchases_blocked"
    assert done(changes.cancel(shop.app, blocked, USER, "basic", at="period_end")).ends_at is not None


def test_a_token_may_confirm_what_a_server_quoted(shop: Shop) -> None:
    shop.grant(USER, "pro")
    made = quote(shop, "pro", "basic", at="now")
    assert done(confirm(shop, made.id)).product_id == "basic"


def test_a_switch_replaces_a_cancel_and_a_cancel_a_switch(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    shop.grant(USER, "pro")
    done(changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end"))
    planned = done(switched(shop, "pro", "basic"))
    assert planned.ends_at is None
    canceled = done(changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end"))
    assert (canceled.pending_change, canceled.ends_at) == (None, instant("2026-02-01T00:00:00Z"))
    up = done(switched(shop, "pro", "max"))
    assert (up.product_id, up.ends_at) == ("max", None)
    again = done(switched(shop, "max", "basic"))
    assert again.pending_change is not None
    other = done(switched(shop, "max", "pro"))
    assert other.pending_change is not None
    assert other.pending_change.product_id == "pro"
    shop.at("2026-02-01T00:00:00Z")
    assert owned_now(shop) == [("pro", "monthly", 1)]
    assert shop.units(USER) == 500 + 100


def test_a_pending_change_dies_with_its_product(shop: Shop) -> None:
    shop.grant(USER, "pro")
    done(switched(shop, "pro", "basic"))
    done(changes.cancel(shop.app, shop.environment, USER, "pro", at="now"))
    shop.at("2026-03-01T00:00:00Z")
    assert owned_now(shop) == []
    assert shop.units(USER) == 0
    done(shop.grant(USER, "pro"))
    done(switched(shop, "pro", "basic"))
    done(changes.revoke(shop.app, shop.environment, USER, "pro"))
    shop.at("2026-06-01T00:00:00Z")
    assert shop.units(USER) == 0


def test_I7_what_a_switch_does_to_units(shop: Shop) -> None:
    weekly = {"weekly": {"amounts": {"usd": 100}, "interval": "1 week"}}
    more = {"weekly": {"amounts": {"usd": 900}, "interval": "1 week"}}

    def included(quantity: int) -> dict[str, Any]:
        return {"credits": {"quantity": quantity, "repeat": "1 week", "expires": "never"}}

    small = {"product_line": "plan", "prices": weekly, "included_items": included(10)}
    large = {"product_line": "plan", "prices": more, "included_items": included(100)}
    shop.apply({**CATALOG, "products": {"small": small, "large": large}})
    shop.at("2026-01-01T00:00:00Z")
    shop.grant(USER, "small")
    shop.at("2026-03-12T00:00:00Z")
    assert shop.units(USER) == 110
    done(switched(shop, "small", "large"))
    assert shop.units(USER) == 210
    shop.at("2026-03-19T00:00:00Z")
    assert shop.units(USER) == 310


def test_I9_more_of_the_same_counts_from_the_next_repeat(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    first = done(shop.grant(USER, "desk"))
    shop.at("2026-02-15T00:00:00Z")
    assert shop.units(USER) == 20
    after = done(switched(shop, "desk", "desk", quantity=2))
    assert (after.id, after.quantity) == (first.id, 2)
    assert shop.units(USER) == 20
    assert shop.units(USER, "seats") == 2
    shop.at("2026-03-01T00:00:00Z")
    assert shop.units(USER) == 40


def test_fewer_seats_come_at_the_end_of_the_period_unspent_first(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    done(shop.grant(USER, "desk", quantity=3))
    done(decrease(shop.app, "test", USER, "seats", 1))
    done(switched(shop, "desk", "desk", quantity=1))
    assert pending(shop, "desk")["quantity"] == 1
    shop.at("2026-01-31T23:59:59Z")
    assert (shop.units(USER, "seats"), shop.units(USER)) == (2, 30)
    shop.at("2026-02-01T00:00:00Z")
    assert owned_now(shop) == [("desk", "monthly", 1)]
    assert (shop.units(USER, "seats"), shop.units(USER)) == (0, 40)
    settle_customers(shop.app, shop.environment)
    assert (shop.units(USER, "seats"), shop.units(USER)) == (0, 40)
    shop.at("2026-03-01T00:00:00Z")
    assert shop.units(USER) == 50


def test_seats_called_off_stay(shop: Shop) -> None:
    done(shop.grant(USER, "desk", quantity=3))
    done(switched(shop, "desk", "desk", quantity=1))
    done(changes.resume(shop.app, shop.environment, USER, "desk"))
    shop.at("2026-02-01T00:00:00Z")
    assert owned_now(shop) == [("desk", "monthly", 3)]
    assert (shop.units(USER, "seats"), shop.units(USER)) == (3, 60)


def test_C6_a_price_that_came_later_brings_no_new_units(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    done(shop.grant(USER, "pro"))
    daily = {"daily": {"amounts": {"usd": 1}, "interval": "1 day"}}
    pro = CATALOG["products"]["pro"]
    changed = {**pro, "prices": {**pro["prices"], **daily}, "included_items": {"credits": {"quantity": 7}}}
    shop.apply({**CATALOG, "products": {**CATALOG["products"], "pro": changed}})
    after = done(switched(shop, "pro", "pro", price_id="daily", at="now"))
    assert after.price_id == "daily"
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)
    shop.at("2026-02-01T00:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)


def test_the_free_plan_stays_away_through_a_switch_to_come(shop: Shop) -> None:
    shop.grant(USER, "pro")
    done(switched(shop, "pro", "basic"))
    shop.at("2026-02-01T00:00:00Z")
    with shop.app.database.read() as connection:
        live = shop.owned(USER)
        seen = defaults.owned_by_default(connection, "test", USER, live, shop.instant)
    assert [each.product_id for each in seen] == ["basic"]
