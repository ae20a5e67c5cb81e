"""
Buying without an account, and coming back.

A claim token is made before payment and is one guest; whoever holds it holds what the guest buys. Those who lost theirs are sent a code to the
address they paid with, which opens all purchases of that address. A guest's purchases can move to an account, for good.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from paywright.access.actions import create_customer_token
from paywright.checkout.queries import guests_who_paid
from paywright.checkout.tables import checkout_sessions
from paywright.claims import queries
from paywright.claims.model import SignedIn
from paywright.claims.rules import CODE_LIFE_MS, CODE_TRIES_MAX, CODES_PER_HOUR_MAX, token_hash, weak_token
from paywright.claims.tables import claim_tokens, guests, sign_in_codes
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.model import Customer, normal_address
from paywright.kernel.refusals import Refusal
from paywright.kernel.vault import derived_key
from paywright.ledger import actions as ledger
from paywright.outbox.actions import lock_customers, record
from paywright.outbox.letters import write_letter
from paywright.ownership import freezing, moving
from paywright.payments.tables import payments
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

TOKEN_LIFE_S = 3_600
_HOUR_MS = 3_600_000


def new_claim_token() -> str:
    """256 random bits. Shown once; only its hash is kept."""
    return secrets.token_urlsafe(32)


def open_guest(work: Work, token: str) -> Customer | Refusal:
    """The guest of this token, made if nobody has it. `weak_claim_token`; `claim_taken` when its purchases moved to an account."""
    weak = weak_token(token)
    if weak is not None:
        return weak
    found = queries.guest_of(work.connection, work.environment_id, token)
    if found is None:
        guest_id = new_id("gst")
        work.execute(guests.insert().values(environment_id=work.environment_id, id=guest_id, created_at=work.now))
        if _add_token(work, token, guest_id):
            return Customer("guest", guest_id)
        found = queries.guest_of(work.connection, work.environment_id, token)
        assert found is not None, "somebody else just wrote this token"
    return Refusal("claim_taken") if found.attached_to is not None else found.customer


def send_code(app: App, environment: Environment, email: str) -> None:
    """
    A six-digit code to the address, if any guest paid with it. Nobody learns whether one did: the answer is always the same.

    At most five an hour and address.
    """
    address = normal_address(email)
    wall = wall_ms()
    with app.work(environment.id) as work:
        address_hash = _keyed(app, "address", address)
        mine = sign_in_codes.c.environment_id == environment.id, sign_in_codes.c.address_hash == address_hash
        recent = sa.select(sa.func.count()).where(*mine, sign_in_codes.c.created_at > wall - _HOUR_MS)
        if work.execute(recent).scalar_one() >= CODES_PER_HOUR_MAX:
            return
        code = f"{secrets.randbelow(1_000_000):06d}"
        work.execute(
            sign_in_codes.insert().values(
                environment_id=environment.id,
                id=new_id("code"),
                address_hash=address_hash,
                code_hash=_keyed(app, "code", f"{address} {code}"),
                tries_left=CODE_TRIES_MAX,
                expires_at=wall + CODE_LIFE_MS,
                created_at=wall,
            )
        )
        if guests_who_paid(work.connection, environment.id, address):
            write_letter(work, app.settings.require_secret(), "sign_in_code", new_id("ltr"), address, {"code": code})


def sign_in(
    app: App, environment: Environment, email: str, code: str, *, keep: Callable[[Work, SignedIn], None] | None = None
) -> SignedIn | Refusal:
    """
    All guest purchases of the address, each with a fresh claim token; old ones keep working. A wrong, used or old code: `invalid_credentials`.

    `keep` is called in the work that uses the code up, which nobody can do again.
    """
    address = normal_address(email)
    with app.work(environment.id) as work:
        if not _use_code(app, work, address, code):
            return Refusal("invalid_credentials")
        found = guests_who_paid(work.connection, environment.id, address)
        if not found:
            return Refusal("invalid_credentials")
        tokens = []
        for guest in found:
            token = new_claim_token()
            _add_token(work, token, guest.id)
            tokens.append(token)
        made = create_customer_token(work, app.settings, found, ttl_s=TOKEN_LIFE_S)
        if isinstance(made, Refusal):
            return made
        signed_in = SignedIn(made, tokens)
        if keep is not None:
            keep(work, signed_in)
    return signed_in


def attach(app: App, environment: Environment, account: Customer, token: str) -> Customer | Refusal:
    """
    Purchases and balances of the token's guest move to the account; answers the guest. The token then opens nothing.

    The same account again changes nothing; another one is `claim_taken`. Never refused for what the account owns.
    """
    with app.work(environment.id) as work:
        found = queries.guest_of(work.connection, environment.id, token)
        if found is None:
            return Refusal("claim_not_found")
        lock_customers(work, [found.customer, account])
        found = queries.guest(work.connection, environment.id, found.customer.id)
        assert found is not None
        if found.attached_to is not None:
            return found.customer if found.attached_to == account else Refusal("claim_taken")
        ledger.transfer(work, found.customer, account, source=f"claim:{found.customer.id}", actor=account.key)
        moving.move(work, found.customer, account)
        freezing.set_aside_again(work, account)
        for table in (checkout_sessions, payments):
            mine: Any = (table.c.environment_id == environment.id, table.c.customer == found.customer.key)
            work.execute(table.update().where(*mine).values(customer=account.key))
        here = guests.c.environment_id == environment.id, guests.c.id == found.customer.id
        work.execute(guests.update().where(*here).values(attached_to=account.key))
        told = {"guest": found.customer.id, "customer": {"type": account.type, "id": account.id}}
        record(work, "claim.attached", told, customer=account, change="products")
        return found.customer


def _use_code(app: App, work: Work, address: str, code: str) -> bool:
    """Good once. A wrong try costs one of five, of every code that is still open."""
    wall = wall_ms()
    mine = (
        sign_in_codes.c.environment_id == work.environment_id,
        sign_in_codes.c.address_hash == _keyed(app, "address", address),
        sign_in_codes.c.expires_at > wall,
        sign_in_codes.c.tries_left > 0,
    )
    columns = (sign_in_codes.c.id, sign_in_codes.c.code_hash)
    open_codes = work.execute(
        sa.select(*columns).where(*mine).order_by(sign_in_codes.c.id).limit(CODES_PER_HOUR_MAX).with_for_update()
    ).all()
    given = _keyed(app, "code", f"{address} {code}")
    matching = [row.id for row in open_codes if hmac.compare_digest(bytes(row.code_hash), given)]
    if matching:
        work.execute(sign_in_codes.delete().where(*mine[:2], sign_in_codes.c.id.in_(matching)))
        return True
    work.execute(sign_in_codes.update().where(*mine).values(tries_left=sign_in_codes.c.tries_left - 1))
    return False


def _add_token(work: Work, token: str, guest_id: str) -> bool:
    row = {"environment_id": work.environment_id, "token_hash": token_hash(token), "guest_id": guest_id}
    return insert_if_absent(work, claim_tokens, {**row, "created_at": work.now})


def _keyed(app: App, purpose: str, written: str) -> bytes:
    """Six digits are guessed from a plain hash in no time; this one needs the server's secret."""
    key = derived_key(app.settings.require_secret(), f"sign-in {purpose}")
    return hmac.new(key, written.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
