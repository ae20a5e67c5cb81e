"""
What stands under an Idempotency-Key between the first work of a cancel, a resume or a revoke and its answer.

The work that begins it notes whom it is about. A repeat after a crash carries out what is still open, and answers what has come of it, as the first
would have; only if it has not come to that is it decided anew.
"""

from collections.abc import Callable

import msgspec

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.storage import idempotency
from paywright.storage.idempotency import IdempotencyKey
from paywright.storage.work import Work
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions.requests import carry_out, under_way

Owned = OwnedProduct | Refusal


class Begun(msgspec.Struct, frozen=True):
    """The owned products it is about; the first of them is answered. `is_over`: nothing is left to be done, whatever they are by now."""

    owned: tuple[str, ...]
    is_over: bool


def once(
    app: App,
    environment: Environment,
    customer: Customer,
    key: IdempotencyKey | None,
    go_on: Callable[[list[OwnedProduct]], Owned | None],
    anew: Callable[[], Owned],
) -> Owned:
    """
    `go_on` answers for what was begun under the key, if what was asked for is so; else it is done `anew`.

    Stripe refuses what somebody else was faster to end or to schedule. We know how it stands by then, so it is decided anew, once.
    """
    begun = _begun(app, environment, key)
    outcome = None
    if begun is not None:
        owned = _carried_out(app, environment, customer, begun)
        # A guest's purchases may have moved to an account meanwhile.
        outcome = None if not owned else owned[0] if begun.is_over else go_on(owned)
    outcome = outcome or anew()
    return anew() if isinstance(outcome, Refusal) and outcome.code in ("stripe_refused", "quote_expired") else outcome


def _begun(app: App, environment: Environment, key: IdempotencyKey | None) -> Begun | None:
    if key is None:
        return None
    with app.database.read() as connection:
        pointed_at = idempotency.pointed_at(connection, environment.id, key)
    return None if pointed_at is None else msgspec.json.decode(pointed_at, type=Begun)


def _carried_out(app: App, environment: Environment, customer: Customer, begun: Begun) -> list[OwnedProduct]:
    """What it is about, as it is after everything that had no answer yet."""
    for owned in _present(app, environment, customer, begun):
        if owned.subscription is None or not owned.is_stripe_backed or begun.is_over:
            continue
        with app.database.read() as connection:
            open_ones = under_way(connection, environment.id, owned.subscription.id)
        for change in open_ones:
            carry_out(app, environment, change)
        subscriptions.sync(app, environment, owned.subscription.id)
    return _present(app, environment, customer, begun)


def _present(app: App, environment: Environment, customer: Customer, begun: Begun) -> list[OwnedProduct]:
    with app.database.read() as connection:
        found = [ownership_queries.owned_product(connection, environment.id, customer, each) for each in begun.owned]
    return [each for each in found if each is not None]


def point_at(work: Work, key: IdempotencyKey | None, owned: list[OwnedProduct], *, is_over: bool) -> None:
    if key is not None:
        begun = Begun(tuple(each.id for each in owned), is_over)
        idempotency.point_at(work, key, msgspec.json.encode(begun).decode())
