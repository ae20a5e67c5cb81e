"""Warnings: what a valid catalog may say by mistake. They never refuse anything. Pure."""

from collections.abc import Iterator

from paywright.catalog.model import Catalog, Problem
from paywright.kernel.money import format_amount, minimum_charge


def lint(catalog: Catalog) -> list[Problem]:
    return [*_repeats_on_one_time_prices(catalog), *_amounts_below_the_minimum(catalog), *_unused_items(catalog)]


def _repeats_on_one_time_prices(catalog: Catalog) -> Iterator[Problem]:
    for product_id, product in catalog.products.items():
        repeating = [item_id for item_id, included in product.included_items.items() if included.repeat != "never"]
        if not repeating:
            continue
        for price_id, price in product.prices.items():
            if not price.is_recurring:
                message = f'Paid once, yet {", ".join(repeating)} repeats for ever. Say `repeat = "never"` unless that is meant.'
                yield Problem("repeat_on_one_time", f"products.{product_id}.prices.{price_id}", message)


def _amounts_below_the_minimum(catalog: Catalog) -> Iterator[Problem]:
    for product_id, product in catalog.products.items():
        for price_id, price in product.prices.items():
            for currency, amount in price.amounts.items():
                least = minimum_charge(currency)
                if 0 < amount < least:
                    message = (
                        f"Stripe charges at least {format_amount(least, currency)}; one of these alone can't be bought."
                    )
                    yield Problem(
                        "below_minimum", f"products.{product_id}.prices.{price_id}.amounts.{currency}", message
                    )


def _unused_items(catalog: Catalog) -> Iterator[Problem]:
    used = {item_id for product in catalog.products.values() for item_id in product.included_items}
    for item_id in catalog.items:
        if item_id not in used:
            yield Problem(
                "unused_item",
                f"items.{item_id}",
                "No product includes this item; customers get it only when your app increases it.",
            )
