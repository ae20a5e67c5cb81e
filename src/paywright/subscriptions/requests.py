"""
What we ask of Stripe about a subscription: recorded, then asked, then its answer recorded, with what is to be asked next.

A change may take several calls (release a schedule, then update). Each is a row of its own, inserted in the work that records the answer before it,
so wherever a process dies, the worker goes on with the row that has no answer.
"""

from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.refusals import Refusal
from paywright.payments.rules import display_failure
from paywright.storage.work import Work
from paywright.stripe.gateway import StripeDeclined, StripeRefused, StripeUnknown, stripe_key
from paywright.stripe.metadata import id_of
from paywright.subscriptions.switch_rules import has_items, phases
from paywright.subscriptions.tables import subscription_changes

STEPS = {
    "cancel": ("delete", "/v1/subscriptions/{subscription}"),
    "update": ("post", "/v1/subscriptions/{subscription}"),
    "switch": ("post", "/v1/subscriptions/{subscription}"),
    "schedule": ("post", "/v1/subscription_schedules"),
    "phases": ("post", "/v1/subscription_schedules/{object}"),
    "release": ("post", "/v1/subscription_schedules/{object}/release"),
    "void": ("post", "/v1/invoices/{object}/void"),
}
"""Every kind of change, and the call it is."""

IS_SO_ALREADY = frozenset({"cancel", "release", "void"})
"""Refused means that it ended, was released or voided before: what was asked for is so."""

REPEATABLE = frozenset({"update", "phases", "release", "void"})
"""Calls that say how things shall be: making one twice changes nothing, so a lost one is made anew."""

LOOK_AFTER_MS = 10 * 60_000
"""
After so long without an answer nothing is executing any more: what may be repeated is sent under a new key, and for the rest we look at what came of
it, as we do at once when Stripe repeats a 500 it keeps. No quote is good any more by then.
"""

OPEN = ("requested", "due")
"""Without an answer, as far as we know."""

WAITS_FOR_BUYER = frozenset({"requires_action", "requires_confirmation", "processing"})


class Ask(msgspec.Struct, frozen=True):
    """One call to be made. `then` follow a yes, `otherwise` a no. Of `phases` the parameters are completed from the schedule's answer."""

    kind: str
    parameters: dict[str, Any] = {}
    object_id: str | None = None
    then: "tuple[Ask, ...]" = ()
    otherwise: "tuple[Ask, ...]" = ()
    quote_id: str | None = None


class Change(msgspec.Struct, frozen=True):
    """An `Ask` that is recorded: its id is part of the key Stripe is sent."""

    id: str
    subscription_id: str
    ask: Ask
    created_at: int = 0

    @property
    def path(self) -> str:
        return STEPS[self.ask.kind][1].format(subscription=self.subscription_id, object=self.ask.object_id)


class Answered(msgspec.Struct, frozen=True):
    """What Stripe said. `waits`: it will say more once the buyer has authenticated."""

    found: dict[str, Any] = {}
    refusal: Refusal | None = None
    error: str | None = None
    waits: bool = False
    next: tuple[Ask, ...] = ()


def request(work: Work, subscription_id: str, ask: Ask, *, status: Literal["requested", "due"] = "requested") -> Change:
    """Phase 1. The caller commits, then calls `carry_out`; what is `due` is left to the worker."""
    assert ask.kind in STEPS, ask.kind
    change = Change(new_id("chg"), subscription_id, ask, wall_ms())
    work.execute(
        subscription_changes.insert().values(
            environment_id=work.environment_id,
            id=change.id,
            subscription_id=subscription_id,
            kind=ask.kind,
            object_id=ask.object_id,
            parameters=msgspec.json.encode(ask.parameters).decode(),
            follow_ups=_encoded(ask.then, ask.otherwise),
            quote_id=ask.quote_id,
            status=status,
            created_at=change.created_at,
        )
    )
    return change


