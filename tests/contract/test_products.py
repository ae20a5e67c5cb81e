"""Products and prices, by the official SDK."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop, error_of


def test_a_product_with_its_own_id_and_default_price(v1: Any, shop: Shop) -> None:
    made = v1.products.create(
        {"id": "credits", "name": "Credits", "default_price_data": {"currency": "usd", "unit_amount": 500}}
    )
    assert made.id == "credits"
    assert v1.prices.retrieve(made.default_price).product == "credits"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.products.create({"id": "credits", "name": "Again"})
    assert refusal.value.code == "resource_already_exists"
    assert v1.products.update("credits", {"active": False, "description": "x"}).active is False
    assert v1.products.list({"active": True}).data == []
    assert shop.events() == ["product.created", "price.created", "product.updated", "product.updated"]


def test_a_product_is_deleted_only_without_prices(v1: Any) -> None:
    bare, priced = v1.products.create({"name": "Bare"}).id, v1.products.create({"name": "Priced"}).id
    v1.prices.create({"product": priced, "currency": "usd", "unit_amount": 100})
    assert v1.products.delete(bare).deleted is True
    with pytest.raises(stripe.InvalidRequestError):
        v1.products.retrieve(bare)
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices"):
        v1.products.delete(priced)


def test_recurring_and_lookup_keys(v1: Any, shop: Shop) -> None:
    wish = {"currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Pro"}}
    first = v1.prices.create({**wish, "lookup_key": "pro"})
    assert (first.type, first.recurring.interval_count, first.unit_amount_decimal) == ("recurring", 1, 900)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.prices.create({**wish, "lookup_key": "pro"})
    assert (refusal.value.code, refusal.value.param) == ("resource_already_exists", "lookup_key")
    second = v1.prices.create({**wish, "lookup_key": "pro", "transfer_lookup_key": True})
    assert [found.id for found in v1.prices.list({"lookup_keys": ["pro"]}).data] == [second.id]
    assert v1.prices.retrieve(first.id).lookup_key is None
    assert v1.prices.update(first.id, {"active": False}).active is False
    assert [found.id for found in v1.prices.list({"active": True, "type": "recurring"}).data] == [second.id]
    assert shop.events().count("price.updated") == 2


def test_tiers_and_currency_options_show_only_when_expanded(v1: Any) -> None:
    tiers = [{"up_to": 10, "unit_amount": 100}, {"up_to": "inf", "unit_amount": 80, "flat_amount": 500}]
    made = v1.prices.create(
        {
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": tiers,
            "product_data": {"name": "Seats"},
            "recurring": {"interval": "month"},
            "currency_options": {"eur": {"tiers": tiers}},
        }
    )
    assert not hasattr(made, "tiers")
    shown = v1.prices.retrieve(made.id, {"expand": ["tiers", "currency_options"]})
    assert [(tier.up_to, tier.unit_amount, tier.flat_amount) for tier in shown.tiers] == [
        (10, 100, None),
        (None, 80, 500),
    ]
    assert set(shown.currency_options.to_dict()) == {"usd", "eur"}


def test_a_fraction_of_a_cent(v1: Any) -> None:
    made = v1.prices.create({"currency": "usd", "unit_amount_decimal": "0.5", "product_data": {"name": "Tokens"}})
    assert (made.unit_amount, str(made.unit_amount_decimal)) == (None, "0.5")


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({}, "parameter_missing", "unit_amount"),
        ({"unit_amount": -1}, "parameter_invalid_integer", "unit_amount"),
        ({"unit_amount": 1, "unit_amount_decimal": "1.5"}, "parameters_exclusive", None),
        (
            {"unit_amount": 1, "recurring": {"interval": "month", "interval_count": 37}},
            None,
            "recurring[interval_count]",
        ),
        (
            {"unit_amount": 1, "recurring": {"interval": "month", "usage_type": "metered"}},
            "sandbox_not_implemented",
            "recurring[usage_type]",
        ),
        ({"unit_amount": 1, "tiers_mode": "volume"}, None, "tiers"),
        ({"unit_amount": 1, "product": "prod_nothing"}, "parameters_exclusive", None),
    ],
)
def test_what_a_price_refuses(v1: Any, wish: dict[str, Any], code: str | None, param: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.prices.create({"currency": "usd", "product_data": {"name": "X"}, **wish})
    assert (error_of(refusal).code, refusal.value.param) == (code, param)


def test_the_default_price_cannot_be_archived(v1: Any) -> None:
    made = v1.products.create({"name": "P", "default_price_data": {"currency": "usd", "unit_amount": 500}})
    with pytest.raises(stripe.InvalidRequestError, match="default price"):
        v1.prices.update(made.default_price, {"active": False})
