"""Making and taking back API keys and customer tokens."""

import hashlib
import secrets
from collections.abc import Sequence

from paywright.access import queries, tokens
from paywright.access.model import SCOPES, TOKEN_SCOPES, ApiKey, CreatedKey, KeyKind, Scope
from paywright.access.tables import api_keys, revoked_customers, revoked_tokens
from paywright.environments.queries import environment_of
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.kernel.settings import Settings
from paywright.outbox.audit import note
from paywright.storage.statements import insert_if_absent, upsert
from paywright.storage.work import Work

TOKEN_TTL_S_MAX = 30 * 86_400
TOKEN_CUSTOMERS_MAX = 100
NAME_MAX = 100


def key_hash(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


def create_key(
    work: Work, kind: KeyKind, *, scopes: Sequence[str] = SCOPES, name: str | None = None
) -> CreatedKey | Refusal:
    """A key of 256 random bits. Scopes are for secret keys; a publishable one has none."""
    environment = environment_of(work)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        return invalid_request("scopes", f"Scopes are one or more of {', '.join(SCOPES)}.")
    if name is not None and not 1 <= len(name) <= NAME_MAX:
        return invalid_request("name", f"A name is 1 to {NAME_MAX} characters.")
    letters = "sk" if kind == "secret" else "pk"
    plain = f"pw_{letters}_{environment.mode}_{secrets.token_urlsafe(32)}"
    granted: list[Scope] = [scope for scope in SCOPES if scope in scopes] if kind == "secret" else []
    shown = plain if kind == "publishable" else None
    made = ApiKey(new_id("key"), kind, name, granted, plain[-4:], wall_ms(), None, shown)
    work.execute(
        api_keys.insert().values(
            environment_id=work.environment_id,
            id=made.id,
            kind=kind,
            name=name,
            scopes=" ".join(granted),
            key_hash=key_hash(plain),
            publishable_key=shown,
            last_four=made.last_four,
            created_at=made.created_at,
        )
    )
    note(work, "key.created", made.id, kind=kind, name=name, scopes=granted or None)
    return CreatedKey(made, plain)


def revoke_key(work: Work, key_id: str) -> ApiKey | Refusal:
    """Void within a second, in every process. Revoking again answers the same; an unknown id is `not_found`."""
    here = (api_keys.c.environment_id == work.environment_id) & (api_keys.c.id == key_id)
    if work.execute(
        api_keys.update().where(here, api_keys.c.revoked_at.is_(None)).values(revoked_at=wall_ms())
    ).rowcount:
        note(work, "key.revoked", key_id)
    return queries.key(work.connection, work.environment_id, key_id) or Refusal("not_found")


def create_customer_token(
    work: Work, settings: Settings, customers: Sequence[Customer], *, ttl_s: int, scopes: Sequence[str] = TOKEN_SCOPES
) -> str | Refusal:
    """A token that acts for these customers, 1 s to 30 days. A `custom` one is `custom_by_secret_only`."""
    if not 1 <= len(customers) <= TOKEN_CUSTOMERS_MAX:
        return invalid_request("customers", f"A token names 1 to {TOKEN_CUSTOMERS_MAX} customers.")
    if any(customer.type == "custom" for customer in customers):
        return Refusal("custom_by_secret_only")
    if not 1 <= ttl_s <= TOKEN_TTL_S_MAX:
        return invalid_request("ttl_s", f"`ttl_s` is 1 to {TOKEN_TTL_S_MAX} seconds.")
    if not scopes or any(scope not in TOKEN_SCOPES for scope in scopes):
        return invalid_request("scopes", f"A customer token's scopes are one or more of {', '.join(TOKEN_SCOPES)}.")
    named = sorted({customer.key for customer in customers})
    # A token asked for right after a revocation must not fall under it.
    issued_at = max(wall_ms(), queries.newest_revocation(work.connection, work.environment_id, named) + 1)
    carried = [scope for scope in TOKEN_SCOPES if scope in scopes]
    return tokens.sign(
        settings.require_secret(),
        work.environment_id,
        customers,
        carried,
        issued_at=issued_at,
        expires_at=issued_at + ttl_s * 1000,
    )


def revoke_customer_token(work: Work, settings: Settings, token: str) -> Refusal | None:
    """Void within a second, in every process. A token of somewhere else is `invalid_request`."""
    read = tokens.read_signed(settings.require_secret(), token)
    if read is None or read.environment_id != work.environment_id:
        return invalid_request("token", "This is no customer token of this environment.")
    row = {"environment_id": work.environment_id, "token_id": read.id, "expires_at": read.expires_at}
    if insert_if_absent(work, revoked_tokens, row):
        note(work, "customer_tokens.revoked", read.id)
    return None


def revoke_customers_tokens(work: Work, customer: Customer) -> None:
    """Every token that names this customer, issued up to now, is void within a second, in every process."""
    row = {"environment_id": work.environment_id, "customer": customer.key, "revoked_at": wall_ms()}
    upsert(work, revoked_customers, row, key=("environment_id", "customer"))
    note(work, "customer_tokens.revoked", customer.key)
