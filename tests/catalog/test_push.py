"""Telling Stripe: the official SDK against the offline Stripe, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from paywright.catalog import queries
from paywright.catalog.actions import apply
from paywright.catalog.parse import parse
from paywright.catalog.pull import pull
from paywright.catalog.push import Pushed, forget_at_stripe, push
from paywright.catalog.queries import SoldPrice
from paywright.catalog.tables import stripe_prices
from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.environments.actions import StripeCredentials
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.stripe.gateway import StripeRefused, StripeUnknown
from paywright_sandbox import Sandbox
from tests.catalog.conftest import SECRET, unused
from tests.catalog.documents import changed, full

PRO = "paywright_shop_pro"


class Shop:
    """An environment connected to an account of its own on the sandbox."""

    def __init__(self, database_url: str, sandbox: Sandbox) -> None:
        self.http = httpx.Client(base_url=sandbox.url)
        opened = self.http.post("/_sandbox/accounts", json={}, headers=bearer(sandbox.secret_key)).json()
        self.http.headers.update(bearer(opened["secret_key"]))
        self.app = App(Settings(database_url=database_url, secret=SECRET))
        with self.app.work("shop") as work:
            environments.create(work, mode="test", provider="stripe")
            credentials = StripeCredentials(opened["secret_key"], None, None, sandbox.url)
            assert environments.connect_stripe(work, self.app.settings, credentials) is None

    def put(self, document: dict[str, Any]) -> dict[str, str]:
        """Applies it; answers the product versions."""
        with self.app.work("shop") as work:
            applied = apply(work, document, is_in_use=unused)
        assert not isinstance(applied, Refusal), applied
        return applied.catalog.product_versions

    def push(self) -> tuple[int, int]:
        pushed = push(self.app, "shop")
        assert pushed.problems == []
        return pushed.products, pushed.prices

    def fail_next(self, method: str, path: str, how: Any, times: int = 1) -> None:
        order = {"match": {"method": method, "path": path}, "as": how, "times": times}
        assert self.http.post("/_sandbox/fail-next", json=order).status_code == 200

    def get(self, path: str, **params: Any) -> Any:
        limit = {} if "/" in path else {"limit": 100}
        return self.http.get(f"/v1/{path}", params={**limit, **params}).raise_for_status().json()

    def posts(self) -> list[str]:
        """Paths of what was posted so far, oldest first."""
        asked = self.http.get("/_sandbox/requests").json()["data"]
        return [each["path"] for each in reversed(asked) if each["method"] == "POST"]

    def stripe_ids(self, product_id: str) -> dict[str, str]:
        with self.app.database.read() as connection:
            return queries.stripe_price_ids(connection, "shop", product_id)

    def sold_at(self, *stripe_ids: str) -> dict[str, SoldPrice]:
        with self.app.database.read() as connection:
            return queries.by_stripe_price(connection, "shop", list(stripe_ids))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> Iterator[Shop]:
    opened = Shop(database_url, sandbox)
    yield opened
    opened.app.close()
    opened.http.close()


def test_a_push_makes_every_product_and_price_with_its_currencies(shop: Shop) -> None:
    shop.put(full())
    assert shop.push() == (3, 4)  # The free plan has nothing to sell.
    ids = shop.stripe_ids("pro")
    monthly = shop.get(f"prices/{ids['monthly']}", **{"expand[]": "currency_options"})
    assert (monthly["product"], monthly["nickname"], monthly["active"]) == (PRO, "monthly", True)
    assert (monthly["currency"], monthly["unit_amount"]) == ("usd", 1999)
    assert monthly["currency_options"]["jpy"]["unit_amount"] == 3000
    assert (monthly["recurring"]["interval"], monthly["recurring"]["interval_count"]) == ("month", 1)
    assert shop.get(f"prices/{shop.stripe_ids('pack')['once']}")["recurring"] is None
    assert shop.get(f"products/{PRO}")["name"] == "Pro"


def test_what_stripe_has_is_not_sent_again(shop: Shop) -> None:
    shop.put(full())
    shop.push()
    before = shop.posts()
    assert shop.push() == (0, 0)
    shop.put(changed("products.pro.included_items.credits.quantity", 300))
    assert shop.push() == (0, 0)
    assert shop.posts() == before


def test_a_new_amount_is_a_new_stripe_price_and_the_old_one_is_still_known(shop: Shop) -> None:
    versions = shop.put(full())
    shop.push()
    old = shop.stripe_ids("pro")["monthly"]
    newer = shop.put(changed("products.pro.prices.monthly.amounts.usd", "24.99"))
    assert shop.push() == (0, 2)
    new = shop.stripe_ids("pro")["monthly"]
    assert old != new
    assert (shop.get(f"prices/{old}")["active"], shop.get(f"prices/{new}")["active"]) == (False, True)
    assert shop.sold_at(old, new, "price_of_somebody") == {
        old: SoldPrice("pro", "monthly", versions["pro"], old, False),
        new: SoldPrice("pro", "monthly", newer["pro"], new, True),
    }


def test_a_stripe_price_means_the_newest_product_version_sold_at_it(shop: Shop) -> None:
    shop.put(full())
    shop.push()
    monthly = shop.stripe_ids("pro")["monthly"]
    newer = shop.put(changed("products.pro.included_items.credits.quantity", 300))
    assert shop.sold_at(monthly)[monthly].product_version == newer["pro"]


def test_a_product_that_is_gone_is_archived_and_one_that_comes_back_is_sold_again(shop: Shop) -> None:
    shop.put(full())
    shop.push()
    once = shop.stripe_ids("pack")["once"]
    shop.put(changed("products.pack", ...))
    assert shop.push() == (1, 1)
    assert (shop.get("products/paywright_shop_pack")["active"], shop.get(f"prices/{once}")["active"]) == (False, False)
    assert shop.stripe_ids("pack") == {}
    shop.put(full())
    assert shop.push() == (1, 1)
    assert (shop.get("products/paywright_shop_pack")["active"], shop.get(f"prices/{once}")["active"]) == (True, True)
    assert shop.stripe_ids("pack") == {"once": once}


def test_a_name_that_changes_back_reaches_stripe_each_time(shop: Shop) -> None:
    for name in ("Pro", "Professional", "Pro"):
        shop.put(changed("products.pro.display_name", name))
        shop.push()
        assert shop.get(f"products/{PRO}")["name"] == name


def test_only_what_is_asked_for_is_pushed(shop: Shop) -> None:
    shop.put(full())
    assert push(shop.app, "shop", product_ids={"pack"}) == Pushed(1, 1, [])
    assert [product["id"] for product in shop.get("products")["data"]] == ["paywright_shop_pack"]


def test_an_answer_that_was_lost_makes_nothing_twice(shop: Shop) -> None:
    shop.put(full())
    shop.fail_next("POST", "/v1/products", "drop_response", times=3)
    with pytest.raises(StripeUnknown):
        shop.push()
    shop.fail_next("POST", "/v1/prices", "drop_response", times=3)
    with pytest.raises(StripeUnknown):
        shop.push()
    shop.push()
    assert len(shop.get("products")["data"]) == 3
    assert len(shop.get("prices")["data"]) == 4
    assert shop.push() == (0, 0)


def test_a_refused_product_is_a_problem_and_the_rest_goes_on(shop: Shop) -> None:
    shop.put(full())
    shop.fail_next("POST", "/v1/products", 400)
    pushed = push(shop.app, "shop")
    assert [(problem.code, problem.path) for problem in pushed.problems] == [
        ("stripe_refused", "products.pack"),
        ("stripe_refused", "products.pack.prices.once"),  # Its product does not exist.
    ]
    assert (pushed.products, pushed.prices) == (2, 3)
    assert shop.push() == (1, 1)


def test_a_dead_key_stops_the_push(shop: Shop) -> None:
    shop.put(full())
    shop.fail_next("POST", "/v1/products", 401)
    with pytest.raises(StripeRefused):
        shop.push()
    assert shop.push() == (3, 4)


def test_pushes_at_once_make_everything_once(shop: Shop) -> None:
    shop.put(full())
    with ThreadPoolExecutor(3) as threads:
        outcomes = list(threads.map(lambda _: push(shop.app, "shop"), range(3)))
    assert [problem for pushed in outcomes for problem in pushed.problems] == []
    assert shop.push() == (0, 0)
    assert (len(shop.get("products")["data"]), len(shop.get("prices")["data"])) == (3, 4)


def forget_rows(shop: Shop) -> None:
    with shop.app.work("shop") as work:
        forget_at_stripe(work)


def test_a_lost_database_finds_again_what_stripe_has(shop: Shop) -> None:
    shop.put(full())
    shop.push()
    before = shop.stripe_ids("pro")
    forget_rows(shop)
    assert shop.stripe_ids("pro") == {}
    shop.push()
    assert shop.stripe_ids("pro") == before
    assert len(shop.get("prices")["data"]) == 4


def test_a_wiped_account_gets_everything_anew(shop: Shop) -> None:
    shop.put(full())
    shop.push()
    before = shop.stripe_ids("pro")
    assert shop.http.post("/_sandbox/reset", json={}).status_code == 200
    forget_rows(shop)
    assert shop.push() == (3, 4)
    assert set(shop.stripe_ids("pro")) == set(before)
    assert {each["id"] for each in shop.get("prices")["data"]} >= set(shop.stripe_ids("pro").values())


def make_price(shop: Shop, **parameters: Any) -> str:
    made = shop.http.post("/v1/prices", data={"currency": "usd", "product_data[name]": "Old plan", **parameters})
    return str(made.raise_for_status().json()["id"])


def test_an_adopted_price_is_used_and_never_changed(shop: Shop) -> None:
    adopted = make_price(shop, unit_amount="500", **{"recurring[interval]": "month"})
    versions = shop.put(changed("products.support.prices.monthly.stripe_price_id", adopted))
    assert shop.stripe_ids("support") == {"monthly": adopted}
    assert shop.push() == (2, 4)
    assert shop.push() == (0, 0)
    assert shop.sold_at(adopted)[adopted].product_version == versions["support"]
    shop.put(changed("products.support", ...))
    shop.push()
    assert shop.get(f"prices/{adopted}")["active"] is True
    assert shop.sold_at(adopted)[adopted].is_for_sale is False
    assert f"/v1/prices/{adopted}" not in shop.posts()


def test_an_adopted_price_that_differs_is_a_problem_each_time(shop: Shop) -> None:
    adopted = make_price(shop, unit_amount="700", **{"recurring[interval]": "month"})
    shop.put(changed("products.support.prices.monthly.stripe_price_id", adopted))
    for _ in range(2):
        problems = push(shop.app, "shop").problems
        assert [(problem.code, problem.path) for problem in problems] == [
            ("stripe_price_differs", "products.support.prices.monthly")
        ]
        assert "usd is 700 at Stripe and 500 here" in problems[0].message


def test_an_adopted_price_that_does_not_exist_is_a_problem(shop: Shop) -> None:
    shop.put(changed("products.support.prices.monthly.stripe_price_id", "price_nowhere"))
    assert [problem.code for problem in push(shop.app, "shop").problems] == ["stripe_refused"]


def test_a_pull_brings_what_stripe_sells_besides(shop: Shop) -> None:
    shop.put(full())
    shop.push()
    adopted = make_price(
        shop, unit_amount="4900", **{"recurring[interval]": "year", "currency_options[jpy][unit_amount]": "7000"}
    )
    pulled = pull(shop.app, "shop")
    assert (pulled.added, pulled.skipped) == (["old-plan"], [])
    assert pulled.document["products"]["old-plan"]["prices"] == {
        "yearly": {"amounts": {"usd": "49.00", "jpy": "7000"}, "interval": "1 year", "stripe_price_id": adopted}
    }
    assert not isinstance(parse(pulled.document, mode="test"), Refusal)
    shop.put(pulled.document)
    assert shop.push() == (0, 1)
    assert pull(shop.app, "shop").added == []


def test_an_instant_environment_has_nothing_to_push_to(app: App, put: Any) -> None:
    put(full())
    assert push(app, "test") == Pushed(0, 0, [])
    with app.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(stripe_prices)).scalar_one() == 4
