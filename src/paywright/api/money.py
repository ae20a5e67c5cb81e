"""Payments and subscriptions, of everybody for the operator and of one customer for themselves."""

from typing import Annotated, Any

import msgspec

from paywright.api import once
from paywright.api.call import Answer, Call, created, listed, ok
from paywright.api.parsing import Body, Listing, Note, Query, place, read_place
from paywright.environments.model import EndPolicy, TakeBack
from paywright.invoices import queries as invoices
from paywright.kernel.model import CUSTOMER_TYPES, Customer, parse_customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.payments import payouts, refunding
from paywright.payments import queries as payments
from paywright.payments.model import AskedRefund
from paywright.storage.idempotency import Kept
from paywright.subscriptions import queries as subscriptions
from paywright.subscriptions import revenue

PAYMENT_STATUSES = ("pending", "requires_action", "paid", "failed", "refunded", "cancelled")

INVOICE_STATUSES = ("draft", "open", "paid", "uncollectible", "void")


class MoneyListing(Listing, frozen=True, kw_only=True):
    """Narrowed by status and by customer; `customer_id` needs its `customer_type`."""

    status: str | None = None
    customer_type: str | None = None
    customer_id: str | None = None


class NewRefund(Body, frozen=True, kw_only=True):
    """`amount` in minor units of the payment's currency; left out: all that is left. The rest by the environment's `on_refund`."""

    amount: int | None = None
    reason: Note | None = None
    end: EndPolicy | None = None
    take_back: TakeBack | None = None


class RevenueAsked(Query, frozen=True, kw_only=True):
    """The last so many months, this one included."""

    months: Annotated[int, msgspec.Meta(ge=1, le=revenue.MONTHS_MAX)] = 12


class OwnListing(Listing, frozen=True, kw_only=True):
    """Narrowed by status."""

    status: str | None = None


def list_payments(call: Call) -> Answer | Refusal:
    """Payments of the environment, newest first."""
    customer = asked_customer(call.query)
    return customer if isinstance(customer, Refusal) else _payments(call, customer, show=payments.shown_to_operator)


def list_customer_payments(call: Call) -> Answer | Refusal:
    """The customer's payments, newest first. Users and teams only."""
    return not_for_custom(call) or _payments(call, call.owner)


def read_payment(call: Call) -> Answer | Refusal:
    """One payment, with its refunds and disputes."""
    with call.app.database.read() as connection:
        found = payments.payment(connection, call.environment.id, call.parts["payment_id"])
        if found is None:
            return Refusal("payment_not_found")
        return ok(payments.shown_in_full(connection, call.environment.id, found))


def create_refund(call: Call) -> Answer | Refusal:
    """Returns all or part of a payment, and says what becomes of what it bought."""
    body: NewRefund = call.body
    asked = AskedRefund(call.parts["payment_id"], body.amount, body.reason, body.end, body.take_back)
    outcome = refunding.refund(call.app, call.environment, asked, key=call.key)
    if isinstance(outcome, Kept):
        return once.replayed(call, outcome)
    if isinstance(outcome, Refusal):
        return once.answered(call, outcome)
    with call.app.database.read() as connection:
        payment = payments.payment(connection, call.environment.id, outcome.payment_id)
    assert payment is not None
    refund = {**payments.refund_shown(outcome), "payment": payments.shown_to_operator(payment)}
    return once.answered(call, created(refund))


def list_invoices(call: Call) -> Answer | Refusal:
    """Invoices of the environment, newest first; drafts only when asked for by status."""
    customer = asked_customer(call.query)
    return customer if isinstance(customer, Refusal) else _invoices(call, customer)


def list_customer_invoices(call: Call) -> Answer | Refusal:
    """The customer's invoices, newest first. Users and teams only."""
    return not_for_custom(call) or _invoices(call, call.owner)


def list_payouts(call: Call) -> Answer | Refusal:
    """What Stripe sent to the bank, newest first."""
    after = read_place(call.query.cursor)
    if isinstance(after, Refusal):
        return after
    with call.app.database.read() as connection:
        rows = payouts.page(connection, call.environment.id, after=after, limit=call.query.limit)
    return listed(rows, limit=call.query.limit, cursor_of=lambda row: place(row.created_at, row.id), show=payouts.shown)


def read_revenue(call: Call) -> Answer:
    """What came in, went back and is left by month and currency, and what active subscriptions bring a month."""
    with call.app.database.read() as connection:
        now = call.app.now(call.environment.id)
        months = revenue.months(connection, call.environment.id, now, count=call.query.months)
        recurring = revenue.recurring(connection, call.environment.id)
    shown = {
        "months": [{**msgspec.to_builtins(each), "net": each.net} for each in months],
        "recurring": msgspec.to_builtins(recurring),
    }
    return ok(shown)


def list_subscriptions(call: Call) -> Answer | Refusal:
    """Subscriptions at Stripe, newest first."""
    customer = asked_customer(call.query)
    if isinstance(customer, Refusal):
        return customer
    after = read_place(call.query.cursor)
    if isinstance(after, Refusal):
        return after
    with call.app.database.read() as connection:
        rows = subscriptions.page(
            connection,
            call.environment.id,
            customer=None if customer is None else customer.key,
            status=call.query.status,
            after=after,
            limit=call.query.limit,
        )
    return listed(
        rows, limit=call.query.limit, cursor_of=lambda row: place(row.started_at, row.id), show=subscriptions.shown
    )


def _payments(call: Call, customer: Customer | None, *, show: Any = payments.shown) -> Answer | Refusal:
    status = call.query.status
    if status is not None and status not in PAYMENT_STATUSES:
        return invalid_request("status", f"`status` is one of {', '.join(PAYMENT_STATUSES)}.")
    after = read_place(call.query.cursor)
    if isinstance(after, Refusal):
        return after
    with call.app.database.read() as connection:
        rows = payments.page(
            connection, call.environment.id, customer=customer, status=status, after=after, limit=call.query.limit
        )
    return listed(rows, limit=call.query.limit, cursor_of=lambda row: place(row.created_at, row.id), show=show)


def _invoices(call: Call, customer: Customer | None) -> Answer | Refusal:
    status = call.query.status
    if status is not None and status not in INVOICE_STATUSES:
        return invalid_request("status", f"`status` is one of {', '.join(INVOICE_STATUSES)}.")
    after = read_place(call.query.cursor)
    if isinstance(after, Refusal):
        return after
    with call.app.database.read() as connection:
        rows = invoices.page(
            connection, call.environment.id, customer=customer, status=status, after=after, limit=call.query.limit
        )
    return listed(
        rows, limit=call.query.limit, cursor_of=lambda row: place(row.created_at, row.id), show=invoices.shown
    )


def asked_customer(query: Any) -> Customer | Refusal | None:
    """The customer a list is narrowed to, None for everybody's."""
    if query.customer_type is None and query.customer_id is None:
        return None
    if query.customer_type is None or query.customer_id is None:
        return invalid_request("customer_type", "`customer_type` and `customer_id` go together.")
    if query.customer_type not in CUSTOMER_TYPES:
        return invalid_request("customer_type", f"`customer_type` is one of {', '.join(CUSTOMER_TYPES)}.")
    return parse_customer(query.customer_type, query.customer_id)


def not_for_custom(call: Call) -> Refusal | None:
    """Lists of money are for users and teams."""
    if call.owner.type in ("user", "team"):
        return None
    return Refusal("customer_type_mismatch", {"expected": "user or team", "actual": call.owner.type})
