"""What a buyer lives through, a step at a time; between two steps lie eight days."""

from collections.abc import Iterator

from tests.permutation.world import Buyer, Lifecycle
from tests.subscriptions.till import DECLINES_LATER

DISPUTES = "4000000000000259"
GOOD = "pm_card_visa"


def one_off(buyer: Buyer) -> Iterator[None]:
    buyer.buy("pack")
    yield


def guest(buyer: Buyer) -> Iterator[None]:
    buyer.buy("pack", as_guest=True)
    yield


def trial(buyer: Buyer) -> Iterator[None]:
    """Ten days free, then the first payment."""
    buyer.buy("try")
    yield


def renewal(buyer: Buyer) -> Iterator[None]:
    """The second period begins and is paid after a month."""
    buyer.buy("basic")
    yield


def debit(buyer: Buyer) -> Iterator[None]:
    """The first money takes days to come, and may be heard of after the renewal: repeats count from when it came."""
    buyer.buy("basic", by_debit="pm_usBankAccount_success")
    yield


def recovered(buyer: Buyer) -> Iterator[None]:
    """The renewal fails; a week later there is another card, and Stripe's next try succeeds or the buyer pays."""
    buyer.buy("basic")
    yield
    put_card(buyer, DECLINES_LATER)
    yield
    yield
    yield
    yield
    put_card(buyer, GOOD)
    invoice = buyer.subscription()["latest_invoice"]
    if buyer.world.get(f"/v1/invoices/{invoice}")["status"] == "open":
        buyer.world.post(f"/v1/invoices/{invoice}/pay", {})
    yield


def switch(buyer: Buyer) -> Iterator[None]:
    """Up, in Stripe's portal; and down again for the next period."""
    buyer.buy("basic")
    yield
    change_price(buyer, 2000)
    yield


def cancel(buyer: Buyer) -> Iterator[None]:
    buyer.buy("pro")
    yield
    yield
    buyer.world.post(f"/v1/subscriptions/{buyer.subscription()['id']}", {"cancel_at_period_end": True})
    yield


def cancel_taken_back(buyer: Buyer) -> Iterator[None]:
    buyer.buy("pro")
    yield
    buyer.world.post(f"/v1/subscriptions/{buyer.subscription()['id']}", {"cancel_at_period_end": True})
    yield
    buyer.world.post(f"/v1/subscriptions/{buyer.subscription()['id']}", {"cancel_at_period_end": False})
    yield


def over_early(buyer: Buyer) -> Iterator[None]:
    """Canceled in the middle of the second month: the units of both months are kept."""
    buyer.buy("saver")
    for _ in range(5):
        yield
    buyer.world.app.gateway(buyer.world.environment).delete(f"/v1/subscriptions/{buyer.subscription()['id']}")
    yield


def refund(buyer: Buyer) -> Iterator[None]:
    """In parts, until all of it went back."""
    buyer.buy("pack")
    yield
    buyer.world.post("/v1/refunds", {"payment_intent": buyer.intent(), "amount": 300})
    yield
    buyer.world.post("/v1/refunds", {"payment_intent": buyer.intent(), "amount": 600})
    yield


def partial_refund(buyer: Buyer) -> Iterator[None]:
    buyer.buy("pack")
    yield
    buyer.world.post("/v1/refunds", {"payment_intent": buyer.intent(), "amount": 100})
    yield


def dispute_won(buyer: Buyer) -> Iterator[None]:
    yield from disputed(buyer, "won")


def dispute_lost(buyer: Buyer) -> Iterator[None]:
    yield from disputed(buyer, "lost")


def disputed(buyer: Buyer, outcome: str) -> Iterator[None]:
    buyer.buy("pack", with_card=DISPUTES)
    yield
    [dispute] = buyer.world.get("/v1/disputes", {"payment_intent": buyer.intent()})["data"]
    buyer.world.control(f"disputes/{dispute['id']}/resolve", {"outcome": outcome})
    yield


def put_card(buyer: Buyer, method: str) -> None:
    subscription = buyer.subscription()
    attached = buyer.world.post(f"/v1/payment_methods/{method}/attach", {"customer": subscription["customer"]})
    buyer.world.post(f"/v1/subscriptions/{subscription['id']}", {"default_payment_method": attached["id"]})


def change_price(buyer: Buyer, amount: int) -> None:
    subscription = buyer.subscription()
    prices = buyer.world.get("/v1/prices", {"limit": 100})["data"]
    price = next(each["id"] for each in prices if each["unit_amount"] == amount and each["active"])
    item = {"id": subscription["items"]["data"][0]["id"], "price": price, "quantity": 1}
    buyer.world.post(f"/v1/subscriptions/{subscription['id']}", {"items": [item]})


LIFECYCLES: dict[str, Lifecycle] = {
    each.__name__: each
    for each in (
        one_off, guest, trial, renewal, recovered, switch, cancel, cancel_taken_back, over_early, refund, partial_refund, dispute_won, dispute_lost,
        debit,
    )
}  # fmt: skip
