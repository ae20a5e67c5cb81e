"""Payment methods and setup intents, by the official SDK."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop, error_of

CARD = {"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2039, "cvc": "123"}
DECLINING = [
    "visa_chargeDeclined",
    "visa_chargeDeclinedInsufficientFunds",
    "visa_chargeDeclinedLostCard",
    "visa_chargeDeclinedStolenCard",
    "visa_chargeDeclinedVelocityLimitExceeded",
    "chargeDeclinedExpiredCard",
    "chargeDeclinedIncorrectCvc",
    "chargeDeclinedProcessingError",
]


def test_create_attach_list_detach(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create().id
    method = v1.payment_methods.create({"type": "card", "card": CARD, "billing_details": {"name": "Ann"}})
    assert (method.card.brand, method.card.last4, method.customer) == ("visa", "4242", None)
    assert v1.payment_methods.attach(method.id, {"customer": customer}).customer == customer
    v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})
    assert [found.id for found in v1.payment_methods.list({"customer": customer, "type": "card"}).data] == [method.id]
    changed = v1.payment_methods.update(method.id, {"metadata": {"a": "b"}, "card": {"exp_month": 5}})
    assert (changed.card.exp_month, changed.metadata["a"]) == (5, "b")
    assert v1.payment_methods.detach(method.id).customer is None
    assert v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
    assert shop.events() == [
        "customer.created",
        "payment_method.attached",
        "customer.updated",
        "payment_method.updated",
        "payment_method.detached",
        "customer.updated",
    ]
    assert shop.event_objects()[4]["data"]["previous_attributes"] == {"customer": customer}


def test_a_test_token_mints_a_fresh_method_each_time(v1: Any) -> None:
    customer = v1.customers.create().id
    made = {v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id for _ in range(2)}
    assert len(made) == 2
    assert "pm_card_visa" not in made


@pytest.mark.parametrize("token", DECLINING)
def test_a_declining_card_cannot_be_attached_nor_set_up(v1: Any, shop: Shop, token: str) -> None:
    customer = v1.customers.create().id
    with pytest.raises(stripe.CardError):
        v1.payment_methods.attach(f"pm_card_{token}", {"customer": customer})
    assert v1.payment_methods.list({"customer": customer}).data == []
    with pytest.raises(stripe.CardError) as refusal:
        v1.setup_intents.create({"customer": customer, "payment_method": f"pm_card_{token}", "confirm": True})
    assert error_of(refusal).setup_intent.status == "requires_payment_method"
    assert shop.events()[-1] == "setup_intent.setup_failed"


def test_the_dunning_card_attaches_and_then_declines(v1: Any) -> None:
    customer = v1.customers.create().id
    method = v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer}).id
    with pytest.raises(stripe.CardError):
        v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True}
        )


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"cvc": "12"}, "invalid_cvc"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 2001}, "invalid_expiry_year"),
    ],
)
def test_a_card_that_cannot_be(v1: Any, wish: dict[str, Any], code: str) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        v1.payment_methods.create({"type": "card", "card": {**CARD, **wish}})
    assert refusal.value.code == code


def test_a_card_number_from_real_life_is_declined(v1: Any) -> None:
    method = v1.payment_methods.create({"type": "card", "card": {**CARD, "number": "4539578763621486"}})
    with pytest.raises(stripe.CardError) as refusal:
        v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": method.id, "confirm": True})
    assert error_of(refusal).decline_code == "test_mode_live_card"


def test_no_card_number_is_kept(v1: Any, shop: Shop) -> None:
    v1.payment_methods.create({"type": "card", "card": {**CARD, "number": "4000056655665556"}})
    kept = shop.http.get("/_sandbox/state").text + shop.http.get("/_sandbox/requests").text
    assert "5556" in kept
    assert "4000056655665556" not in kept


@pytest.mark.parametrize("type", ["klarna", "link"])
def test_other_methods_are_refused_by_name(v1: Any, type: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.payment_methods.create({"type": type})
    assert (refusal.value.code, refusal.value.param) == ("sandbox_not_implemented", "type")


def test_a_setup_intent_saves_a_card(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create().id
    made = v1.setup_intents.create({"customer": customer, "usage": "off_session"})
    done = v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    assert done.status == "succeeded"
    assert v1.payment_methods.retrieve(done.payment_method).customer == customer
    assert shop.events()[1:] == ["setup_intent.created", "setup_intent.succeeded", "payment_method.attached"]


@pytest.mark.parametrize("passes", [True, False])
def test_a_setup_intent_with_3ds(v1: Any, shop: Shop, passes: bool) -> None:
    made = v1.setup_intents.create({"payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True})
    assert made.status == "requires_action"
    shop.control("POST", f"payments/{made.id}/authenticate", {"outcome": "succeed" if passes else "fail"})
    done = v1.setup_intents.retrieve(made.id)
    assert done.status == ("succeeded" if passes else "requires_payment_method")
    assert (done.last_setup_error is None) == passes


def test_a_canceled_setup_intent_is_final(v1: Any) -> None:
    made = v1.setup_intents.create()
    assert v1.setup_intents.cancel(made.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    assert refusal.value.code == "setup_intent_unexpected_state"
    assert [found.id for found in v1.setup_intents.list().data] == [made.id]
