"""rules.md 5.2: who may switch to what, what is up and what is down, and what Stripe is asked. Pure."""

from typing import Any

import msgspec
import pytest

from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse
from paywright.catalog.versions import product_version_id
from paywright.environments.model import Environment, Policy
from paywright.kernel.model import Customer, Provider
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import OwnedProduct, Subscription
from paywright.subscriptions.switch_rules import (
    AtStripe,
    Switch,
    SwitchWish,
    decide,
    fingerprint,
    items_after,
    items_of_next_phase,
    phases,
    units_changed,
)
from tests.subscriptions.terms import CATALOG, USER, asked

parsed = parse(CATALOG, mode="test")
assert isinstance(parsed, Catalog), parsed
VERSIONS = {product_id: product_version_id(product_id, product) for product_id, product in parsed.products.items()}
PARSED = msgspec.structs.replace(parsed, product_versions=VERSIONS)


def environment(provider: Provider = "instant", *, blocked: bool = False) -> Environment:
    return Environment("test", "test", provider, blocked, "usd", Policy(), None, None, None, None)


def owned(
    product_id: str,
    price_id: str | None = "monthly",
    *,
    quantity: int = 1,
    backed: bool = False,
    id: str = "own_1",
    subscribed: bool = True,
) -> OwnedProduct:
    product = PARSED.products[product_id]
    interval = None if price_id is None else product.prices[price_id].interval
    subscription = None
    if subscribed:
        subscription = Subscription(
            "sub_1", is_stripe_backed=backed, status="active", anchor=0, interval=interval or ""
        )
    version = PARSED.product_versions[product_id]
    return OwnedProduct(
        id, USER, product_id, version, product, price_id, quantity, "grant", 0, subscription=subscription
    )


def decided(
    have: list[OwnedProduct],
    wish: Any,
    *,
    provider: Provider = "instant",
    blocked: bool = False,
    secret: bool = True,
    customer: Customer = USER,
    currency: str | None = "usd",
) -> Switch | Refusal:
    world = environment(provider, blocked=blocked)
    return decide(SwitchWish(world, PARSED, customer, secret, wish, tuple(have), currency))


PRO = [owned("pro")]
DESK = [owned("desk", quantity=3)]


