"""Making, changing and reading environments, their Stripe credentials included."""

import re
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.environments import queries
from paywright.environments.model import Environment, Policy
from paywright.environments.rules import bad_emails, bad_origins
from paywright.environments.tables import environments, webhook_secrets
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.model import Mode, Provider
from paywright.kernel.money import CURRENCIES
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.kernel.settings import Settings
from paywright.kernel.vault import decrypt, encrypt
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

SECRETS_TRIED_MAX = 5
ROLLED_SECRET_LIFE_MS = 3 * 86_400_000

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_STRIPE_KEY = re.compile(r"(?:sk|rk)_(test|live)_.+")
_SWITCHES = ("provider", "block_new_purchases", "default_currency")


def create(work: Work, *, mode: Mode, provider: Provider) -> Environment | Refusal:
    """The environment `work.environment_id`; the same call again answers what is there."""
    if not _ID.fullmatch(work.environment_id):
        return invalid_request("id", "An environment id is 1 to 40 of a-z, 0-9, `_` and `-`.")
    if provider != "stripe" and mode == "live":
        return (
            Refusal("instant_is_test_only")
            if provider == "instant"
            else invalid_request("provider", "A live environment's provider is `stripe`.")
        )
    values = {"mode": mode, "provider": provider, "policy": _encoded(Policy()), "created_at": wall_ms()}
    insert_if_absent(work, environments, {"environment_id": work.environment_id, **values})
    made = queries.environment(work.connection, work.environment_id)
    assert made is not None
    return made


def change(work: Work, changes: dict[str, Any]) -> Environment | Refusal:
    """`PATCH /v1/environment`: switches and policy, all or nothing."""
    present = queries.environment(work.connection, work.environment_id)
    assert present is not None
    policy_fields = set(Policy.__struct_fields__)
    unknown = sorted(changes.keys() - policy_fields - set(_SWITCHES))
    if unknown:
        return invalid_request(unknown[0], f"`{unknown[0]}` is not a setting of an environment.")
    switches = {name: changes[name] for name in _SWITCHES if name in changes}
    refusal = _switches_refused(present, switches)
    if refusal is not None:
        return refusal
    merged = {
        **msgspec.to_builtins(present.policy),
        **{name: value for name, value in changes.items() if name in policy_fields},
    }
    try:
        policy = msgspec.convert(merged, Policy)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        param = path.rstrip("`")
        return invalid_request(param, f"`{param}`: {reason[:1].lower()}{reason[1:]}.")
    refusal = bad_origins(policy.allowed_origins) or bad_emails(policy.emails)
    if refusal is not None:
        return refusal
    if "block_new_purchases" in switches:
        switches["block_new_purchases"] = int(switches["block_new_purchases"])
    statement = environments.update().where(environments.c.environment_id == work.environment_id)
    work.execute(statement.values(policy=_encoded(policy), **switches))
    changed = queries.environment(work.connection, work.environment_id)
    assert changed is not None
    return changed


def _switches_refused(present: Environment, switches: dict[str, Any]) -> Refusal | None:
    provider = switches.get("provider", present.provider)
    if provider not in ("stripe", "sandbox", "instant"):
        return invalid_request("provider", "The provider is `stripe`, `sandbox` or `instant`.")
    if provider == "instant" and present.mode == "live":
        return Refusal("instant_is_test_only")
    if provider == "sandbox" and present.mode == "live":
        return invalid_request("provider", "A live environment's provider is `stripe`.")
    if not isinstance(switches.get("block_new_purchases", False), bool):
        return invalid_request("block_new_purchases", "`block_new_purchases` is true or false.")
    if switches.get("default_currency", present.default_currency) not in CURRENCIES:
        return invalid_request(
            "default_currency", "`default_currency` is a three-letter currency Paywright sells in, in lower case."
        )
    return None


class StripeCredentials(msgspec.Struct, frozen=True):
    """What a gateway needs. Never shown, never logged."""

    secret_key: str
    publishable_key: str | None
    account: str | None
    api_base: str | None

    @property
    def masked(self) -> str:
        """The secret key as it may be shown: `sk_test_…last4`."""
        return f"{self.secret_key[:8]}…{self.secret_key[-4:]}"

    def __repr__(self) -> str:
        return f"StripeCredentials({self.masked})"


