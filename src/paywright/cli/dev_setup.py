"""What `paywright dev` sets up before it serves: environment, Stripe's side of it, keys, and the application itself."""

import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from paywright.cli.dev_data import DevData
from paywright.cli.sandbox_process import Ready

if TYPE_CHECKING:
    from paywright.api.asgi import Asgi
    from paywright.engine.app import App
    from paywright.environments.model import Environment
    from paywright.kernel.settings import Settings

SETTLED_MOUNT = "_settled"
"""Where the sandbox asks whether we have acted on what it sent; open, because it says nothing else."""

STORE_MOUNT = "store"


class Refused(Exception):
    """Something in the way of `dev`, as a sentence."""


def offline(settings: "Settings", secret: str) -> "Settings":
    """
    Offline means offline: Stripe keys and the mail server in the environment are for other commands.

    Another `PAYWRIGHT_SECRET` than the one the data was made under is refused: every other program in this folder would read nothing of it.
    """
    if settings.secret not in (None, secret):
        raise Refused(
            "PAYWRIGHT_SECRET is not the one this data was made under: unset it, or name another folder with `--data-dir`"
        )
    return msgspec.structs.replace(
        settings,
        secret=secret,
        stripe_secret_key=None,
        stripe_publishable_key=None,
        stripe_webhook_secret=None,
        stripe_api_base=None,
        smtp_url=None,
    )


def demo_catalog(settings: "Settings") -> Path | None:
    """What the demo store sells, where there is no catalog here."""
    from paywright.catalog.loading import find
    from paywright.demo import CATALOG

    return None if find(Path.cwd(), settings.catalog) else CATALOG


class Late:
    """An ASGI application that is known only after the address it is served at."""

    def __init__(self) -> None:
        self._application: Asgi | None = None

    def become(self, application: "Asgi") -> None:
        self._application = application

    def stopping(self) -> None:
        from paywright.api.listening import Stoppable

        served: object = self._application
        if isinstance(served, Stoppable):
            served.stopping()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert self._application is not None, "the server starts after the application is made"
        await self._application(scope, receive, send)


def opened(stack: ExitStack, settings: Any) -> "tuple[App, Environment]":
    from paywright.app import open_app, select_environment
    from paywright.environments import actions
    from paywright.environments.model import Environment

    app = open_app(settings, provider="sandbox")
    stack.callback(app.close)
    environment = select_environment(app, settings.environment)
    if environment.mode == "live":
        raise Refused(f"the environment `{environment.id}` is live; `dev` is for test environments")
    if environment.provider != "sandbox":
        with app.work(environment.id) as work:
            changed = actions.change(work, {"provider": "sandbox"})
        assert isinstance(changed, Environment), changed
        environment = changed
    return app, environment


def connect(app: "App", environment_id: str, stripe: Ready, url: str, kept: DevData) -> "Environment":
    """The environment learns where its Stripe is, and that Stripe where to send its events. Both may have moved since the last run."""
    from paywright.environments.actions import StripeCredentials, add_webhook_secret, connect_stripe

    credentials = StripeCredentials(stripe.secret_key, stripe.publishable_key, None, stripe.url)
    with app.work(environment_id) as work:
        refusal = connect_stripe(work, app.settings, credentials)
    assert refusal is None, refusal
    environment = app.environment(environment_id)
    assert environment is not None
    made = _webhook_endpoint(app, environment, url, kept)
    if made is not None:
        kept.webhook_endpoint_id, kept.webhook_secret = made["id"], made["secret"]
        with app.work(environment_id) as work:
            add_webhook_secret(work, app.settings, made["secret"], stripe_endpoint_id=made["id"])
    return environment


def _webhook_endpoint(app: "App", environment: "Environment", url: str, kept: DevData) -> dict[str, Any] | None:
    """A new endpoint with its secret; None when the one of the last run is there and was turned to `url`."""
    from paywright.stripe.gateway import StripeRefused
    from paywright.webhooks.rules import ASKED_EVENTS

    wanted = {
        "url": f"{url}/webhooks/stripe/{environment.id}",
        "enabled_events": list(ASKED_EVENTS),
        "metadata": {"sandbox_settle_url": f"{url}/{SETTLED_MOUNT}"},
    }
    gateway = app.gateway(environment)
    if kept.webhook_endpoint_id is not None:
        try:
            gateway.post(
                f"/v1/webhook_endpoints/{kept.webhook_endpoint_id}", wanted, idempotency_key=f"dev:{uuid.uuid4()}"
            )
        except StripeRefused as refused:
            if not refused.is_missing:
                raise
        else:
            return None
    return gateway.post("/v1/webhook_endpoints", wanted, idempotency_key=f"dev:{uuid.uuid4()}")


def make_keys(app: "App", environment: "Environment", kept: DevData) -> None:
    """Keys that still work are kept; a deleted database gets new ones."""
    from paywright.access.actions import create_key
    from paywright.access.identify import identify
    from paywright.kernel.refusals import Refusal

    for name, kind in (("secret_key", "secret"), ("publishable_key", "publishable")):
        known = getattr(kept, name)
        if known is not None and not isinstance(identify(app, f"Bearer {known}"), Refusal):
            continue
        with app.work(environment.id) as work:
            made = create_key(work, kind, name="paywright dev")  # type: ignore[arg-type]
        assert not isinstance(made, Refusal), made
        setattr(kept, name, made.plain)


def application(
    app: "App", environment: "Environment", url: str, kept: DevData, stripe: Ready, with_store: bool
) -> "Asgi":
    from paywright.api.server import build
    from paywright.cli.settled import settled
    from paywright.pages.site import letters_mount

    mounts: dict[str, Any] = {SETTLED_MOUNT: settled(app, environment), "letters": letters_mount(app)}
    if with_store:
        from paywright import demo

        assert kept.secret_key is not None
        mounts[STORE_MOUNT] = demo.build(url, kept.secret_key, prefix=f"/{STORE_MOUNT}", checkout_origin=stripe.url)
    return build(app, mounts=mounts)
