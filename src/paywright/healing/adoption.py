"""
An existing Stripe account, brought in: what it sells becomes prices of the catalog, adopted by id; who pays there becomes a customer of ours;
what they pay for becomes owned, by the same sync that a webhook would cause.

Nothing is written at Stripe. Everything is looked up by what stands here already, so a run that broke off is simply run again, and once more
changes nothing. A dry run remembers who would be whom, which is all it keeps in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from paywright.catalog.actions import IsInUse
from paywright.customers import queries as customer_queries
from paywright.customers import sync as customer_sync
from paywright.customers.actions import remember
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing import adopted
from paywright.healing.adopted import Found, Sold
from paywright.healing.named import Names, name_of
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.ownership import queries as ownership_queries
from paywright.storage.work import RolledBack, Work
from paywright.stripe.background import background
from paywright.stripe.fetches import next_fetch
from paywright.stripe.metadata import ENVIRONMENT
from paywright.stripe.model import Fetched
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import queries as subscription_queries
from paywright.subscriptions.mirror import subscription_facts
from paywright.subscriptions.model import SubscriptionFacts

PAGE_SIZE = 100
ADOPT_FIRST = "put it into the catalog by its `stripe_price_id`"


class Wish(msgspec.Struct, frozen=True):
    """`apply` False: only tell. `metadata_key` names the app's own key on Stripe Customers that holds its id for them."""

    apply: bool = False
    names: Names = {}
    metadata_key: str | None = None


Counts = dict[str, dict[str, int]]
"""noun → state → how many."""


def bring_in(
    app: App, environment: Environment, wish: Wish, *, is_in_use: IsInUse, tell: Callable[[Found], None]
) -> Counts | Refusal:
    """
    Prices, then customers, then subscriptions, each told as it is; with `apply`, as it is then.

    Refusals: `not_at_stripe`, and those of applying a catalog. Raises what the gateway raises: run it again, and it goes on.
    """
    if not environment.is_at_stripe:
        return Refusal("not_at_stripe", {"provider": environment.provider})
    counted: dict[str, Counter[str]] = {}
    with background():
        sold = adopted.look(app, environment)
        if wish.apply:
            refusal = adopted.adopt(app, environment, sold, is_in_use=is_in_use)
            if refusal is not None:
                return refusal
            sold = adopted.look(app, environment)
        run = _Run(app, environment, wish, sold)
        for step in (iter(sold.found), run.customers(), run.subscriptions()):
            for found in step:
                counted.setdefault(found.noun, Counter())[found.state] += 1
                tell(found)
    return {noun: dict(counts) for noun, counts in counted.items()}


