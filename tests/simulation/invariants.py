"""
What must be so at the end of a life, whatever happened in it.

Beside the books of every story (money is Stripe's money, balances follow from entries, each paid line is owned once, subscriptions are owned
while they live): nobody spent what was not there, everything answered with yes happened once, what was paid for and not taken back is owned, what was
taken back is not, a comparison with Stripe finds nothing amiss, and telling it all again changes nothing.
"""

from collections import Counter
from typing import Any

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger.tables import ledger_entries
from paywright.outbox.tables import customers, events
from paywright.ownership.tables import owned_products, product_holders, product_line_holders
from paywright.payments.tables import disputes, payments
from tests.flows import books
from tests.simulation.town import USERS, Town

LIMIT = 10_000
TAKEN_BACK = ("refunded", "dispute_lost", "revoked", "replaced", "base_ended", "canceled")


def audit(town: Town) -> None:
    books.audit(town.shop)
    with town.shop.premises.app.database.read() as connection:
        every_yes_happened_once(town, connection)
        nobody_overdrew(town, connection)
        sequences_have_no_gaps(town, connection)
        holders_are_those_who_hold(town, connection)
        one_time_purchases_are_owned_while_paid_for(town, connection)
    differences = [each for each in town.reconcile(fix=False) if not is_beside_one_never_paid(town, each)]
    assert differences == [], differences
    before = canonical(town)
    told_again(town)
    assert canonical(town) == before


def is_beside_one_never_paid(town: Town, difference: dict[str, Any]) -> bool:
    """Whose first debit failed owns nothing, and may buy the same line again while Stripe still tries: a person is told of the two."""
    both = {difference["id"], difference["stripe"]}
    return difference["field"] == "second_in_line" and not both <= books.paid_for(town.shop)


def every_yes_happened_once(town: Town, connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.select(ledger_entries.c.customer, ledger_entries.c.item_id, sa.func.sum(ledger_entries.c.quantity))
        .where(ledger_entries.c.environment_id == town.shop.environment_id, ledger_entries.c.kind == "decrease")
        .group_by(ledger_entries.c.customer, ledger_entries.c.item_id)
    )
    spent = {(Customer("user", user).key, item): units for (user, item), units in town.spent.items()}
    assert {(row[0], row[1]): row[2] for row in rows} == spent


def nobody_overdrew(town: Town, connection: sa.Connection) -> None:
    overdrawn = connection.execute(
        sa.select(ledger_entries.c.customer, ledger_entries.c.item_id, ledger_entries.c.seq)
        .where(
            ledger_entries.c.environment_id == town.shop.environment_id,
            ledger_entries.c.kind == "decrease",
            ledger_entries.c.balance_after < ledger_entries.c.held_after,
        )
        .order_by(ledger_entries.c.customer, ledger_entries.c.item_id, ledger_entries.c.seq)
        .limit(LIMIT)
    ).all()
    assert overdrawn == []


def sequences_have_no_gaps(town: Town, connection: sa.Connection) -> None:
    """Events and ledger entries of a customer are numbered 1, 2, 3 … together."""
    both = sa.union_all(
        *(
            sa.select(table.c.customer, table.c.sequence).where(
                table.c.environment_id == town.shop.environment_id, table.c.customer.is_not(None)
            )
            for table in (events, ledger_entries)
        )
    )
    numbers: dict[str, list[int]] = {}
    for customer, sequence in connection.execute(both):
        numbers.setdefault(customer, []).append(sequence)
    assert len(numbers) >= len(USERS) - 1
    for customer, found in numbers.items():
        assert sorted(found) == list(range(1, len(found) + 1)), customer


def holders_are_those_who_hold(town: Town, connection: sa.Connection) -> None:
    live = {row.id for row in owned_rows(town, connection) if row.ended_at is None}
    for table in (product_line_holders, product_holders):
        held = connection.execute(
            sa.select(table.c.owned_product_id)
            .where(table.c.environment_id == town.shop.environment_id)
            .order_by(table.c.owned_product_id)
            .limit(LIMIT)
        ).scalars()
        assert set(held) <= live, table.name


def one_time_purchases_are_owned_while_paid_for(town: Town, connection: sa.Connection) -> None:
    here = town.shop.environment_id
    lost = set(
        connection.execute(
            sa.select(disputes.c.payment_id)
            .where(disputes.c.environment_id == here, disputes.c.status == "lost")
            .order_by(disputes.c.payment_id)
            .limit(LIMIT)
        ).scalars()
    )
    paid_by = {
        row.checkout_session_id: row
        for row in connection.execute(
            sa.select(payments.c.id, payments.c.checkout_session_id, payments.c.status)
            .where(payments.c.environment_id == here, payments.c.checkout_session_id.is_not(None))
            .order_by(payments.c.id)
            .limit(LIMIT)
        )
    }
    for row in owned_rows(town, connection):
        if row.checkout_session_id is None or row.subscription_id is not None:
            continue
        payment = paid_by[row.checkout_session_id]
        must_be_over = payment.id in lost or (payment.status == "refunded" and payment.id not in town.kept)
        # A refund that failed after the product had ended gives units back and not the product; so over without a refund is only then allowed.
        is_over = row.ended_at is not None
        assert is_over or not must_be_over, (row, payment)
        if is_over and not must_be_over and row.id not in town.revoked:
            assert had_failing_refund(town, payment.id), (row, payment)


def had_failing_refund(town: Town, payment_id: str) -> bool:
    told = town.shop.client.list_events(type="payment.refund_failed", limit=100).data
    return any(event.data["payment"]["id"] == payment_id for event in told)


def owned_rows(town: Town, connection: sa.Connection) -> list[Any]:
    return list(
        connection.execute(
            sa.select(
                owned_products.c.id,
                owned_products.c.customer,
                owned_products.c.product_id,
                owned_products.c.quantity,
                owned_products.c.checkout_session_id,
                owned_products.c.subscription_id,
                owned_products.c.ended_at,
                owned_products.c.end_reason,
                owned_products.c.status,
            )
            .where(owned_products.c.environment_id == town.shop.environment_id)
            .order_by(owned_products.c.id)
            .limit(LIMIT)
        )
    )


def canonical(town: Town) -> dict[str, Any]:
    """All a customer can see, and how often the world was told what."""
    with town.shop.premises.app.database.read() as connection:
        here = town.shop.environment_id
        told = connection.execute(
            sa.select(events.c.type, sa.func.count()).where(events.c.environment_id == here).group_by(events.c.type)
        )
        versions = connection.execute(
            sa.select(customers.c.customer, customers.c.version).where(customers.c.environment_id == here)
        )
        found = {"told": {row[0]: row[1] for row in told}, "versions": {row[0]: row[1] for row in versions}}
    states = {user: town.ask("GET", f"/v1/customers/user/{user}")[1] for user in USERS}
    money = {user: town.ask("GET", f"/v1/customers/user/{user}/payments")[1]["data"] for user in USERS}
    return {**found, "states": states, "payments": money}


def told_again(town: Town) -> None:
    """Every event of the life once more, in another order."""
    every = town.shop.account.every("/v1/events")
    town.draw.shuffle(every)
    for event in every:
        town.shop.account.post(f"/_sandbox/events/{event['id']}/resend")
    town.settle()


def incidents(town: Town) -> Counter[str]:
    return Counter(event.data["kind"] for event in town.shop.client.list_events(type="incident.opened", limit=100).data)
