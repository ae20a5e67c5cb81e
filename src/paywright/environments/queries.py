"""Reading environments. Secrets are read by `actions` only."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.environments.model import Environment, Policy
from paywright.environments.tables import environments
from paywright.storage.work import Work

_SHOWN = (
    environments.c.environment_id,
    environments.c.mode,
    environments.c.provider,
    environments.c.block_new_purchases,
    environments.c.default_currency,
    environments.c.policy,
    environments.c.stripe_publishable_key,
    environments.c.stripe_account,
    environments.c.stripe_account_id,
    environments.c.stripe_api_base,
)


def environment(connection: Connection, environment_id: str) -> Environment | None:
    row = connection.execute(sa.select(*_SHOWN).where(environments.c.environment_id == environment_id)).one_or_none()
    return None if row is None else _environment(row)


def environment_of(work: Work) -> Environment:
    """The work's own, as it was when the work first asked. For who works in an environment that exists."""
    known: Environment | None = work.notes.get("environments.environment")
    if known is None:
        known = environment(work.connection, work.environment_id)
        assert known is not None, work.environment_id
        work.notes["environments.environment"] = known
    return known


def every_environment(connection: Connection) -> list[Environment]:
    """By id, at most a thousand."""
    return [
        _environment(row)
        for row in connection.execute(sa.select(*_SHOWN).order_by(environments.c.environment_id).limit(1000))
    ]


def of_stripe_account(connection: Connection, stripe_account: str) -> list[Environment]:
    """Those that work in a connected account, by id, at most a hundred."""
    found = sa.select(*_SHOWN).where(environments.c.stripe_account == stripe_account)
    return [_environment(row) for row in connection.execute(found.order_by(environments.c.environment_id).limit(100))]


def _environment(row: Any) -> Environment:
    return Environment(
        id=row.environment_id,
        mode=row.mode,
        provider=row.provider,
        block_new_purchases=bool(row.block_new_purchases),
        default_currency=row.default_currency,
        policy=msgspec.json.decode(row.policy, type=Policy),
        stripe_publishable_key=row.stripe_publishable_key,
        stripe_account=row.stripe_account,
        stripe_account_id=row.stripe_account_id,
        stripe_api_base=row.stripe_api_base,
    )
