"""Comparing with Stripe, over HTTP: ask for it, and read what it found. The worker does it."""

from typing import Any

import msgspec

from paywright.api import parsing
from paywright.api.call import Answer, Call, listed, ok
from paywright.api.parsing import Body, Listing, place, read_place
from paywright.healing import reconcile, reports
from paywright.healing.model import Depth, Wish
from paywright.kernel.refusals import Refusal, invalid_request


class ReconcileWanted(Body, frozen=True, kw_only=True):
    """`depth` `light` is what the worker does hourly by itself. `events`: after a restore. `since`: leave out what was made before that instant."""

    fix: bool = False
    depth: Depth = "full"
    events: bool = False
    since: str | None = None


def start_reconcile(call: Call) -> Answer | Refusal:
    """A comparison with Stripe: the one under way, else a new one, which the worker carries out. 202; read it by its id."""
    body: ReconcileWanted = call.body
    since = parsing.instant(body.since, "since")
    if isinstance(since, Refusal):
        return since
    wish = Wish(fix=body.fix, depth=body.depth, events=body.events, since=since)
    asked = reconcile.ask(call.app, call.environment, wish, asked_by="api")
    return asked if isinstance(asked, Refusal) else Answer(202, asked)


def list_reconciliations(call: Call) -> Answer | Refusal:
    """Comparisons with Stripe, newest first, with what each came to."""
    after = read_place(call.query.cursor)
    if isinstance(after, Refusal):
        return after
    with call.app.database.read() as connection:
        rows = reports.page(connection, call.environment.id, after=after, limit=call.query.limit)
    return listed(rows, limit=call.query.limit, cursor_of=lambda row: place(row[0], row[1].id), show=lambda row: row[1])


def read_reconciliation(call: Call) -> Answer | Refusal:
    """One comparison, as far as it has come."""
    with call.app.database.read() as connection:
        found = reports.reconciliation(connection, call.environment.id, call.parts["reconciliation_id"])
    return Refusal("not_found") if found is None else ok(found)


def list_reconcile_lines(call: Call) -> Answer | Refusal:
    """What differed, field by field: `noun`, `id`, `field`, `ours`, `stripe`, `fixed`."""
    query: Listing = call.query
    after = _read_line(query.cursor)
    if isinstance(after, Refusal):
        return after
    with call.app.database.read() as connection:
        wanted = call.parts["reconciliation_id"]
        if reports.reconciliation(connection, call.environment.id, wanted) is None:
            return Refusal("not_found")
        lines = reports.lines_of(connection, call.environment.id, wanted, after=after, limit=query.limit)

    def cursor_of(line: Any) -> str:
        return parsing.cursor_of(msgspec.json.encode([line.noun, line.id, line.field]).decode())

    return listed(lines, limit=query.limit, cursor_of=cursor_of, show=lambda line: line)


def _read_line(cursor: str | None) -> tuple[str, str, str] | Refusal | None:
    read = parsing.read_cursor(cursor)
    if read is None or isinstance(read, Refusal):
        return read
    try:
        return msgspec.json.decode(read, type=tuple[str, str, str])
    except msgspec.DecodeError:
        return invalid_request("cursor", parsing.CURSOR_UNKNOWN)
