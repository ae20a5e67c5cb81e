"""
(b) stapel-billing, a Django app: `debit` or `hold` and `capture`, with persistent connections. `stapel.py ENGINE NAME PORT debit|hold`.

Its outbox is off, which is the fastest it can be configured.
"""

import os
import sys

from django.conf import settings
from protocol import CUSTOMERS, customer, serve_threads
from stapel_billing._codegen_settings import settings_kwargs

ENGINE, NAME, PORT, KIND = sys.argv[1:5]
DATABASE = (
    {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": NAME,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 60,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
        },
    }
    if ENGINE == "sqlite"
    else {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": NAME,
        "USER": "paywright",
        "HOST": "127.0.0.1",
        "PORT": PORT,
        "CONN_MAX_AGE": None,
    }
)
COMM = {"OUTBOX_ENABLED": False, "ACTION_TRANSPORT": "inprocess", "VALIDATE_SCHEMAS": False}
OURS = {
    "DATABASES": {"default": DATABASE},
    "DEBUG": False,
    "LOGGING_CONFIG": None,
    "MIGRATION_MODULES": {},
    "STAPEL_COMM": COMM,
}
settings.configure(**{**settings_kwargs(), **OURS})

import django  # noqa: E402

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from stapel_billing.models import CreditLot, LotSource, TransactionType, Wallet  # noqa: E402
from stapel_billing.services import capture, debit, hold  # noqa: E402

USERS: list[object] = []


def fill() -> None:
    call_command("migrate", verbosity=0)
    user = get_user_model()
    if user.objects.count() < CUSTOMERS:
        named = {"username" if hasattr(user, "username") else "email"}
        user.objects.bulk_create(
            [user(**dict.fromkeys(named, f"u{number}@example.com")) for number in range(CUSTOMERS)]
        )
        people = list(user.objects.order_by("pk"))
        Wallet.objects.bulk_create([Wallet(user=one, balance=10**9) for one in people])
        lots = [
            CreditLot(wallet=wallet, source=LotSource.PURCHASE, credits_initial=10**9, credits_remaining=10**9)
            for wallet in Wallet.objects.all()
        ]
        CreditLot.objects.bulk_create(lots)
    USERS.extend(user.objects.order_by("pk")[:CUSTOMERS])


def call(is_hot: bool) -> None:
    owner, key, kind = USERS[customer(is_hot)], os.urandom(12).hex(), TransactionType.AI_CHARGE
    if KIND == "debit":
        debit(user=owner, credits=1, type=kind, idempotency_key=key)
    else:
        held = hold(user=owner, credits=1, type=kind, idempotency_key=key)
        capture(hold_id=held.id, actual_credits=1)


fill()
serve_threads(call, threads_max=16 if ENGINE != "sqlite" else 2, leave=connections.close_all)
