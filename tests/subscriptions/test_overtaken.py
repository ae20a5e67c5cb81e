"""
What somebody else did at Stripe while our call was on its way there: a cancel, a switch, a renewal, a card taken away.

Stripe then refuses what was right when we looked. Who asked hears what is so now, never in which words Stripe refused, and what is owned is what
Stripe has.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from paywright.kernel.refusals import Refusal
from paywright.stripe.metadata import id_of
from paywright.subscriptions import changes, quotes, switching
from paywright_sandbox import Sandbox
from tests.harness.overtaking import Road, road_to
from tests.subscriptions.terms import CATALOG, USER, asked, done
from tests.subscriptions.till import StripeShop

Owned = list[tuple[str | None, str | None, int]]
SOLD = {**CATALOG, "products": {each: CATALOG["products"][each] for each in ("basic", "pro", "max", "support")}}


@pytest.fixture(scope="module")
def road(sandbox: Sandbox) -> Iterator[Road]:
    with road_to(sandbox) as road:
        yield road


@pytest.fixture
def shop(sqlite_url: str, road: Road) -> Iterator[StripeShop]:
    made = StripeShop(sqlite_url, road, SOLD)
    yield made
    made.close()


class Case(msgspec.Struct, frozen=True):
    """`asks` is overtaken by `deeds` on its way to `call`, and answers `answer`: a refusal's code, or whether and when what was asked about ends."""

    asks: str
    call: tuple[str, str]
    deeds: str
    answer: str
    left: Owned
    bought: tuple[str, ...] = ("pro",)
    before: str = "nothing"


UPDATE, DELETE = ("POST", "/v1/subscriptions/sub_"), ("DELETE", "/v1/subscriptions/sub_")
LOOK = ("GET", "/v1/subscriptions/sub_")
SCHEDULE, PHASES, PREVIEW = (
    ("POST", "/v1/subscription_schedules"),
    ("POST", "/v1/subscription_schedules/sub_sched_"),
    ("POST", "/v1/invoices/create_preview"),
)
PRO, BASIC, SUPPORT = ("pro", "monthly", 1), ("basic", "monthly", 1), ("support", "monthly", 1)
BOTH = ("pro", "support")
END = "2027-02-01T00:00:00Z"
TABLE = [
    Case("cancel now", DELETE, "canceled", "ended", []),
    Case("cancel at period end", UPDATE, "canceled", "not_owned", []),
    Case("cancel at period end", UPDATE, "to change", "ends", [PRO]),
    Case("cancel at period end", UPDATE, "to end", "ends", [PRO]),
    Case("cancel at period end", PHASES, "canceled", "not_owned", [], before="to change"),
    Case("cancel at period end", PHASES, "released", "ends", [PRO], before="to change"),
    Case("resume", UPDATE, "canceled", "not_owned", [], before="to end"),
    Case("resume", UPDATE, "resumed", "goes on", [PRO], before="to end"),
    Case("resume", UPDATE, "to change", "goes on", [PRO], before="to end"),
    Case("resume", PHASES, "canceled", "not_owned", [], before="to change"),
    Case("resume", PHASES, "released", "goes on", [PRO], before="to change"),
    Case("revoke", DELETE, "canceled", "ended", []),
    Case("switch up", UPDATE, "canceled", "not_owned", []),
    Case("switch up", PREVIEW, "canceled", "not_owned", []),
    Case("switch up", UPDATE, "renewed", "quote_expired", [PRO]),
    Case("switch up", UPDATE, "switched", "not_owned", [BASIC]),
    Case("switch up", UPDATE, "item replaced", "quote_expired", [PRO]),
    Case("switch up", UPDATE, "card gone", "card_declined", [PRO]),
    Case("switch down", SCHEDULE, "canceled", "not_owned", []),
    Case("switch down", SCHEDULE, "to change", "quote_expired", [PRO]),
    Case("switch down", PHASES, "canceled", "quote_expired", []),
    Case("switch down", PHASES, "released", "quote_expired", [PRO]),
    Case("quote up", PREVIEW, "canceled", "not_owned", []),
    Case("quote up", PREVIEW, "switched", "not_owned", [BASIC]),
    Case("quote up", PREVIEW, "item replaced", "quote_expired", [PRO]),
    Case("cancel add-on now", UPDATE, "canceled", "not_owned", [], BOTH),
    Case("cancel add-on now", UPDATE, "item gone", "not_owned", [PRO], BOTH),
    Case("cancel add-on now", LOOK, "item gone", "ended", [PRO], BOTH),
    Case("cancel add-on at period end", SCHEDULE, "canceled", "not_owned", [], BOTH),
    Case("cancel add-on at period end", SCHEDULE, "to change", "ends", [SUPPORT, PRO], BOTH),
    Case("cancel add-on at period end", PHASES, "released", "ends", [SUPPORT, PRO], BOTH),
    Case("revoke add-on", UPDATE, "canceled", "not_owned", [], BOTH),
    Case("revoke add-on", UPDATE, "item gone", "not_owned", [PRO], BOTH),
    Case("revoke add-on", LOOK, "item gone", "ended", [PRO], BOTH),
]


