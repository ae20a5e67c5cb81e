"""
The surface: what one can ask of Paywright, the same over HTTP and in process.

The files that begin with `async_` are made from this one, `customer.py` and `balance.py` by `scripts/make_async_surface.py`: write here, run that.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from paywright.client import model, paying
from paywright.client.customer import Custom, CustomerHandle, Guest, Team, User
from paywright.client.transport import Transport, segment, without_none
from paywright.kernel.model import Customer, CustomerType

Shown = TypeVar("Shown")


class Surface:
    """A server's or an engine's whole offer, in one environment."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def user(self, user_id: str) -> User:
        """A handle on one of your users, by your own id. Nothing is asked until something is asked of it."""
        return User(self, "user", user_id)

    def team(self, team_id: str) -> Team:
        """A handle on one of your teams."""
        return Team(self, "team", team_id)

    def custom(self, custom_id: str) -> Custom:
        """Anything else that may own something. Secret keys only."""
        return Custom(self, "custom", custom_id)

    def guest(self, claim_token: str) -> Guest:
        """Whoever bought without an account, by their claim token."""
        return Guest(self, "guest", claim_token)

    def list_products(self) -> list[model.CatalogProduct]:
        """The public catalog, in catalog order."""
        return self._call("GET", "/v1/products", model.Page[model.CatalogProduct]).data

    def get_product(self, product_id: str) -> model.CatalogProduct:
        """One product of the public catalog. `NotFound` when there is none, or it is server-only."""
        return self._call("GET", f"/v1/products/{segment(product_id)}", model.CatalogProduct)

    def list_product_lines(self) -> list[model.Named]:
        """Product lines: a customer holds at most one product of each."""
        return self._call("GET", "/v1/product-lines", model.Page[model.Named]).data

    def list_items(self) -> list[model.Named]:
        """Items: what is counted."""
        return self._call("GET", "/v1/items", model.Page[model.Named]).data

    def get_catalog(self) -> dict[str, Any]:
        """The whole catalog, in the shape `put_catalog` takes."""
        return self._call("GET", "/v1/catalog", dict[str, Any])

    def put_catalog(self, catalog: dict[str, Any]) -> model.CatalogApplied:
        """Puts a whole catalog in force. `RuleBroken` with `facts["problems"]` when it is not valid; the old one then stays."""
        return self._call("PUT", "/v1/catalog", model.CatalogApplied, body=catalog)

    def diff_catalog(self, catalog: dict[str, Any]) -> model.CatalogApplied:
        """What `put_catalog` would change. Nothing is written."""
        return self._call("POST", "/v1/catalog/diff", model.CatalogApplied, body=catalog)

    def migrate_owners(
        self,
        product_id: str,
        *,
        from_version: str | None = None,
        filter: model.OwnerFilter | None = None,
        dry_run: bool = True,
        idempotency_key: str | None = None,
    ) -> model.OwnerMigration:
        """
        Owners get the product as it is in the catalog now: included items move, prices do not. A dry run unless you say otherwise.

        The worker goes through them; `get_owner_migration` says how far it is. `Conflict` while another one of this product runs.
        """
        body = {"from_version": from_version, "filter": filter or model.OwnerFilter(), "dry_run": dry_run}
        path = f"/v1/products/{segment(product_id)}/migrations"
        return self._call("POST", path, model.OwnerMigration, body=without_none(body), idempotency_key=idempotency_key)

    def list_owner_migrations(
        self, product_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> model.Page[model.OwnerMigration]:
        """Migrations of a product's owners, newest first."""
        path, query = f"/v1/products/{segment(product_id)}/migrations", {"limit": limit, "cursor": cursor}
        return self._call("GET", path, model.Page[model.OwnerMigration], query=query)

    def get_owner_migration(self, product_id: str, migration_id: str) -> model.OwnerMigration:
        """How far a migration has come."""
        path = f"/v1/products/{segment(product_id)}/migrations/{segment(migration_id)}"
        return self._call("GET", path, model.OwnerMigration)

    def create_guest_checkout_session(
        self,
        line_items: Sequence[dict[str, Any]],
        *,
        claim_token: str | None = None,
        success_url: str | None = None,
        cancel_url: str | None = None,
        ui: Literal["hosted", "elements"] = "hosted",
        currency: str | None = None,
        customer_email: str | None = None,
        metadata: dict[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> model.CheckoutSession:
        """
        For somebody without an account. Keep `claim_token` of the answer: it opens what they buy, and is not shown again.

        Without one of yours a token is made here, so that a request repeated after a cut connection is the same guest's.
        """
        wanted = {"customer": None, "line_items": list(line_items), "ui": ui}
        token = secrets.token_urlsafe(32) if claim_token is None else claim_token
        given = {"claim_token": token, "success_url": success_url, "cancel_url": cancel_url, "currency": currency}
        body = {**wanted, **without_none({**given, "customer_email": customer_email, "metadata": metadata})}
        path = "/v1/checkout-sessions"
        return self._call("POST", path, model.CheckoutSession, body=body, idempotency_key=idempotency_key)

    def create_guest_purchase_url(
        self, product: str | dict[str, Any], *, claim_token: str | None = None, return_url: str | None = None
    ) -> paying.PageUrl:
        """The purchase page for somebody without an account, good for 24 hours. Keep `claim_token` of the answer."""
        named = {"product_id": product} if isinstance(product, str) else {"product": product}
        token = secrets.token_urlsafe(32) if claim_token is None else claim_token
        body = {"customer": None, **named, **without_none({"claim_token": token, "return_url": return_url})}
        return self._call("POST", "/v1/purchase-urls", paying.PageUrl, body=body)

    def get_claim(self, claim_token: str) -> paying.Claim:
        """What was bought with a claim token. Having a token is no proof of purchase: `state` is."""
        return self._call("GET", f"/v1/claims/{segment(claim_token)}", paying.Claim)

    def send_sign_in_code(self, email: str) -> None:
        """To the address, if anything was bought with it; the answer is the same either way."""
        self._call("POST", "/v1/sign-in/codes", dict[str, Any], body={"email": email})

    def sign_in(self, email: str, code: str) -> paying.SignedIn:
        """Opens all guest purchases of the address. `AuthenticationFailed` for a wrong or used code."""
        return self._call("POST", "/v1/sign-in", paying.SignedIn, body={"email": email, "code": code})

    def get_checkout_session(self, checkout_session_id: str) -> model.CheckoutSession:
        """The session as Paywright knows it."""
        return self._call("GET", f"/v1/checkout-sessions/{segment(checkout_session_id)}", model.CheckoutSession)

    def sync_checkout_session(
        self, checkout_session_id: str, *, claim_token: str | None = None
    ) -> model.CheckoutSession:
        """
        Asks Stripe now, and fulfils what is paid: call it on your success page and show what it says.

        A guest's browser, with a publishable key, adds the claim token.
        """
        path, body = f"/v1/checkout-sessions/{segment(checkout_session_id)}/sync", {"claim_token": claim_token}
        return self._call("POST", path, model.CheckoutSession, body=without_none(body))

    def expire_checkout_session(self, checkout_session_id: str) -> model.CheckoutSession:
        """Ends an open session; again answers the same. `Conflict` when it is completed."""
        return self._call("POST", f"/v1/checkout-sessions/{segment(checkout_session_id)}/expire", model.CheckoutSession)

    def list_payments(self, *, limit: int | None = None, cursor: str | None = None) -> model.Page[model.Payment]:
        """Newest first."""
        return self._call("GET", "/v1/payments", model.Page[model.Payment], query={"limit": limit, "cursor": cursor})

    def get_payment(self, payment_id: str) -> model.Payment:
        """One payment."""
        return self._call("GET", f"/v1/payments/{segment(payment_id)}", model.Payment)

    def refund_payment(
        self,
        payment_id: str,
        *,
        amount: int | None = None,
        reason: str | None = None,
        end: Literal["now", "period_end", "none"] | None = None,
        take_back: Literal["unspent", "all", "none"] | None = None,
        idempotency_key: str | None = None,
    ) -> model.Refund:
        """
        Returns `amount` minor units of a payment, all that is left by default. `RuleBroken` `refund_too_large` when that is less.

        `end` and `take_back` say what becomes of what it bought; by default a refund of everything takes unspent units back and ends the
        purchase, and a lesser one does nothing. Repeated by itself under one key, so it is safe to retry.
        """
        body = {"amount": amount, "reason": reason, "end": end, "take_back": take_back}
        path, key = f"/v1/payments/{segment(payment_id)}/refunds", idempotency_key or secrets.token_urlsafe(16)
        return self._call("POST", path, model.Refund, body=without_none(body), idempotency_key=key)

    def get_revenue(self, *, months: int | None = None) -> model.Revenue:
        """What came in and went back in the last months (12 by default, this one included), and what subscriptions bring a month."""
        return self._call("GET", "/v1/metrics/revenue", model.Revenue, query={"months": months})

    def list_payouts(self, *, limit: int | None = None, cursor: str | None = None) -> model.Page[model.Payout]:
        """What Stripe sent to the bank, newest first."""
        return self._call("GET", "/v1/payouts", model.Page[model.Payout], query={"limit": limit, "cursor": cursor})

    def list_subscriptions(self, *, limit: int | None = None, cursor: str | None = None) -> model.Page[dict[str, Any]]:
        """Subscriptions at Stripe, newest first."""
        return self._call(
            "GET", "/v1/subscriptions", model.Page[dict[str, Any]], query={"limit": limit, "cursor": cursor}
        )

    def list_invoices(self, *, limit: int | None = None, cursor: str | None = None) -> model.Page[dict[str, Any]]:
        """Invoices, newest first."""
        return self._call("GET", "/v1/invoices", model.Page[dict[str, Any]], query={"limit": limit, "cursor": cursor})

    def list_customers(
        self, *, type: CustomerType | None = None, limit: int | None = None, cursor: str | None = None
    ) -> model.Page[dict[str, Any]]:
        """Customers that were ever written."""
        query = {"type": type, "limit": limit, "cursor": cursor}
        return self._call("GET", "/v1/customers", model.Page[dict[str, Any]], query=query)

    def list_events(
        self,
        *,
        type: str | None = None,
        customer: Customer | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> model.Page[model.Event]:
        """What Paywright tells the world, newest first."""
        query = {
            "type": type,
            "customer_type": None if customer is None else customer.type,
            "customer_id": None if customer is None else customer.id,
            "limit": limit,
            "cursor": cursor,
        }
        return self._call("GET", "/v1/events", model.Page[model.Event], query=query)

    def list_stripe_events(
        self, *, type: str | None = None, status: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> model.Page[model.StripeEvent]:
        """The inbox, newest first."""
        query = {"type": type, "status": status, "limit": limit, "cursor": cursor}
        return self._call("GET", "/v1/stripe-events", model.Page[model.StripeEvent], query=query)

    def get_stripe_event(self, stripe_event_id: str) -> model.StripeEvent:
        """One event of the inbox with its payload, which is kept for 90 days."""
        return self._call("GET", f"/v1/stripe-events/{segment(stripe_event_id)}", model.StripeEvent)

    def replay_stripe_event(self, stripe_event_id: str) -> model.StripeEvent:
        """Makes it due again. Safe at any time: no fact has its effect twice."""
        return self._call("POST", f"/v1/stripe-events/{segment(stripe_event_id)}/replay", model.StripeEvent)

    def replay_stripe_events(
        self, *, failed: bool = False, ignored: str | None = None, since: datetime | None = None
    ) -> model.Replayed:
        """All that failed, or were ignored for a reason, or arrived since an instant; several narrow each other. Safe at any time."""
        asked = {"failed": failed, "ignored": ignored, "since": None if since is None else since.isoformat()}
        return self._call("POST", "/v1/stripe-events/replay", model.Replayed, body=asked)

    def get_environment(self) -> model.EnvironmentShown:
        """The environment and its switches; `now` is business time."""
        return self._call("GET", "/v1/environment", model.EnvironmentShown)

    def update_environment(self, **changes: Any) -> model.EnvironmentShown:
        """Changes the switches named, all or none."""
        return self._call("PATCH", "/v1/environment", model.EnvironmentShown, body=changes)

    def advance_clock(self, span: str | None = None, *, to: datetime | None = None) -> datetime:
        """Moves business time forward by `31d` (`s m h d w`), or to an instant. Test environments with the sandbox or `instant` only."""
        body = without_none({"advance": span, "to": to})
        return self._call("POST", "/v1/environment/clock", model.ClockShown, body=body).now

    def create_customer_token(
        self, customers: Sequence[Customer | CustomerHandle], *, ttl_s: int, scopes: Sequence[str] | None = None
    ) -> model.CustomerToken:
        """A token for a browser, which acts for these customers and nobody else."""
        named = [each.customer if isinstance(each, CustomerHandle) else each for each in customers]
        body = without_none({"customers": named, "ttl_s": ttl_s, "scopes": scopes})
        return self._call("POST", "/v1/customer-tokens", model.CustomerToken, body=body)

    def revoke_customer_tokens(self, *, token: str | None = None, customer: Customer | None = None) -> None:
        """Takes back one token, or everything issued for a customer so far. It acts within a second."""
        body = without_none({"token": token, "customer": customer})
        self._call("POST", "/v1/customer-tokens/revoke", dict[str, Any], body=body)

    def list_keys(self) -> list[model.ApiKey]:
        """API keys, newest first. Of a secret one only the last four characters are known."""
        return self._call("GET", "/v1/keys", model.Page[model.ApiKey]).data

    def create_key(
        self,
        kind: Literal["secret", "publishable"] = "secret",
        *,
        scopes: Sequence[str] | None = None,
        name: str | None = None,
    ) -> model.ApiKey:
        """`key` of the answer is shown this once."""
        return self._call(
            "POST", "/v1/keys", model.ApiKey, body=without_none({"kind": kind, "scopes": scopes, "name": name})
        )

    def revoke_key(self, key_id: str) -> model.ApiKey:
        """Voids a key within a second. Again answers the same."""
        return self._call("DELETE", f"/v1/keys/{segment(key_id)}", model.ApiKey)

    def capture_hold(
        self, hold_id: str, quantity: int | None = None, *, idempotency_key: str | None = None
    ) -> model.Hold:
        """Spends what is set aside, or fewer of it; the rest goes back."""
        path, body = f"/v1/holds/{segment(hold_id)}/capture", without_none({"quantity": quantity})
        return self._call("POST", path, model.Hold, body=body, idempotency_key=idempotency_key)

    def release_hold(self, hold_id: str) -> model.Hold:
        """Gives back what is set aside."""
        return self._call("POST", f"/v1/holds/{segment(hold_id)}/release", model.Hold)

    def decrease_quantities(
        self,
        lines: Sequence[tuple[Customer | CustomerHandle, str, int]],
        *,
        note: str | None = None,
        idempotency_key: str | None = None,
    ) -> list[model.ItemBalance]:
        """
        Spends from several balances, all or nothing: `[(user, "credits", 5), (team, "exports", 1)]`. Answers the balance of each line.

        `InsufficientQuantity` with `facts["lines"]` when one of them is short.
        """
        wanted = [
            {
                "customer": owner.customer if isinstance(owner, CustomerHandle) else owner,
                "item_id": item_id,
                "quantity": quantity,
            }
            for owner, item_id, quantity in lines
        ]
        body = without_none({"lines": wanted, "note": note})
        return self._call(
            "POST", "/v1/decreases", model.Page[model.ItemBalance], body=body, idempotency_key=idempotency_key
        ).data

    def list_audit(
        self,
        *,
        action: str | None = None,
        actor: str | None = None,
        subject: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> model.Page[model.AuditLine]:
        """Administrative acts, newest first: keys, catalogs, grants, refunds, hooks, switches of the environment."""
        query = {"action": action, "actor": actor, "subject": subject, "limit": limit, "cursor": cursor}
        return self._call("GET", "/v1/audit", model.Page[model.AuditLine], query=query)

    def close(self) -> None:
        """Ends connections and what runs in the background."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
        return self._transport.call(method, path, shows, query=query, body=body, idempotency_key=idempotency_key)
