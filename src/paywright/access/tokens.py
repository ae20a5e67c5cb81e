"""
Customer tokens: HS256 JWTs under a key derived per environment from `PAYWRIGHT_SECRET`. Real time, never the sandbox's.

The environment stands in the token, is read unverified to find the key, and is proven by the signature like all the rest.
"""

from collections.abc import Sequence
from typing import Any

import jwt
import msgspec

from paywright.access.model import TOKEN_SCOPES, CustomerToken, Scope
from paywright.kernel.ids import new_id
from paywright.kernel.model import CUSTOMER_TYPES, Customer
from paywright.kernel.refusals import Refusal
from paywright.kernel.vault import derived_key

_ALGORITHM = "HS256"
_TOKEN_LENGTH_MAX = 8192

FOREIGN_JWT = (
    "This JWT is no customer token of ours, and names no issuer (`iss`) that we could ask an environment about."
)


class _Claims(msgspec.Struct, frozen=True):
    jti: str
    environment: str
    customers: list[str]
    scopes: list[str]
    iat: float
    exp: float


def sign(
    secret: str,
    environment_id: str,
    customers: Sequence[Customer],
    scopes: Sequence[Scope],
    *,
    issued_at: int,
    expires_at: int,
) -> str:
    claims: dict[str, Any] = {
        "jti": new_id("ctok"),
        "environment": environment_id,
        "customers": sorted(customer.key for customer in customers),
        "scopes": list(scopes),
        "iat": issued_at / 1000,
        "exp": expires_at / 1000,
    }
    return jwt.encode(claims, _key(secret, environment_id), algorithm=_ALGORITHM)


def verify(secret: str, token: str, *, wall: int) -> CustomerToken | Refusal:
    """`invalid_credentials` for what is not ours or was tampered with, `token_expired` past its time. Revocation is not looked at."""
    read = read_signed(secret, token)
    if read is None:
        return Refusal("invalid_credentials", {"reason": FOREIGN_JWT} if _is_foreign(token) else {})
    return read if wall < read.expires_at else Refusal("token_expired")


def read_signed(secret: str, token: str) -> CustomerToken | None:
    """What the token says if the signature holds, expired or not."""
    try:
        environment_id = jwt.decode(token, options={"verify_signature": False}).get("environment")
        if len(token) > _TOKEN_LENGTH_MAX or not isinstance(environment_id, str):
            return None
        # Instants are checked by us, in milliseconds: PyJWT would compare whole seconds.
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "jti"]}
        signed = jwt.decode(token, _key(secret, environment_id), algorithms=[_ALGORITHM], options=options)
        claims = msgspec.convert(signed, _Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError, UnicodeError):
        return None
    if not all(key.partition(":")[0] in CUSTOMER_TYPES for key in claims.customers):
        return None
    return CustomerToken(
        id=claims.jti,
        environment_id=environment_id,
        customers=frozenset(Customer.of_key(key) for key in claims.customers),
        scopes=frozenset(scope for scope in TOKEN_SCOPES if scope in claims.scopes),
        issued_at=round(claims.iat * 1000),
        expires_at=round(claims.exp * 1000),
    )


def issuer_of(token: str) -> str | None:
    """Who says to have issued it; our own tokens name nobody. Nothing is proven by that."""
    try:
        issuer = (
            jwt.decode(token, options={"verify_signature": False}).get("iss")
            if len(token) <= _TOKEN_LENGTH_MAX
            else None
        )
    except (jwt.InvalidTokenError, UnicodeError):
        return None
    return issuer if isinstance(issuer, str) and issuer else None


def _is_foreign(token: str) -> bool:
    try:
        return "environment" not in jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, UnicodeError):
        return False


def _key(secret: str, environment_id: str) -> bytes:
    return derived_key(secret, f"customer-tokens:{environment_id}")
