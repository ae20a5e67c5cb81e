"""Money that takes days, and may not come at all."""

import pytest

from tests.flows.shop import Shop

DEBIT = "pm_usBankAccount_success"


def test_K5_a_bank_debit_grants_when_it_clears_and_not_before(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack")
    shop.pay(session, payment_method=DEBIT)
    shop.settle()
    waiting = shop.client.sync_checkout_session(session.id)
    assert (waiting.status, waiting.payment_status) == ("completed", "unpaid")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, 0)
    assert [payment.status for payment in shop.client.list_payments().data] == ["pending"]

    settle_debit(shop, "succeed")
    paid = shop.client.get_checkout_session(session.id)
    assert (paid.status, paid.payment_status) == ("completed", "paid")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pack": 1}, 100)
    shop.client.sync_checkout_session(session.id)
    assert shop.credits("u_1") == 100


def test_a_bank_debit_that_bounces_grants_nothing(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack")
    shop.pay(session, payment_method=DEBIT)
    shop.settle()
    settle_debit(shop, "fail")
    bounced = shop.client.sync_checkout_session(session.id)
    assert (bounced.status, bounced.payment_status) == ("completed", "unpaid")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, 0)
    assert [payment.status for payment in shop.client.list_payments().data] == ["failed"]


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_a_debit_settles_by_itself_as_time_goes_by(shop: Shop, outcome: str) -> None:
    method = DEBIT if outcome == "succeed" else "pm_usBankAccount_insufficientFunds"
    session = shop.checkout("u_1", "pack")
    shop.pay(session, payment_method=method)
    shop.advance("5d")
    assert shop.credits("u_1") == (100 if outcome == "succeed" else 0)


def settle_debit(shop: Shop, outcome: str) -> None:
    (intent,) = shop.account.every("/v1/payment_intents")
    shop.account.post(f"/_sandbox/payments/{intent['id']}/settle", {"outcome": outcome})
    shop.settle()
