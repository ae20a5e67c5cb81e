"""What people do: a table of acts with how often each is drawn."""

import string
from collections.abc import Callable
from typing import Any

from tests.flows.shop import CANCEL_URL, SUCCESS_URL
from tests.harness.together import at_once
from tests.simulation.town import USERS, Town

PAYS, DECLINES, DISPUTES, INQUIRES = "4242424242424242", "4000000000000002", "4000000000000259", "4000000000001976"
REFUND_FAILS, REFUND_WAITS, WARNED = "4000000000005126", "4000000000007726", "4000000000005423"
DEBIT_CLEARS, DEBIT_BOUNCES = "pm_usBankAccount_success", "pm_usBankAccount_insufficientFunds"
CARDS = (*(PAYS,) * 6, DECLINES, DISPUTES, INQUIRES, REFUND_FAILS, REFUND_WAITS, WARNED, DEBIT_CLEARS, DEBIT_BOUNCES)
PLANS = (("pro", "monthly"), ("pro", "yearly"), ("team", "monthly"))
ON_SALE = (*(("pack", "once"),) * 3, ("lifetime", "once"), ("support", "monthly"), *PLANS)
LATER_CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail")

Act = Callable[[], None]


def checkout(town: Town) -> Act:
    user, (product, price), card = town.draw.choice(USERS), town.draw.choice(ON_SALE), town.draw.choice(CARDS)
    quantity = town.draw.choice((1, 1, 2)) if product == "pack" else 1
    walks_away, comes_back = town.draw.random() < 0.15, town.draw.random() < 0.5

    def act() -> None:
        line = {"product_id": product, "price_id": price, "quantity": quantity}
        wish = {
            "customer": {"type": "user", "id": user},
            "line_items": [line],
            "success_url": SUCCESS_URL,
            "cancel_url": CANCEL_URL,
        }
        status, session = town.ask("POST", "/v1/checkout-sessions", wish)
        if status != 201 or walks_away or not session["url"]:
            return
        town.tell(f"{user} pays {product} with {card}")
        pay(town, session, card)
        if comes_back:
            town.ask("POST", f"/v1/checkout-sessions/{session['id']}/sync")

    return act


def pay(town: Town, session: dict[str, Any], card: str) -> None:
    """Whoever is declined takes another card."""
    stripe_id = session["stripe"]["checkout_session_id"]
    if card.startswith("pm_"):
        town.shop.account.pay(stripe_id, payment_method=card)
        return
    town.shop.account.pay(stripe_id, card)
    if card == DECLINES:
        town.shop.account.pay(stripe_id, PAYS)


def guest(town: Town) -> Act:
    """Buys without an account, and perhaps opens one, perhaps before the money is in."""
    user, card = town.draw.choice(USERS), town.draw.choice(CARDS)
    joins, waits = town.draw.random() < 0.6, town.draw.random() < 0.5
    token = "".join(town.draw.choices(string.ascii_letters + string.digits, k=43))

    def act() -> None:
        line = {"product_id": "pack", "price_id": "once"}
        wish = {"customer": None, "claim_token": token, "line_items": [line]}
        back = {"success_url": SUCCESS_URL, "cancel_url": CANCEL_URL}
        status, session = town.ask("POST", "/v1/checkout-sessions", {**wish, **back})
        assert status == 201, session
        town.tell(f"a guest pays with {card}")
        pay(town, session, card)
        if waits:
            town.ask("POST", f"/v1/checkout-sessions/{session['id']}/sync")
        if joins:
            town.ask("POST", f"/v1/customers/user/{user}/claims", {"claim_token": token})

    return act


def spend(town: Town) -> Act:
    user, item = town.draw.choice(USERS), town.draw.choice(("credits", "credits", "tokens"))
    quantity = town.draw.choice((1, 3, 20, 60, 400))

    def act() -> None:
        path = f"/v1/customers/user/{user}/items/{item}/decrease"
        status, _ = town.ask("POST", path, {"quantity": quantity})
        if status == 200:
            town.note_spent(user, item, quantity)

    return act


def rush(town: Town) -> Act:
    """Many spend the same units at the same moment."""
    spenders = [spend(town) for _ in range(12)]
    return lambda: at_once(spenders)


def switch(town: Town) -> Act:
    user, (product, price), lets_it_lapse = town.draw.choice(USERS), town.draw.choice(PLANS), town.draw.random() < 0.1

    def act() -> None:
        held = next((each for each in owned(town, user) if each["product_id"] in ("pro", "team")), None)
        if held is None:
            return
        wish = {"from_product_id": held["product_id"], "to_product_id": product, "price_id": price}
        status, quote = town.ask("POST", f"/v1/customers/user/{user}/switch-quotes", wish)
        if status == 201 and not lets_it_lapse:
            town.ask("POST", f"/v1/customers/user/{user}/switches", {"quote_id": quote["id"]})

    return act


