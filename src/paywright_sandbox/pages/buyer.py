"""The checkout form: what was typed, what is wrong with it, and the payment method it stands for."""

import re
import time
from dataclasses import dataclass

from ..cards import DEBITS, ROUTING_NUMBER
from ..errors import ApiError, Json
from ..machine import payment_methods
from ..machine.checkout.paying import Buyer
from ..machine.checkout.sessions import is_email
from ..machine.due import ACTS
from ..work import Work
from .views import text_of

EXPIRY = re.compile(r"^(\d{1,2})\s*[/-]?\s*(\d{2}|\d{4})$", re.ASCII)
FIELDS = "code email name number expiry cvc method account line1 city postal_code country".split()
ADDRESS = ("line1", "city", "postal_code", "country")
FIELD_OF = {"exp_month": "expiry", "exp_year": "expiry", "number": "number", "cvc": "cvc", "email": "email"}


@dataclass(frozen=True)
class TestCard:
    __test__ = False

    number: str
    does: str
    mood: str


PAYS, ASKS, FAILS = "pays", "asks", "fails"
TEST_CARDS = (
    TestCard("4242 4242 4242 4242", "Pays", PAYS),
    TestCard("5555 5555 5555 4444", "Pays, Mastercard", PAYS),
    TestCard("4000 0025 0000 3155", "Asks for 3D Secure", ASKS),
    TestCard("4000 0027 6000 3184", "Asks every time", ASKS),
    TestCard("4000 0082 6000 3178", "3D Secure, then no funds", ASKS),
    TestCard("4000 0000 0000 0002", "Declined", FAILS),
    TestCard("4000 0000 0000 9995", "Insufficient funds", FAILS),
    TestCard("4000 0000 0000 0069", "Expired card", FAILS),
    TestCard("4000 0000 0000 0341", "Saved, then declines", FAILS),
)
DISPUTED = TestCard("4000 0000 0000 0259", "Pays, then disputed", ASKS)
SAYS = {
    None: "settles",
    "account_closed": "fails: account closed",
    "no_account": "fails: no such account",
    "insufficient_funds": "fails: insufficient funds",
    "debit_not_authorized": "fails: not authorised",
}


def test_cards() -> list[TestCard]:
    return [*TEST_CARDS, *([DISPUTED] if "dispute_open" in ACTS else [])]


def debit_accounts(types: list[str]) -> list[tuple[str, str]]:
    """Number and what it does, for each test account of these types."""
    has_disputes = "dispute_open" in ACTS
    return [
        (debit.number, "settles, then disputed" if debit.dispute else SAYS[debit.failure])
        for debit in DEBITS
        if debit.type in types and (has_disputes or not debit.dispute)
    ]


def typed(form: Json) -> dict[str, str]:
    """Every field as typed; a one-click card fills in the card's."""
    values = {name: text_of(form, name) for name in FIELDS}
    test_card = text_of(form, "test_card")
    if test_card:
        values.update(
            number=test_card, expiry=f"12 / {(time.gmtime().tm_year + 4) % 100:02d}", cvc="123", method="card"
        )
    return values


NOTHING_TYPED = typed({})


def problems(session: Json, values: dict[str, str], *, needs_method: bool) -> dict[str, str]:
    """Field → sentence, for what can be seen without a bank."""
    found: dict[str, str] = {}
    if not session["_known_email"] and not is_email(values["email"]):
        found["email"] = "Enter your e-mail address." if not values["email"] else "This is no e-mail address."
    if session["billing_address_collection"] == "required":
        found.update({name: "Required." for name in ADDRESS if not values[name]})
        if values["country"] and not re.fullmatch(r"[A-Za-z]{2}", values["country"]):
            found["country"] = "Two letters, such as US or DE."
    if needs_method:
        found.update(card_problems(session["payment_method_types"], values))
    return found


def card_problems(types: list[str], values: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if is_by_card(types, values):
        if not values["number"]:
            found["number"] = "Enter a card number."
        if not EXPIRY.match(values["expiry"]):
            found["expiry"] = "Enter month and year."
        if not values["cvc"]:
            found["cvc"] = "Enter the security code."
    return found


def is_by_card(types: list[str], values: dict[str, str]) -> bool:
    return "card" in types and (values["method"] != "debit" or len(types) == 1)


def buyer_of(session: Json, values: dict[str, str]) -> Buyer:
    return Buyer(
        email=values["email"] or session["_known_email"],
        name=values["name"] or None,
        address=address_of(values),
    )


def address_of(values: dict[str, str]) -> Json | None:
    if not values["line1"]:
        return None
    empty: Json = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {**empty, **{name: values[name] for name in ADDRESS}, "country": values["country"].upper()}


def method_of(work: Work, session: Json, values: dict[str, str]) -> str:
    buyer = buyer_of(session, values)
    billing = {"email": buyer.email, "name": buyer.name, "address": buyer.address or {}}
    return made_method(work, session["payment_method_types"], values, billing)


def made_method(work: Work, types: list[str], values: dict[str, str], billing: Json) -> str:
    """The id of a payment method made from the form. Raises the 402 of a number no card can have."""
    wish: Json = {"billing_details": billing, "type": "card"}
    if is_by_card(types, values):
        match = EXPIRY.match(values["expiry"])
        assert match is not None
        month, year = int(match[1]), int(match[2])
        wish["card"] = {"number": values["number"], "exp_month": month, "exp_year": year, "cvc": values["cvc"]}
    elif "sepa_debit" in types:
        wish.update(type="sepa_debit", sepa_debit={"iban": values["account"]})
    else:
        details = {"account_number": values["account"], "routing_number": ROUTING_NUMBER}
        wish.update(type="us_bank_account", us_bank_account=details)
    return str(payment_methods.from_details(work, wish, "")["id"])


def placed(refusal: ApiError) -> dict[str, str]:
    """The refusal beside the field it is about, else on top of the form."""
    field = FIELD_OF.get(refusal.param or "")
    return {field or "form": refusal.message}