def label(case: Case) -> str:
    return f"{case.asks}, {case.deeds} before {' '.join(case.call)}".replace(" /v1/", " ")


class Others:
    """What is done at Stripe by anybody else."""

    def __init__(self, shop: StripeShop, subscription_id: str) -> None:
        self.shop, self.path = shop, f"/v1/subscriptions/{subscription_id}"
        self.deeds: dict[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "canceled": lambda: shop.app.gateway(shop.environment).delete(self.path),
            "to end": lambda: shop.post(self.path, {"cancel_at_period_end": True}),
            "resumed": lambda: shop.post(self.path, {"cancel_at_period_end": False}),
            "to change": lambda: self.to_change(subscription_id),
            "released": lambda: shop.post(f"/v1/subscription_schedules/{self.schedule()}/release", {}),
            "renewed": lambda: shop.advance("32d"),
            "switched": lambda: self.replace_item("basic"),
            "item replaced": lambda: self.replace_item("pro"),
            "item gone": lambda: shop.post(self.path, {"items": [{"id": self.item("support"), "deleted": True}]}),
            "card gone": self.take_card,
        }

    def schedule(self) -> str:
        found = id_of(self.shop.get(self.path)["schedule"])
        assert found is not None
        return found

    def item(self, product_id: str) -> str:
        price = self.shop.stripe_price(product_id)
        return next(
            str(each["id"]) for each in self.shop.get(self.path)["items"]["data"] if each["price"]["id"] == price
        )

    def to_change(self, subscription_id: str) -> None:
        """By a schedule, as from Stripe's dashboard."""
        made = self.shop.post("/v1/subscription_schedules", {"from_subscription": subscription_id})
        (running,) = made["phases"]
        first = {name: running[name] for name in ("start_date", "end_date")}
        items = [{"price": each["price"], "quantity": each["quantity"]} for each in running["items"]]
        then = {
            "items": [{"price": self.shop.stripe_price("basic"), "quantity": 1}, *items[1:]],
            "duration": {"interval": "month"},
        }
        phases = [{**first, "items": items}, then]
        self.shop.post(f"/v1/subscription_schedules/{made['id']}", {"phases": phases, "end_behavior": "release"})

    def replace_item(self, product_id: str) -> None:
        items = [{"id": self.item("pro"), "deleted": True}, {"price": self.shop.stripe_price(product_id)}]
        self.shop.post(self.path, {"items": items, "proration_behavior": "none"})

    def take_card(self) -> None:
        for method in self.shop.get("/v1/payment_methods", {"customer": self.shop.get(self.path)["customer"]})["data"]:
            self.shop.post(f"/v1/payment_methods/{method['id']}/detach", {})


def deed(shop: StripeShop, asks: str) -> Callable[[], Any]:
    """What is asked of us, after all that we look at before has been looked at."""
    app, environment = shop.app, shop.environment
    name = "support" if "add-on" in asks else "pro"
    what = asks.replace(" add-on", "")
    if what.startswith("cancel"):
        return lambda: changes.cancel(app, environment, USER, name, at="now" if what == "cancel now" else "period_end")
    if what in ("resume", "revoke"):
        act = changes.resume if what == "resume" else changes.revoke
        return lambda: act(app, environment, USER, name)
    wish = asked("pro", "basic" if what == "switch down" else "max")
    if what == "quote up":
        return lambda: quotes.quote(app, environment, USER, wish, with_secret_key=True)
    quote_id = done(quotes.quote(app, environment, USER, wish, with_secret_key=True)).id
    return lambda: switching.switch(app, environment, USER, quote_id, with_secret_key=False)


def said(outcome: Any) -> str:
    if isinstance(outcome, Refusal):
        return outcome.code
    if outcome.ended_at is not None:
        return "ended"
    return "goes on" if outcome.own_ends_at is None else "ends"


@pytest.mark.parametrize("case", TABLE, ids=label)
def test_who_is_overtaken_hears_what_is_so(shop: StripeShop, road: Road, case: Case) -> None:
    subscription_id = shop.buy(*case.bought)
    shop.advance("10d")
    others = Others(shop, subscription_id)
    others.deeds[case.before]()
    shop.sync(subscription_id)
    ask = deed(shop, case.asks)
    road.overtake(*case.call, others.deeds[case.deeds])
    assert said(ask()) == case.answer
    assert road.is_quiet
    assert sorted(shop.owned_now()) == sorted(case.left)
    shop.sync(subscription_id)
    assert sorted(shop.owned_now()) == sorted(case.left)