@pytest.mark.parametrize(
    ("have", "wish", "how", "expected"),
    [
        (PRO, asked("pro", "nothing", at="now"), {"secret": False}, "secret_key_required"),
        (PRO, asked("pro", "max", quantity=0), {"blocked": True}, "invalid_request"),
        (PRO, asked("pro", "nothing"), {"blocked": True}, "purchases_blocked"),
        ([], asked("pro", "nothing"), {}, "product_not_found"),
        ([], asked("pro", "staff"), {"secret": False}, "product_not_found"),
        ([], asked("pro", "max"), {}, "not_owned"),
        ([], asked("free", "max"), {}, "not_a_subscription"),
        ([owned("lifetime", "once", subscribed=False)], asked("lifetime", "max"), {}, "not_a_subscription"),
        (PRO, asked("pro", "pro"), {}, "same_product"),
        (PRO, asked("own_1", "pro", price_id="monthly"), {}, "same_product"),
        (PRO, asked("pro", "crew"), {}, "customer_type_mismatch"),
        (PRO, asked("pro", "elsewhere"), {}, "not_same_line"),
        (PRO, asked("pro", "free"), {}, "product_is_default"),
        (PRO, asked("pro", "support"), {}, "add_on_target"),
        (PRO, asked("pro", "max", price_id="decades"), {}, "price_not_found"),
        ([owned("max")], asked("max", "pro", price_id="hidden"), {"secret": False}, "price_not_found"),
        (PRO, asked("pro", "lifetime"), {}, "no_recurring_price"),
        (PRO, asked("pro", "lifetime", price_id="once"), {}, "no_recurring_price"),
        (PRO, asked("pro", "in_euro", quantity=2), {}, "currency_not_available"),
        (PRO, asked("pro", "max", quantity=2), {"provider": "stripe"}, "not_stackable"),
        (DESK, asked("desk", "desk", quantity=2**53 - 1), {}, "quantity_too_large"),
        (DESK, asked("desk", "desk", quantity=400_000), {}, "amount_too_large"),
        (PRO, asked("pro", "max"), {"provider": "stripe"}, "checkout_required"),
        (PRO, asked("pro", "max"), {"provider": "sandbox"}, "checkout_required"),
        ([owned("pro", backed=True)], asked("pro", "max"), {}, "provider_mismatch"),
        ([*PRO, owned("max", id="own_2")], asked("pro", "max"), {}, "already_owned"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_failure_wins(have: list[OwnedProduct], wish: Any, how: dict[str, Any], expected: str) -> None:
    outcome = decided(have, wish, **how)
    assert isinstance(outcome, Refusal), outcome
    assert outcome.code == expected


@pytest.mark.parametrize(
    ("have", "wish", "direction", "happens"),
    [
        ([owned("basic")], asked("basic", "pro"), "up", "now"),
        (PRO, asked("pro", "basic"), "down", "period_end"),
        (PRO, asked("pro", "basic", at="now"), "down", "now"),
        ([owned("basic")], asked("basic", "pro", at="period_end"), "up", "period_end"),
        (PRO, asked("pro", "weekly"), "up", "now"),
        ([owned("weekly", "weekly")], asked("weekly", "max"), "down", "period_end"),
        (PRO, asked("pro", "pro", price_id="yearly"), "up", "now"),
        ([owned("pro", "yearly")], asked("pro", "pro"), "down", "period_end"),
        (DESK, asked("desk", "desk", quantity=4), "up", "now"),
        (DESK, asked("desk", "desk", quantity=2), "down", "period_end"),
        (DESK, asked("desk", "desk", quantity=2, price_id="yearly"), "down", "period_end"),
        ([owned("basic")], asked("basic", "twin"), "up", "now"),
        ([owned("basic")], asked("basic", "staff"), "down", "period_end"),
    ],
    ids=[
        "dearer",
        "cheaper",
        "cheaper, now by a server",
        "dearer, later by a server",
        "52 weeks cost more than 12 months",
        "12 months cost less than 52 weeks",
        "S5 a longer interval",
        "S5 a shorter interval",
        "more seats",
        "fewer seats",
        "fewer seats for longer",
        "an equal cost is up",
        "server-only, by a server",
    ],
)
def test_up_is_now_and_down_is_at_the_end_of_the_period(
    have: list[OwnedProduct], wish: Any, direction: str, happens: str
) -> None:
    outcome = decided(have, wish)
    assert isinstance(outcome, Switch), outcome
    assert (outcome.direction, outcome.happens) == (direction, happens)


def test_the_newest_of_several_subscriptions_is_meant() -> None:
    newest = owned("desk", id="own_2")
    outcome = decided([newest, owned("desk", id="own_1")], asked("desk", "desk", quantity=5))
    assert isinstance(outcome, Switch)
    assert outcome.owned.id == "own_2"
    outcome = decided([newest, owned("desk", id="own_1")], asked("own_1", "desk", quantity=5))
    assert isinstance(outcome, Switch)
    assert outcome.owned.id == "own_1"


def test_units_that_a_switch_changes() -> None:
    outcome = decided([owned("basic")], asked("basic", "pro"))
    assert isinstance(outcome, Switch)
    assert units_changed(outcome.owned, outcome.line) == {"credits": 90, "seats": 3}
    fewer = decided(DESK, asked("desk", "desk", quantity=1))
    assert isinstance(fewer, Switch)
    assert units_changed(fewer.owned, fewer.line) == {"credits": -20, "seats": -2}
    longer = decided(PRO, asked("pro", "pro", price_id="yearly"))
    assert isinstance(longer, Switch)
    assert units_changed(longer.owned, longer.line) == {}


def item(id: str, price: str, quantity: int = 1) -> dict[str, Any]:
    period = {"current_period_start": 100, "current_period_end": 200}
    return {"id": id, "price": {"id": price}, "quantity": quantity, **period}


def at_stripe(**changes: Any) -> AtStripe:
    items = {"data": [item("si_1", "price_pro"), item("si_2", "price_support")], "has_more": False}
    found: dict[str, Any] = {
        "id": "sub_1",
        "status": "active",
        "currency": "usd",
        "cancel_at": None,
        "cancel_at_period_end": False,
        "trial_end": None,
        "discounts": [],
        "schedule": None,
        "items": items,
    }
    return AtStripe({**found, **changes}, "pm_1")


def test_an_update_names_the_item_and_its_quantity() -> None:
    changes = items_after(at_stripe(), "price_max", 2, replaces="price_pro", dropped=[])
    assert changes == [{"id": "si_1", "price": "price_max", "quantity": 2}]
    changes = items_after(at_stripe(), "price_basic", 1, replaces="price_pro", dropped=["price_support"])
    assert changes == [{"id": "si_1", "price": "price_basic", "quantity": 1}, {"id": "si_2", "deleted": True}]


def test_a_later_phase_keeps_the_other_items() -> None:
    items = items_of_next_phase(at_stripe(), "price_basic", 1, replaces="price_pro", dropped=[])
    assert items == [{"price": "price_basic", "quantity": 1}, {"price": "price_support", "quantity": 1}]
    items = items_of_next_phase(at_stripe(), "price_basic", 1, replaces="price_pro", dropped=["price_support"])
    assert items == [{"price": "price_basic", "quantity": 1}]


def test_a_schedule_runs_what_is_there_to_its_end_and_lets_go_after_one_period() -> None:
    running = {"start_date": 100, "end_date": 200, "items": [{"price": "price_pro", "quantity": 1}], "trial_end": 150}
    made = {"phases": [{**running, "discounts": [{"coupon": "half", "discount": None, "promotion_code": None}]}]}
    body = phases(made, [{"price": "price_basic", "quantity": 1}], {"interval": "month", "interval_count": 1})
    assert body["end_behavior"] == "release"
    first, then = body["phases"]
    assert (first["start_date"], first["end_date"], first["trial_end"]) == (100, 200, 150)
    assert then["items"] == [{"price": "price_basic", "quantity": 1}]
    assert then["duration"] == {"interval": "month", "interval_count": 1}
    assert first["discounts"] == then["discounts"] == [{"coupon": "half"}]
    assert {first["proration_behavior"], then["proration_behavior"]} == {"none"}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "past_due"},
        {"cancel_at_period_end": True, "cancel_at": 200},
        {"schedule": "sub_sched_1"},
        {"trial_end": 200},
        {"discounts": ["di_1"]},
        {"items": {"data": [item("si_1", "price_pro", 2)], "has_more": False}},
        {"items": {"data": [item("si_1", "price_max"), item("si_2", "price_support")], "has_more": False}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_quote_is_void_once_the_subscription_differs(changes: dict[str, Any]) -> None:
    price = PARSED.products["max"].prices["monthly"]
    before = fingerprint(at_stripe(), PRO[0], "pv_1", price)
    assert before == fingerprint(at_stripe(), PRO[0], "pv_1", price)
    assert before != fingerprint(at_stripe(**changes), PRO[0], "pv_1", price)


def test_a_quote_is_void_once_the_target_differs() -> None:
    price = PARSED.products["max"].prices["monthly"]
    assert fingerprint(None, PRO[0], "pv_1", price) != fingerprint(None, PRO[0], "pv_2", price)
