"""What others see of a catalog, what differs between two, and what is worth a warning. Pure."""

from typing import Any

import msgspec
import pytest

from paywright.catalog.diff import diff, summary
from paywright.catalog.lint import lint
from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse
from paywright.catalog.versions import catalog_hash, product_version_id
from paywright.catalog.views import public_named, public_product, public_products
from tests.catalog.documents import changed, full


def parsed(document: Any) -> Catalog:
    catalog = parse(document, mode="test")
    assert isinstance(catalog, Catalog), catalog
    return catalog


def test_the_public_product_says_exactly_this() -> None:
    assert public_product(parsed(full()), "pro") == {
        "id": "pro",
        "display_name": "Pro",
        "customer_type": "user",
        "product_line": "plan",
        "add_on_to": [],
        "include_by_default": False,
        "stackable": False,
        "trial": "14 day",
        "prices": [
            {
                "id": "monthly",
                "amounts": [{"amount": 1999, "currency": "usd"}, {"amount": 3000, "currency": "jpy"}],
                "interval": "1 month",
                "trial": "14 day",
            },
            {
                "id": "yearly",
                "amounts": [{"amount": 19900, "currency": "usd"}],
                "interval": "1 year",
                "trial": "14 day",
            },
        ],
        "included_items": [
            {"item_id": "credits", "quantity": 100, "repeat": "1 month", "expires": "when_repeated"},
            {"item_id": "seats", "quantity": 3, "repeat": "never", "expires": "when_repeated"},
        ],
        "metadata": {"client": {"badge": "gold"}, "client_read_only": {}},
    }


def test_nothing_that_is_for_the_server_only_is_public() -> None:
    document = changed("products.pro.prices.yearly.server_only", True)
    document["products"]["pack"]["server_only"] = True
    document["products"]["support"]["add_on_to"] = ["pro", "pack"]
    shown = public_products(parsed(document))
    assert [product["id"] for product in shown] == ["free", "pro", "support"]
    assert [price["id"] for price in shown[1]["prices"]] == ["monthly"]
    assert shown[2]["add_on_to"] == ["pro"]
    text = msgspec.json.encode(shown).decode()
    assert "A7" not in text
    assert "pack" not in text


def test_items_and_lines_are_listed_in_catalog_order() -> None:
    catalog = parsed(full())
    assert public_named(catalog.items) == [
        {"id": "credits", "display_name": "Credits", "customer_type": "user"},
        {"id": "seats", "display_name": "seats", "customer_type": "user"},
    ]
    assert [line["id"] for line in public_named(catalog.product_lines)] == ["plan"]


def reordered() -> dict[str, Any]:
    document = full()
    prices = document["products"]["pro"]["prices"]
    document["products"]["pro"]["prices"] = dict(reversed(prices.items()))
    return document


DIFFERENCES = [
    (full(), []),
    (changed("products.pack", ...), ["- products.pack"]),
    (changed("products.team", {}), ["+ products.team"]),
    (changed("items.coins", {}), ["+ items.coins"]),
    (changed("product_lines.plan.display_name", "Plans"), ['~ product_lines.plan.display_name: "Plan" → "Plans"']),
    (
        changed("products.pro.prices.monthly.amounts.usd", "24.99"),
        ["~ products.pro.prices.monthly.amounts.usd: 1999 → 2499"],
    ),
    (changed("products.pro.prices.monthly.amounts", {"usd": "19.99"}), ["- products.pro.prices.monthly.amounts.jpy"]),
    (changed("products.pro.trial", ...), ['~ products.pro.trial: "14 day" → none']),
    (changed("products.pro.metadata.server", {"cost_centre": "SECRET"}), ["~ products.pro.metadata.server"]),
    (
        changed("products.pro.metadata.client", {"badge": "red"}),
        ['~ products.pro.metadata.client: {"badge":"gold"} → {"badge":"red"}'],
    ),
    (reordered(), ["↕ products.pro.prices"]),
]


@pytest.mark.parametrize(("document", "lines"), DIFFERENCES)
def test_differences_are_told_one_by_one(document: dict[str, Any], lines: list[str]) -> None:
    before, after = parsed(full()), parsed(document)
    changes = diff(before, after)
    assert [summary(change) for change in changes] == lines
    assert (changes == []) == (catalog_hash(before) == catalog_hash(after))
    assert "SECRET" not in repr(changes)


def test_the_order_of_prices_is_part_of_a_product_and_that_of_currencies_is_not() -> None:
    pro = parsed(full()).products["pro"]
    swapped = parsed(changed("products.pro.prices.monthly.amounts", {"jpy": 3000, "usd": 1999})).products["pro"]
    assert product_version_id("pro", pro) == product_version_id("pro", swapped)
    assert product_version_id("pro", pro) != product_version_id("pro", parsed(reordered()).products["pro"])
    assert product_version_id("pro", pro) != product_version_id("plus", pro)


WARNINGS = [
    (full(), []),
    (
        changed("products.pack.included_items.credits.repeat", "1 month"),
        [("repeat_on_one_time", "products.pack.prices.once")],
    ),
    (
        changed("products.pack.prices.once.amounts", {"usd": "0.30", "jpy": 49, "eur": 0}),
        [
            ("below_minimum", "products.pack.prices.once.amounts.usd"),
            ("below_minimum", "products.pack.prices.once.amounts.jpy"),
        ],
    ),
    (changed("items.coins", {}), [("unused_item", "items.coins")]),
]


@pytest.mark.parametrize(("document", "warnings"), WARNINGS)
def test_lint_warns_and_never_refuses(document: dict[str, Any], warnings: list[tuple[str, str]]) -> None:
    assert [(warning.code, warning.path) for warning in lint(parsed(document))] == warnings


def test_the_first_price_is_the_first_that_the_caller_may_use() -> None:
    pro = parsed(changed("products.pro.prices.monthly.server_only", True)).products["pro"]
    assert pro.first_price_id(with_secret_key=True) == "monthly"
    assert pro.first_price_id(with_secret_key=False) == "yearly"
    assert parsed(full()).products["free"].first_price_id(with_secret_key=True) is None


def test_the_trial_of_a_price_wins_over_that_of_its_product() -> None:
    document = changed("products.pro.prices.yearly.trial", "1 month")
    document["products"]["pro"]["prices"]["once"] = {"amounts": {"usd": 50000}}
    document["products"]["pro"]["prices"]["nothing"] = {"amounts": {"usd": 0}, "interval": "1 month"}
    pro = parsed(document).products["pro"]
    trials = {price_id: str(pro.trial_of(price)) for price_id, price in pro.prices.items()}
    assert trials == {"monthly": "14 day", "yearly": "1 month", "once": "None", "nothing": "None"}
