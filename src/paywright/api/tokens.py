"""Customer tokens, which a server hands to the browsers of its customers, and API keys."""

from typing import Any

from paywright.access import actions, queries
from paywright.access.identify import Credentials
from paywright.access.model import SCOPES, TOKEN_SCOPES, ApiKey
from paywright.access.tokens import read_signed
from paywright.api import guests
from paywright.api.call import Answer, Call, ok_unless_refused, whole
from paywright.api.parsing import Body
from paywright.api.shapes import CustomerNamed, as_customer
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.storage.work import Work


class NewToken(Body, frozen=True, kw_only=True):
    """`ttl_s` 1 second to 30 days; `scopes` `read` and `customers`."""

    customers: list[CustomerNamed]
    ttl_s: int
    scopes: tuple[str, ...] = TOKEN_SCOPES


class RevokedToken(Body, frozen=True, kw_only=True):
    """One of the two: a single token, or everything issued for a customer so far."""

    token: str | None = None
    customer: CustomerNamed | None = None


class NewKey(Body, frozen=True, kw_only=True):
    """`scopes` (default all) belong to secret keys."""

    kind: str = "secret"
    scopes: tuple[str, ...] = SCOPES
    name: str | None = None


def create_customer_token(call: Call, work: Work) -> Answer | Refusal:
    """A token that acts for these customers and nobody else, until its time is over or it is revoked."""
    body: NewToken = call.body
    customers = []
    for named in body.customers:
        customer = as_customer(named)
        if isinstance(customer, Refusal):
            return customer
        acts = guests.found(work.connection, call.caller, customer)
        if acts.refusal is not None:
            return acts.refusal
        customers.append(acts.customer)
    settings = call.app.settings
    token = actions.create_customer_token(work, settings, customers, ttl_s=body.ttl_s, scopes=body.scopes)
    if isinstance(token, Refusal):
        return token
    read = read_signed(settings.require_secret(), token)
    assert read is not None
    return Answer(201, {"token": token, "expires_at": rfc3339(read.expires_at)}, is_secret=True)


def revoke_customer_token(call: Call, work: Work) -> Answer | Refusal:
    """Takes back one token, or all that name a customer. It acts within a second, in every process."""
    body: RevokedToken = call.body
    if (body.token is None) == (body.customer is None):
        return invalid_request("token", "Send `token` or `customer`, one of them.")
    work.after_commit(call.app.resource(Credentials).forget)
    if body.token is not None:
        refusal = actions.revoke_customer_token(work, call.app.settings, body.token)
        return ok_unless_refused(refusal, lambda _: {"revoked": True})
    assert body.customer is not None
    customer = as_customer(body.customer)
    if isinstance(customer, Refusal):
        return customer
    acts = guests.found(work.connection, call.caller, customer)
    if acts.refusal is not None:
        return acts.refusal
    actions.revoke_customers_tokens(work, acts.customer)
    return Answer(200, {"revoked": True})


def list_keys(call: Call) -> Answer:
    """API keys, newest first, revoked ones too. A secret key shows its last four characters only."""
    with call.app.database.read() as connection:
        return whole([key_shown(key) for key in queries.keys(connection, call.environment.id)])


def create_key(call: Call, work: Work) -> Answer | Refusal:
    """A new key. A secret one is shown in this answer and never again."""
    body: NewKey = call.body
    if body.kind not in ("secret", "publishable"):
        return invalid_request("kind", "`kind` is `secret` or `publishable`.")
    made = actions.create_key(work, body.kind, scopes=body.scopes, name=body.name)  # type: ignore[arg-type]
    if isinstance(made, Refusal):
        return made
    return Answer(201, {**key_shown(made.key), "key": made.plain}, is_secret=True)


def revoke_key(call: Call) -> Answer | Refusal:
    """Voids a key within a second, in every process. Again: the same answer."""
    with call.app.work(call.environment.id) as work:
        revoked = actions.revoke_key(work, call.parts["key_id"])
        work.after_commit(call.app.resource(Credentials).forget)
    return ok_unless_refused(revoked, key_shown)


def key_shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "kind": key.kind,
        "name": key.name,
        "scopes": key.scopes,
        "last_four": key.last_four,
        "key": key.key,
        "created_at": rfc3339(key.created_at),
        "revoked_at": rfc3339_or_none(key.revoked_at),
    }
