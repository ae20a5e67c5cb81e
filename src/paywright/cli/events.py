"""`paywright events`: what Stripe told us, what became of it, and trying again."""

from typing import Any

import click
import msgspec

from paywright.cli.options import fail, must, opened, shared, show, table

STATUSES = ("pending", "processed", "failed", "ignored")


@click.group("events")
def group() -> None:
    """The Stripe inbox: list, show, replay."""


@group.command("list")
@click.option("--type", "event_type", metavar="TYPE", help="Only this type, e.g. `invoice.paid`.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option(
    "--reason", metavar="REASON", help="Only these: `unknown_type`, `wrong_mode`, `unresolved`, `dead_letter` …"
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@shared
def list_events(
    event_type: str | None, status: str | None, reason: str | None, limit: int, environment: str | None, as_json: bool
) -> None:
    """Newest first."""
    from paywright.webhooks import queries

    with opened(environment) as (app, selected), app.database.read() as connection:
        rows = queries.page(connection, selected.id, type=event_type, status=status, reason=reason, limit=limit)
    found = [queries.shown(row) for row in rows]
    lines: list[tuple[str, ...]] = [
        (each.id, each.type, each.status, each.reason or "", str(each.attempts), each.received_at)
        for each in found[:limit]
    ]
    text = (
        table(lines, ("id", "type", "status", "reason", "attempts", "received"))
        if lines
        else "No Stripe events to show."
    )
    shown = {"data": [_plain(each) for each in found[:limit]], "has_more": len(found) > limit}
    show(shown, text, as_json=as_json)


@group.command("show")
@click.argument("event_id")
@shared
def show_event(event_id: str, environment: str | None, as_json: bool) -> None:
    """One event, with its payload as long as that is kept."""
    from paywright.webhooks import queries

    with opened(environment) as (app, selected), app.database.read() as connection:
        found = queries.stripe_event(connection, selected.id, event_id)
    if found is None:
        fail(f"There is no Stripe event {event_id} here.", as_json=as_json, code="not_found")
    document: dict[str, Any] = msgspec.to_builtins(found)
    payload = document.pop("payload")
    lines = [f"{name.ljust(15)}  {value}" for name, value in document.items() if value is not None]
    kept = "no longer kept" if payload is None else msgspec.json.format(msgspec.json.encode(payload)).decode()
    show({**document, "payload": payload}, "\n".join([*lines, f"{'payload'.ljust(15)}  {kept}"]), as_json=as_json)


@group.command("replay")
@click.argument("event_id", required=False)
@click.option("--failed", is_flag=True, help="All that failed, dead letters and unresolved ones included.")
@click.option("--ignored", metavar="REASON", help="All that were ignored for this reason.")
@click.option("--since", metavar="INSTANT", help="All that arrived since, e.g. `2026-11-01T00:00:00Z`.")
@shared
def replay_events(
    event_id: str | None, failed: bool, ignored: str | None, since: str | None, environment: str | None, as_json: bool
) -> None:
    """Make one due again, or many. Safe at any time: nothing has its effect twice."""
    from paywright.kernel.instants import parse_instant
    from paywright.webhooks import actions

    since_ms = None if since is None else parse_instant(since)
    if since is not None and since_ms is None:
        raise click.BadParameter(
            "An instant has a date, a time and an offset: 2026-11-01T00:00:00Z.", param_hint="--since"
        )
    if (event_id is not None) == bool(failed or ignored is not None or since is not None):
        raise click.UsageError(
            "Give either the id of one event, or which ones: --failed, --ignored REASON, --since INSTANT."
        )
    with opened(environment) as (app, selected), app.work(selected.id) as work:
        if event_id is not None:
            replayed = [event_id] if actions.replay(work, event_id, app.wall()) else []
        else:
            replayed = actions.replay_many(work, app.wall(), failed=failed, ignored=ignored, since=since_ms)
    if event_id is not None and not replayed:
        fail(f"There is no Stripe event {event_id} here.", as_json=as_json, code="not_found")
    more = " There may be more: run this again." if len(replayed) == actions.REPLAY_MAX else ""
    show({"replayed": replayed}, f"{len(replayed)} replayed; the worker takes them up.{more}", as_json=as_json)


@group.command("endpoint")
@click.option("--url", metavar="URL", help="How Stripe reaches this server; PAYWRIGHT_PUBLIC_URL if left out.")
@shared
def make_endpoint(url: str | None, environment: str | None, as_json: bool) -> None:
    """Make the webhook endpoint at Stripe and keep its secret; older ones of this environment go. Run it again to roll the secret."""
    from paywright.healing import reconcile
    from paywright.healing.model import Wish
    from paywright.webhooks.endpoint import set_up

    with opened(environment) as (app, selected):
        made = must(set_up(app, selected, public_url=url), as_json=as_json)
        if made.deleted:  # Stripe no longer tries what it owed them.
            must(reconcile.ask(app, selected, Wish(depth="light", events=True), asked_by="cli"), as_json=as_json)
    deleted = f" Replaced: {', '.join(made.deleted)}; the worker looks for what they missed." if made.deleted else ""
    show(msgspec.to_builtins(made), f"{made.id} delivers to {made.url}.{deleted}", as_json=as_json)


def _plain(event: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    del fields["payload"]
    return fields
