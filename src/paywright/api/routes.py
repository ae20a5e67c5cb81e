"""
The route table: every path of the interface, who may ask, and the endpoint that answers.

`None` where the endpoint belongs to a later part of the work: it answers 501 `not_implemented` by its name, so that nothing is a silent 404. The rows
marked hot are answered in front of the router (`hot.py`) and stand here for authorization and the document.
"""

from typing import Any

from paywright.api import (
    audit,
    billing,
    catalog,
    checkout,
    customers,
    environment,
    events,
    gates,
    guests,
    healing,
    health,
    holds,
    hooks,
    items,
    migrating,
    money,
    owning,
    parsing,
    selling,
    streams,
    stripe_inbox,
    switching,
    tokens,
)
from paywright.api.route import (
    ANYONE,
    ANYONE_ACTS,
    OPEN,
    SECRET_ADMIN,
    SECRET_CATALOG,
    SECRET_CUSTOMERS,
    SECRET_LEDGER,
    SECRET_READS,
    SECRET_REFUNDS,
    TOKEN_ACTS,
    TOKEN_READS,
    Route,
)
from paywright.client import model, paying
from paywright.healing.model import Difference, Reconciliation

Page = model.Page
C = "/v1/customers/{customer_type}/{customer_id}"
PRODUCT = "/v1/products/{product_id}"
OWNED = f"{C}/products/{{product_id}}"
ITEM = f"{C}/items/{{item_id}}"
SESSION = "/v1/checkout-sessions/{checkout_session_id}"