def reworded(work: Work, change: Change, parameters: dict[str, Any]) -> Change:
    """What is asked says it in other words, before it is asked."""
    encoded = msgspec.json.encode(parameters).decode()
    work.execute(subscription_changes.update().where(_is(work, change.id)).values(parameters=encoded))
    return msgspec.structs.replace(change, ask=msgspec.structs.replace(change.ask, parameters=parameters))


def carry_out(app: App, environment: Environment, change: Change) -> Refusal | None:
    """
    Phases 2 and 3 of a recorded change and of all that follows from it; repeated by the worker until Stripe has answered.

    Answers the first refusal: `stripe_refused`, `card_declined`, `payment_action_required`, or `quote_expired` for a switch that never was made.
    """
    refusal: Refusal | None = None
    current: Change | None = change
    while current is not None:
        answered = _ask_stripe(app, environment, current)
        refusal = refusal or answered.refusal
        with app.work(environment.id) as work:
            current = _record(work, current, answered)
    return refusal


def unanswered(app: App, environment: Environment, *, attempted_before: int) -> list[Change]:
    """Requests whose answer never reached us, and what nobody has asked yet, oldest first, at most a hundred. Instants are the wall clock's."""
    columns = subscription_changes.c
    lost = (columns.status == "requested") & (columns.created_at < attempted_before)
    with app.database.read() as connection:
        return _select(connection, environment.id, lost | (columns.status == "due"))


def newest(connection: sa.Connection, environment_id: str, subscription_id: str) -> str | None:
    """The last change that was asked for, whatever has become of it."""
    mine = (subscription_changes.c.environment_id == environment_id) & (
        subscription_changes.c.subscription_id == subscription_id
    )
    statement = sa.select(subscription_changes.c.id).where(mine).order_by(subscription_changes.c.id.desc()).limit(1)
    newest_id: str | None = connection.execute(statement).scalar_one_or_none()
    return newest_id


def under_way(connection: sa.Connection, environment_id: str, subscription_id: str) -> list[Change]:
    """What Stripe was asked of this subscription and has not answered yet, as far as we know."""
    columns = subscription_changes.c
    mine = (columns.subscription_id == subscription_id) & columns.status.in_(OPEN)
    return _select(connection, environment_id, mine)


def of_quote(connection: sa.Connection, environment_id: str, quote_id: str) -> list[Change]:
    """The unanswered change of a quote that was confirmed."""
    columns = subscription_changes.c
    return _select(connection, environment_id, (columns.quote_id == quote_id) & columns.status.in_(OPEN))


def came_of(app: App, environment: Environment, quote_id: str) -> tuple[str, Refusal | None] | None:
    """
    The subscription of a confirmed quote, after what was open of it is carried out, and the first refusal met on the way. None: nothing was asked.

    A buyer who has to authenticate is looked at again, because what they need for it is not kept.
    """
    columns = subscription_changes.c
    mine = columns.environment_id == environment.id, columns.quote_id == quote_id
    kept = (columns.id, columns.subscription_id, columns.status, columns.refusal)
    with app.database.read() as connection:
        asked = connection.execute(sa.select(*kept).where(*mine).order_by(columns.id).limit(100)).all()
        waiting = _select(connection, environment.id, (columns.quote_id == quote_id) & (columns.status == "waiting"))
        still_open = of_quote(connection, environment.id, quote_id)
    if not asked:
        return None
    met = [msgspec.json.decode(row.refusal, type=Refusal) for row in asked if row.refusal and row.status == "refused"]
    found = [_look(app, environment, change).refusal for change in waiting]
    found += [carry_out(app, environment, change) for change in still_open]
    return asked[0].subscription_id, next((refusal for refusal in (*met, *found) if refusal is not None), None)


