"""
What somebody changed at Stripe of what the catalog had pushed there.

The catalog is the truth and is never changed from here. What differs is written on the row that was pushed, as a mark for `catalog diff`, doctor
and the next push, which tells Stripe again what the catalog says. What an adopted price says at Stripe is not ours to change: there a person decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog.model import Price
from paywright.catalog.stripe_objects import drift_of_price, drift_of_product
from paywright.catalog.tables import stripe_prices, stripe_products
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.kernel.model import Json
from paywright.outbox.actions import open_incident
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.model import GONE, NOT_OURS, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome

Noun = Literal["product", "price"]

ROWS_MAX = 100
SELLS = ("exists", "active", "amounts.", "interval")
"""Fields on which it depends what a buyer pays, or whether anybody can buy at all: a person is told of them."""


class Drifted(msgspec.Struct, frozen=True):
    """One of our rows and what differs, by field: `{field, ours, stripe}`. `name` is `pro` or `pro.monthly`."""

    noun: Noun
    name: str
    stripe_id: str
    lines: list[dict[str, Json]]
    is_adopted: bool = False


def fetch(app: App, environment: Environment, stripe_id: str, *, noun: Noun) -> Fetched:
    """As it is at Stripe now. Raises what the gateway raises, except for a missing one."""
    root = f"{noun} {stripe_id}"
    number = app.next_fetch(environment.id, root)
    asked: dict[str, Any] = {"expand": ["currency_options"]} if noun == "price" else {}
    try:
        found = app.gateway(environment).get(f"/v1/{noun}s/{stripe_id}", asked)
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root, number, None)
    return Fetched(root, number, None if found.get("deleted") else found)


def apply(work: Work, fetched: Fetched) -> Outcome:
    """
    Marks the rows it was pushed from, or takes the mark away. Opens an incident `drift` when it is about what is sold, once for each difference.
    """
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    rows = _rows_of(work.connection, work.environment_id, fetched.root)
    if not rows:
        return GONE if fetched.found is None else NOT_OURS
    environment = environment_of(work)
    if fetched.found is not None and fetched.found["livemode"] != environment.livemode:
        return WRONG_MODE
    for row in rows:
        if not _is_being_pushed(row):
            _mark(work, row, _compared(row, fetched.found))
    return PROCESSED


def compared(connection: Connection, environment_id: str, fetched: Fetched) -> list[Drifted]:
    """What would be marked. Writes nothing."""
    rows = _rows_of(connection, environment_id, fetched.root)
    return [each for row in rows if not _is_being_pushed(row) and (each := _compared(row, fetched.found)).lines]


def marked(connection: Connection, environment_id: str) -> list[Drifted]:
    """Everything that is known to differ at Stripe, products first."""
    found = []
    for table in (stripe_products, stripe_prices):
        here = (table.c.environment_id == environment_id) & table.c.drift.is_not(None)
        rows = connection.execute(sa.select(*table.c).where(here).order_by(*table.primary_key.columns).limit(ROWS_MAX))
        found += [_drifted(row, msgspec.json.decode(row.drift)) for row in rows]
    return found


def pushed_after(
    connection: Connection, environment_id: str, noun: Noun, after: str, *, only_marked: bool
) -> list[str]:
    """A page of Stripe's ids of what we pushed or adopted, in their order."""
    table, known_by = _known_by(noun)
    wanted = [table.c.environment_id == environment_id, known_by.is_not(None), known_by > after]
    wanted += [table.c.drift.is_not(None)] if only_marked else []
    if noun == "product":
        wanted.append(table.c.exists_at_stripe == 1)
    found = sa.select(known_by).where(*wanted).distinct().order_by(known_by).limit(ROWS_MAX)
    return list(connection.execute(found).scalars())


def _known_by(noun: Noun) -> tuple[sa.Table, sa.Column[Any]]:
    if noun == "product":
        return stripe_products, stripe_products.c.stripe_product_id
    return stripe_prices, stripe_prices.c.stripe_price_id


def _rows_of(connection: Connection, environment_id: str, root: str) -> Sequence[Any]:
    noun, _, stripe_id = root.partition(" ")
    assert noun in ("product", "price")
    table, known_by = _known_by(noun)  # type: ignore[arg-type]
    here = (table.c.environment_id == environment_id) & (known_by == stripe_id)
    return connection.execute(
        sa.select(*table.c).where(here).order_by(*table.primary_key.columns).limit(ROWS_MAX)
    ).all()


def _is_being_pushed(row: Any) -> bool:
    """Stripe is being told something just now, and its event about that will come; or it was never told. An adopted price is only looked at."""
    if _is_price(row) and row.adopted:
        return False
    return row.parameters is None or row.pushed_generation != row.generation


def _is_price(row: Any) -> bool:
    return "price_id" in row._fields


def _compared(row: Any, found: Mapping[str, Any] | None) -> Drifted:
    if not _is_price(row):
        return _drifted(row, drift_of_product(msgspec.json.decode(row.parameters), found))
    price = msgspec.json.decode(row.document, type=Price)
    told = {} if row.adopted else msgspec.json.decode(row.parameters)
    active = told.get("active", bool(row.active))
    return _drifted(row, drift_of_price(price, found, active=active, is_adopted=bool(row.adopted)))


def _drifted(row: Any, lines: list[dict[str, Json]]) -> Drifted:
    if not _is_price(row):
        return Drifted("product", row.product_id, row.stripe_product_id, lines)
    return Drifted("price", f"{row.product_id}.{row.price_id}", row.stripe_price_id, lines, bool(row.adopted))


def _mark(work: Work, row: Any, now: Drifted) -> None:
    before = [] if row.drift is None else msgspec.json.decode(row.drift)
    if now.lines == before:
        return
    table, _ = _known_by(now.noun)
    is_it = [column == getattr(row, column.name) for column in table.primary_key.columns]
    drift = msgspec.json.encode(now.lines).decode() if now.lines else None
    work.execute(table.update().where(*is_it).values(drift=drift))
    fresh = [line for line in now.lines if line not in before and str(line["field"]).startswith(SELLS)]
    if fresh and row.active:
        told = {"noun": now.noun, "name": now.name, "stripe_id": now.stripe_id, "lines": fresh}
        open_incident(work, "drift", told)


def sentences(drifted: Sequence[Drifted]) -> list[str]:
    """For people, by field, with what to do."""
    lines = []
    for each in drifted:
        mend = "mend it at Stripe" if each.is_adopted else "`paywright catalog apply` tells Stripe again"
        for line in each.lines:
            said = "it is gone" if line["field"] == "exists" else f"{line['field']} is {_shown(line['stripe'])}"
            ours = "" if line["field"] == "exists" else f" and {_shown(line['ours'])} here"
            lines.append(f"Stripe: {each.noun} {each.name} ({each.stripe_id}): {said} there{ours}; {mend}.")
    return lines


def _shown(value: Json) -> str:
    return msgspec.json.encode(value).decode()
