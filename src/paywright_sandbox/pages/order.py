"""What the checkout page shows of a session: lines, totals, trial and button, in words. Decides nothing."""

from dataclasses import dataclass

from ..errors import Json
from ..machine.checkout.paying import Need, need_of
from ..money import price_amount
from ..work import Work
from .views import day, money

BUTTONS = {"book": "Book", "donate": "Donate", "pay": "Pay", "subscribe": "Subscribe"}
DAY_S = 86_400


@dataclass(frozen=True)
class OrderLine:
    id: str
    name: str
    description: str | None
    quantity: int
    amount: str
    each: str | None
    """The price of one, when there are several or it repeats: `$5.00 each`, `$10.00 per month`."""
    least: int | None
    """Limits of an adjustable quantity; None when it is fixed."""
    most: int | None


@dataclass(frozen=True)
class Order:
    need: Need
    title: str
    total: str
    per: str | None
    lines: list[OrderLine]
    subtotal: str
    discount: str | None
    code: str | None
    """What the buyer typed to get the discount; None when the shop gave it."""
    due: str
    trial: str | None
    renewal: str | None
    button: str


def order_of(work: Work, session: Json) -> Order:
    currency = session["currency"] or "usd"
    repeating = repeating_amount(work, session)
    interval = interval_of(work, session)
    lines = [line_of(work, session, item) for item in session["_line_items"]]
    total = money(session["amount_total"] or 0, currency)
    trial = trial_text(work, session, money(repeating, currency), interval)
    discount = (session["total_details"] or {}).get("amount_discount") or 0
    return Order(
        need=need_of(session),
        title=title_of(session, lines),
        total=money(repeating, currency) if trial else total,
        per=f"per {interval}" if interval else None,
        lines=lines,
        subtotal=money(session["amount_subtotal"] or 0, currency),
        discount=money(-discount, currency) if discount else None,
        code=code_of(work, session),
        due=total,
        trial=trial,
        renewal=f"{money(repeating, currency)} per {interval}, until you cancel." if interval and not trial else None,
        button=button_of(session, total, trial),
    )


def code_of(work: Work, session: Json) -> str | None:
    """None for the shop's own discount: the buyer can take back only what the buyer typed."""
    if not session["allow_promotion_codes"] or not session["discounts"]:
        return None
    return str(work.require("promotion_code", session["discounts"][0]["promotion_code"])["code"])


def title_of(session: Json, lines: list[OrderLine]) -> str:
    if session["mode"] == "setup":
        return "Save a payment method"
    if session["mode"] == "subscription":
        return f"Subscribe to {lines[0].name}"
    return lines[0].name if len(lines) == 1 else "Your order"


def line_of(work: Work, session: Json, item: Json) -> OrderLine:
    price = work.require("price", item["price"])
    product = work.get("product", price["product"]) or {}
    single = money(int(price_amount(price, 1, session["currency"])), session["currency"])
    recurring = price["recurring"]
    each = f"{single} per {interval_text(recurring)}" if recurring else f"{single} each"
    limits = item["adjustable_quantity"]
    return OrderLine(
        id=item["id"],
        name=item["description"],
        description=product.get("description"),
        quantity=item["quantity"],
        amount=money(item["amount_subtotal"], session["currency"]),
        each=each if recurring or item["quantity"] > 1 or limits else None,
        least=limits["minimum"] if limits else None,
        most=limits["maximum"] if limits else None,
    )


def interval_text(recurring: Json) -> str:
    count = recurring["interval_count"]
    return str(recurring["interval"]) if count == 1 else f"{count} {recurring['interval']}s"


def interval_of(work: Work, session: Json) -> str | None:
    """All recurring items of a session share one interval."""
    for item in session["_line_items"]:
        recurring = work.require("price", item["price"])["recurring"]
        if recurring:
            return interval_text(recurring)
    return None


def repeating_amount(work: Work, session: Json) -> int:
    """What each period costs, once a trial is over."""
    currency = session["currency"]
    return sum(
        round(price_amount(work.require("price", item["price"]), item["quantity"], currency))
        for item in session["_line_items"]
        if item["_recurring"]
    )


def trial_text(work: Work, session: Json, amount: str, interval: str | None) -> str | None:
    if not session.get("_trial"):
        return None
    wish = session["_subscription"]
    days = wish.get("trial_period_days")
    end = wish.get("trial_end") or work.now + days * DAY_S
    length = f"{days} {'day' if days == 1 else 'days'} free" if days else f"Free until {day(end)}"
    return f"{length}, then {amount} per {interval} from {day(end)}."


def button_of(session: Json, total: str, trial: str | None) -> str:
    if session["mode"] == "setup":
        return "Save payment method"
    if trial:
        return "Start trial"
    word = BUTTONS.get(session["submit_type"] or "auto")
    if session["mode"] == "subscription":
        return word or "Subscribe"
    return f"{word or 'Pay'} {total}" if session["amount_total"] else "Complete order"
