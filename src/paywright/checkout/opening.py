"""
Opening a recorded attempt at Stripe: phases 2 and 3 of a checkout.

The row holds exactly what Stripe is sent, under a key made of the row's id and generation, so a repeat meets the first answer. Where a repeat can't
tell (the key is too old, or Stripe keeps a 5xx under it) we look whether the session was made, adopt it if so, and only else ask again under a new
generation.
"""

from typing import Any

import msgspec

from paywright.checkout import queries
from paywright.checkout.model import CheckoutSession, LastError
from paywright.checkout.record import change
from paywright.customers.actions import ensure_stripe_customer, forget_missing
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import wall_ms
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.stripe import metadata
from paywright.stripe.gateway import KEYS_KEPT_MS, StripeDeclined, StripeRefused, StripeUnknown, stripe_key

GENERATIONS_MAX = 5
KEYS_PER_CALL_MAX = 3
"""Stripe that keeps failing under each of them is down, and the row stands for a repeat."""


def open_at_stripe(app: App, environment: Environment, session: CheckoutSession) -> CheckoutSession | Refusal:
    """
    Calls with the stored parameters, then commits what came of it. Safe to repeat and to run at once.

    Refuses `stripe_refused`; raises `StripeUnknown` and `StripeBusy`, and then the row stands for a repeat.
    """
    for _ in range(KEYS_PER_CALL_MAX):
        if session.status != "initialized":
            return session
        try:
            made = _look(app, environment, session) if _is_key_too_old(session) else _create(app, environment, session)
        except StripeRefused as refused:
            if refused.is_key_dead:
                raise
            if not (refused.is_missing and refused.param == "customer" and session.generation < GENERATIONS_MAX):
                return _failed(app, environment, session, refused)
            session = _with_new_stripe_customer(app, environment, session)
            continue
        if made is not None:
            return _opened(app, environment, session, made)
        session = _next_generation(app, environment, session)
    if session.status == "initialized":
        raise StripeUnknown(f"no answer under {KEYS_PER_CALL_MAX} keys")
    return session


def recover(app: App, environment: Environment, session_id: str) -> None:
    """The worker's way on with an attempt whose answer never reached us."""
    with app.work(environment.id) as work:
        found = queries.session(work.connection, environment.id, session_id)
        if found is None or found.status != "initialized":
            return
        found = change(work, found, attempted_at=wall_ms())
    open_at_stripe(app, environment, found)


def _create(app: App, environment: Environment, session: CheckoutSession) -> dict[str, Any] | None:
    """Stripe's session; None when it was certainly not made and this key can say no more."""
    assert session.stripe_parameters is not None
    key = stripe_key(environment.id, session.id, "create", session.generation)
    try:
        return app.gateway(environment).post(_path_of(session), session.stripe_parameters, idempotency_key=key)
    except StripeUnknown as unknown:
        if not unknown.is_kept:
            raise
        return _look(app, environment, session)


def _look(app: App, environment: Environment, session: CheckoutSession) -> dict[str, Any] | None:
    """The session of this attempt, by our reference, among those of the customer or (a guest has none) those made since."""
    mine: dict[str, Any] = {"customer": session.stripe_customer_id}
    if session.stripe_customer_id is None:
        mine = {"created": {"gte": session.created_at // 1000 - 3600}}
    for found in app.gateway(environment).pages(_path_of(session), mine):
        if _reference_of(found) == session.id:
            return found
    return None


def _path_of(session: CheckoutSession) -> str:
    return "/v1/payment_intents" if session.is_in_app else "/v1/checkout/sessions"


def _reference_of(found: dict[str, Any]) -> str | None:
    """Of a Checkout Session, or of a Payment Intent that was made for one of ours and not by one of Stripe's."""
    return found.get("client_reference_id") or metadata.metadata_of(found).get(metadata.CHECKOUT_SESSION)


def _is_key_too_old(session: CheckoutSession) -> bool:
    return wall_ms() - session.requested_at > KEYS_KEPT_MS


def _opened(app: App, environment: Environment, session: CheckoutSession, made: dict[str, Any]) -> CheckoutSession:
    with app.work(environment.id) as work:
        lock_customers(work, [session.customer])
        present = queries.session(work.connection, environment.id, session.id)
        assert present is not None
        if present.status != "initialized":
            return present
        if session.is_in_app:
            return change(work, present, status="open", stripe_payment_intent_id=made["id"])
        return change(
            work,
            present,
            status="open",
            url=made.get("url"),
            stripe_checkout_session_id=made["id"],
            expires_at=made["expires_at"] * 1000,
        )


def _next_generation(app: App, environment: Environment, session: CheckoutSession) -> CheckoutSession:
    """Two at once raise it once: both then ask under the same new key."""
    with app.work(environment.id) as work:
        lock_customers(work, [session.customer])
        present = queries.session(work.connection, environment.id, session.id)
        assert present is not None
        if present.status != "initialized" or present.generation != session.generation:
            return present
        return change(work, present, generation=present.generation + 1, requested_at=wall_ms())


def _with_new_stripe_customer(app: App, environment: Environment, session: CheckoutSession) -> CheckoutSession:
    """Stripe no longer knows the customer (a wiped account): make one anew, once, and go on with it."""
    assert session.stripe_parameters is not None
    with app.work(environment.id) as work:
        forget_missing(work, session.customer, str(session.stripe_parameters["customer"]))
    made = ensure_stripe_customer(app, environment, session.customer)
    parameters: dict[str, Any] = {**session.stripe_parameters, "customer": made}
    encoded = msgspec.json.encode(parameters).decode()
    generation = session.generation + 1
    with app.work(environment.id) as work:
        return change(work, session, stripe_parameters=encoded, stripe_customer_id=made, generation=generation)


def _failed(app: App, environment: Environment, session: CheckoutSession, refused: StripeRefused) -> Refusal:
    with app.work(environment.id) as work:
        change(work, session, status="failed", last_error=LastError(refused.code, refused.message))
    if isinstance(refused, StripeDeclined):
        return Refusal("card_declined", {"decline_code": refused.code})
    return Refusal("stripe_refused", {"stripe_message": refused.message, "checkout_session_id": session.id})
