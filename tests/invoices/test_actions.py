"""Invoices as Stripe has them, and the one proof of money for a period. On both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from paywright.customers.actions import remember
from paywright.invoices import actions as invoices
from paywright.invoices import queries
from paywright.kernel.model import Customer
from paywright.stripe.model import GONE, NOT_OURS, OTHER_ENVIRONMENT, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome
from tests.payments.objects import CREATED, OURS, declined, intent, invoice_line, paid_with, subscription_invoice
from tests.payments.till import USER, Till

OPEN = {
    "status": "open",
    "amount_paid": 0,
    "amount_remaining": 1999,
    "status_transitions": {"paid_at": None},
    "payments": {"object": "list", "has_more": False, "data": [paid_with("pi_1", "open")]},
}
NO_PAYMENTS = {"object": "list", "has_more": False, "data": []}


class Books(Till):
    def hear_invoice(self, *related: Fetched, **fields: Any) -> Outcome:
        return self.apply_invoice(self.fetched_invoice(*related, **fields))

    def fetched_invoice(self, *related: Fetched, **fields: Any) -> Fetched:
        fetched = self.fetched(subscription_invoice(**fields), "invoice in_1")
        return Fetched(fetched.root, fetched.number, fetched.found, fetched.lists, related)

    def apply_invoice(self, fetched: Fetched) -> Outcome:
        with self.app.work("test") as work:
            return invoices.apply(work, fetched)

    def invoice(self) -> dict[str, Any]:
        with self.app.database.read() as connection:
            return queries.shown(queries.row_of(connection, "test", "in_1"))


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    made = Books(database_url)
    yield made
    made.close()


def test_a_paid_renewal_is_told_once_for_ever(books: Books) -> None:
    for _ in range(3):
        assert books.hear_invoice(books.fetched(intent())) == PROCESSED
    assert books.told() == ["payment.paid", "invoice.created", "invoice.paid", "subscription.renewed"]
    assert books.events()[-2] == (
        "subscription.renewed",
        {
            "subscription": {"id": "sub_1"},
            "period": {"start": "2026-09-21T14:13:20Z", "end": "2026-10-21T14:13:20Z"},
            "invoice_id": "in_1",
        },
    )


def test_an_invoice_is_shown_with_its_hosted_page(books: Books) -> None:
    books.hear_invoice()
    shown = books.invoice()
    assert (shown["status"], shown["number"]) == ("paid", "A-0001")
    assert shown["amount_paid"] == {"amount": 1999, "currency": "usd"}
    assert shown["customer"] == {"type": "user", "id": "u_1"}
    assert shown["hosted_invoice_url"] == "https://invoice.stripe.com/i/1"
    assert [line["description"] for line in shown["lines"]] == ["1 × Pro (at $19.99 / month)"]


def test_the_payment_and_its_invoice_know_each_other(books: Books) -> None:
    bare = books.fetched(intent(metadata={}, customer=None))
    books.hear_invoice(bare)
    assert (books.payment().invoice_id, books.payment().customer) == ("in_1", USER)


@pytest.mark.parametrize(
    ("fields", "renewed"),
    [
        ({"billing_reason": "subscription_create"}, False),
        ({"billing_reason": "subscription_update"}, False),
        ({"billing_reason": "manual", "parent": None, "metadata": OURS}, False),
        ({"billing_reason": "subscription_cycle", **OPEN}, False),
        ({"billing_reason": "subscription_cycle", **OPEN, "status": "void"}, False),
        ({"billing_reason": "subscription_cycle", **OPEN, "status": "uncollectible"}, False),
        ({"billing_reason": "subscription_cycle", **OPEN, "status": "draft", "attempted": False}, False),
        ({"billing_reason": "subscription_cycle", "amount_due": 0, "amount_paid": 0, "payments": NO_PAYMENTS}, True),
    ],
    ids="create switch manual open void uncollectible draft zero".split(),
)
def test_only_a_paid_invoice_of_a_new_period_renews(books: Books, fields: dict[str, Any], renewed: bool) -> None:
    books.hear_invoice(**fields)
    assert ("subscription.renewed" in books.told()) == renewed


def test_several_lines_of_one_subscription_renew_once(books: Books) -> None:
    half = invoice_line(id="il_2", period={"start": CREATED, "end": CREATED + 3_000_000})
    credit = invoice_line(
        id="il_3",
        period={"start": CREATED - 99_999, "end": CREATED},
        parent={"type": "subscription_item_details", "subscription_item_details": {"proration": True}},
    )
    lines = {"object": "list", "has_more": False, "data": [invoice_line(), half, credit]}
    books.hear_invoice(lines=lines)
    assert books.told().count("subscription.renewed") == 1
    assert books.invoice()["period"] == {"start": "2026-09-21T14:13:20Z", "end": "2026-10-26T07:33:20Z"}


def test_a_failed_attempt_is_told_once_each(books: Books) -> None:
    later = CREATED + 86_400
    for attempt in (1, 1, 2):
        books.hear_invoice(books.fetched(declined()), **OPEN, attempt_count=attempt, next_payment_attempt=later)
    assert books.told() == ["payment.failed", "invoice.created", "invoice.payment_failed", "invoice.payment_failed"]
    failed = [told for kind, told in books.events() if kind == "invoice.payment_failed"]
    assert failed[0]["next_attempt_at"] == "2026-09-22T14:13:20Z"


def test_an_attempt_by_bank_debit_has_not_failed_while_it_is_under_way(books: Books) -> None:
    books.hear_invoice(books.fetched(intent("processing")), **OPEN)
    assert "invoice.payment_failed" not in books.told()
    books.hear_invoice(books.fetched(declined()), **OPEN)
    assert books.told()[-1] == "invoice.payment_failed"


def test_failed_and_then_paid_renews(books: Books) -> None:
    books.hear_invoice(books.fetched(declined()), **OPEN)
    books.hear_invoice(books.fetched(intent()))
    assert books.told()[-3:] == ["payment.paid", "invoice.paid", "subscription.renewed"]


def test_P9_an_open_renewal_that_is_voided_brought_no_money(books: Books) -> None:
    books.hear_invoice(books.fetched(declined()), **OPEN)
    books.hear_invoice(books.fetched(intent("canceled")), **OPEN | {"status": "void"})
    assert books.told()[-2:] == ["payment.cancelled", "invoice.voided"]
    assert [payment.status for payment in books.payments()] == ["cancelled"]


def test_a_slow_fetch_never_overwrites_a_newer_one_but_its_payment_counts(books: Books) -> None:
    slow_invoice = books.fetched_invoice(**OPEN)
    newer = books.fetched_invoice()
    books.apply_invoice(newer)
    paid = books.fetched(intent())
    overtaken = Fetched(slow_invoice.root, slow_invoice.number, slow_invoice.found, related=(paid,))
    assert books.apply_invoice(overtaken) == STALE
    assert (books.invoice()["status"], books.payment().status) == ("paid", "paid")


def test_a_deleted_draft_is_removed_and_anything_else_is_history(books: Books) -> None:
    books.hear_invoice(status="draft", attempted=False, payments=NO_PAYMENTS)
    assert books.apply_invoice(books.fetched(None, "invoice in_1")) == PROCESSED
    assert books.apply_invoice(books.fetched(None, "invoice in_1")) == GONE
    books.hear_invoice()
    assert books.apply_invoice(books.fetched(None, "invoice in_1")) == GONE
    assert books.invoice()["status"] == "paid"


STRANGER = {"type": "subscription_details", "subscription_details": {"subscription": "sub_9", "metadata": {}}}
ELSEWHERE = {
    "type": "subscription_details",
    "subscription_details": {"subscription": "sub_9", "metadata": {"paywright_environment": "another"}},
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"livemode": True}, WRONG_MODE),
        ({"parent": ELSEWHERE}, OTHER_ENVIRONMENT),
        ({"parent": STRANGER}, NOT_OURS),
        ({"parent": None, "customer": None}, NOT_OURS),
    ],
    ids=["wrong mode", "another environment", "a stranger's", "of nobody"],
)
def test_what_is_not_this_environments_changes_nothing(books: Books, fields: dict[str, Any], expected: Outcome) -> None:
    assert books.hear_invoice(**fields) == expected
    assert books.events() == []


def test_the_mapping_names_the_customer_where_metadata_does_not(books: Books) -> None:
    with books.app.work("test") as work:
        remember(work, Customer("team", "t_1"), "cus_1")
    assert books.hear_invoice(parent=None) == PROCESSED
    assert books.invoice()["customer"] == {"type": "team", "id": "t_1"}


def test_invoices_are_listed_newest_first_without_drafts(books: Books) -> None:
    for number in range(4):
        found = subscription_invoice(id=f"in_{number}", created=CREATED + number, payments=NO_PAYMENTS)
        books.apply_invoice(books.fetched(found, f"invoice in_{number}"))
    draft = subscription_invoice(id="in_draft", status="draft", attempted=False, payments=NO_PAYMENTS)
    books.apply_invoice(books.fetched(draft, "invoice in_draft"))
    with books.app.database.read() as connection:
        first = queries.page(connection, "test", customer=USER, limit=2)
        rest = queries.page(connection, "test", customer=USER, limit=2, after=(first[1].created_at, first[1].id))
        drafts = queries.page(connection, "test", status="draft")
        others = queries.page(connection, "test", customer=Customer("user", "u_2"))
    assert [row.id for row in [*first[:2], *rest]] == ["in_3", "in_2", "in_1", "in_0"]
    assert ([row.id for row in drafts], others) == (["in_draft"], [])
