"""The order of checks of rules.md 4.1 as a table: each row breaks one step, and every later step as well where it can."""

from typing import Any

import pytest

from paywright.catalog.model import Catalog, Product
from paywright.catalog.parse import parse
from paywright.catalog.versions import product_version_id
from paywright.environments.model import Environment, Policy
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import AskedLine, OwnedProduct, ResolvedLine, Subscription
from paywright.ownership.rules import Wish, resolve

DOCUMENT: dict[str, Any] = {
    "items": {"credits": {"customer_type": "user"}},
    "product_lines": {"plan": {}, "other": {}},
    "products": {
        "free": {"product_line": "plan", "include_by_default": True},
        "basic": {"product_line": "plan", "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}}},
        "pro": {
            "product_line": "plan",
            "prices": {
                "monthly": {"amounts": {"usd": 2000, "jpy": 3000}, "interval": "1 month"},
                "yearly": {"amounts": {"usd": 20000}, "interval": "1 year"},
                "secret": {"amounts": {"usd": 100}, "interval": "1 month", "server_only": True},
            },
        },
        "lifetime": {"product_line": "plan", "prices": {"once": {"amounts": {"usd": 9900}}}},
        "support": {"add_on_to": ["pro"], "prices": {"monthly": {"amounts": {"usd": 500}, "interval": "1 month"}}},
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
        "cheap": {"stackable": True, "prices": {"once": {"amounts": {"usd": 30}}}},
        "dear": {"stackable": True, "prices": {"once": {"amounts": {"usd": 60_000_000}}}},
        "huge": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"credits": {"quantity": 2**52}},
        },
        "hidden": {"server_only": True, "prices": {"once": {"amounts": {"usd": 1000}}}},
        "gift": {},
        "for_teams": {"customer_type": "team", "prices": {"once": {"amounts": {"usd": 1000}}}},
    },
}


def catalog() -> Catalog:
    parsed = parse(DOCUMENT, mode="test")
    assert isinstance(parsed, Catalog), parsed
    versions = {product_id: product_version_id(product_id, product) for product_id, product in parsed.products.items()}
    return Catalog(
        items=parsed.items, product_lines=parsed.product_lines, products=parsed.products, product_versions=versions
    )


CATALOG = catalog()
USER = Customer("user", "u_1")


def owned(product_id: str, *, stripe: bool | None = None) -> OwnedProduct:
    subscription = None
    if stripe is not None:
        subscription = Subscription("sub_1", is_stripe_backed=stripe, status="active", anchor=0, interval="1 month")
    return OwnedProduct(
        id=f"own_{product_id}",
        customer=USER,
        product_id=product_id,
        version_id="pv",
        product=CATALOG.products[product_id],
        price_id=None,
        quantity=1,
        source="checkout",
        granted_at=0,
        subscription=subscription,
    )


def wish(*lines: AskedLine, **changes: Any) -> Wish:
    environment = Environment(
        id="test",
        mode="test",
        provider="sandbox",
        block_new_purchases=changes.pop("blocked", False),
        default_currency="usd",
        policy=Policy(),
        stripe_publishable_key=None,
        stripe_account=None,
        stripe_account_id=None,
        stripe_api_base=None,
    )
    values: dict[str, Any] = {
        "environment": environment,
        "catalog": CATALOG,
        "customer": USER,
        "with_secret_key": False,
        "purpose": "checkout",
        "lines": lines,
        "owned": (),
        "inline_version": lambda product: product_version_id(None, product),
    }
    return Wish(**{**values, **changes})


def of(product_id: str, price_id: str | None = None, quantity: int = 1) -> AskedLine:
    return AskedLine(product_id=product_id, price_id=price_id, quantity=quantity)


INLINE = AskedLine(product=Product(display_name="Inline"))