def go_on_after_waiting(work: Work, subscription_id: str, *, is_made: bool, has_ended: bool = False) -> None:
    """
    The buyer has authenticated and the switch is made, or never will be: what was to follow becomes due, and the worker asks for it.

    `has_ended`: so did the subscription, and nothing is left to do but to see that nobody pays for the switch any more.
    """
    columns = subscription_changes.c
    mine = (columns.subscription_id == subscription_id) & (columns.status == "waiting")
    for change in _select(work.connection, work.environment_id, mine):
        status, refusal = ("done", None) if is_made else ("refused", _kept(Refusal("quote_expired")))
        work.execute(subscription_changes.update().where(_is(work, change.id)).values(status=status, refusal=refusal))
        follow = change.ask.then if is_made else change.ask.otherwise
        if has_ended:
            follow = tuple(ask for ask in follow if ask.kind == "void")
        _request_first(work, change, follow, status="due")


def _ask_stripe(app: App, environment: Environment, change: Change) -> Answered:
    kind, gateway = change.ask.kind, app.gateway(environment)
    turns = max(0, wall_ms() - change.created_at) // LOOK_AFTER_MS
    if turns and kind in ("switch", "schedule"):
        return _look(app, environment, change)
    try:
        if STEPS[kind][0] == "delete":
            return Answered(gateway.delete(change.path))
        key = stripe_key(environment.id, change.id, "change", 1 + turns if kind in REPEATABLE else 1)
        found = gateway.post(change.path, change.ask.parameters, idempotency_key=key, repeatable=kind in REPEATABLE)
    except StripeUnknown as unknown:
        if not unknown.is_kept:
            raise
        return _look(app, environment, change)
    except StripeDeclined as declined:
        return Answered(refusal=_declined(declined.code, declined.decline_code), error=declined.message)
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise
        if kind in IS_SO_ALREADY:
            return Answered(error=refused.message)
        if kind == "phases" and _is_let_go(app, environment, change):
            return Answered(refusal=Refusal("quote_expired"), error=refused.message)
        return Answered(refusal=Refusal("stripe_refused", {"stripe_message": refused.message}), error=refused.message)
    if kind == "switch" and found.get("pending_update"):
        return _unpaid(app, environment, found)
    return Answered(found)


def _is_let_go(app: App, environment: Environment, change: Change) -> bool:
    """A cancel, or somebody in Stripe's dashboard, has released our schedule before it had its phases."""
    found = app.gateway(environment).get(f"/v1/subscription_schedules/{change.ask.object_id}")
    return found["status"] in ("released", "canceled", "completed")


def _look(app: App, environment: Environment, change: Change) -> Answered:
    """What came of a switch whose answer is lost for good."""
    gateway = app.gateway(environment)
    found = gateway.get(f"/v1/subscriptions/{change.subscription_id}", {"expand": ["latest_invoice.payments"]})
    if change.ask.kind == "schedule" and id_of(found.get("schedule")) is not None:
        return Answered(gateway.get(f"/v1/subscription_schedules/{id_of(found['schedule'])}"))
    if change.ask.kind == "switch" and found.get("pending_update"):
        return _unpaid(app, environment, found)
    if change.ask.kind == "switch" and has_items(found, change.ask.parameters["items"]):
        return Answered(found)
    return Answered(refusal=Refusal("quote_expired"), error="no answer, and nothing came of it")


def _unpaid(app: App, environment: Environment, found: dict[str, Any]) -> Answered:
    """
    `pending_if_incomplete`: nothing has changed yet. A decline is final for us, so its invoice is voided and the update forgotten; so it is once a
    buyer who was waited for can't make the switch any more.
    """
    invoice = found["latest_invoice"]
    forget = (Ask("void", object_id=invoice["id"]),)
    intent_id = _intent_of(invoice)
    intent = {} if intent_id is None else app.gateway(environment).get(f"/v1/payment_intents/{intent_id}")
    if intent.get("status") in WAITS_FOR_BUYER:
        facts = {"client_secret": intent.get("client_secret"), "hosted_invoice_url": invoice.get("hosted_invoice_url")}
        return Answered(found, Refusal("payment_action_required", facts), waits=True, next=forget)
    error = intent.get("last_payment_error") or {}
    refusal = _declined(error.get("code"), error.get("decline_code"))
    return Answered(found, refusal, error.get("code"), next=forget)


