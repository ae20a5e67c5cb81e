"""
What must be the same however the news came: a canonical dump of one customer.

In it: what is owned now, until when, and who holds lines and products; what of every item is there, and when it is lost; payments, refunds, disputes,
invoices, subscriptions, checkouts, trials used.

Not in it: ids of ours and of Stripe's; when we heard of something, and so when that took effect where Stripe gives no instant for it (a refund takes
back when we hear of it); what came and went before we heard of it (the small plan of somebody who switched at once); and the events we told, since
who hears late of three changes tells of one.
"""

import json
from typing import Any

import sqlalchemy as sa

from paywright.checkout.tables import checkout_sessions
from paywright.engine.app import App
from paywright.invoices.tables import invoices
from paywright.kernel.model import Customer
from paywright.ledger.tables import balances, item_grants
from paywright.ownership.tables import owned_products, product_holders, product_line_holders
from paywright.payments.tables import disputes, payments, refunds
from paywright.subscriptions.tables import subscriptions, trial_uses

ROWS_MAX = 1_000
OF_CUSTOMER: dict[str, tuple[sa.Table, str]] = {
    "owned": (owned_products, "product_id price_id quantity source access frozen_by ends_at status anchor current_period_end cancel_at_period_end "
              "change_at change_product_id"),
    "lines": (product_line_holders, "product_line"),
    "held products": (product_holders, "product_id"),
    "balances": (balances, "item_id balance held"),
    "units": (item_grants, "item_id live due"),
    "payments": (payments, "status stripe_status amount currency amount_refunded amount_refunding disputed failure_code fee net created_at paid_at"),
    "invoices": (invoices, "status billing_reason amount_due amount_paid total attempt_count period_start period_end paid_at"),
    "subscriptions": (subscriptions, "status items current_period_start current_period_end cancel_at_period_end ends_at ended_at trial_end "
                      "past_due_since started_at"),
    "checkouts": (checkout_sessions, "mode status payment_status fulfilled"),
    "trials": (trial_uses, "place"),
}  # fmt: skip
NOW: dict[str, sa.ColumnElement[bool]] = {
    "owned": owned_products.c.ended_at.is_(None),
    "balances": (balances.c.balance != 0) | (balances.c.held != 0),
    "units": item_grants.c.live > 0,
}
OF_PAYMENT: dict[str, tuple[sa.Table, str]] = {
    "refunds": (refunds, "status amount reason created_at"),
    "disputes": (disputes, "status amount reason created_at"),
}


def canonical(app: App, customer: Customer) -> dict[str, list[Any]]:
    with app.database.read() as connection:
        dump = {
            name: rows(connection, table, words, sa.and_(table.c.customer == customer.key, NOW.get(name, sa.true())))
            for name, (table, words) in OF_CUSTOMER.items()
        }
        theirs = sa.select(payments.c.id).where(
            payments.c.environment_id == "test", payments.c.customer == customer.key
        )
        dump |= {
            name: rows(connection, table, words, table.c.payment_id.in_(theirs))
            for name, (table, words) in OF_PAYMENT.items()
        }
    return dump


def rows(connection: sa.Connection, table: sa.Table, words: str, whose: sa.ColumnElement[bool]) -> list[Any]:
    """As dictionaries without what is null, in an order that depends on what is in them and on nothing else."""
    columns = [table.c[name] for name in words.split()]
    found = connection.execute(
        sa.select(*columns).where(table.c.environment_id == "test", whose).order_by(*columns).limit(ROWS_MAX)
    )
    told = [{name: without_ids(each) for name, each in row._mapping.items() if each is not None} for row in found]
    return sorted(told, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def without_ids(value: Any) -> Any:
    """The items of a subscription name Stripe's price."""
    if not isinstance(value, str) or "stripe_price_id" not in value:
        return value
    return [{key: each for key, each in item.items() if key != "stripe_price_id"} for item in json.loads(value)]


def differences(first: dict[str, list[Any]], other: dict[str, list[Any]]) -> list[str]:
    """In sentences, the part first."""
    lines = []
    for part in first:
        lines += [f"{part}: only in order: {row}" for row in first[part] if row not in other[part]]
        lines += [f"{part}: only otherwise: {row}" for row in other[part] if row not in first[part]]
        if len(first[part]) != len(other[part]):
            lines.append(f"{part}: {len(first[part])} in order, {len(other[part])} otherwise")
    return lines
