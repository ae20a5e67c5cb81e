"""What a fetch brought, and what applying it came to. Every noun has `fetch(app, …) -> Fetched` and `apply(work, fetched) -> Outcome`."""

from typing import Any, Literal

import msgspec


class Fetched(msgspec.Struct, frozen=True):
    """
    One object as Stripe has it now, in the pinned version's shape.

    `root` and `number` are its fetch number (`stripe.fetches`). `found` None: Stripe says it is gone. `lists` holds what had to be paged beside it,
    `related` other objects fetched on the way, each under a root of its own.
    """

    root: str
    number: int
    found: dict[str, Any] | None
    lists: dict[str, list[dict[str, Any]]] = {}
    related: "tuple[Fetched, ...]" = ()

    @property
    def roots(self) -> set[str]:
        """Its own, and those of all that came with it."""
        return {self.root}.union(*(each.roots for each in self.related))


class Outcome(msgspec.Struct, frozen=True):
    """What becomes of the Stripe events that led to this object."""

    status: Literal["processed", "ignored", "unresolved", "again"]
    reason: str | None = None
    stripe_customer_id: str | None = None
    """Whose mapping an unresolved one waits for."""


PROCESSED = Outcome("processed")
STALE = Outcome("processed", "stale_fetch")
OVERTAKEN = Outcome("again", "stale_fetch")
"""By a fetch that is newer and asked for less: what this one brought besides is to be asked for again."""
TOLD_BY_CHECKOUT = Outcome("processed", "told_by_checkout")
"""A guest's payment names nobody: its checkout session does, and brings the payment along."""
GONE = Outcome("ignored", "object_gone")
NOT_OURS = Outcome("ignored", "not_ours")
OTHER_ENVIRONMENT = Outcome("ignored", "other_environment")
WRONG_MODE = Outcome("ignored", "wrong_mode")
