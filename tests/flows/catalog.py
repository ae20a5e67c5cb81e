"""What the stories buy."""

from typing import Any

CATALOG: dict[str, Any] = {
    "items": {"credits": {"display_name": "Credits"}, "seats": {"display_name": "Seats"}},
    "product_lines": {"plan": {"display_name": "Plan"}},
    "products": {
        "pack": {
            "display_name": "100 credits",
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": "10.00", "eur": "9.00", "jpy": 1500}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
        "lifetime": {
            "display_name": "Lifetime licence",
            "prices": {"once": {"amounts": {"usd": "149.00"}}},
            "included_items": {"seats": {"quantity": 1, "expires": "never"}},
        },
        "pro": {
            "display_name": "Pro",
            "product_line": "plan",
            "prices": {
                "monthly": {"amounts": {"usd": "19.00", "eur": "18.00", "jpy": 2800}, "interval": "1 month"},
                "yearly": {"amounts": {"usd": "190.00"}, "interval": "1 year"},
            },
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        },
        "team": {
            "display_name": "Team",
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": "49.00"}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 500, "repeat": "1 month"}},
        },
    },
}
PACK_USD = 1000
PRO_USD = 1900
