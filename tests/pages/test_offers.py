"""What the purchase page offers: trials, limits and currencies, by the rules of any checkout."""

from collections.abc import Iterator

import pytest

from paywright.catalog.model import IncludedItem, Product
from paywright.checkout.purchase_urls import PurchaseUrl
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.money import AMOUNT_MAX
from paywright.kernel.refusals import Refusal
from paywright.pages import offers
from paywright.pages.offers import Offer
from paywright.subscriptions.tables import trial_uses
from tests.harness.shop import Shop
from tests.pages.conftest import CATALOG

ANNE = Customer("user", "anne")


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """At Stripe, which is asked nothing before somebody chooses."""
    made = Shop(database_url, CATALOG, provider="sandbox")
    yield made
    made.close()


def offered(
    shop: Shop, product_id: str = "pro", currency: str | None = None, *, with_secret_key: bool = False
) -> Offer | Refusal:
    page = PurchaseUrl("pur_1", ANNE, product_id, None, None, with_secret_key, 0)
    return offers.offer(shop.app, shop.environment, page, currency)


def test_a_trial_is_told_once_per_customer_and_line(shop: Shop) -> None:
    offer = offered(shop)
    assert isinstance(offer, Offer)
    assert [choice.trial for choice in offer.choices] == [
        "14 days free, then $19.99 per month",
        "14 days free, then $199.00 per year",
    ]
    with shop.app.work("test") as work:
        row = {"environment_id": "test", "customer": ANNE.key, "place": "line:plan", "subscription_id": "sub_1"}
        work.execute(trial_uses.insert().values(**row, started_at=work.now))
    offer = offered(shop)
    assert isinstance(offer, Offer)
    assert [choice.trial for choice in offer.choices] == [None, None]


def test_a_price_that_is_not_sold_in_the_currency_is_left_out(shop: Shop) -> None:
    offer = offered(shop, currency="eur")
    assert isinstance(offer, Offer)
    assert (offer.currency, offer.currencies) == ("eur", ["eur", "usd"])
    assert [choice.text for choice in offer.choices] == ["€18.00 per month"]
    unknown = offered(shop, currency="doubloon")
    assert isinstance(unknown, Offer)
    assert unknown.currency == "usd"


def test_what_is_server_only_needs_an_address_made_with_a_secret_key(shop: Shop) -> None:
    hidden = offered(shop, "secret")
    assert isinstance(hidden, Refusal)
    assert hidden.code == "product_not_found"
    assert isinstance(offered(shop, "secret", with_secret_key=True), Offer)


@pytest.mark.parametrize(
    ("product", "amounts", "expected"),
    [
        (Product("Once"), [1000], 1),
        (Product("Many", stackable=True), [1000], AMOUNT_MAX // 1000),
        (Product("Many", stackable=True), [1000, 5000], AMOUNT_MAX // 5000),
        (Product("Free", stackable=True), [0], QUANTITY_MAX),
        (Product("Huge", stackable=True, included_items={"x": IncludedItem(2**52)}), [1], 1),
        (Product("Big", stackable=True, included_items={"x": IncludedItem(2**50)}), [1], 7),
    ],
)
def test_a_quantity_ends_where_amount_or_units_do(product: Product, amounts: list[int], expected: int) -> None:
    assert offers.quantity_max(product, amounts) == expected
