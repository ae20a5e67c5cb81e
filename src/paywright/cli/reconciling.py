"""`paywright reconcile`: compare with Stripe, by field, and mend."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
import msgspec

from paywright.cli.options import fail, must, opened, shared, show, table

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.environments.model import Environment
    from paywright.healing.model import Difference, Reconciliation, Wish

BUSY_TRIES = 6
_BACK_OFF_S_MAX = 60.0
LINES_SHOWN = 200
WAIT_S = 1.0


@click.command("reconcile")
@click.option("--fix", is_flag=True, help="Let Stripe's word be ours; without it only the inbox is filled up.")
@click.option("--events", is_flag=True, help="All events since the last one held, delivered or not: after a restore.")
@click.option(
    "--light", is_flag=True, help="Only what may have changed since the last time, as the worker does hourly."
)
@click.option("--since", metavar="INSTANT", help="Leave out what was made before, e.g. `2026-11-01T00:00:00Z`.")
@click.option("--list", "as_list", is_flag=True, help="Earlier reports, newest first.")
@click.option("--show", "shown_id", metavar="ID", help="The lines of an earlier report.")
@shared
def reconcile(
    fix: bool,
    events: bool,
    light: bool,
    since: str | None,
    as_list: bool,
    shown_id: str | None,
    environment: str | None,
    as_json: bool,
) -> None:
    """
    Compare what is here with Stripe, field by field; events that never came are taken in.

    One that broke off goes on where it was. Exit code 1 when something differs and is not mended.
    """
    from paywright.healing.model import Wish
    from paywright.kernel.instants import parse_instant

    since_ms = None if since is None else parse_instant(since)
    if since is not None and since_ms is None:
        raise click.BadParameter("An instant has a date, a time and an offset.", param_hint="--since")
    with opened(environment) as (app, selected):
        if as_list or shown_id is not None:
            show_earlier(app, selected, shown_id, as_json=as_json)
            return
        wish = Wish(fix=fix, depth="light" if light else "full", events=events, since=since_ms)
        over = finished(app, selected, wish, as_json=as_json)
        show_report(app, selected, over, as_json=as_json)


def finished(app: "App", environment: "Environment", wish: "Wish", *, as_json: bool) -> "Reconciliation":
    """One as it was wished. Another one that is under way, the worker's perhaps, is brought to its end first."""
    from paywright.healing import reconcile as healing

    while True:
        asked = must(healing.ask(app, environment, wish, asked_by="cli"), as_json=as_json)
        if asked.status == "running":
            say({"reconciliation": asked.id, "goes_on_at": asked.step}, f"Going on with {asked.id} at {asked.step}.")
        with told() as progress:
            over: Reconciliation = must(carried(app, environment, asked.id, progress), as_json=as_json)
        if (over.fix, over.depth, over.events) == (wish.fix, wish.depth, wish.events):
            return over


def carried(app: "App", environment: "Environment", reconciliation_id: str, progress: Any) -> Any:
    """To its end, through a busy or broken Stripe, and past a claim that somebody who died has left."""
    from paywright.healing import reconcile as healing
    from paywright.stripe.gateway import StripeBusy, StripeUnknown

    tries = 0
    while True:
        try:
            found = healing.carry_on(app, environment, reconciliation_id, progress=progress)
        except (StripeBusy, StripeUnknown):
            tries += 1
            if tries == BUSY_TRIES:
                raise
            time.sleep(min(_BACK_OFF_S_MAX, 2 ** (tries - 1)))
            continue
        if found is not None:
            return found
        say({"reconciliation": reconciliation_id, "waits": True}, "Somebody else is at it; waiting.")
        time.sleep(WAIT_S)


@contextmanager
def told() -> "Iterator[Callable[[str, int], None]]":
    """A bar for people; a JSON line per page on standard error for everybody else."""
    if not sys.stderr.isatty():
        yield lambda step, objects: say({"step": step, "objects": objects}, None)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("events", total=None)
        yield lambda step, objects: bar.update(task, description=step, completed=objects)


def say(document: dict[str, Any], text: str | None) -> None:
    """On standard error: text for people, JSON lines where nobody sits."""
    if sys.stderr.isatty():
        if text is not None:
            click.echo(text, err=True)
        return
    click.echo(msgspec.json.encode(document).decode(), err=True)


def show_report(app: "App", environment: "Environment", over: "Reconciliation", *, as_json: bool) -> None:
    from paywright.healing import reports

    with app.database.read() as connection:
        lines = reports.lines_of(connection, environment.id, over.id, limit=LINES_SHOWN)
    looked_at = sum(over.counts.values())
    text = [table(*_table(lines[:LINES_SHOWN]))] if lines else []
    text += (
        [f"More lines than these: `paywright reconcile --show {over.id} --json`."] if len(lines) > LINES_SHOWN else []
    )
    text += [f"{over.id}: {looked_at} objects looked at, {over.lines} differences, {over.fixed} of them mended."]
    shown = {**msgspec.to_builtins(over), "data": lines[:LINES_SHOWN], "has_more": len(lines) > LINES_SHOWN}
    show(shown, "\n".join(text), as_json=as_json)
    if over.lines > over.fixed:
        if not as_json:
            click.echo(
                "Mend them with `paywright reconcile --fix`; what that leaves is for a person to decide.", err=True
            )
        raise click.exceptions.Exit(1)


def show_earlier(app: "App", environment: "Environment", shown_id: str | None, *, as_json: bool) -> None:
    from paywright.healing import reports

    with app.database.read() as connection:
        if shown_id is None:
            found = [each for _, each in reports.page(connection, environment.id, limit=20)][:20]
            rows: list[tuple[str, ...]] = [
                (each.id, each.status, each.asked_by, each.depth, str(each.lines), str(each.fixed), each.created_at)
                for each in found
            ]
            text = (
                table(rows, ("id", "status", "asked by", "depth", "lines", "mended", "at"))
                if rows
                else "No reports yet."
            )
            show({"data": found}, text, as_json=as_json)
            return
        over = reports.reconciliation(connection, environment.id, shown_id)
        if over is None:
            fail(f"There is no reconciliation {shown_id} here.", as_json=as_json, code="not_found")
        lines, after = [], None
        while page := reports.lines_of(connection, environment.id, shown_id, after=after, limit=1000)[:1000]:
            lines += page
            after = (page[-1].noun, page[-1].id, page[-1].field)
    text = table(*_table(lines)) if lines else "Nothing differed."
    show({**msgspec.to_builtins(over), "data": lines, "has_more": False}, text, as_json=as_json)


def _table(lines: "list[Difference]") -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    rows = [
        (each.noun, each.id, each.field, _cell(each.ours), _cell(each.stripe), "yes" if each.fixed else "")
        for each in lines
    ]
    return list(rows), ("what", "id", "field", "ours", "Stripe's", "mended")


def _cell(value: Any) -> str:
    written = "-" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return written if len(written) <= 60 else f"{written[:59]}…"
