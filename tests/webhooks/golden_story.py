"""The story of the goldens: a pack bought, partly refunded and disputed; a subscription with a coupon, renewed, switched and canceled."""

from typing import Any

from tests.flows.sandbox import PAYS, Account

OURS = {"paywright_environment": "test", "paywright_customer": "user:u_1"}
EVENTS = (
    "checkout.session.completed", "payment_intent.succeeded", "charge.refunded", "refund.created", "charge.dispute.created",
    "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted", "invoice.paid", "invoice.upcoming",
    "invoiceitem.created", "customer.updated",
)  # fmt: skip
EXPANDED: dict[str, tuple[str, list[str]]] = {
    # As our rooms fetch them.
    "checkout_session": ("/v1/checkout/sessions/{}", ["line_items", "payment_intent.latest_charge"]),
    "payment": ("/v1/payment_intents/{}", ["latest_charge.balance_transaction", "payment_method"]),
    "renewal_payment": ("/v1/payment_intents/{}", ["latest_charge.balance_transaction", "payment_method"]),
    "first_invoice": ("/v1/invoices/{}", ["payments", "discounts"]),
    "renewal_invoice": ("/v1/invoices/{}", ["payments", "discounts"]),
    "switch_invoice": ("/v1/invoices/{}", ["payments", "discounts"]),
    "subscription": ("/v1/subscriptions/{}", ["latest_invoice.payments", "default_payment_method", "discounts"]),
    "refund": ("/v1/refunds/{}", []),
    "dispute": ("/v1/disputes/{}", []),
    "customer": ("/v1/customers/{}", ["invoice_settings.default_payment_method"]),
}


class Teller:
    def __init__(self, lives: Account) -> None:
        self.lives = lives
        self.events: dict[str, dict[str, Any]] = {}
        self.fetched: dict[str, dict[str, Any]] = {}

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        return self.lives.post(path, form=flat(params))

    def advance(self, by: str) -> None:
        self.lives.advance(by)
        self.hear()

    def hear(self) -> None:
        """One event of each type, the first; and of updates the last."""
        for event in reversed(self.lives.every("/v1/events")):
            if event["type"] in EVENTS and (event["type"] not in self.events or event["type"].endswith("updated")):
                self.events[event["type"]] = event

    def fetch(self, name: str, stripe_id: str) -> dict[str, Any]:
        path, expand = EXPANDED[name]
        query = {f"expand[{place}]": each for place, each in enumerate(expand)}
        self.fetched[name] = self.lives.get(path.format(stripe_id), **query)
        return self.fetched[name]


def lived(lives: Account) -> dict[str, Any]:
    teller = Teller(lives)
    lives.post("/_sandbox/clock/freeze", {"at": 1_798_761_600})
    customer = teller.post("/v1/customers", email="ada@example.com", metadata=OURS)["id"]
    buy_a_pack(teller, customer)
    subscribe(teller, customer)
    teller.hear()
    teller.fetch("customer", customer)
    return {"events": [teller.events[each] for each in EVENTS], "fetched": teller.fetched}


def buy_a_pack(teller: Teller, customer: str) -> None:
    line = {"price_data": {"currency": "usd", "unit_amount": 5000, "product_data": {"name": "Pack"}}, "quantity": 1}
    session = teller.post(
        "/v1/checkout/sessions",
        mode="payment",
        customer=customer,
        line_items=[line],
        client_reference_id="chk_1",
        success_url="https://app.example/ok",
        metadata={**OURS, "paywright_checkout_session": "chk_1"},
        payment_intent_data={"metadata": {**OURS, "paywright_checkout_session": "chk_1"}},
    )
    teller.lives.pay(session["id"], PAYS)
    intent = teller.fetch("checkout_session", session["id"])["payment_intent"]["id"]
    refund = teller.post("/v1/refunds", payment_intent=intent, amount=1200, reason="requested_by_customer")
    teller.fetch("refund", refund["id"])
    teller.fetch("payment", intent)
    disputed = teller.post(
        "/v1/payment_intents",
        amount=900,
        currency="usd",
        customer=customer,
        payment_method="pm_card_createDispute",
        confirm="true",
        return_url="https://app.example/",
        metadata=OURS,
    )
    teller.advance("1h")
    [dispute] = teller.lives.every("/v1/disputes", payment_intent=disputed["id"])
    teller.fetch("dispute", dispute["id"])


def subscribe(teller: Teller, customer: str) -> None:
    card = teller.post("/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
    teller.post(f"/v1/customers/{customer}", invoice_settings={"default_payment_method": card})
    product = teller.post("/v1/products", name="Pro")["id"]
    monthly: dict[str, Any] = {"currency": "usd", "recurring": {"interval": "month"}}
    small = teller.post("/v1/prices", product=product, unit_amount=2000, **monthly)["id"]
    large = teller.post("/v1/prices", product=product, unit_amount=6000, **monthly)["id"]
    coupon = teller.post("/v1/coupons", percent_off=25, duration="forever", name="A quarter less")["id"]
    made = teller.post(
        "/v1/subscriptions", customer=customer, items=[{"price": small, "quantity": 2}], discounts=[{"coupon": coupon}], metadata=OURS
    )  # fmt: skip
    teller.fetch("first_invoice", made["latest_invoice"])
    teller.hear()
    for _ in range(5):
        teller.advance("7d")
    [renewal, _] = teller.lives.every("/v1/invoices", subscription=made["id"])
    paid = teller.fetch("renewal_invoice", renewal["id"])["payments"]["data"][0]["payment"]["payment_intent"]
    teller.fetch("renewal_payment", paid)
    item = made["items"]["data"][0]["id"]
    teller.post(
        f"/v1/subscriptions/{made['id']}",
        items=[{"id": item, "price": large, "quantity": 1}],
        proration_behavior="always_invoice",
    )
    switched = teller.lives.every("/v1/invoices", subscription=made["id"])[0]
    teller.fetch("switch_invoice", switched["id"])
    teller.post(f"/v1/subscriptions/{made['id']}", cancel_at_period_end="true")
    teller.fetch("subscription", made["id"])
    teller.post("/v1/invoiceitems", customer=customer, currency="usd", amount=300, description="By hand")
    for _ in range(5):
        teller.advance("7d")


def flat(value: Any, at: str = "") -> dict[str, str]:
    """Nested parameters as a form spells them."""
    if isinstance(value, dict):
        inside = {f"{at}[{key}]" if at else key: each for key, each in value.items()}
    elif isinstance(value, list):
        inside = {f"{at}[{place}]": each for place, each in enumerate(value)}
    else:
        return {at: str(value)}
    return {key: each for name, within in inside.items() for key, each in flat(within, name).items()}
