"""Who calls, and what they may."""

from typing import Literal

import msgspec

from paywright.kernel.model import Customer

Scope = Literal["read", "customers", "ledger", "catalog", "refunds", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "customers", "ledger", "catalog", "refunds", "admin")

TOKEN_SCOPES: tuple[Scope, ...] = ("read", "customers")
"""What a customer token may carry: look, and act (cancel, resume, switch, buy, billing)."""

KeyKind = Literal["secret", "publishable"]
CallerKind = Literal["secret", "publishable", "customer_token", "guest"]

Audience = Literal["anyone", "customer", "secret"]
"""For whom a route is: any credential, whoever acts for the customer it names, or a secret key alone."""


class Caller(msgspec.Struct, frozen=True):
    """
    Somebody whose credentials were checked.

    `customers` are those a token or a guest acts for; a secret key acts for all. `idempotency_caller` is who may meet an Idempotency-Key again.
    `actor` is what the audit log and ledger entries say: the key's id, or the token's.
    """

    kind: CallerKind
    environment_id: str
    scopes: frozenset[Scope]
    customers: frozenset[Customer]
    idempotency_caller: str
    actor: str

    @property
    def has_secret_key(self) -> bool:
        return self.kind == "secret"


class ApiKey(msgspec.Struct, frozen=True):
    """A key as it may be shown. `key` is the whole of a publishable one, None for a secret one."""

    id: str
    kind: KeyKind
    name: str | None
    scopes: list[Scope]
    last_four: str
    created_at: int
    revoked_at: int | None
    key: str | None = None


class CreatedKey(msgspec.Struct, frozen=True):
    """`plain` is shown once; of a secret key only its hash is stored."""

    key: ApiKey
    plain: str

    def __repr__(self) -> str:
        return f"CreatedKey({self.key.id}, …{self.key.last_four})"


class CustomerToken(msgspec.Struct, frozen=True):
    """What a verified customer token says. Instants in wall-clock milliseconds."""

    id: str
    environment_id: str
    customers: frozenset[Customer]
    scopes: frozenset[Scope]
    issued_at: int
    expires_at: int


class AppJwt(msgspec.Struct, frozen=True):
    """
    The JWTs of the app's own that an environment believes. Exactly one of `jwks_url`, `public_key` (PEM) and `shared_secret` is there.

    `audience` None: whatever the token says. `user_claim` holds the user's id, `teams_claim` a list of the teams this person may act for.
    """

    issuer: str
    audience: str | None = None
    jwks_url: str | None = None
    public_key: str | None = None
    shared_secret: str | None = None
    user_claim: str = "sub"
    teams_claim: str = "teams"

    def __repr__(self) -> str:
        return f"AppJwt({self.issuer})"
