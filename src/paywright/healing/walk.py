"""
The steps of a reconciliation, each a page at a time: after every page the place is written down, so whoever carries on begins there.

Lists are read a hundred objects at a time, with everything expanded that projecting one needs; only what differs is fetched by itself. What
Stripe's lists cannot tell, because it is gone there, is found by counting what we hold of it.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.checkout.tables import checkout_sessions
from paywright.customers import sync as customers
from paywright.customers.tables import stripe_customers
from paywright.healing import missed, reports, stuck
from paywright.healing.catalog_steps import catalog
from paywright.healing.compare import agreeing, differs
from paywright.healing.mirror import said
from paywright.healing.model import Difference, Place
from paywright.healing.run import PAGE_SIZE, Run, Step
from paywright.healing.watched import Rows, kept_against, rows_by_id
from paywright.invoices.actions import EXPAND as INVOICE_EXPAND
from paywright.invoices.tables import invoices
from paywright.payments import warnings
from paywright.payments.mirror import warning_facts
from paywright.payments.tables import disputes, payments, refunds
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import id_of
from paywright.stripe.model import Fetched
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions.tables import subscriptions as subscription_rows
from paywright.webhooks import actions as webhooks
from paywright.webhooks.model import Noun, Root

_log = logging.getLogger("paywright.healing")

LATE_MS = 30 * 86_400_000
"""A refund or a payout may fail, and a dispute be decided, so long after it was made."""
REPLAYED_EVENTS_MAX = 10_000
OTHERS_S, OTHERS_LOOK_S = 5.0, 0.05
"""How long at most, and how often, those are waited for who work on news already."""


def events(run: Run, place: Place) -> Place | None:
    """Undelivered ones, or after a restore all since the last one we hold; then whatever is due is worked through."""
    undelivered, after = not run.held.wish.events, place.after
    if after is None:
        with run.app.database.read() as connection:
            known = reports.cursor(connection, run.environment.id)
            begin = (
                missed.last_held(connection, run.environment.id)
                if run.held.wish.events
                else known and known.events_seen
            )
        after = f">{begin}" if begin else None
    found = missed.page(run.gateway, after, undelivered=undelivered)
    run.counts["events"] += len(missed.take_in(run.app, run.environment, found.events))
    is_newer = place.begin_at is None or (after or "").startswith(">")
    begin_at = (missed.newest_to_begin_at(found.events) if is_newer else None) or place.begin_at
    if found.after is not None:
        return msgspec.structs.replace(place, after=found.after, begin_at=begin_at)
    if undelivered and begin_at is not None:
        with run.app.work(run.environment.id) as work:
            reports.remember(work, events_seen=begin_at)
    _work_through(run)
    return None


def _work_through(run: Run) -> None:
    """Whatever is due, here or by the worker, who may have it already: what is compared too early differs, and a person is called for nothing."""
    patience = time.monotonic() + OTHERS_S
    webhooks.process_due(run.app, run.environment.id, roots_max=REPLAYED_EVENTS_MAX)
    while not webhooks.settled(run.app, run.environment.id) and time.monotonic() < patience:
        time.sleep(OTHERS_LOOK_S)
        webhooks.process_due(run.app, run.environment.id, roots_max=REPLAYED_EVENTS_MAX)


class Listed(msgspec.Struct, frozen=True):
    """A list at Stripe whose elements are compared as they stand in it."""

    noun: Noun
    path: str
    expand: tuple[str, ...]
    asked: dict[str, Any] = {}
    by_age: bool = True
    """Only what was made since the last time: older ones that may still change are held as open."""


LISTS = {
    "customers": Listed("customer", "/v1/customers", tuple(customers.EXPAND)),
    "subscriptions": Listed(
        "subscription", "/v1/subscriptions", tuple(subscriptions.EXPAND), {"status": "all"}, by_age=False
    ),
    "invoices": Listed("invoice", "/v1/invoices", tuple(INVOICE_EXPAND)),
    "payment_intents": Listed(
        "payment_intent", "/v1/payment_intents", ("latest_charge.balance_transaction", "payment_method")
    ),
}


def listed(step: str) -> Step:
    wanted = LISTS[step]

    def one_page(run: Run, place: Place) -> Place | None:
        asked = {**wanted.asked, "expand": [f"data.{each}" for each in wanted.expand]}
        page = _page(run, place, wanted.path, asked, run.made_since if wanted.by_age else None)
        run.counts[step] += len(page["data"])
        tally = place.tally + _held_of_old(run, step, page["data"])
        for found in _worth_a_look(run, wanted.noun, page["data"]):
            run.look(wanted.noun, found["id"])
        if page["has_more"] and page["data"]:
            return msgspec.structs.replace(place, after=page["data"][-1]["id"], tally=tally)
        return _those_that_are_gone(run, step, tally)

    return one_page


def _page(run: Run, place: Place, path: str, asked: dict[str, Any], since: int | None) -> dict[str, Any]:
    asked = {"limit": PAGE_SIZE, **asked}
    if since is not None:
        asked["created"] = {"gte": since // 1000}
    if place.after is not None:
        asked["starting_after"] = place.after
    return run.gateway.get(path, asked)


def _worth_a_look(run: Run, noun: Noun, page: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """In a light comparison a subscription that reads as its row does is passed over; all rows of a page are read at once."""
    rows: Rows = {}
    if run.held.wish.depth == "light" and noun == "subscription":
        with run.app.database.read() as connection:
            rows = rows_by_id(connection, run.environment.id, noun, [found["id"] for found in page])
    agree = agreeing(run.app, run.environment, noun, [found for found in page if (noun, found["id"]) not in rows])
    for found in page:
        root = Root(noun, found["id"])
        parts = (found.get(name) for name in ("items", "lines"))
        if any(isinstance(part, dict) and part.get("has_more") for part in parts):
            yield found  # The list shows only the first of them.
        elif (noun, root.id) in rows:
            if kept_against(said(Fetched(str(root), 0, found)), rows):
                yield found
        elif root.id not in agree and differs(run.app, run.environment, root, found):
            yield found


HELD = {
    "customers": (stripe_customers, stripe_customers.c.stripe_customer_id, stripe_customers.c.created_at),
    "subscriptions": (subscription_rows, subscription_rows.c.id, subscription_rows.c.started_at),
}
"""What Stripe lists in full: fewer of ours there than here means that some are gone. With the age, because some are made meanwhile."""


def _held_of_old(run: Run, step: str, page: list[dict[str, Any]]) -> int:
    """How many of these we hold since before this comparison began."""
    if step not in HELD:
        return 0
    table, known_by, made_at = HELD[step]
    ids = [found["id"] for found in page]
    counted = sa.select(sa.func.count()).select_from(table)
    here = (table.c.environment_id == run.environment.id) & (made_at <= run.held.began_at)
    [(held,)] = run.read(counted.where(here, known_by.in_(ids)))
    return int(held)


def _those_that_are_gone(run: Run, step: str, tally: int) -> Place | None:
    """Every one we hold is asked for by itself, if Stripe's whole list did not have as many of them."""
    if step not in HELD or (LISTS[step].by_age and run.made_since is not None):
        return None
    table, known_by, made_at = HELD[step]
    here = (table.c.environment_id == run.environment.id) & (made_at <= run.held.began_at)
    [(ours,)] = run.read(sa.select(sa.func.count()).select_from(table).where(here, known_by.is_not(None)))
    return Place(f"gone {step}") if ours > tally else None


