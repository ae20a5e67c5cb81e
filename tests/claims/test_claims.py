"""Guests, on both databases: rules.md 6 on guests, cases K7, K8, G3, E4 as far as they concern claims."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.checkout.tables import checkout_sessions
from paywright.claims import actions as claims
from paywright.claims import queries
from paywright.claims.model import Claim, SignedIn
from paywright.claims.rules import weak_token
from paywright.claims.tables import claim_tokens, sign_in_codes
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.outbox.actions import lock_customers
from paywright.outbox.letters import newest
from paywright.outbox.tables import events, letters
from paywright.ownership.model import AskedLine
from paywright.subscriptions import changes
from tests.harness.shop import SECRET, Shop

CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "product_lines": {"plan": {}},
    "products": {
        "pro": {"product_line": "plan", "prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}}},
        "lifetime": {"product_line": "plan", "prices": {"once": {"amounts": {"usd": 9900}}}},
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
    },
}
ACCOUNT = Customer("user", "u_1")


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


def guest(shop: Shop, token: str) -> Customer:
    with shop.app.work("test") as work:
        opened = claims.open_guest(work, token)
    assert isinstance(opened, Customer), opened
    return opened


def buy(shop: Shop, token: str, product_id: str = "pack", email: str | None = None) -> CheckoutSession | Refusal:
    asked = StartCheckout(
        customer=guest(shop, token),
        lines=(AskedLine(product_id=product_id),),
        success_url="https://app.test/ok",
        cancel_url="https://app.test/no",
        with_secret_key=False,
    )
    session = checkout.start(shop.app, shop.environment, asked)
    if email is not None and isinstance(session, CheckoutSession):
        with shop.app.work("test") as work:
            mine = checkout_sessions.c.id == session.id
            work.execute(checkout_sessions.update().where(mine).values(buyer_email=email.strip().lower()))
    return session


def look(shop: Shop, token: str) -> Claim | None:
    with shop.app.database.read() as connection:
        found = queries.guest_of(connection, "test", token)
        return None if found is None else queries.claim(connection, "test", found, shop.instant, currency="usd")


def code_sent(shop: Shop) -> str:
    with shop.app.database.read() as connection:
        return str(newest(connection, SECRET, "test")[0].facts["code"])


@pytest.mark.parametrize(
    ("token", "is_weak"),
    [
        ("A1b2C3d4E5" * 4, False),
        ("A1b2C3d4E5" * 3, True),
        ("a" * 40, True),
        ("abcdefghi" * 4, True),
        ("A1b2C3d4E5" * 12 + "x" * 9, True),
        ("A1b2C3d4E5" * 3 + "ü!", True),
        ("A1b2C3d4E5 " * 4, True),
        ("", True),
    ],
)
def test_a_claim_token_has_enough_in_it(token: str, is_weak: bool) -> None:
    assert (weak_token(token) is not None) is is_weak
    assert weak_token(claims.new_claim_token()) is None


def test_only_the_hash_of_a_token_is_kept(shop: Shop) -> None:
    token = claims.new_claim_token()
    buy(shop, token)
    with shop.app.database.read() as connection:
        rows = connection.execute(sa.select(claim_tokens)).all() + connection.execute(sa.select(events)).all()
    assert token not in repr(rows)


def test_a_token_is_one_guest_and_shows_what_was_bought(shop: Shop) -> None:
    token = claims.new_claim_token()
    assert look(shop, token) is None
    assert guest(shop, token) == guest(shop, token)
    assert look(shop, token) == Claim("pending")
    buy(shop, token)
    buy(shop, token)
    found = look(shop, token)
    assert found is not None
    assert (found.state, len(found.products)) == ("active", 2)
    assert found.items == [{"id": "credits", "quantity": 200, "held": 0}]


def test_a_guests_first_purchase_is_told_once(shop: Shop) -> None:
    token = claims.new_claim_token()
    buy(shop, token)
    buy(shop, token)
    told = [event_type for _, event_type in shop.events(guest(shop, token))]
    assert told.count("claim.activated") == 1
    assert told.index("claim.activated") < told.index("checkout.completed")


def test_K8_a_guest_buys_one_time_products_only(shop: Shop) -> None:
    outcome = buy(shop, claims.new_claim_token(), "pro")
    assert isinstance(outcome, Refusal)
    assert outcome.code == "guest_one_time_only"


def test_what_is_taken_back_is_refunded(shop: Shop) -> None:
    token = claims.new_claim_token()
    buy(shop, token)
    changes.revoke(shop.app, shop.environment, guest(shop, token), "pack")
    found = look(shop, token)
    assert found is not None
    assert (found.state, found.products) == ("refunded", [])


def test_K7_a_code_brings_back_all_purchases_of_an_address(shop: Shop) -> None:
    old = claims.new_claim_token()
    buy(shop, old, email="Buyer@x.com")
    buy(shop, claims.new_claim_token(), email=" buyer@X.com ")
    buy(shop, claims.new_claim_token(), email="somebody@else.com")
    claims.send_code(shop.app, shop.environment, "BUYER@x.com")
    signed_in = claims.sign_in(shop.app, shop.environment, "buyer@x.com ", code_sent(shop))
    assert isinstance(signed_in, SignedIn)
    assert len(signed_in.claims) == 2
    states = [look(shop, token) for token in (old, *signed_in.claims)]
    assert [state.state for state in states if state is not None] == ["active"] * 3
    assert signed_in.customer_token.count(".") == 2


def test_a_code_is_good_once_for_its_address_and_for_five_tries(shop: Shop) -> None:
    buy(shop, claims.new_claim_token(), email="buyer@x.com")
    claims.send_code(shop.app, shop.environment, "buyer@x.com")
    code = code_sent(shop)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert isinstance(claims.sign_in(shop.app, shop.environment, "other@x.com", code), Refusal)
    for _ in range(4):
        refusal = claims.sign_in(shop.app, shop.environment, "buyer@x.com", wrong)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "invalid_credentials"
    assert isinstance(claims.sign_in(shop.app, shop.environment, "buyer@x.com", code), SignedIn)
    assert isinstance(claims.sign_in(shop.app, shop.environment, "buyer@x.com", code), Refusal)
    claims.send_code(shop.app, shop.environment, "buyer@x.com")
    for _ in range(5):
        claims.sign_in(shop.app, shop.environment, "buyer@x.com", wrong)
    assert isinstance(claims.sign_in(shop.app, shop.environment, "buyer@x.com", code_sent(shop)), Refusal)


def test_an_old_code_is_no_code(shop: Shop) -> None:
    buy(shop, claims.new_claim_token(), email="buyer@x.com")
    claims.send_code(shop.app, shop.environment, "buyer@x.com")
    with shop.app.work("test") as work:
        work.execute(sign_in_codes.update().values(expires_at=1))
    assert isinstance(claims.sign_in(shop.app, shop.environment, "buyer@x.com", code_sent(shop)), Refusal)


def test_nobody_learns_whether_an_address_bought_anything(shop: Shop) -> None:
    claims.send_code(shop.app, shop.environment, "stranger@x.com")
    with shop.app.database.read() as connection:
        assert connection.execute(sa.select(letters)).all() == []
        assert len(connection.execute(sa.select(sign_in_codes)).all()) == 1


def test_five_codes_an_hour_and_address(shop: Shop) -> None:
    buy(shop, claims.new_claim_token(), email="buyer@x.com")
    for _ in range(8):
        claims.send_code(shop.app, shop.environment, "buyer@x.com")
    with shop.app.database.read() as connection:
        assert len(connection.execute(sa.select(letters)).all()) == 5


def test_a_code_is_nowhere_to_be_read(shop: Shop) -> None:
    buy(shop, claims.new_claim_token(), email="buyer@x.com")
    claims.send_code(shop.app, shop.environment, "buyer@x.com")
    code = code_sent(shop)
    with shop.app.database.read() as connection:
        rows = (
            connection.execute(sa.select(letters.c.sealed)).all() + connection.execute(sa.select(events.c.data)).all()
        )
    assert code not in repr(rows)
    assert "buyer@x.com" not in repr(rows)


def test_purchases_move_to_an_account_once_and_for_good(shop: Shop) -> None:
    token = claims.new_claim_token()
    buy(shop, token)
    buyer = guest(shop, token)
    with shop.app.work("test") as work:
        lock_customers(work, [buyer])
        ledger.decrease(work, buyer, "credits", 30, source="test")
    shop.grant(ACCOUNT, "pack")
    assert claims.attach(shop.app, shop.environment, ACCOUNT, token) == claims.attach(
        shop.app, shop.environment, ACCOUNT, token
    )
    assert len(shop.owned(ACCOUNT)) == 2
    assert shop.units(ACCOUNT) == 170
    assert look(shop, token) == Claim("attached")
    taken = claims.attach(shop.app, shop.environment, Customer("user", "u_2"), token)
    assert isinstance(taken, Refusal)
    assert taken.code == "claim_taken"
    with shop.app.work("test") as work:
        again = claims.open_guest(work, token)
    assert isinstance(again, Refusal)
    assert again.code == "claim_taken"
    unknown = claims.attach(shop.app, shop.environment, ACCOUNT, claims.new_claim_token())
    assert isinstance(unknown, Refusal)
    assert unknown.code == "claim_not_found"


def test_what_is_paid_for_is_attached_whatever_the_account_owns(shop: Shop) -> None:
    token = claims.new_claim_token()
    buy(shop, token, "lifetime")
    shop.grant(ACCOUNT, "lifetime")
    assert isinstance(claims.attach(shop.app, shop.environment, ACCOUNT, token), Customer)
    assert [each.product_id for each in shop.owned(ACCOUNT)] == ["lifetime", "lifetime"]
