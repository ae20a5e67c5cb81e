"""Reconciliations as rows: asking for one, holding on to one while it runs, writing down what it finds, and reading it all back."""

from collections import Counter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.healing.model import AskedBy, Difference, Place, Reconciliation, Wish
from paywright.healing.tables import reconcile_cursors, reconcile_lines, reconciliations
from paywright.kernel.ids import new_id
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.storage.statements import insert_if_absent, upsert
from paywright.storage.work import Work

UNDER_WAY = ("requested", "running")
ERROR_CHARACTERS_MAX = 500


class Held(msgspec.Struct, frozen=True):
    """A reconciliation that is ours to carry on, until the claim is old."""

    id: str
    claim: str
    wish: Wish
    place: Place | None
    counts: dict[str, int]
    began_at: int


def ask(work: Work, wish: Wish, *, asked_by: AskedBy, wall: int) -> str:
    """The id of the one that is under way, whatever was wished then; else of a new one. One at a time per environment."""
    _lock_cursor(work)
    present = under_way(work.connection, work.environment_id)
    if present is not None:
        return present
    made = new_id("rec")
    work.execute(
        reconciliations.insert().values(
            environment_id=work.environment_id,
            id=made,
            status="requested",
            asked_by=asked_by,
            wish=msgspec.json.encode(wish).decode(),
            created_at=wall,
        )
    )
    return made


def under_way(connection: Connection, environment_id: str) -> str | None:
    here = reconciliations.c.environment_id == environment_id
    found = sa.select(reconciliations.c.id).where(here, reconciliations.c.status.in_(UNDER_WAY))
    return connection.execute(
        found.order_by(reconciliations.c.created_at, reconciliations.c.id).limit(1)
    ).scalar_one_or_none()


def claim(work: Work, reconciliation_id: str, *, wall: int, life_ms: int) -> Held | None:
    """None: it is over, or somebody else is at it."""
    is_it = _is(work, reconciliation_id)
    free = reconciliations.c.status.in_(UNDER_WAY), reconciliations.c.claimed_until <= wall
    name = new_id("clm")
    taken = work.execute(
        reconciliations.update().where(is_it, *free).values(status="running", claim=name, claimed_until=wall + life_ms)
    )
    if taken.rowcount != 1:
        return None
    began = sa.func.coalesce(reconciliations.c.began_at, work.now)
    work.execute(reconciliations.update().where(is_it).values(began_at=began))
    columns = (
        reconciliations.c.wish,
        reconciliations.c.place,
        reconciliations.c.counts,
        reconciliations.c.began_at,
    )
    row = work.execute(sa.select(*columns).where(is_it)).one()
    return Held(
        reconciliation_id,
        name,
        msgspec.json.decode(row.wish, type=Wish),
        None if row.place is None else msgspec.json.decode(row.place, type=Place),
        msgspec.json.decode(row.counts),
        row.began_at,
    )


def save(work: Work, held: Held, place: Place, counts: Counter[str], *, wall: int, life_ms: int) -> bool:
    """How far it has come. False: the claim was given up meanwhile, and somebody else goes on from an earlier place."""
    return _settle(
        work,
        held,
        place=msgspec.json.encode(place).decode(),
        counts=msgspec.json.encode(counts).decode(),
        claimed_until=wall + life_ms,
    )


def let_go(work: Work, held: Held, *, error: str | None = None) -> None:
    """Anyone may carry it on. `error`: why it rests."""
    _settle(work, held, claim=None, claimed_until=0, last_error=error and error[:ERROR_CHARACTERS_MAX])


def finish(work: Work, held: Held, counts: Counter[str], *, wall: int, error: str | None = None) -> None:
    status = "finished" if error is None else "failed"
    counted = msgspec.json.encode(counts).decode()
    over = {"status": status, "finished_at": wall, "place": None, "last_error": error, "counts": counted}
    if _settle(work, held, claim=None, claimed_until=0, **over) and error is None:
        remember(work, compared_until=held.began_at)


def remember(work: Work, **values: Any) -> None:
    """Where the next one begins: `events_seen`, `compared_until`."""
    upsert(work, reconcile_cursors, {"environment_id": work.environment_id, **values}, key=("environment_id",))


def cursor(connection: Connection, environment_id: str) -> Any:
    """`events_seen` and `compared_until`; None before the first one."""
    columns = (reconcile_cursors.c.events_seen, reconcile_cursors.c.compared_until)
    found = sa.select(*columns).where(reconcile_cursors.c.environment_id == environment_id)
    return connection.execute(found).one_or_none()


def write_lines(work: Work, reconciliation_id: str, lines: list[Difference]) -> None:
    """The same field found again overwrites its line: a page that is gone through twice tells nothing twice."""
    for line in lines:
        row = {
            "environment_id": work.environment_id,
            "reconciliation_id": reconciliation_id,
            "noun": line.noun,
            "id": line.id,
            "field": line.field,
            "ours": msgspec.json.encode(line.ours).decode(),
            "stripe": msgspec.json.encode(line.stripe).decode(),
            "fixed": int(line.fixed),
        }
        upsert(work, reconcile_lines, row, key=("environment_id", "reconciliation_id", "noun", "id", "field"))


