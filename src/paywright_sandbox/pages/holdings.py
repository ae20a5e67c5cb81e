"""What the portal shows of a customer: subscriptions, card and invoices, in words. Decides nothing."""

from dataclasses import dataclass
from fractions import Fraction

from ..errors import Json
from ..machine import portal
from ..machine.invoice_lines import item_amount, name_of
from ..money import half_up, has_currency, price_amount
from ..periods import interval_text
from ..work import Work
from .views import day, money

INVOICES_SHOWN = 12
PRICES_SHOWN = 30
STATUS = {
    "active": "Active",
    "trialing": "Trial",
    "past_due": "Payment failed",
    "unpaid": "Unpaid",
    "paused": "Paused",
    "incomplete": "Waiting for payment",
}


@dataclass(frozen=True)
class Held:
    """A subscription, and what its owner may do with it here."""

    id: str
    name: str
    price: str
    status: str
    mood: str
    note: str
    may: frozenset[str]


@dataclass(frozen=True)
class Offer:
    price: str
    name: str
    amount: str
    is_current: bool


@dataclass(frozen=True)
class Bill:
    number: str
    date: str
    amount: str
    state: str
    url: str


def per(recurring: Json) -> str:
    return f"per {interval_text(recurring)}" if recurring["interval_count"] == 1 else interval_text(recurring)


def held(work: Work, session: Json, made: Json) -> Held:
    items = made["items"]["data"]
    names = [
        f"{item['quantity']} × {name_of(work, item['price'])}"
        if item["quantity"] != 1
        else name_of(work, item["price"])
        for item in items
    ]
    total = sum((item_amount(work, made, item) for item in items), Fraction(0))
    bad = made["status"] in ("past_due", "unpaid", "incomplete")
    return Held(
        id=made["id"],
        name=", ".join(names),
        price=f"{money(half_up(total), made['currency'])} {per(items[0]['price']['recurring'])}",
        status=STATUS[made["status"]],
        mood="failed" if bad else "waiting" if made["status"] == "paused" else "delivered",
        note=note_of(made),
        may=may_of(work, session, made),
    )


def note_of(made: Json) -> str:
    end = min(item["current_period_end"] for item in made["items"]["data"])
    if made["cancel_at"] is not None:
        return f"Ends on {day(made['cancel_at'])}"
    if made["schedule"]:
        return f"Changes are planned for {day(end)}"
    if made["status"] == "trialing":
        return f"Free until {day(made['trial_end'])}"
    return f"Renews on {day(end)}" if made["status"] == "active" else ""


def may_of(work: Work, session: Json, made: Json) -> frozenset[str]:
    features = portal.features_of(work, session)
    found = {
        name.removeprefix("subscription_")
        for name in features
        if name.startswith("subscription_") and features[name]["enabled"]
    }
    if made["schedule"] or made["status"] == "incomplete":
        return frozenset()
    if made["status"] == "paused":
        return frozenset(found & {"cancel"}) | (frozenset({"resume"}) if "pause" in found else frozenset())
    if made["cancel_at"] is not None:
        return frozenset({"keep"}) if "cancel" in found else frozenset()
    if len(made["items"]["data"]) > 1:
        found.discard("update")
    return frozenset(found)


def offers(work: Work, session: Json, made: Json) -> list[Offer]:
    """Prices the customer may switch to, the cheapest first, the present one among them."""
    current = made["items"]["data"][0]["price"]["id"]
    named = portal.prices_offered(work, session)
    kept = [
        price
        for price in work.newest_first("price")
        if (price["id"] == current or (price["active"] and (named is None or price["id"] in named)))
        and price["recurring"] is not None
        and has_currency(price, made["currency"])
    ]
    kept.sort(key=lambda price: (price_amount(price, 1, made["currency"]), price["id"]))
    return [
        Offer(
            price=price["id"],
            name=name_of(work, price),
            amount=f"{money(half_up(price_amount(price, 1, made['currency'])), made['currency'])} {per(price['recurring'])}",
            is_current=price["id"] == current,
        )
        for price in kept[:PRICES_SHOWN]
    ]


def card_of_customer(work: Work, customer: Json) -> str:
    """`Visa •••• 4242`, or that there is none."""
    method = work.get("payment_method", customer["invoice_settings"]["default_payment_method"])
    if method is None:
        owned = [
            one for one in portal.subscriptions_of(work, {"customer": customer["id"]}) if one["default_payment_method"]
        ]
        method = work.get("payment_method", owned[0]["default_payment_method"]) if owned else None
    if method is None:
        return "No payment method is saved."
    if method["type"] == "card":
        card = method["card"]
        return f"{card['brand'].capitalize()} •••• {card['last4']}, expires {card['exp_month']:02d}/{card['exp_year']}"
    return f"Bank account •••• {method[method['type']]['last4']}"


def bills(work: Work, customer: str) -> list[Bill]:
    found = [
        bill for bill in work.newest_first("invoice") if bill["customer"] == customer and bill["status"] != "draft"
    ]
    return [
        Bill(
            number=bill["number"],
            date=day(bill["created"]),
            amount=money(bill["total"], bill["currency"]),
            state=bill["status"],
            url=f"/i/{bill['id']}",
        )
        for bill in found[:INVOICES_SHOWN]
    ]
