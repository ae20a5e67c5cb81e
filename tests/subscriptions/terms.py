"""A catalog with everything one can switch between, and words for the tests of it."""

from typing import Any, TypeVar

import msgspec

from paywright.checkout.model import StartCheckout
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import AskedLine, OwnedProduct
from paywright.subscriptions import switching
from paywright.subscriptions.switch_rules import AskedSwitch
from tests.harness.shop import Shop

USER = Customer("user", "u_1")


def checkout_of(*lines: AskedLine | str) -> StartCheckout:
    """Asked for by the app; a line may be a product's id."""
    return StartCheckout(
        customer=USER,
        lines=tuple(AskedLine(product_id=each) if isinstance(each, str) else each for each in lines),
        success_url="https://app.test/ok",
        cancel_url="https://app.test/no",
        with_secret_key=True,
    )


def monthly(amount: int, **more: Any) -> dict[str, Any]:
    return {"monthly": {"amounts": {"usd": amount}, "interval": "1 month"}, **more}


YEARLY = {"yearly": {"amounts": {"usd": 20_000}, "interval": "1 year"}}

CATALOG: dict[str, Any] = {
    "items": {"credits": {}, "seats": {}, "tickets": {}},
    "product_lines": {"plan": {}, "other": {}, "teams": {"customer_type": "team"}},
    "products": {
        "free": {"product_line": "plan", "include_by_default": True, "included_items": {"tickets": {"quantity": 1}}},
        "basic": {
            "product_line": "plan",
            "prices": monthly(1000),
            "included_items": {"credits": {"quantity": 10, "repeat": "1 month"}},
        },
        "pro": {
            "product_line": "plan",
            "prices": monthly(
                2000, **YEARLY, hidden={"amounts": {"usd": 1}, "interval": "1 month", "server_only": True}
            ),
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}, "seats": {"quantity": 3}},
        },
        "max": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 5000, "eur": 4500}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 500, "repeat": "1 month", "expires": "never"}},
        },
        "weekly": {"product_line": "plan", "prices": {"weekly": {"amounts": {"usd": 2000}, "interval": "1 week"}}},
        "twin": {"product_line": "plan", "prices": {"yearly": {"amounts": {"usd": 12_000}, "interval": "1 year"}}},
        "staff": {"product_line": "plan", "server_only": True, "prices": monthly(1)},
        "lifetime": {"product_line": "plan", "prices": {"once": {"amounts": {"usd": 9900}}}},
        "elsewhere": {"product_line": "other", "prices": monthly(1000)},
        "crew": {"product_line": "teams", "customer_type": "team", "prices": monthly(1000)},
        "in_euro": {"product_line": "plan", "prices": {"monthly": {"amounts": {"eur": 900}, "interval": "1 month"}}},
        "support": {
            "product_line": "plan",
            "add_on_to": ["pro", "max"],
            "prices": monthly(500),
            "included_items": {"tickets": {"quantity": 5, "repeat": "1 month"}},
        },
        "desk": {
            "product_line": "other",
            "stackable": True,
            "prices": monthly(300, yearly={"amounts": {"usd": 3000}, "interval": "1 year"}),
            "included_items": {
                "seats": {"quantity": 1},
                "credits": {"quantity": 10, "repeat": "1 month", "expires": "never"},
            },
        },
        "pack": {"stackable": True, "prices": {"once": {"amounts": {"usd": 1000}}}},
    },
}


def asked(from_product_id: str, to_product_id: str, **changes: Any) -> AskedSwitch:
    return msgspec.structs.replace(AskedSwitch(from_product_id, to_product_id), **changes)


def switched(shop: Shop, from_product_id: str, to_product_id: str, **changes: Any) -> OwnedProduct | Refusal:
    """Quoted and confirmed at once, as a server asks for it."""
    wish = asked(from_product_id, to_product_id, **changes)
    return switching.switch(shop.app, shop.environment, USER, wish, with_secret_key=True)


Outcome = TypeVar("Outcome")


def done(outcome: Outcome | Refusal) -> Outcome:
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def code(outcome: object) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def told(shop: Shop, customer: Customer = USER) -> list[str]:
    return [kind for _, kind in shop.events(customer)]
