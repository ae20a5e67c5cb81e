"""Kinds of e-mail, and one that is ready to be sent."""

from typing import Any, Literal

import msgspec

from paywright.environments.model import LetterKind

Kind = LetterKind
Audience = Literal["customer", "operator"]


class KindOf(msgspec.Struct, frozen=True):
    """`late_after_ms`: a letter that could not be sent for so long says nothing useful any more."""

    audience: Audience
    about: str
    late_after_ms: int = 3 * 86_400_000


KINDS: dict[Kind, KindOf] = {
    "receipt": KindOf("customer", "money came in"),
    "payment_failed": KindOf("customer", "a charge failed after the buyer had left, and what to do"),
    "refund": KindOf("customer", "money went back"),
    "trial_ending": KindOf("customer", "a free trial ends in three days", 2 * 86_400_000),
    "renewal_upcoming": KindOf("customer", "a subscription renews soon, when Stripe says so", 2 * 86_400_000),
    "cancel_scheduled": KindOf("customer", "a subscription will end"),
    "plan_ended": KindOf("customer", "a subscription has ended"),
    "units_expiring": KindOf("customer", "unspent units will be lost", 86_400_000),
    "sign_in_code": KindOf("customer", "a code that opens guest purchases", 10 * 60_000),
    "dispute": KindOf("operator", "a payment is disputed, or the dispute is over"),
    "incident": KindOf("operator", "something a person must see"),
    "payout_failed": KindOf("operator", "the bank did not take a payout"),
}
ALWAYS_ON: frozenset[Kind] = frozenset({"sign_in_code"})
"""Without it guests could not come back to what they bought."""


class Shop(msgspec.Struct, frozen=True):
    """Who writes. `sender` and `operator` None: not configured."""

    name: str
    sender: str | None
    operator: str | None
    locale: str = "en_US"
    time_zone: str = "UTC"
    url: str | None = None
    is_test: bool = False


class Rendered(msgspec.Struct, frozen=True):
    """`subject` is one line without control characters, whatever the template says."""

    subject: str
    text: str
    html: str


class Written(msgspec.Struct, frozen=True):
    """A letter as it becomes due. `fact` names it for ever within its kind."""

    kind: Kind
    fact: str
    facts: dict[str, Any]
    session_id: str | None = None
    """The checkout session whose buyer it goes to, if the customer has no address of their own."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a template."""

    template: str
    message: str
