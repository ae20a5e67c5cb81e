"""
What a session comes to, and what is due now: every amount of it is written here, again whenever something changed.

A subscription's numbers are those of its first invoice, taken from the machine that will make it. Discounts are tried out on a twin of the work,
so that a coupon counts as redeemed only when the session completes.
"""

from ...errors import Json, invalid
from ...money import AMOUNT_MAX, half_up, price_amount, smallest_charge
from ...objects.checkout_sessions import total_details
from ...work import Work
from ..discounts import discount_lines, redeem
from ..subscriptions import branch, preview_from_checkout
from .lines import bought
from .receipts import check_balance

WISHES = "billing_mode description metadata trial_end trial_period_days trial_settings".split()


def price_session(work: Work, session: Json) -> None:
    """Refuses a discount that may not be used, and a total that cannot be charged."""
    if session["mode"] == "subscription":
        take_invoice(session, preview_from_checkout(work, subscription_wish(session)))
    elif session["mode"] == "payment":
        check_balance(work, session)
        take_items(work, session)
    check_total(session)


def subscription_wish(session: Json, method: str | None = None) -> Json:
    """The parameters of `POST /v1/subscriptions` that this session stands for."""
    given = session["_subscription"]
    wish: Json = {name: given[name] for name in WISHES if name in given}
    chosen = [({"price": item["price"], "quantity": item["quantity"]}, item) for item in bought(session)]
    wish["items"] = [each for each, item in chosen if item["_recurring"]]
    wish["add_invoice_items"] = [each for each, item in chosen if not item["_recurring"]]
    wish["currency"] = session["currency"]
    wish["discounts"] = wished_discounts(session)
    if session["customer"]:
        wish["customer"] = session["customer"]
    if method:
        wish["default_payment_method"] = method
    if session["automatic_tax"]["enabled"]:
        wish["automatic_tax"] = {"enabled": True}
    return wish


def wished_discounts(session: Json) -> list[Json]:
    return [{name: id for name, id in wish.items() if id} for wish in session["discounts"]]


def take_invoice(session: Json, bill: Json) -> None:
    """Its lines are the recurring items in order, what else waited for an invoice, then the one-time items in order."""
    for item in session["_line_items"]:
        put_amounts(item, 0, 0)
    items = bought(session)
    recurring, once = [item for item in items if item["_recurring"]], [item for item in items if not item["_recurring"]]
    lines = bill["_lines"]
    for item, line in [
        *zip(recurring, lines[: len(recurring)], strict=True),
        *zip(once, lines[len(lines) - len(once) :], strict=True),
    ]:
        put_amounts(item, line["amount"], sum(part["amount"] for part in line["discount_amounts"]))
    session["amount_subtotal"], session["amount_total"] = bill["subtotal"], bill["total"]
    session["total_details"] = total_details(sum(part["amount"] for part in bill["total_discount_amounts"]))
    session["_due"] = bill["amount_due"]


def take_items(work: Work, session: Json) -> None:
    twin = branch(work)
    lines = [priced_line(work, session, item) for item in session["_line_items"]]
    subtotal = sum(line["amount"] for line in lines)
    discount_lines(twin, lines, redeemed(twin, session, subtotal), session["currency"])
    for item, line in zip(session["_line_items"], lines, strict=True):
        put_amounts(item, line["amount"], sum(part["amount"] for part in line["discount_amounts"]))
    discount = sum(item["amount_discount"] for item in session["_line_items"])
    session["amount_subtotal"], session["amount_total"] = subtotal, subtotal - discount
    session["total_details"] = total_details(discount)
    session["_due"] = session["amount_total"]


def priced_line(work: Work, session: Json, item: Json) -> Json:
    """As much of an invoice line as a discount looks at."""
    price = work.require("price", item["price"])
    return {
        "amount": half_up(price_amount(price, item["quantity"], session["currency"])),
        "discountable": True,
        "discounts": [],
        "pricing": {"price_details": {"product": price["product"]}},
    }


def redeemed(work: Work, session: Json, subtotal: int) -> list[str]:
    """The session's discounts made and counted, without a subscription to hang on."""
    ids = redeem(
        work,
        wished_discounts(session),
        customer=session["customer"] or "",
        at=work.now,
        amount=subtotal,
        currency=session["currency"],
        checkout_session=session["id"],
    )
    for id in ids if not session["customer"] else []:
        found = work.require("discount", id)
        found["customer"] = None
        work.save(found)
    return ids


def put_amounts(item: Json, subtotal: int, discount: int) -> None:
    item["amount_subtotal"], item["amount_discount"] = subtotal, discount
    item["amount_total"] = subtotal - discount


def check_total(session: Json) -> None:
    currency = session["currency"]
    if session["amount_total"] > AMOUNT_MAX:
        raise invalid(
            f"The Checkout Session's total amount must be no more than {AMOUNT_MAX}.",
            param="line_items",
            code="amount_too_large",
        )
    if 0 < session["amount_total"] < smallest_charge(currency):
        raise invalid(
            f"The Checkout Session's total amount due must add up to at least {smallest_charge(currency)} {currency}.",
            param="line_items",
            code="amount_too_small",
        )
