"""The Stripe account of an environment: what it may do, and whether it still lets us."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.environments.actions import stripe_credentials
from paywright.environments.model import Environment
from paywright.environments.queries import of_stripe_account
from paywright.environments.tables import environments
from paywright.kernel.settings import Settings
from paywright.storage.work import Work


class AccountStanding(msgspec.Struct, frozen=True):
    """As Stripe said last; None: not asked yet. `disconnected_at` is the wall clock's, in milliseconds."""

    charges_enabled: bool | None
    payouts_enabled: bool | None
    requirements_due: list[str]
    disconnected_at: int | None


def standing(connection: Connection, environment_id: str) -> AccountStanding:
    columns = (
        environments.c.charges_enabled,
        environments.c.payouts_enabled,
        environments.c.requirements_due,
        environments.c.disconnected_at,
    )
    row = connection.execute(sa.select(*columns).where(environments.c.environment_id == environment_id)).one()
    return AccountStanding(
        charges_enabled=None if row.charges_enabled is None else bool(row.charges_enabled),
        payouts_enabled=None if row.payouts_enabled is None else bool(row.payouts_enabled),
        requirements_due=[] if row.requirements_due is None else msgspec.json.decode(row.requirements_due),
        disconnected_at=row.disconnected_at,
    )


def observe(work: Work, *, charges_enabled: bool, payouts_enabled: bool, requirements_due: list[str]) -> None:
    """What Stripe says of the account now; so it lets us call."""
    _write(
        work,
        charges_enabled=int(charges_enabled),
        payouts_enabled=int(payouts_enabled),
        requirements_due=msgspec.json.encode(requirements_due).decode(),
        disconnected_at=None,
    )


def disconnect(work: Work, now: int) -> None:
    """The owner of the connected account removed us: nothing is called until somebody connects it again. What customers own stays."""
    _write(work, disconnected_at=sa.func.coalesce(environments.c.disconnected_at, now))


def home_of(
    connection: Connection, settings: Settings, door: Environment, account: str | None, *, livemode: bool
) -> Environment | None:
    """
    The environment an event of `account` belongs to that came to `door`, the shared endpoint of a platform; None: nobody's.

    Only one of the same platform: its key is of the same Stripe account.
    """
    if account is None:
        return None
    for environment in of_stripe_account(connection, account):
        if environment.livemode == livemode and _is_same_platform(connection, settings, door, environment):
            return environment
    return None


def _is_same_platform(connection: Connection, settings: Settings, one: Environment, other: Environment) -> bool:
    if one.stripe_account_id is not None and one.stripe_account_id == other.stripe_account_id:
        return True
    keys = [stripe_credentials(connection, settings, each) for each in (one, other)]
    return keys[0] is not None and keys[1] is not None and keys[0].secret_key == keys[1].secret_key


def _write(work: Work, **values: Any) -> None:
    here = environments.c.environment_id == work.environment_id
    work.execute(environments.update().where(here).values(**values))