# fmt: off
ROUTES: tuple[Route, ...] = (
    # The public catalog, and the whole of it.
    Route("GET", "/v1/products", catalog.list_products, ANYONE, shows=Page[model.CatalogProduct]),
    Route("GET", "/v1/products/{product_id}", catalog.read_product, ANYONE, shows=model.CatalogProduct),
    Route("GET", "/v1/product-lines", catalog.list_product_lines, ANYONE, shows=Page[model.Named]),
    Route("GET", "/v1/items", catalog.list_items, ANYONE, shows=Page[model.Named]),
    Route("GET", "/v1/catalog", catalog.read_catalog, SECRET_READS),
    Route("PUT", "/v1/catalog", catalog.put_catalog, SECRET_CATALOG, body=Any, shows=model.CatalogApplied),
    Route("POST", "/v1/catalog/diff", catalog.diff_catalog, SECRET_CATALOG, body=Any, shows=model.CatalogApplied),
    Route("POST", f"{PRODUCT}/migrations", migrating.migrate_owners, SECRET_CATALOG, body=migrating.MigrationWanted, shows=model.OwnerMigration,
          once="work", answers="201"),
    Route("GET", f"{PRODUCT}/migrations", migrating.list_owner_migrations, SECRET_READS, query=parsing.Listing, shows=Page[model.OwnerMigration]),
    Route("GET", f"{PRODUCT}/migrations/{{migration_id}}", migrating.read_owner_migration, SECRET_READS, shows=model.OwnerMigration),
    # A customer: what they own and have.
    Route("GET", C, customers.read_state, TOKEN_READS, shows=model.CustomerState),
    Route("GET", f"{C}/products", owning.list_owned_products, TOKEN_READS, shows=Page[model.OwnedProduct]),
    Route("POST", f"{C}/products", owning.grant_product, SECRET_CUSTOMERS, body=owning.GrantWanted, shows=model.OwnedProduct,
          once="work", answers="201"),
    Route("POST", f"{OWNED}/cancel", owning.cancel, TOKEN_ACTS, body=owning.Cancel, shows=model.OwnedProduct, once="phases", calls_stripe=True),
    Route("POST", f"{OWNED}/resume", owning.resume, TOKEN_ACTS, shows=model.OwnedProduct, once="phases", calls_stripe=True),
    Route("POST", f"{OWNED}/revoke", owning.revoke, SECRET_CUSTOMERS, body=owning.Revoke, shows=model.OwnedProduct, once="phases", calls_stripe=True),
    Route("POST", f"{C}/switch-quotes", switching.create_switch_quote, TOKEN_ACTS, body=switching.SwitchWanted, shows=model.SwitchQuote,
          once="phases", calls_stripe=True, answers="201"),
    Route("POST", f"{C}/switches", switching.switch_subscription, TOKEN_ACTS, body=switching.SwitchConfirmed, shows=model.OwnedProduct,
          once="phases", calls_stripe=True),
    Route("GET", f"{C}/items", items.list_customer_items, TOKEN_READS, query=items.AsOf, shows=Page[model.ItemBalance]),
    Route("GET", ITEM, items.read_item, TOKEN_READS, query=items.AsOf, shows=model.ItemBalance),  # hot
    Route("POST", f"{ITEM}/increase", items.increase, SECRET_LEDGER, body=items.Increase, shows=model.ItemBalance, once="own",
          awaited=items.increase_awaited),  # hot
    Route("POST", f"{ITEM}/decrease", items.decrease, SECRET_LEDGER, body=items.Decrease, shows=model.ItemBalance, once="own",
          awaited=items.decrease_awaited),  # hot
    Route("POST", f"{ITEM}/holds", holds.open_hold, SECRET_LEDGER, body=holds.NewHold, shows=model.Hold, once="work", answers="201"),
    Route("POST", "/v1/holds/{hold_id}/capture", holds.capture_hold, SECRET_LEDGER, body=holds.Capture, shows=model.Hold, once="work"),
    Route("POST", "/v1/holds/{hold_id}/release", holds.release_hold, SECRET_LEDGER, shows=model.Hold, once="work"),
    Route("POST", "/v1/decreases", holds.decrease_many, SECRET_LEDGER, body=holds.Decreases, once="work"),
    Route("GET", f"{ITEM}/entries", items.list_entries, TOKEN_READS, query=items.EntryListing, shows=Page[model.LedgerEntry]),
    Route("GET", f"{ITEM}/grants", holds.list_grants, TOKEN_READS, query=items.AsOf, shows=Page[model.ItemGrant]),
    # Buying.
    Route("POST", "/v1/checkout-sessions", checkout.create_checkout_session, ANYONE_ACTS, body=checkout.NewCheckoutSession,
          shows=model.CheckoutSession, once="own", calls_stripe=True, answers="201"),
    Route("GET", SESSION, checkout.read_checkout_session, ANYONE, shows=model.CheckoutSession),
    Route("POST", f"{SESSION}/sync", checkout.sync_checkout_session, ANYONE_ACTS, body=checkout.Sync, shows=model.CheckoutSession,
          calls_stripe=True),
    Route("POST", f"{SESSION}/expire", checkout.expire_checkout_session, ANYONE_ACTS, shows=model.CheckoutSession, calls_stripe=True),
    Route("POST", "/v1/purchase-urls", selling.create_purchase_url, ANYONE_ACTS, body=selling.NewPurchaseUrl, shows=paying.PageUrl,
          once="phases", answers="201"),
    Route("POST", "/v1/payment-intents", selling.create_payment_intent, ANYONE_ACTS, body=selling.NewPaymentIntent, shows=paying.PaymentIntent,
          once="own", calls_stripe=True, answers="201"),
    Route("POST", f"{C}/portal-sessions", billing.create_portal_session, TOKEN_ACTS, body=billing.NewPortalSession, shows=paying.PageUrl,
          once="phases", calls_stripe=True, answers="201"),
    Route("GET", f"{C}/access", gates.read_access, TOKEN_READS, query=gates.AccessAsked, shows=model.Access),
    Route("POST", f"{C}/gates", gates.ask_gates, TOKEN_READS, body=gates.GatesAsked, shows=model.OpenGates),
    # Money.
    Route("GET", f"{C}/billing", customers.read_billing, TOKEN_READS, shows=paying.Billing),
    Route("POST", f"{C}/setup-intents", billing.create_setup_intent, TOKEN_ACTS, shows=paying.SetupIntent, once="phases", calls_stripe=True,
          answers="201"),
    Route("PUT", f"{C}/payment-method", billing.set_payment_method, TOKEN_ACTS, body=billing.PaymentMethodSet, shows=paying.Billing,
          calls_stripe=True),
    Route("GET", f"{C}/invoices", money.list_customer_invoices, TOKEN_READS, query=money.OwnListing),
    Route("GET", f"{C}/payments", money.list_customer_payments, TOKEN_READS, query=money.OwnListing, shows=Page[model.Payment]),
    Route("GET", "/v1/payments", money.list_payments, SECRET_READS, query=money.MoneyListing, shows=Page[model.Payment]),
    Route("GET", "/v1/payments/{payment_id}", money.read_payment, SECRET_READS, shows=model.Payment),
    Route("POST", "/v1/payments/{payment_id}/refunds", money.create_refund, SECRET_REFUNDS, body=money.NewRefund, shows=model.Refund,
          once="own", calls_stripe=True, answers="201"),
    Route("GET", "/v1/payouts", money.list_payouts, SECRET_READS, query=parsing.Listing, shows=Page[model.Payout]),
    Route("GET", "/v1/subscriptions", money.list_subscriptions, SECRET_READS, query=money.MoneyListing),
    Route("GET", "/v1/invoices", money.list_invoices, SECRET_READS, query=money.MoneyListing),
    Route("GET", "/v1/customers", customers.list_customers, SECRET_READS, query=customers.CustomerListing),
    # Guests and sign-in.
    Route("GET", "/v1/claims/{claim_token}", guests.read_claim, ANYONE, shows=paying.Claim),
    Route("POST", f"{C}/claims", guests.attach_claim, TOKEN_ACTS, body=guests.AttachedClaim, shows=paying.AttachedClaim, once="phases"),
    Route("POST", "/v1/sign-in/codes", guests.send_sign_in_code, ANYONE, body=guests.SignInCode, once="phases", answers="202"),
    Route("POST", "/v1/sign-in", guests.sign_in, ANYONE, body=guests.SignIn, shows=paying.SignedIn, once="phases"),
    Route("POST", "/v1/customer-tokens", tokens.create_customer_token, SECRET_CUSTOMERS, body=tokens.NewToken, shows=model.CustomerToken,
          once="work", answers="201"),
    Route("POST", "/v1/customer-tokens/revoke", tokens.revoke_customer_token, SECRET_CUSTOMERS, body=tokens.RevokedToken, once="work"),
    Route("GET", f"{C}/stream", streams.read_stream, TOKEN_READS, shows=str, media_type="text/event-stream"),  # in front of the router
    # What comes in and what goes out.
    Route("GET", "/v1/stripe-events", stripe_inbox.list_stripe_events, SECRET_READS, query=stripe_inbox.StripeEventListing,
          shows=Page[model.StripeEvent]),
    Route("GET", "/v1/stripe-events/{stripe_event_id}", stripe_inbox.read_stripe_event, SECRET_READS, shows=model.StripeEvent),
    Route("POST", "/v1/stripe-events/replay", stripe_inbox.replay_stripe_events, SECRET_ADMIN, body=stripe_inbox.ReplayOfMany,
          shows=model.Replayed, once="work"),
    Route("POST", "/v1/stripe-events/{stripe_event_id}/replay", stripe_inbox.replay_stripe_event, SECRET_ADMIN, shows=model.StripeEvent, once="work"),
    Route("GET", "/v1/events", events.list_events, SECRET_READS, query=events.EventListing, shows=Page[model.Event]),
    Route("GET", "/v1/hooks", hooks.list_hooks, SECRET_ADMIN, shows=Page[model.Hook]),
    Route("POST", "/v1/hooks", hooks.create_hook, SECRET_ADMIN, body=hooks.NewHook, shows=model.Hook, once="work", answers="201"),
    Route("GET", "/v1/hooks/{hook_id}", hooks.read_hook, SECRET_ADMIN, shows=model.Hook),
    Route("PATCH", "/v1/hooks/{hook_id}", hooks.change_hook, SECRET_ADMIN, body=hooks.HookChange, shows=model.Hook, once="work"),
    Route("DELETE", "/v1/hooks/{hook_id}", hooks.delete_hook, SECRET_ADMIN, once="work"),
    Route("GET", "/v1/hooks/{hook_id}/deliveries", hooks.list_deliveries, SECRET_ADMIN, query=parsing.Listing, shows=Page[model.HookDelivery]),
    Route("POST", "/v1/hooks/{hook_id}/deliveries/{delivery_id}/redeliver", hooks.redeliver, SECRET_ADMIN, once="work"),
    # The environment and its keys.
    Route("GET", "/v1/environment", environment.read_environment, SECRET_READS, shows=model.EnvironmentShown),
    Route("PATCH", "/v1/environment", environment.change_environment, SECRET_ADMIN, body=Any, shows=model.EnvironmentShown),
    Route("PUT", "/v1/environment/stripe", environment.connect_stripe, SECRET_ADMIN, body=environment.StripeKey, shows=model.StripeConnected,
          calls_stripe=True),
    Route("POST", "/v1/environment/clock", environment.move_clock, SECRET_ADMIN, body=environment.Advance, shows=model.ClockShown,
          once="phases", calls_stripe=True),
    Route("GET", "/v1/environment/settled", environment.read_settled, SECRET_READS),
    Route("GET", "/v1/keys", tokens.list_keys, SECRET_ADMIN, shows=Page[model.ApiKey]),
    Route("POST", "/v1/keys", tokens.create_key, SECRET_ADMIN, body=tokens.NewKey, shows=model.ApiKey, once="work", answers="201"),
    Route("DELETE", "/v1/keys/{key_id}", tokens.revoke_key, SECRET_ADMIN, shows=model.ApiKey),
    Route("GET", "/v1/audit", audit.list_audit, SECRET_ADMIN, query=audit.AuditListing, shows=Page[model.AuditLine]),
    Route("GET", "/v1/metrics/revenue", money.read_revenue, SECRET_READS, query=money.RevenueAsked, shows=model.Revenue),
    Route("POST", "/v1/reconcile", healing.start_reconcile, SECRET_ADMIN, body=healing.ReconcileWanted, shows=Reconciliation, answers="202"),
    Route("GET", "/v1/reconcile", healing.list_reconciliations, SECRET_READS, query=parsing.Listing, shows=Page[Reconciliation]),
    Route("GET", "/v1/reconcile/{reconciliation_id}", healing.read_reconciliation, SECRET_READS, shows=Reconciliation),
    Route("GET", "/v1/reconcile/{reconciliation_id}/lines", healing.list_reconcile_lines, SECRET_READS, query=parsing.Listing,
          shows=Page[Difference]),
    # Stripe's door, answered in front of the router, and the machine's own questions.
    Route("POST", "/webhooks/stripe/{environment}", stripe_inbox.receive, OPEN, body=Any),  # hot
    Route("GET", "/healthz", health.healthz, OPEN),
    Route("GET", "/readyz", health.readyz, OPEN),
    Route("GET", "/metrics", health.metrics, OPEN),
    Route("GET", "/openapi.json", health.openapi_document, OPEN),
    Route("GET", "/docs", health.docs_page, OPEN),
    Route("GET", "/docs/style.css", health.docs_style, OPEN),
)
# fmt: on
