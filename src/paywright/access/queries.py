"""Reading API keys and revocations."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.access.model import ApiKey, AppJwt, CustomerToken
from paywright.access.tables import api_keys, app_jwts, revoked_customers, revoked_tokens

_SHOWN = tuple(
    api_keys.c[name]
    for name in ("id", "kind", "name", "scopes", "last_four", "created_at", "revoked_at", "publishable_key")
)


def key_by_hash(connection: Connection, key_hash: str) -> tuple[str, ApiKey] | None:
    """The environment and the key, revoked ones too; None when there never was such a key."""
    statement = sa.select(api_keys.c.environment_id, *_SHOWN).where(api_keys.c.key_hash == key_hash)
    row = connection.execute(statement).one_or_none()
    return None if row is None else (row.environment_id, _api_key(row))


def keys(connection: Connection, environment_id: str, *, limit: int = 1000) -> list[ApiKey]:
    """Newest first, revoked ones too."""
    statement = sa.select(*_SHOWN).where(api_keys.c.environment_id == environment_id)
    rows = connection.execute(statement.order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc()).limit(limit))
    return [_api_key(row) for row in rows]


def key(connection: Connection, environment_id: str, key_id: str) -> ApiKey | None:
    statement = sa.select(*_SHOWN).where(api_keys.c.environment_id == environment_id, api_keys.c.id == key_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _api_key(row)


def publishable_key(connection: Connection, environment_id: str) -> str | None:
    """The newest live one; pages put it into the browser."""
    return connection.execute(
        sa.select(api_keys.c.publishable_key)
        .where(
            api_keys.c.environment_id == environment_id,
            api_keys.c.kind == "publishable",
            api_keys.c.revoked_at.is_(None),
        )
        .order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()


def is_revoked(connection: Connection, token: CustomerToken) -> bool:
    """The token itself was taken back, or all tokens of one of its customers were."""
    by_id = sa.select(revoked_tokens.c.token_id).where(
        revoked_tokens.c.environment_id == token.environment_id, revoked_tokens.c.token_id == token.id
    )
    by_customer = sa.select(revoked_customers.c.customer).where(
        revoked_customers.c.environment_id == token.environment_id,
        revoked_customers.c.customer.in_(sorted(customer.key for customer in token.customers)),
        revoked_customers.c.revoked_at >= token.issued_at,
    )
    return connection.execute(sa.select(sa.exists(by_id) | sa.exists(by_customer))).scalar_one() in (True, 1)


def newest_revocation(connection: Connection, environment_id: str, customer_keys: list[str]) -> int:
    """When tokens of any of these customers were taken back last; 0 when never."""
    statement = sa.select(sa.func.max(revoked_customers.c.revoked_at)).where(
        revoked_customers.c.environment_id == environment_id, revoked_customers.c.customer.in_(customer_keys)
    )
    return connection.execute(statement).scalar_one() or 0


def app_jwts_of_issuer(connection: Connection, issuer: str) -> list[tuple[str, AppJwt]]:
    """The environments that believe this issuer, by id, at most a hundred. A shared secret comes as it is stored, encrypted."""
    statement = sa.select(*app_jwts.c).where(app_jwts.c.issuer == issuer).order_by(app_jwts.c.environment_id).limit(100)
    return [(row.environment_id, _app_jwt(row)) for row in connection.execute(statement)]


def app_jwt(connection: Connection, environment_id: str) -> AppJwt | None:
    """As above, of one environment."""
    statement = sa.select(*app_jwts.c).where(app_jwts.c.environment_id == environment_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _app_jwt(row)


def _app_jwt(row: Any) -> AppJwt:
    return AppJwt(
        issuer=row.issuer,
        audience=row.audience,
        jwks_url=row.jwks_url,
        public_key=row.public_key,
        shared_secret=row.shared_secret,
        user_claim=row.user_claim,
        teams_claim=row.teams_claim,
    )


def _api_key(row: Any) -> ApiKey:
    scopes = row.scopes.split()
    return ApiKey(
        row.id, row.kind, row.name, scopes, row.last_four, row.created_at, row.revoked_at, row.publishable_key
    )