def wrong_key(secret_key: str, environment: Environment) -> Refusal | None:
    """`wrong_key_mode` unless it is a secret or restricted key of the environment's mode."""
    match = _STRIPE_KEY.fullmatch(secret_key)
    if match is None or match[1] != environment.mode:
        return Refusal("wrong_key_mode", {"mode": environment.mode})
    return None


def connect_stripe(work: Work, settings: Settings, credentials: StripeCredentials) -> Refusal | None:
    """Stores credentials, encrypted. A key of the other mode is `wrong_key_mode`."""
    present = queries.environment(work.connection, work.environment_id)
    assert present is not None
    refusal = wrong_key(credentials.secret_key, present)
    if refusal is not None:
        return refusal
    work.execute(
        environments.update()
        .where(environments.c.environment_id == work.environment_id)
        .values(
            stripe_secret_key=encrypt(settings.require_secret(), credentials.secret_key),
            stripe_publishable_key=credentials.publishable_key,
            stripe_account=credentials.account,
            stripe_api_base=credentials.api_base,
            disconnected_at=None,
        )
    )
    return None


def stripe_credentials(
    connection: Connection, settings: Settings, environment: Environment
) -> StripeCredentials | None:
    """
    `STRIPE_*` win over what is stored, for the selected environment only.

    None: nothing to talk to Stripe with, or the connected account has removed us.
    """
    columns = (environments.c.stripe_secret_key, environments.c.disconnected_at)
    row = connection.execute(sa.select(*columns).where(environments.c.environment_id == environment.id)).one_or_none()
    if row is not None and row.disconnected_at is not None:
        return None
    selected = settings.environment == environment.id
    stored = None if row is None else row.stripe_secret_key
    secret_key = (settings.stripe_secret_key if selected else None) or (
        decrypt(settings.require_secret(), stored) if stored else None
    )
    if secret_key is None:
        return None
    return StripeCredentials(
        secret_key=secret_key,
        publishable_key=(settings.stripe_publishable_key if selected else None) or environment.stripe_publishable_key,
        account=environment.stripe_account,
        api_base=(settings.stripe_api_base if selected else None) or environment.stripe_api_base,
    )


def add_webhook_secret(work: Work, settings: Settings, secret: str, *, stripe_endpoint_id: str | None = None) -> None:
    """The newest secret is tried first; older ones stay valid for three days, because deliveries signed with them are still under way."""
    wall = wall_ms()
    here = webhook_secrets.c.environment_id == work.environment_id
    work.execute(
        webhook_secrets.update()
        .where(here, webhook_secrets.c.expires_at.is_(None))
        .values(expires_at=wall + ROLLED_SECRET_LIFE_MS)
    )
    work.execute(
        webhook_secrets.insert().values(
            environment_id=work.environment_id,
            id=new_id("wsec"),
            secret=encrypt(settings.require_secret(), secret),
            stripe_endpoint_id=stripe_endpoint_id,
            created_at=wall,
        )
    )


def accepted_webhook_secrets(connection: Connection, settings: Settings, environment_id: str) -> list[str]:
    """At most five, newest first, those of `STRIPE_WEBHOOK_SECRET` before all for the selected environment."""
    rows = connection.execute(
        sa.select(webhook_secrets.c.secret)
        .where(
            webhook_secrets.c.environment_id == environment_id,
            webhook_secrets.c.expires_at.is_(None) | (webhook_secrets.c.expires_at > wall_ms()),
        )
        .order_by(webhook_secrets.c.created_at.desc(), webhook_secrets.c.id.desc())
        .limit(SECRETS_TRIED_MAX)
    )
    secrets = [decrypt(settings.require_secret(), row.secret) for row in rows]
    if settings.stripe_webhook_secret and settings.environment == environment_id:
        given = [each.strip() for each in settings.stripe_webhook_secret.split(",")]
        secrets = [*(each for each in given if each), *secrets]
    return list(dict.fromkeys(secrets))[:SECRETS_TRIED_MAX]


def _encoded(policy: Policy) -> str:
    return msgspec.json.encode(policy).decode()
