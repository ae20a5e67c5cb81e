"""
Telling Stripe about the catalog in force: Products and Prices, as `wanted` wrote them down.

Each row goes through three phases: commit what is about to be sent, send it, commit the answer. The Idempotency-Key is made of the row and its
generation, which rises with every new intent and after a definite no; so a push may be cut off anywhere, repeated, and run twice at once. Products
carry an id we choose and Prices a lookup key, so that what exists already, even from before a lost database, is found and not made again.
"""

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.catalog import stripe_objects
from paywright.catalog.model import Price, Problem
from paywright.catalog.tables import stripe_prices, stripe_products
from paywright.catalog.versions import price_hash
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.storage.work import Work
from paywright.stripe.gateway import Gateway, StripeRefused, stripe_key

_ROWS_MAX = 10_000


class Pushed(msgspec.Struct, frozen=True):
    """How many Products and Prices were made or changed at Stripe; `problems` are those Stripe refused or that differ from what they should be."""

    products: int
    prices: int
    problems: list[Problem]


class _Intent(msgspec.Struct, frozen=True):
    """One committed first phase. `row` is the row as it was then."""

    row: Any
    generation: int
    parameters: dict[str, Any]


def push(app: App, environment_id: str, *, product_ids: Collection[str] | None = None) -> Pushed:
    """
    Makes Stripe have what the catalog says, all of it or only some products. Does nothing where nothing is missing.

    What Stripe refuses becomes a problem, and the rest goes on; a dead key is raised as `StripeRefused`. Raises `StripeBusy`, `StripeUnknown` and
    `NotConnected`: push again. An environment with the provider `instant` has nothing to push to.
    """
    environment = app.environment(environment_id)
    assert environment is not None, environment_id
    if not environment.is_at_stripe:
        return Pushed(0, 0, [])
    run = _Push(app, environment)
    products = sum(run.push_product(each) for each in run.product_ids(product_ids))
    prices = sum(run.push_price(*each) for each in run.price_keys(product_ids))
    return Pushed(products, prices, run.problems)


def forget_at_stripe(work: Work) -> None:
    """The account is another one, or was wiped: everything is made anew by the next push. Adopted prices stay adopted."""
    here = stripe_products.c.environment_id == work.environment_id
    work.execute(stripe_products.update().where(here).values(exists_at_stripe=0, parameters=None, drift=None))
    ours = (stripe_prices.c.environment_id == work.environment_id) & (stripe_prices.c.adopted == 0)
    work.execute(stripe_prices.update().where(ours).values(stripe_price_id=None, parameters=None, drift=None))


