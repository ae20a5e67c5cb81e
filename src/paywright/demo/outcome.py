"""What the success page says, by what `sync` answered. Pure."""

from typing import Literal

import msgspec

from paywright.client.model import CheckoutSession, Payment

PENDING_REFRESH_S = 10


class OutcomePage(msgspec.Struct, frozen=True):
    """`refresh_s` makes the page ask again by itself, where the answer is still to come."""

    tone: Literal["good", "kind", "bad"]
    title: str
    text: str
    show_balance: bool = False
    link: str | None = None
    href: str | None = None
    refresh_s: int | None = None
    facts: tuple[tuple[str, str], ...] = ()


def outcome_of(session: CheckoutSession, payment: Payment | None = None) -> OutcomePage:
    """Paid, not yet, or not at all: never a thank-you for what did not happen. `payment` is the session's, where there is one."""
    is_bounced = payment is not None and payment.status in ("failed", "cancelled")
    page = (
        BOUNCED
        if session.status == "completed" and session.payment_status == "unpaid" and is_bounced
        else _page(session)
    )
    facts = [("Checkout session", session.id)]
    if session.stripe.checkout_session_id:
        facts.append(("At Stripe", session.stripe.checkout_session_id))
    return msgspec.structs.replace(page, facts=tuple(facts))


def _page(session: CheckoutSession) -> OutcomePage:
    match session.status, session.payment_status:
        case "completed", "unpaid":
            return OutcomePage(
                "kind",
                "Your bank is on it",
                "The debit is under way and can take some days. What you bought arrives with the money; nothing more to do.",
                refresh_s=PENDING_REFRESH_S,
            )
        case "completed", _:
            return OutcomePage(
                "good", "Thank you. It is yours.", "The payment is in, and so is what you bought.", show_balance=True
            )
        case (("open" | "initialized"), _):
            return OutcomePage(
                "kind",
                "Not paid yet",
                "This checkout is still open, and nothing was charged.",
                link="Go on paying",
                href=session.url,
            )
        case "expired", _:
            return OutcomePage(
                "bad", "This checkout has expired", "Nothing was charged. The shelf is as full as before."
            )
        case _:
            return OutcomePage("bad", "The payment failed", "Nothing was charged. Try again, or use another card.")


BOUNCED = OutcomePage(
    "bad",
    "Your bank sent the debit back",
    "No money came, so nothing was handed over. Try again, or pay another way.",
)
CANCELED = OutcomePage(
    "kind", "You turned back", "Nothing was charged, and nothing was kept. Whatever you chose is still on the shelf."
)
UNKNOWN = OutcomePage(
    "bad",
    "No such purchase here",
    "It may belong to another demo user: choose them at the top, then open this page again.",
)
STALE_FORM = OutcomePage(
    "bad", "This form is out of date", "It was made for an earlier visit. Open the store again, and it will work."
)
