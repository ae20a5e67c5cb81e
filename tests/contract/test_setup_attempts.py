"""Attempts at a setup intent, and the mandates of payment methods."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop

BANK = {
    "type": "us_bank_account",
    "us_bank_account": {
        "account_number": "000123456789",
        "routing_number": "110000000",
        "account_holder_type": "individual",
    },
    "billing_details": {"name": "Ann"},
}
ONLINE = {"customer_acceptance": {"type": "online", "online": {"ip_address": "192.0.2.1", "user_agent": "test"}}}


def attempts(v1: Any, intent: str) -> list[Any]:
    return list(v1.setup_attempts.list({"setup_intent": intent}).data)


def test_a_card_is_saved_at_the_first_attempt(v1: Any) -> None:
    customer = v1.customers.create().id
    made = v1.setup_intents.create(
        {"customer": customer, "payment_method": "pm_card_visa", "confirm": True, "expand": ["latest_attempt"]}
    )
    assert (made.latest_attempt.status, made.latest_attempt.setup_error) == ("succeeded", None)
    assert made.latest_attempt.payment_method_details.card.last4 == "4242"
    assert (made.mandate, made.latest_attempt.customer, made.latest_attempt.usage) == (None, customer, "off_session")


def test_each_attempt_is_kept_newest_first(v1: Any, shop: Shop) -> None:
    made = v1.setup_intents.create()
    assert (made.latest_attempt, attempts(v1, made.id)) == (None, [])
    with pytest.raises(stripe.CardError):
        v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa_chargeDeclined"})
    v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_authenticationRequired"})
    shop.control("POST", f"payments/{made.id}/authenticate", {"outcome": "fail"})
    v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_authenticationRequired"})
    v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_authenticationRequired"})
    shop.control("POST", f"payments/{made.id}/authenticate", {"outcome": "succeed"})
    found = attempts(v1, made.id)
    assert [each.status for each in found] == ["succeeded", "abandoned", "failed", "failed"]
    assert found[0].id == v1.setup_intents.retrieve(made.id).latest_attempt
    assert found[0].payment_method_details.card.three_d_secure.result == "authenticated"
    assert found[2].payment_method_details.card.three_d_secure.result == "failed"
    assert found[2].setup_error.code == "setup_intent_authentication_failure"
    assert found[3].setup_error.code == "card_declined"


def test_a_canceled_intent_abandons_its_attempt(v1: Any) -> None:
    made = v1.setup_intents.create({"payment_method": "pm_card_authenticationRequired", "confirm": True})
    assert attempts(v1, made.id)[0].status == "requires_action"
    v1.setup_intents.cancel(made.id)
    assert attempts(v1, made.id)[0].status == "abandoned"


def test_attempts_are_asked_for_by_their_intent(v1: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.setup_attempts.list({"setup_intent": "seti_x"})
    assert refusal.value.param == "setup_intent"


def test_a_bank_account_is_debited_by_mandate(v1: Any) -> None:
    customer = v1.customers.create().id
    method = v1.payment_methods.create(BANK).id
    made = v1.setup_intents.create(
        {
            "customer": customer,
            "payment_method": method,
            "confirm": True,
            "mandate_data": ONLINE,
            "expand": ["mandate"],
        }
    )
    assert (made.mandate.status, made.mandate.type, made.mandate.payment_method) == ("active", "multi_use", method)
    assert made.mandate.customer_acceptance.online.ip_address == "192.0.2.1"
    assert v1.mandates.retrieve(made.mandate.id).id == made.mandate.id
    wish = {"amount": 900, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True}
    paid = v1.payment_intents.create({**wish, "off_session": True, "expand": ["latest_charge"]})
    assert paid.latest_charge.payment_method_details.us_bank_account.mandate == made.mandate.id


def test_a_direct_debit_names_its_mandate(v1: Any) -> None:
    method = v1.payment_methods.create(
        {
            "type": "sepa_debit",
            "sepa_debit": {"iban": "AT611904300234573201"},
            "billing_details": {"name": "Ann", "email": "ann@example.com"},
        }
    )
    wish = {"amount": 900, "currency": "eur", "payment_method": method.id, "confirm": True, "mandate_data": ONLINE}
    paid = v1.payment_intents.create({**wish, "expand": ["latest_charge"]})
    mandate = v1.mandates.retrieve(paid.latest_charge.payment_method_details.sepa_debit.mandate)
    assert (mandate.customer_acceptance.type, len(mandate.payment_method_details.sepa_debit.reference)) == (
        "online",
        16,
    )


def test_a_card_has_a_mandate_when_its_holder_agreed_to_one(v1: Any) -> None:
    offline = {"customer_acceptance": {"type": "offline", "offline": {}, "accepted_at": 1_800_000_000}}
    made = v1.setup_intents.create(
        {"payment_method": "pm_card_visa", "confirm": True, "mandate_data": offline, "expand": ["mandate"]}
    )
    assert made.mandate.customer_acceptance.accepted_at == 1_800_000_000
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.setup_intents.create({"payment_method": "pm_card_visa", "mandate_data": offline})
    assert refusal.value.param == "mandate_data"
