"""
Paying inside the app: a Payment Intent behind our session, confirmed by the buyer's browser with Stripe's Payment Element.

The intent's events and `sync` both end in `apply`, which fulfils by the same function as a hosted checkout. The intent has no end of its own: a
session nobody paid is canceled when its time is over.
"""

from hashlib import sha256
from typing import Any

import msgspec

from paywright.checkout import queries
from paywright.checkout.fulfilment import fulfil
from paywright.checkout.model import CheckoutFacts, CheckoutSession
from paywright.checkout.record import change
from paywright.customers.actions import ensure_stripe_customer
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer, normal_address
from paywright.kernel.money import AMOUNT_MAX, CURRENCIES, minimum_charge
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.payments import actions as payments
from paywright.storage.idempotency import IdempotencyKey
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.stripe.gateway import StripeDeclined, StripeRefused, stripe_key
from paywright.stripe.metadata import id_of, metadata_of
from paywright.stripe.model import PROCESSED, Fetched, Outcome

STATUS_OF = {"succeeded": "completed", "processing": "completed", "canceled": "expired"}
"""Of an intent. `processing` is a bank debit under way: done for the buyer, and nothing is granted before the money is there."""


class BareIntent(msgspec.Struct, frozen=True):
    """An amount without anything that is sold: it grants nothing."""

    id: str
    client_secret: str


def client_secret(app: App, environment: Environment, session: CheckoutSession) -> str | None:
    """What the browser confirms the payment with; Stripe keeps it, we do not. None when there is nothing to confirm."""
    if session.status != "open" or session.stripe_payment_intent_id is None:
        return None
    found = app.gateway(environment).get(f"/v1/payment_intents/{session.stripe_payment_intent_id}")
    return str(found["client_secret"])


def create_bare(
    app: App,
    environment: Environment,
    customer: Customer,
    *,
    amount: int,
    currency: str,
    receipt_email: str | None,
    description: str | None,
    app_metadata: dict[str, str],
    key: IdempotencyKey | None = None,
) -> BareIntent | Refusal:
    """A Payment Intent of that amount. Each call makes a new one, unless it is repeated under its key within a day. `amount` in minor units."""
    if currency not in CURRENCIES:
        return Refusal("currency_not_available", {"available": sorted(CURRENCIES)})
    if amount < minimum_charge(currency):
        return Refusal("amount_too_small", {"minimum": minimum_charge(currency), "currency": currency})
    if amount > AMOUNT_MAX:
        return Refusal("amount_too_large", {"maximum": AMOUNT_MAX, "currency": currency})
    if not environment.is_at_stripe:
        return Refusal(
            "not_implemented", {"what": "a payment intent under the `instant` provider, which moves no money"}
        )
    params: dict[str, Any] = {
        "amount": amount,
        "currency": currency,
        "automatic_payment_methods": {"enabled": True},
        "customer": ensure_stripe_customer(app, environment, customer, email=receipt_email),
        "metadata": {**app_metadata, **metadata.ours(environment.id, customer_key=customer.key)},
    }
    more = {"receipt_email": receipt_email, "description": description}
    made_for = new_id("intent") if key is None else f"intent_{sha256(key.caller.encode() + key.key_hash).hexdigest()}"
    try:
        made = app.gateway(environment).post(
            "/v1/payment_intents",
            {**params, **{name: value for name, value in more.items() if value is not None}},
            idempotency_key=stripe_key(environment.id, made_for, "create"),
        )
    except StripeDeclined as declined:
        return Refusal("card_declined", {"decline_code": declined.code})
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise
        return Refusal("stripe_refused", {"stripe_message": refused.message})
    return BareIntent(made["id"], made["client_secret"])


def sync(app: App, environment: Environment, payment_intent_id: str) -> Outcome:
    """Asks Stripe and applies what it says."""
    fetched = payments.fetch(app, environment, payment_intent_id)
    with app.work(environment.id) as work:
        return apply(work, fetched)


def apply(work: Work, fetched: Fetched) -> Outcome:
    """A payment as it is now, and what it buys when a session of ours is paid by it in the app."""
    session = _session_of(work, fetched)
    outcome = payments.apply(work, fetched, customer=None if session is None else session.customer)
    if outcome != PROCESSED or session is None or not session.is_in_app:
        return outcome
    intent = fetched.found
    assert intent is not None, "what was processed is there"
    if session.stripe_payment_intent_id not in (None, intent["id"]):
        return outcome  # Another intent that carries our metadata: not the one this session is paid by.
    lock_customers(work, [session.customer])
    _follow(work, session, fetched, intent)
    return outcome


def complete_for_nothing(work: Work, environment: Environment, session: CheckoutSession) -> CheckoutSession:
    """A total of 0 has no intent: it is granted at once."""
    done = change(work, session, status="completed", payment_status="no_payment_required")
    payments.record_nothing_to_pay(
        work,
        session.customer,
        stripe_checkout_session_id=session.id,
        checkout_session_id=session.id,
        currency=session.currency,
    )
    fulfil(work, environment, done, _facts(done, 0, None), Fetched(f"checkout_session {session.id}", 0, {}))
    return queries.session(work.connection, work.environment_id, session.id) or done


def _session_of(work: Work, fetched: Fetched) -> CheckoutSession | None:
    """Only the session's row names a guest; and only our own metadata names the session."""
    keys = metadata_of(fetched.found or {})
    if keys.get(metadata.ENVIRONMENT) != work.environment_id or metadata.CHECKOUT_SESSION not in keys:
        return None
    return queries.session(work.connection, work.environment_id, keys[metadata.CHECKOUT_SESSION])


def _follow(work: Work, session: CheckoutSession, fetched: Fetched, intent: dict[str, Any]) -> None:
    present = queries.session(work.connection, work.environment_id, session.id)
    assert present is not None
    status = STATUS_OF.get(intent["status"], "open")
    if present.status == "completed":
        status = "completed"  # Nothing regresses.
    is_paid = intent["status"] == "succeeded"
    values = {
        "status": status,
        "payment_status": "paid" if is_paid else present.payment_status,
        "stripe_payment_intent_id": intent["id"],
        "buyer_email": _email_of(intent) or present.buyer_email,
        "stripe_customer_id": id_of(intent.get("customer")) or present.stripe_customer_id,
    }
    if any(getattr(present, name) != value for name, value in values.items()):
        present = change(work, present, **values)
    if is_paid and not present.is_fulfilled:
        environment = environment_of(work)
        assert present.stripe_parameters is not None
        facts = _facts(present, present.stripe_parameters["amount"], intent["id"])
        paid = Fetched(fetched.root, fetched.number, fetched.found, related=(fetched,))
        fulfil(work, environment, present, facts, paid)


def _facts(session: CheckoutSession, amount: int, payment_intent_id: str | None) -> CheckoutFacts:
    """What a hosted session would have said: the amount is the one our row asked for."""
    return CheckoutFacts(
        id=session.id,
        status="complete",
        payment_status=session.payment_status,
        livemode=False,
        client_reference_id=session.id,
        metadata={},
        url=None,
        amount_total=amount,
        currency=session.currency,
        stripe_customer_id=session.stripe_customer_id,
        payment_intent_id=payment_intent_id,
        subscription_id=None,
        invoice_id=None,
        email=session.buyer_email,
    )


def _email_of(intent: dict[str, Any]) -> str | None:
    charge = intent.get("latest_charge")
    billed = (charge.get("billing_details") or {}).get("email") if isinstance(charge, dict) else None
    email = intent.get("receipt_email") or billed
    return None if email is None else normal_address(email)
