"""
Test cards and bank accounts: a number or `pm_card_…` → what happens. The table is the whole truth; machines ask it, nothing else decides.

Only the row's name is kept with a payment method. The number itself is never stored.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

Authentication = Literal["never", "always", "unless_set_up", "on_session"]
"""`always`: 3DS on session, refused off session. `unless_set_up`: off session it pays once it was set up. `on_session`: off session it pays."""

DECLINES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "card_velocity_exceeded": "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    "fraudulent": "Your card was declined.",
    "test_mode_live_card": "Your card was declined. Your request was in test mode, but used a non test (live) card.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


@dataclass(frozen=True)
class Decline:
    """`code` is Stripe's error code, `decline_code` the issuer's reason."""

    code: str
    decline_code: str | None

    @property
    def message(self) -> str:
        return DECLINES[self.decline_code or self.code]

    @property
    def advice_code(self) -> str | None:
        if self.decline_code in ("lost_card", "stolen_card", "fraudulent"):
            return "do_not_try_again"
        return "confirm_card_data" if self.code in ("expired_card", "incorrect_cvc") else "try_again_later"


@dataclass(frozen=True)
class Card:
    name: str
    """What stands after `pm_card_`."""
    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    attaches: bool = True
    authentication: Authentication = "never"
    supports_authentication: bool = True
    dispute: str | None = None
    """The reason of the chargeback that follows a payment."""
    is_inquiry: bool = False
    is_reported: bool = False
    """An early fraud warning follows a payment."""
    refund: Literal["succeeds", "pending", "fails"] = "succeeds"
    is_blocked: bool = False
    available_at_once: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]


def declined(decline_code: str) -> Decline:
    return Decline("card_declined", decline_code)


def refused(code: str) -> Decline:
    """Codes that are their own reason and so have no decline code, but for the expired card and the CVC."""
    return Decline(code, None)


GENERIC = declined("generic_decline")
POOR = declined("insufficient_funds")
NO_FUNDS = "authenticationRequiredChargeDeclinedInsufficientFunds"

ROWS = (
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556", funding="debit"),
    Card("mastercard", "5555555555554444", "mastercard"),
    Card("amex", "378282246310005", "amex"),
    Card("discover", "6011111111111117", "discover"),
    Card("visa_chargeDeclined", "4000000000000002", decline=GENERIC, attaches=False),
    Card("visa_chargeDeclinedInsufficientFunds", "4000000000009995", decline=POOR, attaches=False),
    Card("visa_chargeDeclinedLostCard", "4000000000009987", decline=declined("lost_card"), attaches=False),
    Card("visa_chargeDeclinedStolenCard", "4000000000009979", decline=declined("stolen_card"), attaches=False),
    Card(
        "visa_chargeDeclinedVelocityLimitExceeded",
        "4000000000006975",
        decline=declined("card_velocity_exceeded"),
        attaches=False,
    ),
    Card("chargeDeclinedExpiredCard", "4000000000000069", decline=refused("expired_card"), attaches=False),
    Card("chargeDeclinedIncorrectCvc", "4000000000000127", decline=refused("incorrect_cvc"), attaches=False),
    Card("chargeDeclinedProcessingError", "4000000000000119", decline=refused("processing_error"), attaches=False),
    Card("chargeCustomerFail", "4000000000000341", decline=GENERIC),
    Card("authenticationRequiredOnSetup", "4000002500003155", authentication="unless_set_up"),
    Card("authenticationRequired", "4000002760003184", authentication="always"),
    Card("authenticationRequiredSetupForOffSession", "4000003800000446", authentication="on_session"),
    Card(NO_FUNDS, "4000008260003178", country="GB", authentication="always", decline=POOR),
    Card("threeDSecure2Required", "4000000000003220", authentication="always"),
    Card("threeDSecureRequiredChargeDeclined", "4000008400001629", authentication="always", decline=GENERIC),
    Card("threeDSecureOptional", "4000000000003055"),
    Card("createDispute", "4000000000000259", dispute="fraudulent"),
    Card("createDisputeProductNotReceived", "4000000000002685", dispute="product_not_received"),
    Card("createDisputeInquiry", "4000000000001976", dispute="fraudulent", is_inquiry=True),
    Card("createIssuerFraudRecord", "4000000000005423", is_reported=True),
    Card("pendingRefund", "4000000000007726", refund="pending"),
    Card("refundFail", "4000000000005126", refund="fails"),
    Card("bypassPending", "4000000000000077", available_at_once=True),
    Card("radarBlock", "4100000000000019", decline=declined("fraudulent"), is_blocked=True),
)
# A number from outside the table that could be a real card: declined as Stripe declines it in test mode.
LIVE_CARD = Card("live", "", decline=declined("test_mode_live_card"), attaches=False)

BY_NAME = {card.name: card for card in ROWS}
BY_NUMBER = {card.number: card for card in ROWS}


@dataclass(frozen=True)
class Debit:
    """A bank debit: processing first, then this."""

    name: str
    type: Literal["us_bank_account", "sepa_debit"]
    number: str
    failure: str | None = None
    dispute: str | None = None

    @property
    def last4(self) -> str:
        return self.number[-4:]


ROUTING_NUMBER = "110000000"

DEBITS = (
    Debit("usBankAccount_success", "us_bank_account", "000123456789"),
    Debit("usBankAccount_accountClosed", "us_bank_account", "000111111113", "account_closed"),
    Debit("usBankAccount_noAccount", "us_bank_account", "000111111116", "no_account"),
    Debit("usBankAccount_insufficientFunds", "us_bank_account", "000222222227", "insufficient_funds"),
    Debit("usBankAccount_debitNotAuthorized", "us_bank_account", "000333333335", "debit_not_authorized"),
    Debit("usBankAccount_dispute", "us_bank_account", "000555555559", dispute="debit_not_authorized"),
    Debit("sepaDebit_success", "sepa_debit", "AT611904300234573201"),
    Debit("sepaDebit_fail", "sepa_debit", "AT861904300235473202", "insufficient_funds"),
)
DEBIT_BY_NAME = {debit.name: debit for debit in DEBITS}
DEBIT_BY_NUMBER = {debit.number: debit for debit in DEBITS}

DEBIT_FAILURES = {
    "account_closed": "The customer's bank account has been closed.",
    "no_account": "The customer's bank account could not be located.",
    "insufficient_funds": "The customer's account has insufficient funds to cover this payment.",
    "debit_not_authorized": "The customer has notified their bank that this payment was unauthorized.",
}


def card_of(outcome: str) -> Card:
    """The row of this name; a number outside the table counts as a live card."""
    return BY_NAME.get(outcome, LIVE_CARD)


def card_with_number(number: str) -> Card | None:
    """The row of this number; None when no card can have it (the check digit is wrong)."""
    if number in BY_NUMBER:
        return BY_NUMBER[number]
    return replace(LIVE_CARD, number=number, brand=brand_of(number)) if passes_luhn(number) else None


def brand_of(number: str) -> str:
    starts = {"4": "visa", "5": "mastercard", "2": "mastercard", "3": "amex", "6": "discover"}
    return starts.get(number[:1], "unknown")


def passes_luhn(number: str) -> bool:
    if not number.isascii() or not number.isdigit() or not 12 <= len(number) <= 19:
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


NUMBER = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){11,18}(?![0-9])")


def without_numbers(text: str) -> str:
    """The text with an ellipsis wherever a card's or a test account's number stands in it, whatever field it was put in."""
    for number in DEBIT_BY_NUMBER:
        text = text.replace(number, "…")
    return NUMBER.sub(lambda found: "…" if passes_luhn(re.sub("[ -]", "", found[0])) else found[0], text)


def needs_authentication(card: Card, *, off_session: bool, was_set_up: bool) -> bool:
    match card.authentication:
        case "always":
            return True
        case "unless_set_up":
            return not (off_session and was_set_up)
        case "on_session":
            return not off_session
    return False