def gone(step: str) -> Step:
    table, known_by, _ = HELD[step]

    def one_page(run: Run, place: Place) -> Place | None:
        held = sa.select(known_by).where(table.c.environment_id == run.environment.id, known_by > (place.after or ""))
        ids = [row[0] for row in run.read(held.order_by(known_by))]
        run.counts[f"gone_{step}"] += len(ids)
        for stripe_id in ids:
            run.look(LISTS[step].noun, stripe_id)
        return msgspec.structs.replace(place, after=ids[-1]) if len(ids) == PAGE_SIZE else None

    return one_page


def returns(step: str, noun: Noun) -> Step:
    """Refunds and disputes: one that we hold otherwise, or not at all, leads to its payment if that is ours."""
    table, known_by = {"refunds": (refunds, refunds.c.stripe_refund_id), "disputes": (disputes, disputes.c.id)}[step]

    def one_page(run: Run, place: Place) -> Place | None:
        since = run.made_since
        page = _page(run, place, f"/v1/{step}", {}, None if since is None else since - LATE_MS)
        run.counts[step] += len(page["data"])
        here = table.c.environment_id == run.environment.id
        held = sa.select(known_by, table.c.status, table.c.amount).where(
            here, known_by.in_([found["id"] for found in page["data"]])
        )
        ours = {row[0]: (row.status, row.amount) for row in run.read(held.order_by(known_by))}
        for root in _roots_of(
            found for found in page["data"] if ours.get(found["id"]) != (found["status"], found["amount"])
        ):
            if _is_payment_of_ours(run, root):
                run.look(root.noun, root.id)
        more = page["has_more"] and page["data"]
        return msgspec.structs.replace(place, after=page["data"][-1]["id"]) if more else None

    assert noun in ("refund", "dispute")
    return one_page


def _roots_of(found: Iterable[dict[str, Any]]) -> list[Root]:
    roots: dict[Root, None] = {}
    for each in found:
        intent, charge = id_of(each.get("payment_intent")), id_of(each.get("charge"))
        if intent is not None:
            roots[Root("payment_intent", intent)] = None
        elif charge is not None:
            roots[Root("charge", charge)] = None
    return list(roots)


