"""The customer's balance and the book of its changes."""

import pytest
import stripe

from tests.contract.billing import Desk


def test_credit_by_hand_pays_the_next_invoice(desk: Desk) -> None:
    customer = desk.customer()
    given = desk.v1.customers.balance_transactions.create(
        customer, {"amount": -400, "currency": "usd", "description": "Sorry"}
    )
    assert (given.type, given.ending_balance, given.description) == ("adjustment", -400, "Sorry")
    made = desk.subscribe(desk.price(1000), customer)
    assert (made.latest_invoice.amount_due, made.latest_invoice.starting_balance) == (600, -400)
    book = desk.v1.customers.balance_transactions.list(customer).data
    assert [(one.type, one.amount, one.ending_balance) for one in book] == [
        ("applied_to_invoice", 400, 0),
        ("adjustment", -400, -400),
    ]
    by_invoice = desk.v1.customers.balance_transactions.list(customer, {"invoice": made.latest_invoice.id}).data
    assert [one.id for one in by_invoice] == [book[0].id]
    changed = desk.v1.customers.balance_transactions.update(customer, given.id, {"metadata": {"a": "1"}})
    assert changed.metadata.a == "1"
    assert desk.v1.customers.balance_transactions.retrieve(customer, given.id).amount == -400


def test_bad_changes_of_a_balance(desk: Desk) -> None:
    customer = desk.customer()
    desk.v1.customers.balance_transactions.create(customer, {"amount": -400, "currency": "usd"})
    for wish, param in [({"amount": 0, "currency": "usd"}, "amount"), ({"amount": 5, "currency": "eur"}, "currency")]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            desk.v1.customers.balance_transactions.create(customer, wish)
        assert refusal.value.param == param
    held = desk.v1.customers.balance_transactions.list(customer).data[0].id
    with pytest.raises(stripe.InvalidRequestError):
        desk.v1.customers.balance_transactions.retrieve(desk.customer(), held)
    assert desk.v1.customers.retrieve(customer).balance == -400


def test_a_balance_set_on_the_customer_stands_in_the_book(desk: Desk) -> None:
    customer = desk.v1.customers.create({"balance": -500}).id
    desk.v1.customers.update(customer, {"balance": -200})
    book = desk.v1.customers.balance_transactions.list(customer).data
    assert [(one.type, one.amount, one.ending_balance) for one in book] == [
        ("adjustment", 300, -200),
        ("initial", -500, -500),
    ]
