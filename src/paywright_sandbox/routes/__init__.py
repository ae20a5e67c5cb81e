"""The routes under /v1/, a file per noun. Importing this package fills the table in routing.py."""

from . import (
    balance,
    charges,
    customers,
    events,
    payment_intents,
    payment_methods,
    products,
    setup_intents,
    webhook_endpoints,
)

LOADED = (
    balance,
    charges,
    customers,
    events,
    payment_intents,
    payment_methods,
    products,
    setup_intents,
    webhook_endpoints,
)
