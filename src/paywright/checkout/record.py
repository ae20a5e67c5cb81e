"""Writing a checkout session's row, inside a work."""

from typing import Any

import msgspec

from paywright.checkout import queries
from paywright.checkout.model import LIFE_MS, CheckoutMode, CheckoutSession, LastError, PinnedLine, StartCheckout
from paywright.checkout.tables import checkout_sessions, open_checkouts
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import normal_address
from paywright.outbox.actions import lock_customers, record
from paywright.ownership import queries as ownership_queries
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

EVENT_OF = {
    "open": "checkout.opened",
    "completed": "checkout.completed",
    "expired": "checkout.expired",
    "failed": "checkout.failed",
}


def insert(
    work: Work,
    asked: StartCheckout,
    *,
    session_id: str,
    mode: CheckoutMode,
    lines: tuple[PinnedLine, ...],
    places: list[str],
    parameters_hash: str,
    currency: str,
    renews: str | None,
    stripe_parameters: dict[str, Any] | None,
    stripe_customer_id: str | None,
) -> CheckoutSession:
    """A new attempt, `initialized`, holding its places. The customer is locked and the places are free."""
    work.execute(
        checkout_sessions.insert().values(
            environment_id=work.environment_id,
            id=session_id,
            customer=asked.customer.key,
            mode=mode,
            ui=asked.ui,
            status="initialized",
            lines=msgspec.json.encode(lines).decode(),
            currency=currency,
            success_url=asked.success_url,
            parameters_hash=parameters_hash,
            stripe_parameters=None if stripe_parameters is None else msgspec.json.encode(stripe_parameters).decode(),
            renews=renews,
            stripe_customer_id=stripe_customer_id,
            buyer_email=None if asked.customer_email is None else normal_address(asked.customer_email),
            created_at=work.now,
            updated_at=work.now,
            expires_at=work.now + LIFE_MS,
            requested_at=wall_ms(),
            attempted_at=wall_ms(),
        )
    )
    for place in places:
        row = {"environment_id": work.environment_id, "customer": asked.customer.key, "place": place}
        taken = insert_if_absent(work, open_checkouts, {**row, "checkout_session_id": session_id})
        assert taken, "the place was found free under the customer's lock"
    made = queries.session(work.connection, work.environment_id, session_id)
    assert made is not None
    return made


def change(work: Work, found: CheckoutSession, **values: Any) -> CheckoutSession:
    """Writes what differs; a new status is told as an event, and one that is not under way frees its places. The customer is locked by this."""
    lock_customers(work, [found.customer])
    before = queries.session(work.connection, work.environment_id, found.id)
    assert before is not None
    if isinstance(values.get("last_error"), LastError):
        values["last_error"] = msgspec.json.encode(values["last_error"]).decode()
    where = checkout_sessions.c.environment_id == work.environment_id, checkout_sessions.c.id == found.id
    work.execute(checkout_sessions.update().where(*where).values(updated_at=work.now, **values))
    after = queries.session(work.connection, work.environment_id, found.id)
    assert after is not None
    if not after.is_under_way:
        places = (
            open_checkouts.c.environment_id == work.environment_id,
            open_checkouts.c.checkout_session_id == found.id,
        )
        work.execute(open_checkouts.delete().where(*places, open_checkouts.c.customer == found.customer.key))
    if after.status != before.status and after.status in EVENT_OF:
        tell(work, after, EVENT_OF[after.status])
    if after.status == "completed" and before.status != "completed" and after.payment_status == "unpaid":
        tell(work, after, "checkout.payment_pending")
    return after


def tell(work: Work, found: CheckoutSession, event_type: str) -> None:
    session = queries.shown(found, work.environment_id)
    # The page's address opens the checkout for whoever has it, so it is told to nobody but the one who asked.
    del session["url"]
    record(work, event_type, {"session": session}, customer=found.customer, change="checkout")


def tell_activated(work: Work, found: CheckoutSession) -> None:
    """`claim.activated`, if this is the first purchase of a guest. What was bought is owned by now."""
    if found.customer.type != "guest":
        return
    owned = ownership_queries.ever(work.connection, work.environment_id, found.customer)
    if owned and all(each.checkout_session_id == found.id for each in owned):
        told = {"guest": found.customer.id, "state": "active"}
        record(work, "claim.activated", told, customer=found.customer, change="products")
