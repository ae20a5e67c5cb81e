"""Sums of money by month and currency, on both databases."""

from collections.abc import Iterator

import pytest

from paywright.catalog.model import Price
from paywright.kernel.model import Money
from paywright.subscriptions.revenue import Month, Recurring, monthly, months, recurring
from tests.harness.shop import instant
from tests.payments import objects
from tests.payments.objects import charge, dispute, intent, refund
from tests.payments.till import Till
from tests.subscriptions.till import StripeShop

OCTOBER, NOVEMBER = instant("2026-10-20T00:00:00Z") // 1000, instant("2026-11-02T00:00:00Z") // 1000
NOW = instant("2026-11-30T23:59:59Z")


@pytest.fixture
def books(database_url: str) -> Iterator[Till]:
    made = Till(database_url)
    yield made
    made.close()


def paid(books: Till, number: int, at: int, amount: int, currency: str = "usd", fee: int = 59, **lists: object) -> None:
    balance = {"id": f"txn_{number}", "created": at, "fee": fee, "net": amount - fee}
    back = sum(each["amount"] for each in lists.get("refunds", []))  # type: ignore[attr-defined]
    settled = charge(
        id=f"ch_{number}", amount_captured=amount, amount_refunded=back, balance_transaction=balance, created=at
    )
    name = f"pi_{number}"
    keys = {**objects.OURS, "paywright_checkout_session": f"chk_{number}"}
    found = intent(
        id=name,
        amount=amount,
        amount_received=amount,
        currency=currency,
        latest_charge=settled,
        created=at,
        metadata=keys,
    )
    books.hear(found, f"payment_intent {name}", **lists)


def test_money_is_counted_in_the_month_in_which_it_moved(books: Till) -> None:
    paid(books, 1, OCTOBER, 5000)
    paid(books, 2, OCTOBER, 300, "jpy", 11)
    paid(books, 3, NOVEMBER, 2000, refunds=[refund("re_1", 500, created=NOVEMBER + 60), refund("re_2", 1, "failed")])
    paid(books, 4, NOVEMBER, 700, disputes=[dispute("needs_response", amount=700, created=NOVEMBER)])
    paid(books, 5, NOVEMBER, 900, disputes=[dispute("won", "dp_2", amount=900, created=NOVEMBER)])
    books.hear(objects.declined(id="pi_6"), "payment_intent pi_6")
    with books.app.database.read() as connection:
        found = months(connection, "test", NOW, count=12)
    assert found == [
        Month("2026-11", "usd", gross=3600, refunded=500, disputed=700, fees=177),
        Month("2026-10", "usd", gross=5000, fees=59),
        Month("2026-10", "jpy", gross=300, fees=11),
    ]
    assert [each.net for each in found] == [2223, 4941, 289]


def test_only_the_months_asked_for(books: Till) -> None:
    paid(books, 1, OCTOBER, 5000)
    paid(books, 2, instant("2026-11-01T00:00:00Z") // 1000, 1)
    paid(books, 3, instant("2026-12-01T00:00:00Z") // 1000, 2)
    with books.app.database.read() as connection:
        assert [(each.month, each.gross) for each in months(connection, "test", NOW, count=1)] == [("2026-11", 1)]
        assert months(connection, "elsewhere", NOW, count=60) == []


@pytest.mark.parametrize(
    ("interval", "expected"), [("1 month", 1200), ("1 year", 100), ("3 month", 400), ("1 week", 5200), ("1 day", 36500)]
)
def test_every_interval_is_worth_something_a_month(interval: str, expected: int) -> None:
    assert monthly(Price(amounts={"usd": 1200}, interval=interval), "usd") == expected


def test_subscriptions_are_worth_what_they_were_sold_at(till: StripeShop) -> None:
    with till.app.database.read() as connection:
        assert recurring(connection, "test") == []
    till.buy("pro")
    with till.app.database.read() as connection:
        (worth,) = recurring(connection, "test")
    assert worth == Recurring(Money(2000, "usd"), 1)