def _intent_of(invoice: dict[str, Any]) -> str | None:
    for payment in (invoice.get("payments") or {"data": []})["data"]:
        found = id_of((payment.get("payment") or {}).get("payment_intent"))
        if found is not None:
            return found
    return None


def _declined(code: str | None, decline_code: str | None) -> Refusal:
    return Refusal("card_declined", {"decline_code": display_failure(code or "card_declined", decline_code).code})


def _record(work: Work, change: Change, answered: Answered) -> Change | None:
    """Phase 3, and phase 1 of what follows."""
    status = "waiting" if answered.waits else "refused" if answered.refusal is not None else "done"
    where = _is(work, change.id), subscription_changes.c.status.in_(OPEN)
    values = {"status": status, "last_error": answered.error, "refusal": _kept(answered.refusal)}
    if answered.waits:
        values["follow_ups"] = _encoded(change.ask.then, (*answered.next, *change.ask.otherwise))
    mine = work.execute(subscription_changes.update().where(*where).values(**values))
    if mine.rowcount != 1 or answered.waits:
        return None  # Somebody else recorded the same answer, and goes on with it.
    follow = change.ask.then if answered.refusal is None else (*answered.next, *change.ask.otherwise)
    if change.ask.kind == "schedule" and answered.refusal is None:
        follow = (_completed(follow[0], answered.found), *follow[1:])
    return _request_first(work, change, follow)


def _kept(refusal: Refusal | None) -> str | None:
    """Not what a buyer authenticates with."""
    if refusal is None or refusal.code == "payment_action_required":
        return None
    return msgspec.json.encode(refusal).decode()


def _completed(ask: Ask, schedule: dict[str, Any]) -> Ask:
    """The phases, now that Stripe has said what the first one is. A schedule without them would only be in the way."""
    wished = ask.parameters
    return msgspec.structs.replace(
        ask,
        parameters=phases(schedule, wished["items"], wished["duration"]),
        object_id=schedule["id"],
        otherwise=(Ask("release", object_id=schedule["id"]),),
    )


def _request_first(
    work: Work, change: Change, follow: tuple[Ask, ...], *, status: Literal["requested", "due"] = "requested"
) -> Change | None:
    if not follow:
        return None
    first = follow[0]
    quote_id = first.quote_id or change.ask.quote_id
    ask = msgspec.structs.replace(first, then=(*first.then, *follow[1:]), quote_id=quote_id)
    return request(work, change.subscription_id, ask, status=status)


_NAMES = ("id", "subscription_id", "kind", "object_id", "parameters", "follow_ups", "quote_id", "created_at")
_CHANGES = (
    sa.select(*(subscription_changes.c[name] for name in _NAMES))
    .order_by(subscription_changes.c.created_at, subscription_changes.c.id)
    .limit(100)
)


def _select(connection: sa.Connection, environment_id: str, where: sa.ColumnElement[bool]) -> list[Change]:
    here = subscription_changes.c.environment_id == environment_id
    return [_change(row) for row in connection.execute(_CHANGES.where(here, where))]


def _encoded(then: tuple[Ask, ...], otherwise: tuple[Ask, ...]) -> str:
    return msgspec.json.encode([then, otherwise]).decode()


def _change(row: Any) -> Change:
    then, otherwise = msgspec.json.decode(row.follow_ups, type=tuple[tuple[Ask, ...], tuple[Ask, ...]])
    parameters = msgspec.json.decode(row.parameters)
    ask = Ask(row.kind, parameters, row.object_id, then, otherwise, row.quote_id)
    return Change(row.id, row.subscription_id, ask, row.created_at)


def _is(work: Work, change_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(subscription_changes.c.environment_id == work.environment_id, subscription_changes.c.id == change_id)
