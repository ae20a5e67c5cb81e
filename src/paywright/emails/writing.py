"""
From an event to a letter.

An event that may become a letter leaves a private command in the transaction that records it (`note_letters`), so none is ever missed and none is
looked for. The worker carries the command out after the commit: it adds what the event does not know, and writes the letter's row. Once per fact.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.emails import queries
from paywright.emails.model import ALWAYS_ON, KINDS, Written
from paywright.emails.rules import LETTERS
from paywright.emails.shop import shop_of
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.outbox.actions import command, recorded_in
from paywright.outbox.delivery import Recorded, recorded
from paywright.outbox.letters import write_letter
from paywright.outbox.tables import events
from paywright.payments import queries as payments
from paywright.storage.work import Work

COMPLETED = "checkout.completed"
"""Brings the address of a new buyer, often after the news of their money: a receipt that could not be addressed then is written now."""

WRITE_LETTER = "write_letter"
"""The command that turns one event into its letter."""


def note_letters(work: Work) -> None:
    """For `App.at_commit`. Whether there is something to write is asked after the commit: no letter may undo a change."""
    for told in recorded_in(work):
        if told.type in LETTERS or told.type == COMPLETED:
            command(work, WRITE_LETTER, told.id, {"event_id": told.id})


def write(app: App, environment: Environment, event_id: str) -> bool:
    """False: no letter is due, there is nobody to write to, or it was written before."""
    with app.work(environment.id) as work:
        event = _event(work.connection, environment.id, event_id)
        assert event is not None, event_id
        written = _told(work.connection, environment.id, event)
        if written is None or (written.kind in environment.policy.emails.off and written.kind not in ALWAYS_ON):
            return False
        recipient = _recipient(app, work.connection, environment, event.customer, written)
        facts = _completed(work.connection, environment, event.customer, written)
        if recipient is None or facts is None:
            return False
        secret = app.settings.require_secret()
        return write_letter(work, secret, written.kind, written.fact, recipient, facts)


def _told(connection: Connection, environment_id: str, event: Recorded) -> Written | None:
    if event.type != COMPLETED:
        return LETTERS[event.type](event.id, event.facts)
    paid = payments.payment_of_checkout(connection, environment_id, event.facts["session"]["id"])
    if paid is None or paid.status != "paid":
        return None
    return LETTERS["payment.paid"](event.id, {"payment": payments.shown(paid)})


def _event(connection: Connection, environment_id: str, event_id: str) -> Recorded | None:
    columns = (events.c.id, events.c.type, events.c.created_at, events.c.customer, events.c.sequence, events.c.data)
    found = sa.select(*columns).where(events.c.environment_id == environment_id, events.c.id == event_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else recorded(row)


def _recipient(
    app: App, connection: Connection, environment: Environment, customer: Customer | None, written: Written
) -> str | None:
    if KINDS[written.kind].audience == "operator":
        return shop_of(app.settings, environment).operator
    if customer is None:
        return None
    return queries.address_of(connection, environment.id, customer, written.session_id)


def _completed(
    connection: Connection, environment: Environment, customer: Customer | None, written: Written
) -> dict[str, Any] | None:
    """The facts with names for ids; None: seen closer, there is nothing to write."""
    facts = dict(written.facts)
    only_if = facts.pop("only_if_completed", None)
    if only_if is not None and not queries.is_completed(connection, environment.id, only_if):
        return None
    facts["customer"] = None if customer is None else customer.key
    if KINDS[written.kind].audience == "operator":
        return {**facts, "environment": environment.id}
    if "invoice_id" in facts or written.session_id is not None:
        known = queries.payment_now(connection, environment.id, facts.get("payment_id"))
        invoice_id = facts.pop("invoice_id", None) or known.invoice_id
        facts["lines"] = queries.bought_with(connection, environment.id, written.session_id, invoice_id)
        if written.kind == "receipt":
            facts["receipt_url"] = facts["receipt_url"] or known.receipt_url
            facts["invoice_number"], facts["invoice_url"] = queries.invoice_of(connection, environment.id, invoice_id)
    if "subscription_id" in facts:
        named = queries.product_of_subscription(connection, environment.id, facts.pop("subscription_id"))
        if named is None:
            return None
        facts["product"] = named
    if "item_id" in facts:
        facts["item"] = queries.item_name(connection, environment.id, facts.pop("item_id"))
    return facts