def _is_payment_of_ours(run: Run, root: Root) -> bool:
    here = payments.c.environment_id == run.environment.id
    return bool(run.read(sa.select(payments.c.id).where(here, payments.c.fact == str(root))))


def fraud_warnings(run: Run, place: Place) -> Place | None:
    """
    One that no event told of is told now, with or without `fix`, like an event that was missed: only a person can act on it, and not for long.
    """
    since = run.made_since
    try:
        page = _page(run, place, "/v1/radar/early_fraud_warnings", {}, None if since is None else since - LATE_MS)
    except StripeRefused as refused:
        if refused.status != 403:
            raise
        _log.warning("environment %s: the key may not read early fraud warnings", run.environment.id)
        return None
    run.counts["fraud_warnings"] += len(page["data"])
    with run.app.database.read() as connection:
        known = warnings.held(connection, run.environment.id, [found["id"] for found in page["data"]])
    for found in page["data"]:
        if known.get(found["id"]) == found["actionable"]:
            continue
        for root in _roots_of([found]):
            with run.app.work(run.environment.id) as work:
                is_ours = warnings.take_in(work, str(root), warning_facts(found))
                if is_ours and found["id"] not in known:
                    run.keep(
                        work, [Difference("fraud_warning", found["id"], "row", None, _in_short(found), fixed=True)]
                    )
    more = page["has_more"] and page["data"]
    return msgspec.structs.replace(place, after=page["data"][-1]["id"]) if more else None


def _in_short(warning: dict[str, Any]) -> dict[str, Any]:
    return {
        "fraud_type": warning["fraud_type"],
        "actionable": warning["actionable"],
        "charge": id_of(warning["charge"]),
    }


def payouts(run: Run, place: Place) -> Place | None:
    """What was paid out may come back days later."""
    since = run.made_since
    page = _page(run, place, "/v1/payouts", {}, None if since is None else since - LATE_MS)
    run.counts["payouts"] += len(page["data"])
    for found in page["data"]:
        if differs(run.app, run.environment, Root("payout", found["id"]), found):
            run.look("payout", found["id"])
    more = page["has_more"] and page["data"]
    return msgspec.structs.replace(place, after=page["data"][-1]["id"]) if more else None


def still_open(noun: Noun, table: sa.Table, known_by: sa.Column[Any], statuses: tuple[str, ...]) -> Step:
    """What we hold as open may have come to its end long after it was made: each is asked for by itself."""

    def one_page(run: Run, place: Place) -> Place | None:
        held = sa.select(known_by).where(
            table.c.environment_id == run.environment.id,
            table.c.status.in_(statuses),
            known_by.is_not(None),
            known_by > (place.after or ""),
        )
        ids = [row[0] for row in run.read(held.order_by(known_by))]
        run.counts[f"open_{noun}s"] += len(ids)
        for stripe_id in ids:
            run.look(noun, stripe_id)
        return msgspec.structs.replace(place, after=ids[-1]) if len(ids) == PAGE_SIZE else None

    return one_page


def rows(run: Run, place: Place) -> Place | None:
    """What waits in our own rows without anybody coming for it."""
    run.counts["rows"] += stuck.tell(run.app, run.environment, fix=run.held.wish.fix, keep=run.keep)
    return None


STEPS: dict[str, Step] = {
    "events": events,
    "open sessions": still_open(
        "checkout_session", checkout_sessions, checkout_sessions.c.stripe_checkout_session_id, ("open",)
    ),
    "customers": listed("customers"),
    "gone customers": gone("customers"),
    "subscriptions": listed("subscriptions"),
    "gone subscriptions": gone("subscriptions"),
    "invoices": listed("invoices"),
    "payment_intents": listed("payment_intents"),
    "refunds": returns("refunds", "refund"),
    "disputes": returns("disputes", "dispute"),
    "fraud_warnings": fraud_warnings,
    "payouts": payouts,
    "open payments": still_open(
        "payment_intent", payments, payments.c.stripe_payment_intent_id, ("pending", "requires_action", "failed")
    ),
    "open invoices": still_open("invoice", invoices, invoices.c.id, ("draft", "open")),
    "catalog products": catalog("product"),
    "catalog prices": catalog("price"),
    "rows": rows,
}
ONLY_WHEN_ASKED = frozenset({"gone customers", "gone subscriptions"})
"""Steps that another one leads to."""


def next_place(place: Place, led_to: Place | None) -> Place | None:
    """None: that was the last step."""
    if led_to is not None:
        return led_to
    names = list(STEPS)
    rest = [name for name in names[names.index(place.step) + 1 :] if name not in ONLY_WHEN_ASKED]
    return Place(rest[0]) if rest else None
