"""What holds whatever is done: seeded random stories, then the sums and the log are asked."""

import contextlib
import random
import re
from typing import Any

import pytest
import stripe

from paywright_sandbox import Sandbox
from tests.contract.shop import Shop

CARDS = ["visa", "visa_chargeDeclined", "pendingRefund", "refundFail", "threeDSecure2Required", "amex"]
LISTED = {
    "customer": "/v1/customers",
    "product": "/v1/products",
    "price": "/v1/prices",
    "payment_intent": "/v1/payment_intents",
    "charge": "/v1/charges",
    "refund": "/v1/refunds",
}
# A metadata or description change of an intent makes no event at Stripe; everything else that lists show is logged.
SILENT = {"payment_intent": {"metadata", "description"}}


def play(shop: Shop, seed: int, steps: int = 60) -> None:
    chance, v1 = random.Random(seed), shop.client.v1
    customers: list[str] = []
    paid: list[str] = []
    for step in range(steps):
        act = chance.choice(
            ["customer", "rename", "product", "pay", "pay", "pay", "refund", "debit", "hold", "wait", "delete"]
        )
        if act == "customer":
            customers.append(v1.customers.create({"name": f"c{step}"}).id)
        elif act == "rename" and customers:
            v1.customers.update(chance.choice(customers), {"name": f"n{step}"})
        elif act == "delete" and customers:
            v1.customers.delete(customers.pop())
        elif act == "product":
            v1.products.create(
                {"name": f"p{step}", "default_price_data": {"currency": "usd", "unit_amount": 100 + step}}
            )
        elif act in ("pay", "hold"):
            pay(shop, chance, paid, is_held=act == "hold")
        elif act == "debit":
            wish = {"amount": 700, "currency": "usd", "payment_method": "pm_usBankAccount_success", "confirm": True}
            v1.payment_intents.create(wish)  # type: ignore[arg-type]
        elif act == "refund" and paid:
            refund(shop, chance.choice(paid), chance.randrange(1, 400))
        elif act == "wait":
            shop.advance(f"{chance.randrange(1, 60)}h", wait=False)


def pay(shop: Shop, chance: random.Random, paid: list[str], *, is_held: bool) -> None:
    wish: Any = {"amount": chance.randrange(50, 2000), "currency": "usd", "confirm": True}
    wish["payment_method"] = f"pm_card_{chance.choice(CARDS)}"
    if is_held:
        wish["capture_method"] = "manual"
    try:
        made = shop.client.v1.payment_intents.create(wish)
    except stripe.CardError:
        return
    if made.status == "succeeded":
        paid.append(made.id)


def refund(shop: Shop, intent: str, amount: int) -> None:
    """A refusal of too much is part of the story."""
    with contextlib.suppress(stripe.InvalidRequestError):
        shop.client.v1.refunds.create({"payment_intent": intent, "amount": amount})


def listed(shop: Shop, path: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    page = shop.http.get(path, params={"limit": 100}).json()
    while True:
        found.update({thing["id"]: thing for thing in page["data"]})
        if not page["has_more"]:
            return found
        page = shop.http.get(path, params={"limit": 100, "starting_after": page["data"][-1]["id"]}).json()


def replayed(shop: Shop) -> dict[str, dict[str, dict[str, Any]]]:
    """Each object as its last event showed it."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in LISTED}
    for event in shop.event_objects():
        thing = event["data"]["object"]
        if thing["object"] in found:
            found[thing["object"]][thing["id"]] = thing
            if event["type"].endswith(".deleted"):
                del found[thing["object"]][thing["id"]]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_sums_agree_and_the_log_rebuilds_the_lists(shop: Shop, seed: int) -> None:
    play(shop, seed)
    charges, refunds = listed(shop, "/v1/charges"), listed(shop, "/v1/refunds")
    for charge in charges.values():
        returned = sum(r["amount"] for r in refunds.values() if r["charge"] == charge["id"] and r["status"] != "failed")
        assert returned == charge["amount_refunded"] or not charge["captured"]
        assert charge["amount_refunded"] <= charge["amount"]
    balance = shop.http.get("/v1/balance").json()
    transactions = listed(shop, "/v1/balance_transactions")
    whole = sum(part["amount"] for part in balance["available"] + balance["pending"])
    assert whole == sum(found["net"] for found in transactions.values())
    for name, path in LISTED.items():
        quiet = SILENT.get(name, set())
        now = {id: {k: v for k, v in thing.items() if k not in quiet} for id, thing in listed(shop, path).items()}
        then = {id: {k: v for k, v in thing.items() if k not in quiet} for id, thing in replayed(shop)[name].items()}
        assert now == then, name


@pytest.mark.parametrize("seed", range(2))
def test_event_times_never_go_back(shop: Shop, seed: int) -> None:
    play(shop, seed)
    times = [event["created"] for event in shop.event_objects()]
    assert times == sorted(times)


def test_the_same_seed_and_story_give_the_same_bytes() -> None:
    def dump() -> str:
        with Sandbox(seed=11) as sandbox, Shop(sandbox.url, sandbox.secret_key) as shop:
            shop.control("POST", "clock/freeze", {"at": 4_000_000_000})
            play(shop, 5)
            # The SDK draws idempotency keys of its own; they are the caller's, not ours.
            return re.sub(r"idempotency_key[^}]+", "", shop.http.get("/_sandbox/state").text.replace(sandbox.url, ""))

    assert dump() == dump()
