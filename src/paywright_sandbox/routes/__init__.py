"""The routes under /v1/, a file per noun. Importing this package fills the table in routing.py."""

from . import (
    balance,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    invoiceitems,
    invoices,
    payment_intents,
    payment_methods,
    products,
    setup_intents,
    subscription_items,
    subscriptions,
    test_clocks,
    webhook_endpoints,
)

LOADED = (
    balance,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    invoiceitems,
    invoices,
    payment_intents,
    payment_methods,
    products,
    setup_intents,
    subscription_items,
    subscriptions,
    test_clocks,
    webhook_endpoints,
)
