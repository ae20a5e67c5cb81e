"""Catalogs the tests apply."""

import copy
from typing import Any

FULL: dict[str, Any] = {
    "items": {"credits": {"display_name": "Credits", "customer_type": "user"}, "seats": {}},
    "product_lines": {"plan": {"display_name": "Plan", "customer_type": "user"}},
    "products": {
        "free": {
            "product_line": "plan",
            "include_by_default": True,
            "included_items": {"credits": {"quantity": 5, "repeat": "1 month"}},
        },
        "pro": {
            "display_name": "Pro",
            "customer_type": "user",
            "product_line": "plan",
            "add_on_to": [],
            "ends_with_base": True,
            "include_by_default": False,
            "server_only": False,
            "stackable": False,
            "trial": "14 day",
            "prices": {
                "monthly": {
                    "amounts": {"usd": "19.99", "jpy": 3000},
                    "interval": "1 month",
                    "trial": None,
                    "server_only": False,
                    "stripe_price_id": None,
                },
                "yearly": {"amounts": {"usd": 19900}, "interval": "1 year"},
            },
            "included_items": {
                "credits": {"quantity": 100, "repeat": "1 month", "expires": "when_repeated"},
                "seats": {"quantity": 3},
            },
            "metadata": {"client": {"badge": "gold"}, "client_read_only": {}, "server": {"cost_centre": "A7"}},
        },
        "support": {"add_on_to": ["pro"], "prices": {"monthly": {"amounts": {"usd": 500}, "interval": "1 month"}}},
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": "10.00"}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
    },
}
"""The example of the reference."""


def full() -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(FULL)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full example with one field set, e.g. `products.pro.prices.monthly.interval`; `...` takes the field out."""
    document = full()
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place.setdefault(name, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document
