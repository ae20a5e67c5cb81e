"""The routes under /v1/, a file per noun. Importing this package fills the table in routing.py."""

from . import customers, events, webhook_endpoints

LOADED = (customers, events, webhook_endpoints)
