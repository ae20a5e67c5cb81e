"""
A request under an Idempotency-Key whose process died at any point of it, and the same request again: the answer of a request that did not die.

The repeat comes at once, or after the worker and Stripe's news: in turn, and both in every world with `--crash-all`. What is done is done once
(`state.py`).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest

from paywright.catalog.push import push
from paywright.payments import queries as payment_queries
from paywright.subscriptions import changes, quotes
from paywright.subscriptions.switch_rules import AskedSwitch
from tests.crash.asking import Post
from tests.crash.deeds import USER
from tests.crash.stage import Prepare, Prepared, SqliteStage, after_every_world, recorded
from tests.crash.test_later import paid, subscribed
from tests.subscriptions.terms import done
from tests.subscriptions.till import ASKS_ALWAYS, DECLINES_LATER

ANNE = "/v1/customers/user/u_1"
UP = {"from_product_id": "basic", "to_product_id": "pro"}
DOWN = {"from_product_id": "pro", "to_product_id": "basic"}


class Case(msgspec.Struct, frozen=True):
    """`prepare` may answer what the body needs to know, or the path (`{}`)."""

    path: str
    body: dict[str, Any]
    prepare: Callable[[Prepared], object]
    status: int = 200


def to_end(shop: Prepared) -> None:
    subscribed(shop)
    done(changes.cancel(shop.app, shop.environment, USER, "basic", at="period_end"))


def on_pro(shop: Prepared) -> None:
    shop.buy("pro")


def quoted(shop: Prepared) -> dict[str, str]:
    subscribed(shop)
    made = done(quotes.quote(shop.app, shop.environment, USER, AskedSwitch("basic", "pro"), with_secret_key=True))
    return {"quote_id": made.id}


def with_a_bad_card(shop: Prepared) -> None:
    shop.put_card(shop.buy("basic"), DECLINES_LATER)


def with_a_careful_card(shop: Prepared) -> None:
    shop.put_card(shop.buy("basic"), ASKS_ALWAYS)


def two_packs(shop: Prepared) -> None:
    paid(shop)
    done(shop.grant(USER, "pack"))


def a_catalog(shop: Prepared) -> None:
    push(shop.app, "test")


def a_payment(shop: Prepared) -> str:
    paid(shop)
    with shop.app.database.read() as connection:
        [payment] = payment_queries.page(connection, "test", limit=10)
    return payment.id


WISH = {
    "customer": {"type": "user", "id": "u_1"},
    "line_items": [{"product_id": "pack"}],
    "success_url": "https://app.test/ok",
    "cancel_url": "https://app.test/no",
}
AMOUNT = {"customer": {"type": "user", "id": "u_1"}, "amount": 500, "currency": "usd"}
TABLE = {
    "a cancel now": Case(f"{ANNE}/products/basic/cancel", {"at": "now"}, subscribed),
    "a cancel at the end": Case(f"{ANNE}/products/basic/cancel", {"at": "period_end"}, subscribed),
    "a resume": Case(f"{ANNE}/products/basic/resume", {}, to_end),
    "a revoke": Case(f"{ANNE}/products/basic/revoke", {}, subscribed),
    "a revoke of units": Case(f"{ANNE}/products/pack/revoke", {"quantity": 1}, two_packs),
    "a switch up": Case(f"{ANNE}/switches", UP, subscribed),
    "a switch down": Case(f"{ANNE}/switches", DOWN, on_pro),
    "a switch by its quote": Case(f"{ANNE}/switches", {}, quoted),
    "a switch declined": Case(f"{ANNE}/switches", UP, with_a_bad_card, 402),
    "a switch to be authenticated": Case(f"{ANNE}/switches", UP, with_a_careful_card, 402),
    "a refund": Case("/v1/payments/{}/refunds", {"amount": 400}, a_payment, 201),
    "a checkout": Case("/v1/checkout-sessions", WISH, a_catalog, 201),
    "an amount": Case("/v1/payment-intents", AMOUNT, a_catalog, 201),
    "a clock": Case("/v1/environment/clock", {"advance": "2d"}, subscribed),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.timeout(1_800)
def test_a_repeat_is_answered_as_the_first_would_have_been(
    name: str, on_a_file: Callable[[Prepare], AbstractContextManager[SqliteStage]], request: pytest.FixtureRequest
) -> None:
    case, known = TABLE[name], list[object]()
    with on_a_file(lambda shop: known.append(case.prepare(shop))) as stage:
        [facts] = known
        body = {**case.body, **(facts if isinstance(facts, dict) else {})}
        post = Post(name, case.path.format(facts), body)
        life = recorded(stage, post)
        assert life.state["answer"][0] == case.status, life.state["answer"]
        ways = [post, msgspec.structs.replace(post, hears_first=True)]
        assert after_every_world(stage, life, ways) == []
        if request.config.getoption("--crash-all"):
            assert after_every_world(stage, life, ways[::-1]) == []