def cancel_or_resume(town: Town) -> Act:
    user, verb = town.draw.choice(USERS), town.draw.choice(("cancel", "cancel", "resume"))
    body = {"at": town.draw.choice(("now", "period_end", "period_end"))} if verb == "cancel" else None
    which = town.draw.choice(("pro", "team", "support"))

    def act() -> None:
        town.ask("POST", f"/v1/customers/user/{user}/products/{which}/{verb}", body)

    return act


def grant_or_revoke(town: Town) -> Act:
    user, product = town.draw.choice(USERS), town.draw.choice(("lifetime", "pack", "pro"))
    revokes = town.draw.random() < 0.4

    def act() -> None:
        base = f"/v1/customers/user/{user}/products"
        if not revokes:
            town.ask("POST", base, {"product_id": product, "reason": "a present"})
            return
        found = [each for each in owned(town, user) if each["source"] == "grant"]
        if found:
            status, _ = town.ask("POST", f"{base}/{found[0]['id']}/revoke")
            if status == 200:
                town.revoked.add(found[0]["id"])

    return act


def refund(town: Town) -> Act:
    """By the API, or in Stripe's dashboard."""
    user, elsewhere, share = town.draw.choice(USERS), town.draw.random() < 0.4, town.draw.choice((1, 1, 2, 3))
    stays = town.draw.random() < 0.15

    def act() -> None:
        paid = town.ask("GET", f"/v1/customers/user/{user}/payments")[1]["data"]
        left = [each for each in paid if each["status"] == "paid" and each["amount"]["amount"]]
        if not left:
            return
        payment = left[0]
        amount = payment["amount"]["amount"] // share
        if elsewhere:
            town.tell(f"{payment['id']} is refunded in the dashboard: {amount}")
            refund_elsewhere(town, payment, amount)
            return
        town.kept |= {payment["id"]} if stays else set()
        wish = {"amount": amount, **({"end": "none"} if stays else {})}
        town.ask("POST", f"/v1/payments/{payment['id']}/refunds", wish)

    return act


def refund_elsewhere(town: Town, payment: dict[str, Any], amount: int) -> None:
    with town.shop.premises.app.database.read() as connection:
        intent = connection.exec_driver_sql(
            "SELECT stripe_payment_intent_id FROM payments WHERE id = "
            + ("?" if connection.dialect.name == "sqlite" else "%s"),
            (payment["id"],),
        ).scalar_one()
    if intent:
        form = {"payment_intent": intent, "amount": amount}
        # Stripe's own refusal (disputed, or less is left) is the operator's to read; nothing happened then.
        town.elsewhere("POST", "/v1/refunds", form)


def end_a_dispute(town: Town) -> Act:
    outcome, reason = town.draw.choice(("won", "lost")), town.draw.random()

    def act() -> None:
        page = town.elsewhere("GET", "/v1/disputes?limit=100")
        assert page is not None
        still_open = [each for each in page["data"] if each["status"] in ("needs_response", "warning_needs_response")]
        if still_open:
            chosen = still_open[int(reason * len(still_open))]
            town.tell(f"{chosen['id']} ({chosen['status']}) is {outcome}")
            town.shop.account.post(f"/_sandbox/disputes/{chosen['id']}/resolve", {"outcome": outcome})

    return act


def change_card(town: Town) -> Act:
    user, card = town.draw.choice(USERS), town.draw.choice(LATER_CARDS)

    def act() -> None:
        for subscription_id in sorted(
            {each["subscription"]["id"] for each in owned(town, user) if each["subscription"]}
        ):
            put_card(town, subscription_id, card)

    return act


def put_card(town: Town, subscription_id: str, method: str) -> None:
    """From now on this one is charged; a subscription without Stripe has no card."""
    found = town.elsewhere("GET", f"/v1/subscriptions/{subscription_id}")
    if found is not None:
        attached = town.elsewhere("POST", f"/v1/payment_methods/{method}/attach", {"customer": found["customer"]})
        assert attached is not None
        town.tell(f"{subscription_id} has {method} now")
        town.elsewhere("POST", f"/v1/subscriptions/{subscription_id}", {"default_payment_method": attached["id"]})


def time_passes(town: Town) -> Act:
    days = town.draw.choice((0.25, 1, 4, 12, 20, 31))

    def act() -> None:
        town.settle()
        town.tell(f"{days} days pass")
        town.shop.account.advance(f"{round(days * 24)}h")
        town.days += days
        town.settle()

    return act


def owned(town: Town, user: str) -> list[dict[str, Any]]:
    return list(town.ask("GET", f"/v1/customers/user/{user}/products")[1]["data"])


ACTS: tuple[tuple[int, Callable[[Town], Act]], ...] = (
    (26, checkout),
    (5, guest),
    (12, spend),
    (4, rush),
    (10, switch),
    (10, cancel_or_resume),
    (5, grant_or_revoke),
    (10, refund),
    (6, end_a_dispute),
    (5, change_card),
)
