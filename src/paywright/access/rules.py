"""
What a caller may do. Pure, and asked before anything is looked up: a stranger learns nothing from a 404.

A door says for whom a route is (`Audience`) and which scope it takes; everything else follows from the caller.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from paywright.access.model import AppJwt, Audience, Caller, Scope
from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.refusals import Refusal

TEAMS_MAX = 100


def may(caller: Caller, audience: Audience, scope: Scope, *, customer: Customer | None = None) -> Refusal | None:
    """
    None when allowed; else `secret_key_required`, `not_your_customer` or `missing_scope` `{scope}`.

    `customer` is whom a route for "customer" is about. A secret key acts for everybody, within its scopes.
    """
    if audience == "customer":
        assert customer is not None, "a route for a customer names one"
    if caller.has_secret_key:
        return None if scope in caller.scopes else Refusal("missing_scope", {"scope": scope})
    if audience == "secret":
        return Refusal("secret_key_required")
    if audience == "anyone":
        return None
    if customer not in caller.customers:
        return Refusal("not_your_customer")
    if caller.kind == "customer_token" and scope not in caller.scopes:
        return Refusal("missing_scope", {"scope": scope})
    return None


def may_use_field(caller: Caller, field: str) -> Refusal | None:
    """A field of a request that is for secret keys only."""
    return None if caller.has_secret_key else Refusal("secret_key_required", {"field": field}, field)


def as_guest(caller: Caller, guest: Customer, claim_token: str) -> Caller:
    """A publishable key with a claim token is that guest: the token in the path or body is the proof. Other callers stay who they are."""
    assert guest.type == "guest", guest.type
    if caller.kind != "publishable":
        return caller
    token_hash = hashlib.sha256(claim_token.encode()).hexdigest()
    return msgspec.structs.replace(
        caller, kind="guest", customers=frozenset((guest,)), idempotency_caller=f"guest:{token_hash}", actor=guest.key
    )


def token_caller_name(customers: frozenset[Customer]) -> str:
    """All tokens of one set of customers are one caller."""
    joined = "\0".join(sorted(customer.key for customer in customers))
    return f"customers:{hashlib.sha256(joined.encode()).hexdigest()}"


def customers_in(claims: Mapping[str, Any], believed: AppJwt) -> frozenset[Customer] | None:
    """Whom a verified JWT of the app's own acts for: its user, and the teams it names. None when it does not say so in a form we know."""
    teams = claims.get(believed.teams_claim) or []
    if not isinstance(teams, list) or len(teams) > TEAMS_MAX:
        return None
    named = [("user", claims.get(believed.user_claim)), *(("team", team) for team in teams)]
    customers = set()
    for customer_type, customer_id in named:
        if isinstance(customer_id, int) and not isinstance(customer_id, bool):
            customer_id = str(customer_id)
        customer = parse_customer(customer_type, customer_id) if isinstance(customer_id, str) else None
        if not isinstance(customer, Customer):
            return None
        customers.add(customer)
    return frozenset(customers)


def is_meant_for(claims: Mapping[str, Any], audience: str | None) -> bool:
    """`aud` is a name or a list of names. No audience is asked for: every token of the issuer is."""
    if audience is None:
        return True
    said = claims.get("aud")
    return audience == said or (isinstance(said, list) and audience in said)
