"""Payment intents, by the official SDK: paying, declining, 3DS, capture, cancel, bank debits."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop, error_of

PAID = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}


def test_a_card_pays_and_the_money_is_booked_less_the_fee(v1: Any, shop: Shop) -> None:
    paid = v1.payment_intents.create(
        {**PAID, "metadata": {"order": "7"}, "expand": ["latest_charge.balance_transaction"]}
    )
    charge = paid.latest_charge
    assert (paid.status, paid.amount_received, charge.paid, charge.metadata["order"]) == ("succeeded", 1000, True, "7")
    booked = charge.balance_transaction
    assert (booked.amount, booked.fee, booked.net, booked.status) == (1000, 59, 941, "pending")
    assert shop.events() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_without_a_method_it_waits_for_one(v1: Any) -> None:
    made = v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    assert made.status == "requires_payment_method"
    assert v1.payment_intents.update(made.id, {"payment_method": "pm_card_visa"}).status == "requires_confirmation"
    assert v1.payment_intents.confirm(made.id).status == "succeeded"


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("visa_chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
        ("chargeCustomerFail", "card_declined", "generic_decline"),
        ("radarBlock", "card_declined", "fraudulent"),
    ],
)
def test_a_declined_card_leaves_a_failed_charge_and_an_intent_to_try_again(
    v1: Any, shop: Shop, token: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        v1.payment_intents.create({**PAID, "payment_method": f"pm_card_{token}"})
    error = error_of(refusal)
    assert (refusal.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    intent = v1.payment_intents.retrieve(error.payment_intent.id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.payment_method, intent.last_payment_error.code) == (
        "requires_payment_method",
        None,
        code,
    )
    assert (intent.latest_charge.status, intent.latest_charge.failure_code) == ("failed", code)
    assert shop.events() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    again = v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)


def test_the_last_error_is_cleared_by_the_next_update(v1: Any) -> None:
    made = v1.payment_intents.create({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.CardError):
        v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa_chargeDeclined"})
    assert v1.payment_intents.update(made.id, {"description": "x"}).last_payment_error is None


def test_3ds_passed_pays(v1: Any, shop: Shop) -> None:
    waiting = v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_threeDSecure2Required", "return_url": "https://example.com/back"}
    )
    assert (waiting.status, waiting.next_action.type) == ("requires_action", "redirect_to_url")
    assert waiting.next_action.redirect_to_url.url == f"{shop.url}/3ds/{waiting.id}"
    shop.control("POST", f"payments/{waiting.id}/authenticate", {"outcome": "succeed"})
    assert v1.payment_intents.retrieve(waiting.id).status == "succeeded"
    assert shop.events()[1:] == ["payment_intent.requires_action", "charge.succeeded", "payment_intent.succeeded"]


def test_3ds_failed_asks_for_another_method(v1: Any, shop: Shop) -> None:
    waiting = v1.payment_intents.create({**PAID, "payment_method": "pm_card_authenticationRequired"})
    assert waiting.next_action.type == "use_stripe_sdk"
    shop.control("POST", f"payments/{waiting.id}/authenticate", {"outcome": "fail"})
    failed = v1.payment_intents.retrieve(waiting.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    assert shop.events()[-1] == "payment_intent.payment_failed"


def test_3ds_passed_can_still_decline(v1: Any, shop: Shop) -> None:
    token = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    waiting = v1.payment_intents.create({**PAID, "payment_method": token})
    shop.control("POST", f"payments/{waiting.id}/authenticate", {})
    assert v1.payment_intents.retrieve(waiting.id).last_payment_error.decline_code == "insufficient_funds"


@pytest.mark.parametrize(
    ("token", "is_set_up", "pays"),
    [
        ("visa", False, True),
        ("authenticationRequiredOnSetup", False, False),
        ("authenticationRequiredOnSetup", True, True),
        ("authenticationRequired", True, False),
        ("authenticationRequiredSetupForOffSession", False, True),
    ],
)
def test_off_session(v1: Any, shop: Shop, token: str, is_set_up: bool, pays: bool) -> None:
    customer = v1.customers.create().id
    method = v1.payment_methods.attach(f"pm_card_{token}", {"customer": customer}).id
    if is_set_up:
        setup = v1.setup_intents.create({"customer": customer, "payment_method": method, "confirm": True})
        shop.control("POST", f"payments/{setup.id}/authenticate", {})
    wish = {**PAID, "customer": customer, "payment_method": method, "off_session": True}
    if pays:
        assert v1.payment_intents.create(wish).status == "succeeded"
    else:
        with pytest.raises(stripe.CardError) as refusal:
            v1.payment_intents.create(wish)
        assert error_of(refusal).code == "authentication_required"


def test_manual_capture_of_a_part(v1: Any, shop: Shop) -> None:
    held = v1.payment_intents.create({**PAID, "capture_method": "manual"})
    assert (held.status, held.amount_capturable) == ("requires_capture", 1000)
    taken = v1.payment_intents.capture(held.id, {"amount_to_capture": 700})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 700, 0)
    assert shop.events()[2:] == [
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "refund.created",
        "payment_intent.succeeded",
    ]
    charge = v1.charges.retrieve(held.latest_charge, {"expand": ["refunds"]})
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (700, 300, False)
    (released,) = charge.refunds.data
    assert (released.amount, released.status, released.balance_transaction) == (300, "succeeded", None)
    assert sum(found.amount for found in v1.balance_transactions.list().data) == 700
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        v1.refunds.create({"charge": charge.id, "amount": 701})
    v1.refunds.create({"charge": charge.id})
    assert v1.charges.retrieve(charge.id).refunded is True
    shop.control("POST", f"refunds/{released.id}/settle", {"outcome": "fail"}, status=400)


def test_what_is_not_captured_in_seven_days_lapses(v1: Any, shop: Shop) -> None:
    held = v1.payment_intents.create({**PAID, "capture_method": "manual"})
    shop.advance("7d")
    lapsed = v1.payment_intents.retrieve(held.id)
    assert (lapsed.status, lapsed.cancellation_reason) == ("canceled", "automatic")
    assert shop.events()[-2:] == ["charge.expired", "payment_intent.canceled"]


def test_cancel_and_then_nothing_more(v1: Any, shop: Shop) -> None:
    made = v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    gone = v1.payment_intents.cancel(made.id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    assert error_of(refusal).code == "payment_intent_unexpected_state"
    assert error_of(refusal).payment_intent.status == "canceled"
    assert shop.events() == ["payment_intent.created", "payment_intent.canceled"]


@pytest.mark.parametrize(
    ("account", "outcome", "types"),
    [
        ("000123456789", "succeeded", ["charge.succeeded", "payment_intent.succeeded"]),
        ("000111111113", "account_closed", ["charge.failed", "payment_intent.payment_failed"]),
        ("000111111116", "no_account", ["charge.failed", "payment_intent.payment_failed"]),
        ("000222222227", "insufficient_funds", ["charge.failed", "payment_intent.payment_failed"]),
        ("000333333335", "debit_not_authorized", ["charge.failed", "payment_intent.payment_failed"]),
    ],
)
def test_a_bank_debit_settles_later(v1: Any, shop: Shop, account: str, outcome: str, types: list[str]) -> None:
    details = {"account_number": account, "routing_number": "110000000", "account_holder_type": "individual"}
    data = {"type": "us_bank_account", "us_bank_account": details, "billing_details": {"name": "Ann"}}
    made = v1.payment_intents.create({"amount": 1000, "currency": "usd", "payment_method_data": data, "confirm": True})
    assert made.status == "processing"
    assert shop.events() == ["payment_intent.created", "payment_intent.processing", "charge.pending"]
    shop.advance("3d")
    settled = v1.payment_intents.retrieve(made.id)
    assert (settled.last_payment_error.code if settled.last_payment_error else settled.status) == outcome
    assert shop.events()[3:] == types


def test_a_sepa_debit_settled_by_hand(v1: Any, shop: Shop) -> None:
    data = {"type": "sepa_debit", "sepa_debit": {"iban": "AT61 1904 3002 3457 3201"}}
    made = v1.payment_intents.create({"amount": 1000, "currency": "eur", "payment_method_data": data, "confirm": True})
    shop.control("POST", f"payments/{made.id}/settle", {"outcome": "fail", "code": "insufficient_funds"})
    assert v1.payment_intents.retrieve(made.id).last_payment_error.code == "insufficient_funds"


def test_setup_future_usage_saves_the_method(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create().id
    paid = v1.payment_intents.create({**PAID, "customer": customer, "setup_future_usage": "off_session"})
    assert [method.id for method in v1.customers.payment_methods.list(customer).data] == [paid.payment_method]
    assert shop.events()[-3:] == ["charge.succeeded", "payment_method.attached", "payment_intent.succeeded"]


def test_a_method_used_without_a_customer_is_used_up(v1: Any) -> None:
    method = v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
    v1.payment_intents.create({**PAID, "payment_method": method})
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        v1.payment_intents.create({**PAID, "payment_method": method})


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"currency": "zzzz"}, None, "currency"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"payment_method": "pm_nobody"}, "resource_missing", "payment_method"),
        (
            {"payment_method": "pm_usBankAccount_success", "currency": "eur"},
            "payment_intent_incompatible_payment_method",
            "payment_method",
        ),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"application_fee_amount": 5}, "sandbox_not_implemented", "application_fee_amount"),
    ],
)
def test_what_an_intent_refuses(v1: Any, wish: dict[str, Any], code: str | None, param: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.payment_intents.create({**PAID, **wish})
    assert (error_of(refusal).code, refusal.value.param) == (code, param)


def test_currencies_without_decimals(v1: Any) -> None:
    paid = v1.payment_intents.create({**PAID, "amount": 50, "currency": "JPY"})
    assert (paid.status, paid.currency, paid.amount_received) == ("succeeded", "jpy", 50)


def test_a_refused_confirm_of_an_intent_without_a_method(v1: Any) -> None:
    made = v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as refusal:
        v1.payment_intents.confirm(made.id)
    assert refusal.value.code == "payment_intent_unexpected_state"