def lines_of(
    connection: Connection,
    environment_id: str,
    reconciliation_id: str,
    *,
    after: tuple[str, str, str] | None = None,
    limit: int = 100,
) -> list[Difference]:
    """By noun, id and field; one more than `limit` to tell whether there are more. `after` is the last one seen."""
    order = (reconcile_lines.c.noun, reconcile_lines.c.id, reconcile_lines.c.field)
    columns = (*order, reconcile_lines.c.ours, reconcile_lines.c.stripe, reconcile_lines.c.fixed)
    found = sa.select(*columns).where(
        reconcile_lines.c.environment_id == environment_id,
        reconcile_lines.c.reconciliation_id == reconciliation_id,
    )
    if after is not None:
        found = found.where(sa.tuple_(*order) > after)
    rows = connection.execute(found.order_by(*order).limit(limit + 1))
    decode = msgspec.json.decode
    return [
        Difference(row.noun, row.id, row.field, decode(row.ours), decode(row.stripe), bool(row.fixed)) for row in rows
    ]


def reconciliation(connection: Connection, environment_id: str, reconciliation_id: str) -> Reconciliation | None:
    found = _rows(connection, environment_id, reconciliations.c.id == reconciliation_id, limit=1)
    return _shown(connection, found[0]) if found else None


def page(
    connection: Connection, environment_id: str, *, after: tuple[int, str] | None = None, limit: int = 10
) -> list[tuple[int, Reconciliation]]:
    """Newest first, each with its `created_at`, one more than `limit`. `after` is the last one seen: its `created_at` and id."""
    where: sa.ColumnElement[bool] = sa.true()
    if after is not None:
        where = sa.tuple_(reconciliations.c.created_at, reconciliations.c.id) < after
    return [
        (row.created_at, _shown(connection, row)) for row in _rows(connection, environment_id, where, limit=limit + 1)
    ]


def last_of_worker(connection: Connection, environment_id: str, *, only_full: bool = False) -> int | None:
    """When the worker last asked for one by itself; with `only_full`, for one of everything. The wall clock's."""
    here = reconciliations.c.environment_id == environment_id
    found = sa.select(sa.func.max(reconciliations.c.created_at)).where(here, reconciliations.c.asked_by == "worker")
    if only_full:
        found = found.where(reconciliations.c.wish.contains('"depth":"full"'))
    return connection.execute(found).scalar_one_or_none()


def _rows(connection: Connection, environment_id: str, where: sa.ColumnElement[bool], *, limit: int) -> list[Any]:
    r = reconciliations.c
    columns = (
        r.environment_id, r.id, r.status, r.asked_by, r.wish, r.place, r.counts, r.last_error, r.created_at, r.finished_at,
    )  # fmt: skip
    found = sa.select(*columns).where(r.environment_id == environment_id, where)
    return list(connection.execute(found.order_by(r.created_at.desc(), r.id.desc()).limit(limit)))


def _shown(connection: Connection, row: Any) -> Reconciliation:
    wish = msgspec.json.decode(row.wish, type=Wish)
    place = None if row.place is None else msgspec.json.decode(row.place, type=Place)
    counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(reconcile_lines.c.fixed), 0)).where(
        reconcile_lines.c.environment_id == row.environment_id, reconcile_lines.c.reconciliation_id == row.id
    )
    lines, fixed = connection.execute(counted.select_from(reconcile_lines)).one()
    return Reconciliation(
        id=row.id,
        status=row.status,
        asked_by=row.asked_by,
        fix=wish.fix,
        depth=wish.depth,
        events=wish.events,
        since=rfc3339_or_none(wish.since),
        step=None if place is None else place.step,
        counts=msgspec.json.decode(row.counts),
        lines=int(lines),
        fixed=int(fixed),
        last_error=row.last_error,
        created_at=rfc3339(row.created_at),
        finished_at=rfc3339_or_none(row.finished_at),
    )


def _lock_cursor(work: Work) -> None:
    """Two who ask at once: the second one finds the first one's."""
    insert_if_absent(work, reconcile_cursors, {"environment_id": work.environment_id})
    here = reconcile_cursors.c.environment_id == work.environment_id
    work.execute(sa.select(reconcile_cursors.c.environment_id).where(here).with_for_update()).one()


def _settle(work: Work, held: Held, **values: Any) -> bool:
    is_ours = reconciliations.c.claim == held.claim
    return work.execute(reconciliations.update().where(_is(work, held.id), is_ours).values(**values)).rowcount == 1


def _is(work: Work, reconciliation_id: str) -> sa.ColumnElement[bool]:
    return (reconciliations.c.environment_id == work.environment_id) & (reconciliations.c.id == reconciliation_id)