REFUSED: list[tuple[str, Wish, str, dict[str, Any]]] = [
    ("1 no lines", wish(), "invalid_request", {}),
    ("1 too many lines", wish(*[of("pack")] * 21), "invalid_request", {}),
    ("1 neither product nor id", wish(AskedLine()), "invalid_request", {}),
    ("1 product and id", wish(AskedLine(product_id="pack", product=INLINE.product)), "invalid_request", {}),
    ("1 quantity 0, before all else", wish(of("nothing", quantity=0), blocked=True), "invalid_request", {}),
    ("1 quantity 2^60", wish(of("pack", quantity=2**60)), "invalid_request", {}),
    ("2 inline without a secret key", wish(INLINE, blocked=True), "secret_key_required", {}),
    ("4 blocked, before the unknown product", wish(of("nothing"), blocked=True), "purchases_blocked", {}),
    ("5 unknown product", wish(of("nothing")), "product_not_found", {"product_id": "nothing"}),
    ("5 server-only without a secret key", wish(of("hidden")), "product_not_found", {"product_id": "hidden"}),
    ("5 in the second line, before the first one's type", wish(of("for_teams"), of("nothing")), "product_not_found", {"product_id": "nothing"}),
    ("6 wrong customer type", wish(of("for_teams", "nothing")), "customer_type_mismatch", {"expected": "team", "actual": "user"}),
    ("6 default", wish(of("free")), "product_is_default", {"product_id": "free"}),
    ("7 unknown price", wish(of("pro", "nothing", 2)), "price_not_found", {"product_id": "pro", "price_id": "nothing"}),
    ("7 price of another product", wish(of("pro", "once")), "price_not_found", {"product_id": "pro", "price_id": "once"}),
    ("7 server-only price", wish(of("pro", "secret")), "price_not_found", {"product_id": "pro", "price_id": "secret"}),
    ("7 no price at all", wish(of("gift", quantity=2)), "not_for_sale", {"product_id": "gift"}),
    ("8 K8 a guest subscribes", wish(of("pro"), customer=Customer("guest", "gst_1")), "guest_one_time_only", {}),
    ("8 O3 quantity 2 of pro", wish(of("pro", quantity=2), currency="eur"), "not_stackable", {"product_id": "pro"}),
    ("9 included units above the range", wish(of("huge", quantity=4)), "quantity_too_large", {"product_id": "huge"}),
    ("9 currency of no price", wish(of("pro"), currency="eur"), "currency_not_available", {"available": ["jpy", "usd"]}),
    ("9 K9 total too small", wish(of("cheap")), "amount_too_small", {"minimum": 50, "currency": "usd"}),
    ("9 total too large", wish(of("dear", quantity=2)), "amount_too_large", {"maximum": 99_999_999, "currency": "usd"}),
    ("10 a product twice", wish(of("pack"), of("pack")), "duplicate_line_item", {}),
    ("10 two of a line", wish(of("basic"), of("pro")), "line_conflict", {"product_line": "plan"}),
    ("10 two intervals", wish(of("pro", "yearly"), of("support")), "mixed_intervals", {"intervals": ["1 month", "1 year"]}),
    ("11 O2 owned already", wish(of("pro"), owned=(owned("pro", stripe=False),)), "already_owned", {"product_id": "pro"}),
    ("12 O4 add-on without base", wish(of("support")), "base_required", {"bases": ["pro"]}),
    ("13 O7 a lifetime product in the line", wish(of("pro"), owned=(owned("lifetime"),)), "line_taken", {"product_line": "plan"}),
    ("13 a subscription at Stripe", wish(of("pro"), owned=(owned("basic", stripe=True),)), "switch_required", {"from_product_id": "basic"}),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "code", "facts"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_the_first_failing_step_refuses(asked: Wish, code: str, facts: dict[str, Any]) -> None:
    outcome = resolve(asked)
    assert isinstance(outcome, Refusal)
    assert outcome.code == code
    if code != "invalid_request":
        assert outcome.facts == facts


ALLOWED: list[tuple[str, Wish, list[tuple[str | None, str | None, int]]]] = [
    ("the first price", wish(of("pro")), [("pro", "monthly", 1)]),
    ("a named price", wish(of("pro", "yearly")), [("pro", "yearly", 1)]),
    ("a server-only price with a secret key", wish(of("pro", "secret"), with_secret_key=True), [("pro", "secret", 1)]),
    ("K9 quantity lifts the total above the minimum", wish(of("cheap", quantity=2)), [("cheap", "once", 2)]),
    ("O3 three packs", wish(of("pack", quantity=3)), [("pack", "once", 3)]),
    ("O4 add-on with its base in the same checkout", wish(of("pro"), of("support")), [("pro", "monthly", 1), ("support", "monthly", 1)]),
    ("O4 add-on with its base owned", wish(of("support"), owned=(owned("pro", stripe=True),)), [("support", "monthly", 1)]),
    ("13 a subscription without Stripe gives way", wish(of("pro"), owned=(owned("basic", stripe=False),)), [("pro", "monthly", 1)]),
    ("13 a one-time price over a subscription at Stripe", wish(of("lifetime"), owned=(owned("basic", stripe=True),)), [("lifetime", "once", 1)]),
    ("another pack", wish(of("pack"), owned=(owned("pack"),)), [("pack", "once", 1)]),
    ("O11 a grant passes the block", wish(of("pro"), purpose="grant", blocked=True), [("pro", "monthly", 1)]),
    ("7 a grant of what has no price", wish(of("gift"), purpose="grant"), [("gift", None, 1)]),
    ("inline with a secret key, granted", wish(INLINE, with_secret_key=True, purpose="grant"), [(None, None, 1)]),
    ("a guest buys once", wish(of("pack"), customer=Customer("guest", "gst_1")), [("pack", "once", 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "lines"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED])
def test_what_may_be_had_is_resolved(asked: Wish, lines: list[tuple[str | None, str | None, int]]) -> None:
    outcome = resolve(asked)
    assert not isinstance(outcome, Refusal), outcome
    assert [(line.product_id, line.price_id, line.quantity) for line in outcome] == lines
    assert all(isinstance(line, ResolvedLine) and line.version_id.startswith("pv_") for line in outcome)
