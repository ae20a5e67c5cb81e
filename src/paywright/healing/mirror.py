"""
What Stripe's word makes of a row's own fields, whatever the row says now. Pure.

Applying what was fetched keeps some of ours on purpose: what has ended stays ended, what was paid never becomes failed. That guards against late
news; but a row that somebody changed by hand would be kept as well. So what Stripe says is also held against the row field by field.
"""

from typing import Any

import msgspec

from paywright.checkout.mirror import checkout_facts
from paywright.kernel.model import Json
from paywright.payments import mirror as payments
from paywright.payments.model import PaymentFacts
from paywright.payments.rules import missing_proof
from paywright.stripe.model import Fetched
from paywright.subscriptions.mirror import subscription_facts

Said = dict[tuple[str, str], dict[str, Json]]
"""(noun, Stripe's id) → field → value."""

_SESSION = {"open": "open", "complete": "completed", "expired": "expired"}


def said(fetched: Fetched) -> Said:
    """Of one fetched object and what was fetched beside it. Nothing where it is gone."""
    found: Said = {}
    for related in fetched.related:
        found |= said(related)
    if fetched.found is None:
        return found
    noun = fetched.root.partition(" ")[0]
    if noun == "subscription":
        found |= _subscription(fetched.found, fetched.lists.get("items"))
    elif noun == "payment_intent":
        found |= _payment(payments.intent_facts(fetched.found, fetched.lists))
    elif noun == "charge":
        found |= _payment(payments.charge_facts(fetched.found, fetched.lists))
    elif noun == "checkout_session":
        facts = checkout_facts(fetched.found)
        if facts.status in _SESSION:
            found["checkout_session", facts.id] = {"status": _SESSION[facts.status]}
    return found


def _subscription(stripe_object: dict[str, Any], items: list[dict[str, Any]] | None) -> Said:
    facts = subscription_facts(stripe_object, items)
    fields: dict[str, Json] = {"status": facts.status}
    if not facts.is_terminal:
        names = "current_period_start current_period_end ends_at trial_end latest_invoice_id schedule_id changes_at started_at"
        fields |= {name: getattr(facts, name) for name in names.split()}
        fields["items"] = msgspec.json.encode(facts.items).decode()
        fields["cancel_at_period_end"] = int(facts.cancel_at_period_end)
    if facts.ended_at is not None or not facts.is_terminal:
        fields["ended_at"] = facts.ended_at
    return {("subscription", facts.id): fields}


def _payment(facts: PaymentFacts) -> Said:
    found: Said = {}
    fields: dict[str, Json] = {"currency": facts.currency, "created_at": facts.created_at}
    if missing_proof(facts) is None:
        is_paid = facts.status == "paid"
        fields["stripe_status"] = facts.stripe_status
        fields["amount"] = facts.amount_received if is_paid else facts.amount
        fields["stripe_charge_id"] = facts.stripe_charge_id
        if not is_paid:  # Paid may be refunded by now: that follows from the refunds' own rows.
            fields |= {"status": facts.status, "failure_code": facts.failure_code, "decline_code": facts.decline_code}
    found["payment", facts.fact] = fields
    for refund in facts.refunds or ():
        found["refund", refund.id] = {"status": refund.status, "amount": refund.amount, "currency": refund.currency}
    for dispute in facts.disputes or ():
        found["dispute", dispute.id] = {"status": dispute.status, "amount": dispute.amount}
    return found
