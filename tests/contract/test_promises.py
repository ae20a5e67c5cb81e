"""What the sandbox promises to have, as lists: resources with their verbs, events, and what it refuses by name."""

import re
from pathlib import Path

import pytest

import paywright_sandbox
from paywright_sandbox.machine.due import ACTS, KINDS
from paywright_sandbox.params import catalogue
from paywright_sandbox.routing import ROUTES
from paywright_sandbox.serialise import ABSENT
from tests.contract.shop import Shop

CRUD = "list create get update"
RESOURCES = {
    "customers": f"{CRUD} delete",
    "products": f"{CRUD} delete",
    "prices": CRUD,
    "payment_methods": f"{CRUD} attach detach",
    "payment_intents": f"{CRUD} confirm capture cancel",
    "setup_intents": f"{CRUD} confirm cancel",
    "charges": "list get update",
    "refunds": f"{CRUD} cancel",
    "checkout/sessions": f"{CRUD} expire",
    "payment_pages": "get confirm",
    "subscriptions": f"{CRUD} delete pause resume migrate",
    "subscription_items": f"{CRUD} delete",
    "subscription_schedules": f"{CRUD} release cancel",
    "invoices": f"{CRUD} delete finalize pay send void mark_uncollectible add_lines update_lines remove_lines",
    "invoiceitems": f"{CRUD} delete",
    "invoice_payments": "list get",
    "coupons": f"{CRUD} delete",
    "promotion_codes": CRUD,
    "billing_portal/sessions": "create",
    "billing_portal/configurations": CRUD,
    "webhook_endpoints": f"{CRUD} delete",
    "events": "list get",
    "disputes": "list get update close",
    "balance_transactions": "list get",
    "payouts": f"{CRUD} cancel reverse",
    "test_helpers/test_clocks": "list create get delete advance",
    "credit_notes": f"{CRUD} void",
    "radar/early_fraud_warnings": "list get",
    "tax_rates": CRUD,
    "tokens": "create get",
    "accounts": f"{CRUD} delete login_links",
    "account_links": "create",
    "setup_attempts": "list",
    "mandates": "get",
}
SINGLE = """
GET /v1/account
GET /v1/balance
GET /v1/customers/{}/payment_methods
GET /v1/customers/{}/payment_methods/{}
GET /v1/customers/{}/balance_transactions
POST /v1/customers/{}/balance_transactions
GET /v1/checkout/sessions/{}/line_items
GET /v1/invoices/{}/lines
POST /v1/invoices/create_preview
GET /v1/credit_notes/preview
GET /v1/credit_notes/{}/lines
GET /v1/confirmation_tokens/{}
POST /v1/test_helpers/confirmation_tokens
GET /v2/core/events/{}
"""
SEARCHED = "customers products prices payment_intents charges subscriptions invoices"
ABSENT_TIERS = """
payment_links transfers application_fees entitlements/features billing/meters billing/credit_grants shipping_rates quotes files
customer_sessions account_sessions apple_pay/domains apps/secrets billing/alerts climate/orders ephemeral_keys file_links
financial_connections/sessions forwarding/requests identity/verification_sessions issuing/cards payment_method_domains radar/value_lists
reporting/report_runs tax/calculations terminal/readers topups treasury/financial_accounts
"""
EVENTS = """
customer.created customer.updated customer.deleted payment_intent.created payment_intent.succeeded payment_intent.payment_failed
payment_intent.requires_action payment_intent.processing payment_intent.canceled payment_intent.amount_capturable_updated charge.succeeded
charge.failed charge.pending charge.captured charge.updated charge.refunded charge.expired charge.refund.updated refund.created refund.updated
refund.failed charge.dispute.created charge.dispute.updated charge.dispute.closed charge.dispute.funds_withdrawn
charge.dispute.funds_reinstated radar.early_fraud_warning.created checkout.session.completed checkout.session.expired
checkout.session.async_payment_succeeded checkout.session.async_payment_failed setup_intent.created setup_intent.succeeded
setup_intent.setup_failed setup_intent.requires_action setup_intent.canceled payment_method.attached payment_method.detached
customer.subscription.created customer.subscription.updated customer.subscription.deleted customer.subscription.trial_will_end
customer.subscription.paused customer.subscription.resumed customer.subscription.pending_update_applied
customer.subscription.pending_update_expired invoice.created invoice.finalized invoice.finalization_failed invoice.updated invoice.paid
invoice.payment_succeeded invoice.payment_failed invoice.payment_action_required invoice.upcoming invoice.sent invoice.voided
invoice.marked_uncollectible invoice.deleted invoice.will_be_due invoice.overdue invoice_payment.paid invoiceitem.created invoiceitem.deleted
subscription_schedule.created subscription_schedule.updated subscription_schedule.released subscription_schedule.completed
subscription_schedule.canceled subscription_schedule.expiring billing_portal.session.created billing_portal.configuration.created payout.created
payout.updated payout.paid payout.failed payout.canceled balance.available test_helpers.test_clock.advancing test_helpers.test_clock.ready
account.updated credit_note.created product.created price.created coupon.created promotion_code.created tax_rate.created
"""
SOURCE = "\n".join(path.read_text("utf-8") for path in Path(paywright_sandbox.__file__).parent.rglob("*.py"))
PATHS = {re.sub(r"\{\w+\}", "{}", key) for key in ROUTES}
METHODS = {
    "list": "GET {0}",
    "create": "POST {0}",
    "get": "GET {0}/{{}}",
    "update": "POST {0}/{{}}",
    "delete": "DELETE {0}/{{}}",
}


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_resource_has_its_verbs(resource: str) -> None:
    wanted = {
        METHODS.get(verb, f"POST {{0}}/{{{{}}}}/{verb}").format(f"/v1/{resource}")
        for verb in RESOURCES[resource].split()
    }
    assert wanted <= PATHS


def test_what_is_no_resource_of_its_own_is_there_too() -> None:
    assert set(SINGLE.strip().splitlines()) | {f"GET /v1/{name}/search" for name in SEARCHED.split()} <= PATHS


@pytest.mark.parametrize("resource", ABSENT_TIERS.split())
def test_what_is_left_out_is_refused_by_name(shop: Shop, resource: str) -> None:
    assert any(key.endswith(f"/v1/{resource}") for key in catalogue().routes), "the SDK has it no more"
    method = "GET" if f"GET /v1/{resource}" in catalogue().routes else "POST"
    answer = shop.http.request(method, f"/v1/{resource}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "sandbox_not_implemented")
    assert f"{method} /v1/{resource}" in answer.json()["error"]["message"]


def test_every_event_has_its_place_in_the_source() -> None:
    assert [name for name in EVENTS.split() if f'"{name}"' not in SOURCE and not is_composed(name)] == []


def is_composed(name: str) -> bool:
    """Some names are put together: `payment_intent.{outcome}`, `{kind}.created`."""
    kind, _, verb = name.rpartition(".")
    return f'f"{kind}.{{' in SOURCE or f'.{verb}"' in SOURCE


def test_every_kind_of_due_act_has_its_machine() -> None:
    assert set(ACTS) == KINDS


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("checkout.session", "line_items"),
        ("invoice", "payments"),
        ("invoice", "confirmation_secret"),
        ("charge", "refunds"),
        ("customer", "subscriptions"),
        ("customer", "sources"),
        ("customer", "tax_ids"),
        ("price", "tiers"),
        ("price", "currency_options"),
    ],
)
def test_what_is_absent_unless_expanded(name: str, field: str) -> None:
    assert (name, field) in ABSENT
