"""Doctor on how Stripe reaches us: endpoint, secret, deliveries, and what became of them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from paywright.environments.actions import accepted_webhook_secrets
from paywright.healing import stuck
from paywright.healing.checks_account import is_private
from paywright.healing.model import Check
from paywright.healing.patient import Patient, fine, unknown, wrong
from paywright.kernel.instants import rfc3339
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import ENVIRONMENT, metadata_of
from paywright.webhooks import failures
from paywright.webhooks.rules import ASKED_EVENTS
from paywright.webhooks.tables import stripe_events, stripe_lanes

ENDPOINTS_MAX = 16
LATE_MS = 300_000
SILENT_MS = 86_400_000
MONTH_MS = 30 * 86_400_000
SET_UP = "`paywright events endpoint`"


def endpoint(patient: Patient) -> Iterator[Check]:
    """Where Stripe delivers, whether it can, in which version, and what of."""
    if not patient.may_ask:
        return
    try:
        every = patient.endpoints
    except StripeRefused:
        yield unknown(
            "endpoint",
            "The key may not list webhook endpoints.",
            "Allow it to read them, or look in Stripe's dashboard.",
        )
        return
    address = _address(patient)
    ours = [each for each in every if _is_ours(patient, each, address)]
    yield from _one_that_works(patient, every, ours, address)
    enabled = [each for each in ours if each["status"] == "enabled"]
    if not enabled:
        return
    import stripe

    versions = sorted({str(each.get("api_version")) for each in enabled} - {str(stripe.api_version)})
    if versions and versions != ["None"]:
        says = f"Events are rendered in {', '.join(versions)}, the SDK speaks {stripe.api_version}: that works."
        yield unknown("endpoint_version", says, f"Renew the endpoint at leisure: {SET_UP}.")
    else:
        yield fine("endpoint_version", "Events are rendered as the SDK speaks.")
    heard = {event for each in enabled for event in each["enabled_events"]}
    missing = [] if "*" in heard else [event for event in ASKED_EVENTS if event not in heard]
    if missing:
        yield wrong(
            "endpoint_events",
            f"The endpoint is not told of {', '.join(missing[:8])}{' …' if missing[8:] else ''}.",
            f"Set it up: {SET_UP}.",
        )
    else:
        yield fine("endpoint_events", "The endpoint is told of everything we act on.")


def _one_that_works(
    patient: Patient, every: list[dict[str, Any]], ours: list[dict[str, Any]], address: str | None
) -> Iterator[Check]:
    enabled = [each for each in ours if each["status"] == "enabled"]
    if not ours:
        yield wrong("endpoint", "Stripe has no endpoint of ours, so it tells us nothing.", f"Set it up: {SET_UP}.")
    elif not enabled:
        yield wrong(
            "endpoint",
            f"{ours[0]['id']} is disabled at Stripe.",
            f"Enable it in Stripe's dashboard, or renew it: {SET_UP}.",
        )
    elif address is not None and all(each["url"] != address for each in enabled):
        yield wrong(
            "endpoint", f"Stripe delivers to {enabled[0]['url']}, and we are at {address}.", f"Renew it: {SET_UP}."
        )
    elif patient.environment.provider == "stripe" and is_private(urlsplit(enabled[0]["url"]).hostname or ""):
        yield wrong(
            "endpoint",
            f"Stripe can't reach {enabled[0]['url']} from the internet.",
            "Set PAYWRIGHT_PUBLIC_URL to a public address.",
        )
    elif len(enabled) > 1:
        says = f"{len(enabled)} endpoints are ours, so each event comes {len(enabled)} times: {', '.join(each['id'] for each in enabled)}."
        yield wrong("endpoint", says, "Delete all but one in Stripe's dashboard.")
    elif len(every) >= ENDPOINTS_MAX - 1:
        yield unknown(
            "endpoint", f"{len(every)} of {ENDPOINTS_MAX} endpoints are in use.", "Delete those nobody uses any more."
        )
    else:
        yield fine("endpoint", f"Stripe delivers to {enabled[0]['url']}.")


def _address(patient: Patient) -> str | None:
    base = patient.app.settings.public_url
    return None if base is None else f"{base.rstrip('/')}/webhooks/stripe/{patient.environment.id}"


def _is_ours(patient: Patient, found: dict[str, Any], address: str | None) -> bool:
    """By our metadata, by the address, or by the path that ours has wherever it is."""
    named = metadata_of(found).get(ENVIRONMENT)
    if named is not None:
        return named == patient.environment.id
    url = str(found["url"])
    return url == address or url.endswith(f"/webhooks/stripe/{patient.environment.id}")


def secret(patient: Patient) -> Iterator[Check]:
    with patient.app.database.read() as connection:
        secrets = accepted_webhook_secrets(connection, patient.app.settings, patient.environment.id)
        refused = failures.since_last_good(connection, patient.environment.id)
        good = failures.last_good(connection, patient.environment.id)
    if not secrets:
        yield wrong(
            "secret",
            "There is no webhook secret: every delivery is refused.",
            f"Set STRIPE_WEBHOOK_SECRET, or: {SET_UP}.",
        )
    elif refused is not None:
        last = "none ever came" if good is None else f"the last good one came at {rfc3339(good)}"
        says = f"{refused.number} deliveries since {rfc3339(refused.first_at)} had a signature that is {refused.last_reason}; {last}."
        yield wrong(
            "secret",
            says,
            "The secret is another endpoint's, or something on the way rewrites the body: pass it on untouched.",
        )
    else:
        yield fine("secret", f"{len(secrets)} secrets are accepted.")


def deliveries(patient: Patient) -> Iterator[Check]:
    if not patient.may_ask or patient.gateway is None:
        return
    try:
        undelivered = _not_held(
            patient, patient.gateway.get("/v1/events", {"delivery_success": False, "limit": 100})["data"]
        )
        newest = _not_held(patient, patient.gateway.get("/v1/events", {"limit": 20})["data"])
    except StripeRefused:
        yield unknown("deliveries", "The key may not read events.", "Allow it to.")
        return
    with patient.app.database.read() as connection:
        good = failures.last_good(connection, patient.environment.id)
    if undelivered:
        many = "100 or more" if len(undelivered) == 100 else str(len(undelivered))
        yield wrong(
            "deliveries",
            f"{many} events could not be delivered and are not here, {undelivered[0]['type']} the newest.",
            "Take them in: `paywright reconcile`.",
        )
    elif newest and (good is None or good < patient.wall - SILENT_MS):
        since = "nothing ever came" if good is None else f"nothing has come since {rfc3339(good)}"
        yield wrong(
            "deliveries",
            f"Things changed at Stripe, but {since}.",
            f"Look at the endpoint, then: `paywright reconcile --events`. {SET_UP} makes one.",
        )
    else:
        yield fine("deliveries", "What Stripe had to tell has come.")


def _not_held(patient: Patient, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of those the endpoint is told: news nobody asked for never comes, and is nothing to worry about."""
    wanted = [event for event in events if event["type"] in ASKED_EVENTS]
    e = stripe_events.c
    held = sa.select(e.id).where(
        e.environment_id == patient.environment.id, e.id.in_([event["id"] for event in wanted])
    )
    with patient.app.database.read() as connection:
        here = set(connection.execute(held.order_by(e.id).limit(100)).scalars())
    return [event for event in wanted if event["id"] not in here]


