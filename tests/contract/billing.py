"""What tests about billing say again and again: a customer with a card, a price, a subscription, a frozen day."""

from typing import Any

from tests.contract.shop import VISA, Shop

APRIL_1 = 1_806_537_600
"""2027-04-01 00:00 UTC: a month of 30 days begins, so that halves and thirds of it are whole days."""
DUNNING_CARD = "pm_card_chargeCustomerFail"


class Desk:
    """An account at a known time, from which a test can sell."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.v1: Any = shop.client.v1

    def freeze(self, at: int = APRIL_1) -> None:
        """Forward only, so an account made today can stand at any later day."""
        self.shop.control("POST", "clock/freeze", {"at": at})

    def settings(self, **wish: Any) -> None:
        self.shop.control("PATCH", "settings", wish)

    def customer(self, card: str | None = VISA, **wish: Any) -> str:
        made = self.v1.customers.create({"email": "ann@example.com", **wish})
        if card:
            method = self.v1.payment_methods.attach(card, {"customer": made.id})
            self.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})
        return str(made.id)

    def change_card(self, customer: str, card: str = VISA) -> str:
        method = self.v1.payment_methods.attach(card, {"customer": customer})
        self.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})
        return str(method.id)

    def price(self, amount: int = 1000, interval: str = "month", count: int = 1, **wish: Any) -> str:
        recurring = {"interval": interval, "interval_count": count}
        offer: dict[str, Any] = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Pro"}}
        made = self.v1.prices.create({**offer, "recurring": recurring, **wish})
        return str(made.id)

    def once(self, amount: int, **wish: Any) -> str:
        offer: dict[str, Any] = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Setup"}}
        made = self.v1.prices.create({**offer, **wish})
        return str(made.id)

    def subscribe(
        self, price: str | None = None, customer: str | None = None, card: str | None = VISA, **wish: Any
    ) -> Any:
        items = wish.pop("items", None) or [{"price": price or self.price(), "quantity": wish.pop("quantity", 1)}]
        return self.v1.subscriptions.create(
            {
                "customer": customer or self.customer(card),
                "items": items,
                "expand": ["latest_invoice.payments"],
                **wish,
            }
        )

    def switch(self, subscription: Any, **wish: Any) -> Any:
        """Changes the first item; `price` and `quantity` are the item's."""
        names = [name for name in ("price", "quantity", "price_data") if name in wish]
        item: dict[str, Any] = {name: wish.pop(name) for name in names}
        return self.v1.subscriptions.update(
            subscription.id,
            {"items": [{"id": first_item(subscription).id, **item}], "expand": ["latest_invoice"], **wish},
        )

    def again(self, subscription: Any) -> Any:
        return self.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice.payments"]})

    def during(self) -> "Log":
        return Log(self.shop)


class Log:
    """The events logged since it was made."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.since = shop.last_event()

    def types(self) -> list[str]:
        return self.shop.events(since=self.since)

    def find(self, type: str) -> dict[str, Any]:
        """The contents of the first event of this type."""
        found: dict[str, Any] = next(
            event["data"] for event in self.shop.event_objects(since=self.since) if event["type"] == type
        )
        return found


def first_item(subscription: Any) -> Any:
    return subscription["items"].data[0]


def amounts(invoice: Any) -> list[int]:
    return [line.amount for line in invoice.lines.data]
