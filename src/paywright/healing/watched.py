"""
The rows that an object at Stripe stands behind, read before and after it is applied: what differs between the two is what reconcile reports.

Columns that are only machinery are left out: when a row was last seen, what was told already, the keys of calls.
"""

from collections.abc import Iterable, Iterator

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.checkout.tables import checkout_sessions
from paywright.customers.tables import stripe_customers
from paywright.healing.mirror import Said
from paywright.healing.model import Difference
from paywright.invoices.tables import invoices
from paywright.kernel.model import Json
from paywright.ownership.tables import owned_products
from paywright.payments.tables import disputes, payments, payouts, refunds
from paywright.storage.schema import metadata
from paywright.storage.work import Work
from paywright.stripe.model import Fetched
from paywright.subscriptions.tables import subscriptions

ROWS_MAX = 10_000

Rows = dict[tuple[str, str], dict[str, Json]]
"""(noun, id) → the columns that say something. The id is Stripe's where there is one."""


class Kind(msgspec.Struct, frozen=True):
    """How rows of one table are shown: by which column they are known, and which columns say nothing."""

    table: str
    known_by: str
    left_out: frozenset[str]


def _kind(table: sa.Table, known_by: str, left_out: str = "") -> Kind:
    return Kind(table.name, known_by, frozenset(("environment_id seen_at updated_at " + left_out).split()))


KINDS: dict[str, Kind] = {
    "subscription": _kind(subscriptions, "id"),
    "invoice": _kind(invoices, "id", "attempt_told is_renewal_told"),
    "payment": _kind(payments, "fact", "id"),
    "refund": _kind(
        refunds, "stripe_refund_id", "id payment_id parameters generation requested_at attempted_at last_error"
    ),
    "dispute": _kind(disputes, "id", "payment_id"),
    "owned_product": _kind(owned_products, "id"),
    "checkout_session": _kind(
        checkout_sessions, "stripe_checkout_session_id", "generation requested_at attempted_at url stripe_parameters"
    ),
    "customer": _kind(stripe_customers, "stripe_customer_id", "row_id generation requested_at created_at"),
    "payout": _kind(payouts, "id"),
}


def rows_about(connection: Connection, environment_id: str, fetched: Iterable[Fetched]) -> Rows:
    """Every row of ours that the objects and what was fetched beside them decide about: a few statements, however many they are."""
    ids: dict[str, list[str]] = {}
    for root in sorted(_roots(fetched)):
        noun, _, stripe_id = root.partition(" ")
        ids.setdefault(noun, []).append(stripe_id)
    found: Rows = {}
    for noun, of_noun in ids.items():
        for shown, where in _places(connection, environment_id, noun, of_noun):
            found |= _read(connection, environment_id, shown, where)
    return found


def _roots(fetched: Iterable[Fetched]) -> set[str]:
    return {root for each in fetched for root in (each.root, *_roots(each.related))}


def rows_by_id(connection: Connection, environment_id: str, noun: str, ids: list[str]) -> Rows:
    """Many of one noun, without what hangs on them."""
    known_by = metadata.tables[KINDS[noun].table].c[KINDS[noun].known_by]
    return _read(connection, environment_id, noun, known_by.in_(ids))


def _places(
    connection: Connection, environment_id: str, noun: str, ids: list[str]
) -> Iterator[tuple[str, sa.ColumnElement[bool]]]:
    if noun == "subscription":
        yield "subscription", subscriptions.c.id.in_(ids)
        yield "owned_product", owned_products.c.subscription_id.in_(ids)
    elif noun == "invoice":
        yield "invoice", invoices.c.id.in_(ids)
        # Two questions: SQLite would answer both at once by reading all.
        yield "payment", payments.c.invoice_id.in_(ids)
        yield "payment", payments.c.fact.in_(_facts(noun, ids))
    elif noun in ("payment_intent", "charge"):
        yield from _of_payments(connection, environment_id, payments.c.fact.in_(_facts(noun, ids)))
        yield "checkout_session", checkout_sessions.c.stripe_payment_intent_id.in_(ids)
    elif noun == "checkout_session":
        is_it = checkout_sessions.c.stripe_checkout_session_id.in_(ids)
        yield "checkout_session", is_it
        here = checkout_sessions.c.environment_id == environment_id
        ours = sa.select(checkout_sessions.c.id).where(here, is_it)
        yield "owned_product", owned_products.c.checkout_session_id.in_(ours)
        yield from _of_payments(connection, environment_id, payments.c.checkout_session_id.in_(ours))
    elif noun == "customer":
        yield "customer", stripe_customers.c.stripe_customer_id.in_(ids)
    elif noun == "payout":
        yield "payout", payouts.c.id.in_(ids)


