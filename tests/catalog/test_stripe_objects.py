"""From our prices to Stripe's and back. Pure."""

from typing import Any

import pytest

from paywright.catalog.model import Catalog, Price
from paywright.catalog.parse import parse
from paywright.catalog.pull import merged
from paywright.catalog.stripe_objects import differences, price_parameters, product_parameters
from paywright.environments.model import Environment, Policy
from tests.catalog.documents import full

SHOP = Environment("shop", "test", "stripe", False, "usd", Policy(), None, None, None, None)


def parameters(price: Price, currency: str = "usd") -> dict[str, Any]:
    return price_parameters(
        "shop", "pro", "monthly", price, stripe_product_id="paywright_shop_pro", lookup_key="key", currency=currency
    )


def test_one_price_is_one_stripe_price_whatever_its_currencies() -> None:
    assert parameters(Price({"jpy": 3000, "usd": 1999, "eur": 1899}, "3 month")) == {
        "product": "paywright_shop_pro",
        "currency": "usd",
        "unit_amount": 1999,
        "currency_options": {"eur": {"unit_amount": 1899}, "jpy": {"unit_amount": 3000}},
        "recurring": {"interval": "month", "interval_count": 3},
        "lookup_key": "key",
        "nickname": "monthly",
        "metadata": {"paywright_environment": "shop", "paywright_product": "pro", "paywright_price": "monthly"},
    }


def test_a_price_without_the_environments_currency_is_in_its_own() -> None:
    made = parameters(Price({"jpy": 3000}))
    assert (made["currency"], made["unit_amount"]) == ("jpy", 3000)
    assert "currency_options" not in made
    assert "recurring" not in made


def test_an_archived_product_is_inactive_at_stripe() -> None:
    assert product_parameters("shop", "pro", "Pro", active=False) == {
        "name": "Pro",
        "active": False,
        "metadata": {"paywright_environment": "shop", "paywright_product": "pro"},
    }


def stripe_price(price_id: str = "price_1", **changes: Any) -> dict[str, Any]:
    return {
        "id": price_id,
        "product": "prod_1",
        "currency": "usd",
        "unit_amount": 1999,
        "currency_options": {"usd": {"unit_amount": 1999}, "jpy": {"unit_amount": 3000}},
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        "billing_scheme": "per_unit",
        "custom_unit_amount": None,
        "nickname": None,
        "active": True,
        **changes,
    }


OURS = Price({"usd": 1999, "jpy": 3000}, "1 month")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (stripe_price(), []),
        (stripe_price(unit_amount=2000), ["usd is 2000 at Stripe and 1999 here"]),
        (stripe_price(currency_options=None), ["jpy is missing at Stripe and 3000 here"]),
        (stripe_price(recurring=None), ["the interval is none at Stripe and 1 month here"]),
        (
            stripe_price(recurring={"interval": "year", "interval_count": 1}),
            ["the interval is 1 year at Stripe and 1 month here"],
        ),
        (stripe_price(active=False), ["it is not active at Stripe"]),
    ],
)
def test_an_adopted_price_must_be_what_the_catalog_says(found: dict[str, Any], says: list[str]) -> None:
    assert differences(OURS, found) == says


def product(product_id: str = "prod_1", name: str = "Team plan", **changes: Any) -> dict[str, Any]:
    return {"id": product_id, "name": name, "metadata": {}, **changes}


def test_what_stripe_sells_is_adopted_by_id_and_valid() -> None:
    yearly = stripe_price(
        "price_2", recurring={"interval": "year", "interval_count": 1}, unit_amount=19900, currency_options=None
    )
    once = stripe_price(
        "price_3", recurring=None, currency="jpy", unit_amount=500, currency_options=None, nickname="Day pass!"
    )
    pulled = merged(SHOP, Catalog(), [product()], [once, yearly, stripe_price()])
    assert pulled.document["products"] == {
        "team-plan": {
            "display_name": "Team plan",
            "prices": {
                "monthly": {
                    "amounts": {"usd": "19.99", "jpy": "3000"},
                    "interval": "1 month",
                    "stripe_price_id": "price_1",
                },
                "yearly": {"amounts": {"usd": "199.00"}, "interval": "1 year", "stripe_price_id": "price_2"},
                "day-pass": {"amounts": {"jpy": "500"}, "stripe_price_id": "price_3"},
            },
        }
    }
    assert (pulled.added, pulled.skipped) == (["team-plan"], [])
    assert isinstance(parse(pulled.document, mode="test"), Catalog)


def test_a_pull_adds_to_the_catalog_and_changes_nothing_in_it() -> None:
    catalog = parse(full(), mode="test")
    assert isinstance(catalog, Catalog)
    pulled = merged(
        SHOP,
        catalog,
        [product(name="Pro"), product("prod_2", "空")],
        [stripe_price(), stripe_price("price_2", product="prod_2")],
    )
    assert pulled.added == ["product", "pro-2"]
    again = parse(pulled.document, mode="test")
    assert isinstance(again, Catalog)
    assert {each: again.products[each] for each in catalog.products} == catalog.products


def test_products_of_ours_and_products_without_prices_stay_out() -> None:
    ours = product("paywright_shop_pro", metadata={"paywright_environment": "shop"})
    other = product("paywright_other_pro", "Other", metadata={"paywright_environment": "other"})
    prices = [
        stripe_price(product="paywright_shop_pro"),
        stripe_price("price_2", product={"id": "paywright_other_pro"}),
    ]
    assert merged(SHOP, Catalog(), [ours, other, product("prod_3")], prices).added == ["other"]


@pytest.mark.parametrize(
    "changes",
    [
        {"billing_scheme": "tiered", "unit_amount": None},
        {"custom_unit_amount": {"minimum": 100}},
        {"recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered"}},
        {"unit_amount": None, "unit_amount_decimal": "0.5", "currency_options": None},
        {"currency": "xof", "currency_options": None},
        {"unit_amount": 100_000_000, "currency_options": None},
    ],
)
def test_what_has_no_counterpart_is_named_and_left_out(changes: dict[str, Any]) -> None:
    pulled = merged(SHOP, Catalog(), [product()], [stripe_price(**changes)])
    assert pulled.added == []
    assert [(problem.code, problem.path) for problem in pulled.skipped] == [("not_adoptable", "price_1")]
