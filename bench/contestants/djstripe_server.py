"""
dj-stripe's webhook endpoint, under gunicorn with eight threads.

`djstripe_server.py NAME PORT SANDBOX_URL SANDBOX_KEY SECRET HTTP_PORT store|process`.

`store`: its documented way to process later, `DJSTRIPE_WEBHOOK_EVENT_CALLBACK`, with nothing behind it, so that an event is verified, stored and
acknowledged and that is all. `process`: as it comes.
"""

import logging
import os
import sys

import django
import stripe
from django.conf import settings

NAME, PORT, SANDBOX, KEY, SECRET, HTTP_PORT, KIND = sys.argv[1:8]
UUID = "00000000-0000-4000-8000-000000000000"


def later(_trigger: object, api_key: str | None = None) -> None:
    """A queue's place."""


settings.configure(
    SECRET_KEY="of this measurement only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="djstripe_urls",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "djstripe"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "USER": "paywright",
            "HOST": "127.0.0.1",
            "PORT": PORT,
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    LOGGING_CONFIG=None,
    STRIPE_TEST_SECRET_KEY=KEY,
    STRIPE_SECRET_KEY=KEY,
    STRIPE_LIVE_MODE=False,
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    **({"DJSTRIPE_WEBHOOK_EVENT_CALLBACK": later} if KIND == "store" else {}),
)
stripe.api_base = SANDBOX
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from gunicorn.app.base import BaseApplication  # noqa: E402


class Served(BaseApplication):
    def load_config(self) -> None:
        chosen = {
            "bind": f"127.0.0.1:{HTTP_PORT}",
            "threads": 8,
            "workers": 1,
            "worker_class": "gthread",
            "keepalive": 60,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)
        self.cfg.set("loglevel", "critical")

    def load(self) -> object:
        return get_wsgi_application()


def main() -> None:
    if os.environ.get("SERVER_SOFTWARE"):
        return
    call_command("migrate", verbosity=0)
    from djstripe.models import Customer, WebhookEndpoint

    # What it asks beside the object itself and the sandbox does not have: card sources of old, and a product's features.
    Customer.expand_fields = []
    logging.disable(logging.CRITICAL)

    WebhookEndpoint.objects.get_or_create(
        djstripe_uuid=UUID,
        defaults={
            "id": "we_bench",
            "livemode": False,
            "secret": SECRET,
            "url": "http://127.0.0.1/",
            "enabled_events": ["*"],
            "status": "enabled",
        },
    )
    Served().run()


main()
