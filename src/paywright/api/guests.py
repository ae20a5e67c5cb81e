"""
Guests: who a claim token opens, what is bought with it, and the ways back to it.

A path about a guest takes a claim token; with a secret key, or with a customer token that names it, also the guest's id. Everything behind this file
knows the id only, so that a token is never stored, told or logged.
"""

import msgspec
from sqlalchemy.engine import Connection

from paywright.access.model import Caller
from paywright.access.rules import as_guest
from paywright.api import once
from paywright.api.call import Answer, Call, ok
from paywright.api.parsing import Body
from paywright.api.shapes import CustomerNamed, as_customer
from paywright.claims import actions, queries
from paywright.claims.model import SignedIn
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.storage.work import Work


class SignInCode(Body, frozen=True, kw_only=True):
    """The address the purchases were paid with."""

    email: str


class SignIn(Body, frozen=True, kw_only=True):
    """`code`: the six digits of the letter."""

    email: str
    code: str


class AttachedClaim(Body, frozen=True, kw_only=True):
    """A token of the guest whose purchases move to this account."""

    claim_token: str


class Acting(msgspec.Struct, frozen=True):
    """The caller, the customer by id, and the refusal of those who may: nobody goes by that name, or the purchases have moved on."""

    caller: Caller
    customer: Customer
    refusal: Refusal | None = None


def acting(app: App, caller: Caller, named: Customer) -> Acting:
    """Whoever a path or a body names. A publishable key with a claim token is that guest."""
    if named.type != "guest":
        return Acting(caller, named)
    with app.database.read() as connection:
        return found(connection, caller, named)


def found(connection: Connection, caller: Caller, named: Customer) -> Acting:
    if named.type != "guest":
        return Acting(caller, named)
    by_token = queries.guest_of(connection, caller.environment_id, named.id)
    guest = by_token
    if guest is None and caller.kind in ("secret", "customer_token"):
        guest = queries.guest(connection, caller.environment_id, named.id)
    if guest is None:
        # A publishable key speaks for whomever a token opens, here for nobody; others who may not act for guests hear that first.
        return Acting(as_guest(caller, named, named.id), named, Refusal("claim_not_found"))
    if by_token is not None:
        caller = as_guest(caller, guest.customer, named.id)
    is_gone = guest.attached_to is not None and not caller.has_secret_key
    return Acting(caller, guest.customer, Refusal("claim_taken") if is_gone else None)


def named_in_body(call: Call, named: CustomerNamed) -> Acting | Refusal:
    """The same for a customer in a request's body."""
    customer = as_customer(named)
    return customer if isinstance(customer, Refusal) else acting(call.app, call.caller, customer)


def read_claim(call: Call) -> Answer | Refusal:
    """What was bought with a claim token, as it is now. Having a token is no proof of purchase: `state` is."""
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        guest = queries.guest_of(connection, call.environment.id, call.parts["claim_token"])
        if guest is None:
            return Refusal("claim_not_found")
        currency = call.environment.default_currency
        return ok(queries.claim(connection, call.environment.id, guest, now, currency=currency))


def send_sign_in_code(call: Call) -> Answer:
    """Sends a code to the address, if anything was bought with it. The answer is the same either way."""
    actions.send_code(call.app, call.environment, call.body.email)
    return Answer(202, {})


def sign_in(call: Call) -> Answer | Refusal:
    """Opens all guest purchases of the address: a customer token for them, and a fresh claim token for each guest."""

    def keep(work: Work, signed_in: SignedIn) -> None:
        once.keep(call, work, Answer(200, signed_in, is_secret=True))

    signed_in = actions.sign_in(call.app, call.environment, call.body.email, call.body.code, keep=keep)
    return signed_in if isinstance(signed_in, Refusal) else Answer(200, signed_in, is_secret=True)


def attach_claim(call: Call) -> Answer | Refusal:
    """Moves a guest's purchases and balances to this user, for good. Again answers the same; the token then opens nothing."""
    if call.owner.type != "user":
        return Refusal("customer_type_mismatch", {"expected": "user", "actual": call.owner.type})
    guest = actions.attach(call.app, call.environment, call.owner, call.body.claim_token)
    if isinstance(guest, Refusal):
        return guest
    return ok({"state": "attached", "guest": guest, "customer": call.owner})