class _Push:
    """One push. Every method that calls Stripe holds no transaction."""

    def __init__(self, app: App, environment: Environment) -> None:
        self.app = app
        self.environment = environment
        self.problems: list[Problem] = []

    @property
    def gateway(self) -> Gateway:
        return self.app.gateway(self.environment)

    def product_ids(self, only: Collection[str] | None) -> list[str]:
        table = stripe_products
        statement = sa.select(table.c.product_id).where(table.c.environment_id == self.environment.id)
        with self.app.database.read() as connection:
            rows = connection.execute(statement.order_by(table.c.product_id).limit(_ROWS_MAX)).all()
        return [row.product_id for row in rows if only is None or row.product_id in only]

    def price_keys(self, only: Collection[str] | None) -> list[tuple[str, str, str]]:
        table = stripe_prices
        key = (table.c.product_id, table.c.price_id, table.c.price_hash)
        statement = sa.select(*key).where(table.c.environment_id == self.environment.id)
        with self.app.database.read() as connection:
            rows = connection.execute(statement.order_by(*key).limit(_ROWS_MAX)).all()
        return [
            (row.product_id, row.price_id, row.price_hash) for row in rows if only is None or row.product_id in only
        ]

    def push_product(self, product_id: str) -> bool:
        """True when Stripe was told something."""
        where = stripe_products.c.product_id == product_id
        intent = self._intend(stripe_products, where, self._wanted_product)
        if intent is None:
            return False
        try:
            self._send_product(intent)
        except StripeRefused as refused:
            self._refused(stripe_products, where, intent, f"products.{product_id}", refused)
            return False
        self._done(stripe_products, where, intent, exists_at_stripe=1)
        return True

    def push_price(self, product_id: str, price_id: str, price_hash: str) -> bool:
        where = sa.and_(
            stripe_prices.c.product_id == product_id,
            stripe_prices.c.price_id == price_id,
            stripe_prices.c.price_hash == price_hash,
        )
        intent = self._intend(stripe_prices, where, self._wanted_price)
        if intent is None:
            return False
        path = f"products.{product_id}.prices.{price_id}"
        try:
            made = self._send_price(intent, path)
        except StripeRefused as refused:
            self._refused(stripe_prices, where, intent, path, refused)
            return False
        if made is None:
            return False
        known = {} if intent.row.adopted else {"parameters": _encoded({"active": made["active"]})}
        self._done(stripe_prices, where, intent, stripe_price_id=made["id"], **known)
        return True

    def _wanted_product(self, row: Any) -> dict[str, Any] | None:
        if not row.active and not row.exists_at_stripe:
            return None
        active = bool(row.active)
        return stripe_objects.product_parameters(self.environment.id, row.product_id, row.display_name, active=active)

    def _wanted_price(self, row: Any) -> dict[str, Any] | None:
        if row.adopted:
            return {"adopted": row.stripe_price_id, "price": price_hash(_price(row))} if row.active else None
        if row.stripe_price_id is not None and not _is_gone(row):
            return {"active": bool(row.active)}
        if not row.active:
            return None
        return stripe_objects.price_parameters(
            self.environment.id,
            row.product_id,
            row.price_id,
            _price(row),
            stripe_product_id=stripe_objects.stripe_product_id(self.environment.id, row.product_id),
            lookup_key=row.lookup_key,
            currency=self.environment.default_currency,
        )

    def _intend(self, table: sa.Table, where: Any, wanted: Callable[[Any], dict[str, Any] | None]) -> _Intent | None:
        """The first phase: what is to be sent, committed under a generation of its own. None: Stripe has it already."""
        where = (table.c.environment_id == self.environment.id) & where
        with self.app.work(self.environment.id) as work:
            row = work.execute(sa.select(*table.c).where(where).with_for_update()).one()
            parameters = wanted(row)
            if parameters is None:
                return None
            # What somebody changed at Stripe since is told anew.
            is_new = row.parameters != _encoded(parameters) or row.last_error is not None or row.drift is not None
            if not is_new and row.pushed_generation == row.generation:
                return None
            generation = row.generation + is_new
            intended = {"parameters": _encoded(parameters), "generation": generation, "last_error": None}
            work.execute(table.update().where(where).values(**intended))
        return _Intent(row, generation, parameters)

    def _send_product(self, intent: _Intent) -> None:
        row = intent.row
        make = {"id": row.stripe_product_id, **intent.parameters}
        steps = [
            ("create", "/v1/products", make),
            ("update", f"/v1/products/{row.stripe_product_id}", intent.parameters),
        ]
        first, second = reversed(steps) if row.exists_at_stripe else steps
        try:
            self._post(intent, *first)
        except StripeRefused as refused:
            # Made by a push whose answer was lost, or deleted at Stripe since: then the other step is the right one.
            if not refused.is_missing and refused.code != "resource_already_exists":
                raise
            self._post(intent, *second)

    def _send_price(self, intent: _Intent, path: str) -> dict[str, Any] | None:
        """The Stripe Price as it is now; None for an adopted one that differs, which is a problem and not ours to change."""
        row = intent.row
        if row.adopted:
            return self._check_adopted(intent, path)
        if row.stripe_price_id is not None and not _is_gone(row):
            return self._post(intent, "update", f"/v1/prices/{row.stripe_price_id}", intent.parameters)
        found = self._by_lookup_key(row.lookup_key)
        if found is None:
            return self._post(intent, "create", "/v1/prices", intent.parameters)
        if not found["active"]:
            return self._post(intent, "reactivate", f"/v1/prices/{found['id']}", {"active": True})
        return found

    def _by_lookup_key(self, lookup_key: str) -> dict[str, Any] | None:
        found = self.gateway.get("/v1/prices", {"lookup_keys": [lookup_key], "limit": 1})["data"]
        return found[0] if found else None

    def _check_adopted(self, intent: _Intent, path: str) -> dict[str, Any] | None:
        row = intent.row
        found = self.gateway.get(f"/v1/prices/{row.stripe_price_id}", {"expand": ["currency_options"]})
        wrong = stripe_objects.differences(_price(row), found)
        if not wrong:
            return found
        self.problems.append(Problem("stripe_price_differs", path, f"{row.stripe_price_id}: {'; '.join(wrong)}."))
        return None

    def _post(self, intent: _Intent, step: str, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        key = stripe_key(self.environment.id, intent.row.row_id, step, intent.generation)
        return self.gateway.post(path, parameters, idempotency_key=key)

    def _refused(self, table: sa.Table, where: Any, intent: _Intent, path: str, refused: StripeRefused) -> None:
        with self.app.work(self.environment.id) as work:
            this = (table.c.environment_id == self.environment.id) & where & (table.c.generation == intent.generation)
            work.execute(table.update().where(this).values(last_error=refused.message))
        if refused.is_key_dead:
            raise refused
        self.problems.append(Problem("stripe_refused", path, refused.message))

    def _done(self, table: sa.Table, where: Any, intent: _Intent, **learned: Any) -> None:
        """The last phase. An intent that was overtaken teaches what exists; who was later at Stripe is unknown, so it is told once more."""
        where = (table.c.environment_id == self.environment.id) & where
        with self.app.work(self.environment.id) as work:
            row = work.execute(sa.select(table.c.generation).where(where).with_for_update()).one()
            was_overtaken = row.generation != intent.generation
            known = {"parameters": None} if was_overtaken else {"pushed_generation": intent.generation, "drift": None}
            work.execute(table.update().where(where).values(**{**learned, **known}))


def _is_gone(row: Any) -> bool:
    """Somebody deleted it at Stripe: it is made anew."""
    lines = [] if row.drift is None else msgspec.json.decode(row.drift)
    return any(line["field"] == "exists" for line in lines)


def _price(row: Any) -> Price:
    return msgspec.json.decode(row.document, type=Price)


def _encoded(parameters: dict[str, Any]) -> str:
    return msgspec.json.encode(parameters, order="sorted").decode()
