"""The Stripe account itself: what it may do, and whether its owner still lets us. Its room is `environments`; only here can it be fetched."""

import logging
from typing import Any

from paywright.engine.app import App, NotConnected
from paywright.environments.accounts import disconnect, observe, standing
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.model import NOT_OURS, PROCESSED, STALE, Fetched, Outcome

REMOVED_CODES = ("account_invalid", "resource_missing")

_log = logging.getLogger("paywright.webhooks")


def root_of(account_id: str) -> str:
    return f"account {account_id}"


def fetch(app: App, environment: Environment, account_id: str) -> Fetched:
    """
    The account as it is now. `found` None: it is connected, and its owner removed us.

    Our own account is asked for as whose key this is, since a restricted key may not name it. Raises what the gateway raises.
    """
    root = root_of(account_id)
    number = app.next_fetch(environment.id, root)
    is_connected = environment.stripe_account is not None
    try:
        gateway = app.gateway(
            environment, as_platform=True
        )  # A platform may look at its accounts; one that removed it is not among them.
        found = gateway.get(f"/v1/accounts/{account_id}" if is_connected else "/v1/account")
    except StripeRefused as refused:
        if is_connected and refused.code in REMOVED_CODES:
            return Fetched(root, number, None)
        if not is_connected and refused.status == 403:
            return Fetched(root, number, {"id": account_id})  # A restricted key may not look; nothing is wrong with it.
        raise
    except NotConnected:
        with app.database.read() as connection:
            if standing(connection, environment.id).disconnected_at is None:
                raise
        return Fetched(root, number, None)
    return Fetched(root, number, found)


def apply(work: Work, fetched: Fetched, *, now: int) -> Outcome:
    """Makes the environment's row agree. `now` is the wall clock."""
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        environment = environment_of(work)
        if fetched.root != root_of(environment.stripe_account or ""):
            return NOT_OURS
        _log.error("environment %s: account %s removed us", work.environment_id, environment.stripe_account)
        disconnect(work, now)
        return PROCESSED
    if fetched.root != root_of(fetched.found["id"]):
        return NOT_OURS
    if "charges_enabled" in fetched.found:
        observe(
            work,
            charges_enabled=bool(fetched.found["charges_enabled"]),
            payouts_enabled=bool(fetched.found["payouts_enabled"]),
            requirements_due=_due(fetched.found),
        )
    return PROCESSED


def _due(found: dict[str, Any]) -> list[str]:
    requirements = found.get("requirements") or {}
    return sorted({*(requirements.get("past_due") or []), *(requirements.get("currently_due") or [])})