def _facts(noun: str, ids: list[str]) -> list[str]:
    return [f"{noun} {each}" for each in ids]


def _of_payments(
    connection: Connection, environment_id: str, is_it: sa.ColumnElement[bool]
) -> Iterator[tuple[str, sa.ColumnElement[bool]]]:
    yield "payment", is_it
    columns = (payments.c.id, payments.c.checkout_session_id)
    held = sa.select(*columns).where(payments.c.environment_id == environment_id, is_it)
    rows = connection.execute(held.limit(ROWS_MAX)).all()
    if rows:
        yield "refund", refunds.c.payment_id.in_([row.id for row in rows])
        yield "dispute", disputes.c.payment_id.in_([row.id for row in rows])
    sessions = [row.checkout_session_id for row in rows if row.checkout_session_id is not None]
    if sessions:
        yield "owned_product", owned_products.c.checkout_session_id.in_(sessions)


def _read(connection: Connection, environment_id: str, noun: str, where: sa.ColumnElement[bool]) -> Rows:
    kind = KINDS[noun]
    table = metadata.tables[kind.table]
    statement = sa.select(*table.c).where(table.c.environment_id == environment_id, where)
    # In no order: asked for one by key, SQLite reads the table by key instead of finding the few.
    rows = connection.execute(statement.limit(ROWS_MAX)).mappings()
    shown = [dict(row) for row in rows]
    return {
        (noun, str(row[kind.known_by] or row.get("id"))): {
            name: value for name, value in row.items() if name not in kind.left_out
        }
        for row in shown
    }


def that_were_told(before: Rows, after: Rows) -> Rows:
    """
    `after` without new payments that nobody has tried to pay: Stripe is not asked to tell of them, so they are not missed.

    Every Payment Intent waits like that for its buyer.
    """
    return {
        known: row
        for known, row in after.items()
        if known in before
        or known[0] != "payment"
        or (row["status"], row["stripe_charge_id"], row["failure_code"]) != ("pending", None, None)
    }


def differences(before: Rows, after: Rows) -> list[Difference]:
    """Per field; a row that only one of them has is one line, `row`. Sorted."""
    lines: list[Difference] = []
    for noun, row_id in sorted(before.keys() | after.keys()):
        ours, stripes = before.get((noun, row_id)), after.get((noun, row_id))
        if ours is None or stripes is None:
            lines.append(
                Difference(noun, _stable(noun, row_id, stripes or ours or {}), "row", _told(ours), _told(stripes))
            )
            continue
        lines += [
            Difference(noun, row_id, field, ours[field], stripes[field])
            for field in ours
            if ours[field] != stripes[field]
        ]
    return lines


def _stable(noun: str, row_id: str, row: dict[str, Json]) -> str:
    """A product that would be owned has an id only once it is: until then it goes by what it would be bought with."""
    if noun != "owned_product":
        return row_id.partition(" ")[2] or row_id
    return f"{row['subscription_id'] or row['checkout_session_id'] or row['customer']} {row['product_id']}"


def _told(row: dict[str, Json] | None) -> Json:
    """Enough of a whole row to know it by."""
    if row is None:
        return None
    names = ("status", "customer", "product_id", "quantity", "amount", "currency", "ended_at")
    return {name: row[name] for name in names if row.get(name) is not None}


def kept_against(told: Said, rows: Rows) -> list[Difference]:
    """Where a row that is there says something else than Stripe does."""
    return [
        Difference(noun, row_id, field, rows[noun, row_id][field], value)
        for (noun, row_id), fields in sorted(told.items())
        if (noun, row_id) in rows
        for field, value in fields.items()
        if rows[noun, row_id][field] != value
    ]


def overwrite(work: Work, lines: Iterable[Difference]) -> None:
    """Puts Stripe's word in the place of ours, whatever may follow what: only for what was fetched a moment ago, and when a person asks for it."""
    for line in lines:
        kind = KINDS[line.noun]
        table = metadata.tables[kind.table]
        is_it = (table.c.environment_id == work.environment_id) & (table.c[kind.known_by] == line.id)
        work.execute(table.update().where(is_it).values({line.field: line.stripe}))