class _Run:
    def __init__(self, app: App, environment: Environment, wish: Wish, sold: Sold) -> None:
        self.app, self.environment, self.wish, self.sold = app, environment, wish, sold
        self._would_be: dict[str, Customer] = {}
        self._taken: dict[Customer, str] = {}
        self._in_line: set[tuple[Customer, str]] = set()

    def customers(self) -> Iterator[Found]:
        expand = [f"data.{each}" for each in customer_sync.EXPAND]
        for page in self._pages("/v1/customers", {"expand": expand}):
            told = [(found, self._customer(found)) for found in page]
            wanted = sorted((whose, found["id"]) for found, whose in told if isinstance(whose, Customer))
            if self.wish.apply and wanted:
                with self.app.work(self.environment.id) as work:
                    self._map(work, wanted, {found["id"]: found for found, _ in told})
            for found, whose in told:
                if isinstance(whose, Found):
                    yield whose
                elif self.wish.apply:
                    yield Found("customer", found["id"], "mapped", whose.key)
                else:
                    yield Found("customer", found["id"], "mappable", whose.key)

    def _customer(self, found: dict[str, Any]) -> Found | Customer:
        """Whose it shall be; or what there is to say about it instead."""
        stripe_id = str(found["id"])
        with self.app.database.read() as connection:
            known = customer_queries.customer_of(connection, self.environment.id, stripe_id)
            if known is not None:
                return Found("customer", stripe_id, "mapped", known.key)
            whose = name_of(found, self.environment.id, self.wish.names, self.wish.metadata_key)
            if isinstance(whose, str):
                return Found("customer", stripe_id, "not", why=whose)
            other = customer_queries.stripe_customer_id(connection, self.environment.id, whose)
        other = other or self._taken.setdefault(whose, stripe_id)
        if other != stripe_id:
            return Found(
                "customer", stripe_id, "not", whose.key, f"{whose.key} is the Stripe Customer {other} already."
            )
        self._would_be[stripe_id] = whose
        return whose

    def _map(self, work: Work, wanted: list[tuple[Customer, str]], found: dict[str, dict[str, Any]]) -> None:
        lock_customers(work, [whose for whose, _ in wanted])
        for whose, stripe_id in wanted:
            remember(work, whose, stripe_id)
            root = customer_sync.root_of(stripe_id)
            customer_sync.apply(work, Fetched(root, next_fetch(work, root), found[stripe_id]))

    def subscriptions(self) -> Iterator[Found]:
        expand = [f"data.{each}" for each in subscriptions.EXPAND]
        for page in self._pages("/v1/subscriptions", {"status": "all", "expand": expand}):
            for found in page:
                yield self._subscription(subscription_facts(found))

    def _subscription(self, facts: SubscriptionFacts) -> Found:
        with self.app.database.read() as connection:
            row = subscription_queries.row_of(connection, self.environment.id, facts.id)
            if row is not None:
                return Found("subscription", facts.id, "mapped", row.customer)
            whose = customer_queries.customer_of(connection, self.environment.id, facts.stripe_customer_id)
        whose = whose or self._would_be.get(facts.stripe_customer_id)
        why = self._why_not(facts, whose)
        if why is not None or whose is None:
            return Found("subscription", facts.id, "not", why=why)
        terms = " + ".join(".".join(self.sold.prices[item.stripe_price_id]) for item in facts.items)
        if not self.wish.apply:
            return Found("subscription", facts.id, "mappable", f"{whose.key} {terms}")
        return self._sync(facts, f"{whose.key} {terms}")

    def _why_not(self, facts: SubscriptionFacts, whose: Customer | None) -> str | None:
        if facts.is_terminal:
            return "It has ended."
        if facts.metadata.get(ENVIRONMENT, self.environment.id) != self.environment.id:
            return f"It belongs to the environment `{facts.metadata[ENVIRONMENT]}`."
        if whose is None:
            return f"Its customer {facts.stripe_customer_id} is nobody we know."
        unknown = [item.stripe_price_id for item in facts.items if item.stripe_price_id not in self.sold.prices]
        if unknown:
            return f"{unknown[0]} is not for sale here: {ADOPT_FIRST}."
        products = [self.sold.prices[item.stripe_price_id][0] for item in facts.items]
        for product in products:
            expected = self.sold.types.get(product, "user")
            if whose.type != expected:
                return f"{product} is for customers of type {expected}, and {whose.key} is not one."
        if facts.status == "incomplete":
            return "Its first payment is not in; it comes by itself once it is."
        for product in products:
            line = self.sold.lines.get(product)
            if line is not None and (whose, line) in self._in_line:
                return f"{whose.key} has another subscription of the line {line} already."
        self._in_line |= {(whose, self.sold.lines[product]) for product in products if product in self.sold.lines}
        return None

    def _sync(self, facts: SubscriptionFacts, ours: str) -> Found:
        """Fetched by itself and applied, as if Stripe had told of it. What grants nothing is not brought in."""
        fetched = subscriptions.fetch(self.app, self.environment, facts.id)
        told = Found("subscription", facts.id, "not", ours, "Something the customer owns already stands in its way.")
        with self.app.work(self.environment.id) as work:
            outcome = subscriptions.apply(work, fetched)
            if ownership_queries.of_subscription(work.connection, work.environment_id, facts.id):
                told = Found("subscription", facts.id, "mapped", ours)
            elif outcome.reason is not None:
                told = Found("subscription", facts.id, "not", ours, f"It was not taken: {outcome.reason}.")
            if told.state == "not":
                raise RolledBack
        return told

    def _pages(self, path: str, asked: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Of a hundred, as Stripe has them: newest first."""
        after: dict[str, str] = {}
        while True:
            page = self.app.gateway(self.environment).get(path, {"limit": PAGE_SIZE, **asked, **after})
            yield page["data"]
            if not page["has_more"] or not page["data"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}
