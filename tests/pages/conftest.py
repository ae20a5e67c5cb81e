"""A house over real HTTP on both databases, and a browser without JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.databases import SqliteDatabases
from tests.harness.house import House
from tests.pages.browsing import Browser

CATALOG: dict[str, Any] = {
    "items": {"credits": {"display_name": "Credits"}},
    "product_lines": {"plan": {"display_name": "Plan"}, "seating": {"display_name": "Seating"}},
    "products": {
        "free": {
            "display_name": "Free",
            "product_line": "plan",
            "include_by_default": True,
            "included_items": {"credits": {"quantity": 5, "repeat": "1 month"}},
        },
        "basic": {
            "display_name": "Basic",
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}},
        },
        "pro": {
            "display_name": "Pro <plan>",
            "product_line": "plan",
            "trial": "14 day",
            "prices": {
                "monthly": {"amounts": {"usd": "19.99", "eur": 1800}, "interval": "1 month"},
                "yearly": {"amounts": {"usd": 19900}, "interval": "1 year"},
                "partner": {"amounts": {"usd": 100}, "interval": "1 month", "server_only": True},
            },
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}},
            "metadata": {"server": {"cost_centre": "A7"}},
        },
        "seats": {
            "display_name": "Seats",
            "product_line": "seating",
            "stackable": True,
            "prices": {"monthly": {"amounts": {"usd": 500}, "interval": "1 month"}},
        },
        "pack": {
            "display_name": "100 credits",
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": "10.00", "jpy": 1500}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
        "secret": {"server_only": True, "prices": {"once": {"amounts": {"usd": "1.00"}}}},
    },
}


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    with House(database_url, catalog=CATALOG) as made:
        yield made


@pytest.fixture
def sqlite_house(sqlite_url: str) -> Iterator[House]:
    with House(sqlite_url, catalog=CATALOG) as made:
        yield made


@pytest.fixture(scope="module")
def shared_house(sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For requests that change nothing."""
    with sqlite_databases.fresh(tmp_path_factory.mktemp("pages")) as url, House(url, catalog=CATALOG) as made:
        yield made


@pytest.fixture
def browser() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.close()