def inbox(patient: Patient) -> Iterator[Check]:
    e, here = stripe_events.c, stripe_events.c.environment_id == patient.environment.id
    oldest = sa.select(sa.func.min(e.received_at)).where(
        here, e.status == "pending", e.next_attempt_at < patient.wall - LATE_MS
    )
    dead = (
        sa.select(sa.func.count())
        .select_from(stripe_events)
        .where(here, e.status == "failed", e.reason == "dead_letter")
    )
    ignored = (
        sa.select(e.reason, sa.func.count()).where(here, e.status == "ignored").group_by(e.reason).order_by(e.reason)
    )
    lane = sa.select(stripe_lanes.c.reason).where(stripe_lanes.c.environment_id == patient.environment.id)
    with patient.app.database.read() as connection:
        waiting_since = connection.execute(oldest).scalar_one_or_none()
        letters = connection.execute(dead).scalar_one()
        passed_over = [f"{number} {reason}" for reason, number in connection.execute(ignored.limit(20))]
        rests = connection.execute(lane).scalar_one_or_none()
    says = []
    if letters:
        says.append(f"{letters} events are dead letters")
    if waiting_since is not None:
        says.append(f"the oldest that is due came at {rfc3339(waiting_since)}")
    if rests is not None:
        says.append(f"calls to Stripe rest: {rests}")
    if says:
        yield wrong(
            "inbox",
            f"{'; '.join(says)}.",
            "Look at them with `paywright events list --status failed`, then `paywright events replay --failed`.",
        )
    else:
        yield fine("inbox", f"Nothing waits. Ignored: {', '.join(passed_over) or 'none'}.")


def mode(patient: Patient) -> Iterator[Check]:
    e, here = stripe_events.c, stripe_events.c.environment_id == patient.environment.id
    strays = sa.select(e.reason, sa.func.count()).where(
        here,
        e.status == "ignored",
        e.reason.in_(("wrong_mode", "wrong_account")),
        e.received_at > patient.wall - MONTH_MS,
    )
    with patient.app.database.read() as connection:
        told = [
            f"{number} {reason}" for reason, number in connection.execute(strays.group_by(e.reason).order_by(e.reason))
        ]
    if told:
        says = f"Events of another mode or account arrive here: {', '.join(told)} in 30 days."
        yield wrong("mode", says, "An endpoint of theirs has this address: correct it in their Stripe dashboard.")
    else:
        yield fine("mode", "Only this mode's and this account's events arrive.")


def stuck_rows(patient: Patient) -> Iterator[Check]:
    found = [f"{line.noun} {line.id} {line.field}" for line, _ in stuck.found(patient.app, patient.environment)]
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        yield wrong(
            "stuck",
            f"Nobody comes for {', '.join(found[:5])}{more}.",
            "Is the worker running? `paywright reconcile --fix` does what can be done.",
        )
    else:
        yield fine("stuck", "Nothing waits for somebody to come.")
