"""What the buyers of the permutations buy."""

from typing import Any

CATALOG: dict[str, Any] = {
    "items": {"credits": {}, "seats": {}},
    "product_lines": {"plan": {}},
    "products": {
        "free": {"product_line": "plan", "include_by_default": True, "included_items": {"seats": {"quantity": 1}}},
        "basic": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 10, "repeat": "1 month"}},
        },
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}, "seats": {"quantity": 3}},
        },
        "try": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 3000}, "interval": "1 month", "trial": "10 days"}},
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        },
        "saver": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 4000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 20, "repeat": "1 month", "expires": "never"}},
        },
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 900}}},
            "included_items": {"credits": {"quantity": 70, "expires": "never"}},
        },
    },
}
