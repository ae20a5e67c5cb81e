"""One customer: the handle most of the surface is on."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from paywright.client import model, paying
from paywright.client.balance import ItemHandle
from paywright.client.conditions import Condition, without, written
from paywright.client.errors import Conflict, NotFound, RateLimited, Unavailable
from paywright.client.streams import Streaming
from paywright.client.transport import segment, without_none
from paywright.kernel.model import Customer, CustomerType

if TYPE_CHECKING:
    from paywright.client.surface import Surface

Shown = TypeVar("Shown")

log = logging.getLogger("paywright.client")

OPENS_NOTHING = ("claim_not_found", "claim_taken")
"""A guest's claim token before anything is bought with it, and after the purchases moved to an account."""


class CustomerHandle(Streaming):
    """One customer. Making a handle asks nothing; whether the id exists is your own affair."""

    def __init__(self, surface: "Surface", customer_type: CustomerType, customer_id: str) -> None:
        self.customer = Customer(customer_type, customer_id)
        self._surface = surface
        self._path = f"/v1/customers/{customer_type}/{segment(customer_id)}"

    @property
    def id(self) -> str:
        """Your own id of theirs."""
        return self.customer.id

    def get_state(self) -> model.CustomerState:
        """Products, items and billing at once, with the `version` that rises with every change."""
        return self._call("GET", "", model.CustomerState)

    def list_products(self) -> list[model.OwnedProduct]:
        """What they own now, newest first."""
        return self._call("GET", "/products", model.Page[model.OwnedProduct]).data

    def owns(self, product_id: str) -> bool:
        """Whether they own it, with access. `NotFound` for a product there is not: a slip of the pen would be a gate for ever shut."""
        access = self.get_product_access(product_id)
        return access.allowed

    def gate(self, record: Any, /, **fields: Condition) -> dict[str, Any]:
        """
        A copy of the record without the fields this customer is not entitled to: absent, not null. `gate(post, content="pro")`.

        A condition is a product, a list of products (any of them), or made with `paywright.client.conditions`. `NotFound` at once for a product
        or an item there is not. State that can't be read shuts the gate.
        """
        wanted = {name: written(condition) for name, condition in fields.items()}
        opened: list[str] = []
        try:
            opened = self._call("POST", "/gates", model.OpenGates, body={"fields": wanted}).open
        except (Unavailable, RateLimited) as error:
            log.warning("gates are shut, because the state of a %s could not be read: %s", self.customer.type, error)
        except (NotFound, Conflict) as error:
            if error.code not in OPENS_NOTHING:
                raise
        return without(record, fields.keys() - set(opened))

    def get_product_access(self, product_id: str) -> model.Access:
        """Whether they may use the product, why, and what would open it."""
        return self._call("GET", "/access", model.Access, query={"product": product_id})

    def get_item_access(self, item_id: str, quantity: int = 1) -> model.Access:
        """Whether they could spend that many units now. Nothing is spent."""
        return self._call("GET", "/access", model.Access, query={"item": item_id, "quantity": quantity})

    def grant_product(
        self,
        product: str | dict[str, Any],
        *,
        price_id: str | None = None,
        quantity: int = 1,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> model.OwnedProduct:
        """Gives a product without money: one of the catalog by id, or one described inline."""
        body = without_none({**_product(product), "price_id": price_id, "quantity": quantity, "reason": reason})
        return self._call("POST", "/products", model.OwnedProduct, body=body, idempotency_key=idempotency_key)

    def cancel_subscription(
        self, product_id: str, *, at: Literal["period_end", "now"] = "period_end", idempotency_key: str | None = None
    ) -> model.OwnedProduct:
        """By product or owned product id. At the period's end access stays until then."""
        path = f"/products/{segment(product_id)}/cancel"
        return self._call("POST", path, model.OwnedProduct, body={"at": at}, idempotency_key=idempotency_key)

    def resume_subscription(self, product_id: str, *, idempotency_key: str | None = None) -> model.OwnedProduct:
        """Takes back whatever is scheduled."""
        return self._call(
            "POST", f"/products/{segment(product_id)}/resume", model.OwnedProduct, idempotency_key=idempotency_key
        )

    def quote_switch(
        self,
        from_product_id: str,
        to_product_id: str,
        *,
        price_id: str | None = None,
        quantity: int = 1,
        at: Literal["now", "period_end"] | None = None,
        idempotency_key: str | None = None,
    ) -> model.SwitchQuote:
        """What a switch would charge now and later, promised for fifteen minutes. `at` needs a secret key."""
        wanted = {"from_product_id": from_product_id, "to_product_id": to_product_id, "price_id": price_id, "at": at}
        body = without_none({**wanted, "quantity": quantity})
        return self._call("POST", "/switch-quotes", model.SwitchQuote, body=body, idempotency_key=idempotency_key)

    def switch_subscription(
        self,
        from_product_id: str,
        to_product_id: str,
        *,
        price_id: str | None = None,
        quantity: int = 1,
        at: Literal["now", "period_end"] | None = None,
        idempotency_key: str | None = None,
    ) -> model.OwnedProduct:
        """Up at once, down at the end of the period, without showing a quote first."""
        wanted = {"from_product_id": from_product_id, "to_product_id": to_product_id, "price_id": price_id, "at": at}
        body = without_none({**wanted, "quantity": quantity})
        return self._call("POST", "/switches", model.OwnedProduct, body=body, idempotency_key=idempotency_key)

    def confirm_switch(self, quote_id: str, *, idempotency_key: str | None = None) -> model.OwnedProduct:
        """Charges exactly what was quoted, or raises and changes nothing."""
        body = {"quote_id": quote_id}
        return self._call("POST", "/switches", model.OwnedProduct, body=body, idempotency_key=idempotency_key)

    def revoke_product(
        self, product_id: str, *, quantity: int | None = None, idempotency_key: str | None = None
    ) -> model.OwnedProduct:
        """Ends any purchase now, without a refund."""
        path, body = f"/products/{segment(product_id)}/revoke", without_none({"quantity": quantity})
        return self._call("POST", path, model.OwnedProduct, body=body, idempotency_key=idempotency_key)

    def list_items(self) -> list[ItemHandle]:
        """Every item of this kind of customer, untouched ones too."""
        return [
            ItemHandle(self, balance) for balance in self._call("GET", "/items", model.Page[model.ItemBalance]).data
        ]

    def get_item(self, item_id: str, *, as_of: datetime | None = None) -> ItemHandle:
        """What they have of it. `NotFound` for an item that is not in the catalog."""
        query = {"as_of": None if as_of is None else as_of.isoformat()}
        return ItemHandle(self, self._call("GET", f"/items/{segment(item_id)}", model.ItemBalance, query=query))

    def create_checkout_session(
        self,
        line_items: Sequence[dict[str, Any]],
        *,
        success_url: str,
        cancel_url: str,
        currency: str | None = None,
        customer_email: str | None = None,
        promotion_codes: bool | None = None,
        metadata: dict[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> model.CheckoutSession:
        """Opens a checkout of `[{"product_id": …, "price_id"?: …, "quantity"?: …}]`; `url` is where to send the buyer."""
        body = without_none(
            {
                "customer": self.customer,
                "line_items": list(line_items),
                "success_url": success_url,
                "cancel_url": cancel_url,
                "currency": currency,
                "customer_email": customer_email,
                "promotion_codes": promotion_codes,
                "metadata": metadata,
            }
        )
        return self._surface._call(
            "POST", "/v1/checkout-sessions", model.CheckoutSession, body=body, idempotency_key=idempotency_key
        )

    def create_checkout_url(
        self,
        product: str | dict[str, Any],
        *,
        success_url: str,
        cancel_url: str,
        price_id: str | None = None,
        quantity: int = 1,
        currency: str | None = None,
        customer_email: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Where to send the buyer of one product. `{CHECKOUT_SESSION_ID}` in the URLs is replaced."""
        line_item = without_none({**_product(product), "price_id": price_id, "quantity": quantity})
        session = self.create_checkout_session(
            [line_item],
            success_url=success_url,
            cancel_url=cancel_url,
            currency=currency,
            customer_email=customer_email,
            idempotency_key=idempotency_key,
        )
        assert session.url is not None, f"the checkout session {session.id} is {session.status}"
        return session.url

    def create_purchase_url(self, product: str | dict[str, Any], *, return_url: str | None = None) -> str:
        """The address of the purchase page for one product, good for 24 hours: price, currency and quantity are chosen there."""
        body = without_none({"customer": self.customer, **_product(product), "return_url": return_url})
        return self._surface._call("POST", "/v1/purchase-urls", paying.PageUrl, body=body).url

    def create_payment_intent(
        self,
        line_items: Sequence[dict[str, Any]] | None = None,
        *,
        amount: int | None = None,
        currency: str | None = None,
        receipt_email: str | None = None,
        description: str | None = None,
        metadata: dict[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> paying.PaymentIntent:
        """For a payment form of your own: one-time line items, or a bare `amount`, which grants nothing."""
        lines = None if line_items is None else list(line_items)
        wanted = {"customer": self.customer, "line_items": lines, "amount": amount, "currency": currency}
        body = without_none(
            {**wanted, "receipt_email": receipt_email, "description": description, "metadata": metadata}
        )
        path = "/v1/payment-intents"
        return self._surface._call("POST", path, paying.PaymentIntent, body=body, idempotency_key=idempotency_key)

    def create_portal_session(
        self,
        *,
        return_url: str | None = None,
        configuration: str | None = None,
        ui: Literal["stripe", "paywright"] = "stripe",
    ) -> paying.PageUrl:
        """Stripe's billing portal, or our own customer page, good for an hour."""
        body = without_none({"return_url": return_url, "configuration": configuration, "ui": ui})
        return self._call("POST", "/portal-sessions", paying.PageUrl, body=body)

    def create_payment_method_setup_intent(self) -> paying.SetupIntent:
        """For saving a card in the browser without buying anything."""
        return self._call("POST", "/setup-intents", paying.SetupIntent)

    def set_default_payment_method_from_setup_intent(self, setup_intent_id: str) -> paying.Billing:
        """The card that a confirmed setup intent saved pays from now on."""
        return self._call("PUT", "/payment-method", paying.Billing, body={"setup_intent_id": setup_intent_id})

    def attach_claim(self, claim_token: str) -> paying.AttachedClaim:
        """A guest's purchases become this user's, for good."""
        return self._call("POST", "/claims", paying.AttachedClaim, body={"claim_token": claim_token})

    def get_billing(self) -> paying.Billing:
        """How they pay, as last heard from Stripe."""
        return self._call("GET", "/billing", paying.Billing)

    def list_invoices(self, *, limit: int | None = None, cursor: str | None = None) -> model.Page[dict[str, Any]]:
        """Their invoices, newest first. Users and teams only."""
        return self._call("GET", "/invoices", model.Page[dict[str, Any]], query={"limit": limit, "cursor": cursor})

    def list_payments(self, *, limit: int | None = None, cursor: str | None = None) -> model.Page[model.Payment]:
        """Their payments, newest first. Users and teams only."""
        return self._call("GET", "/payments", model.Page[model.Payment], query={"limit": limit, "cursor": cursor})

    def _call(
        self,
        method: str,
        path: str,
        shows: type[Shown],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
    ) -> Shown:
        return self._surface._call(
            method, f"{self._path}{path}", shows, query=query, body=body, idempotency_key=idempotency_key
        )


class User(CustomerHandle):
    """One of your users."""


class Team(CustomerHandle):
    """One of your teams."""


class Custom(CustomerHandle):
    """Anything else that may own something."""


class Guest(CustomerHandle):
    """Somebody known by a claim token only."""


def _product(product: str | dict[str, Any]) -> dict[str, Any]:
    return {"product_id": product} if isinstance(product, str) else {"product": product}
