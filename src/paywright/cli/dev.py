"""`paywright dev`: everything, offline, in one command."""

import logging
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from paywright.cli import dev_data
from paywright.cli.dev_data import DevData
from paywright.cli.options import fail, log_to_stderr, shared, show
from paywright.cli.sandbox_process import Ready, SandboxFailed, SandboxProcess

if TYPE_CHECKING:
    from paywright.api.asgi import Asgi
    from paywright.engine.app import App
    from paywright.environments.model import Environment
    from paywright.kernel.settings import Settings

log = logging.getLogger("paywright.dev")

SETTLED_MOUNT = "_settled"
"""Where the sandbox asks whether we have acted on what it sent; open, because it says nothing else."""

STORE_MOUNT = "store"
WATCH_S = 0.5


class Refused(Exception):
    """Something in the way of `dev`, as a sentence."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free one.")
@click.option(
    "--sandbox-port",
    type=click.IntRange(0, 65535),
    default=8788,
    show_default=True,
    help="The offline Stripe's; 0 takes a free one.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=dev_data.FOLDER,
    show_default=True,
    help="Where everything is kept.",
)
@click.option(
    "--catalog",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What is sold; else the catalog file here, else the demo store's.",
)
@click.option("--no-demo", is_flag=True, help="Without the demo store.")
@click.option(
    "--log-level", default="warning", show_default=True, help="debug, info, warning or error, on standard error."
)
@shared
def dev(
    host: str,
    port: int,
    sandbox_port: int,
    data_dir: Path,
    catalog: Path | None,
    no_demo: bool,
    log_level: str,
    environment: str | None,
    as_json: bool,
) -> None:
    """Server, offline Stripe, worker and demo store on this machine, until Ctrl-C. The data is kept."""
    log_to_stderr(log_level)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    sandbox = SandboxProcess(data_dir / "sandbox.db", port=sandbox_port)
    data_dir.mkdir(parents=True, exist_ok=True)
    sandbox.start()
    try:
        with running(sandbox, host, port, data_dir, catalog, not no_demo, environment) as facts:
            show(facts, banner(facts), as_json=as_json)
            watch(sandbox, stopping)
    except (Refused, SandboxFailed) as error:
        fail(str(error), as_json=as_json)
    finally:
        sandbox.stop()


@contextmanager
def running(
    sandbox: SandboxProcess,
    host: str,
    port: int,
    data_dir: Path,
    catalog: Path | None,
    with_store: bool,
    environment_id: str | None,
) -> Iterator[dict[str, Any]]:
    """Everything up, and the facts to print; everything down again when the block ends."""
    from paywright.api.listening import Listening
    from paywright.app import apply_catalog_file
    from paywright.cli.serving import without_telemetry
    from paywright.kernel import faults
    from paywright.kernel.settings import load_settings
    from paywright.storage.migrate import upgrade
    from paywright.worker import Worker

    kept = dev_data.read_or_make(data_dir)
    url = f"sqlite:///{data_dir / 'paywright.db'}"
    settings = offline(load_settings(database_url=url, secret=kept.secret, environment=environment_id, port=port))
    upgrade(settings.database_url)
    without_telemetry()
    with ExitStack() as stack:
        application = _Late()
        try:
            listening = Listening(application, host=host, port=port)
        except OSError as error:
            raise Refused(f"cannot listen on {host}:{port}: {error.strerror}. Try `--port 0`.") from error
        app, environment = _opened(stack, settings)
        stripe = sandbox.ready()
        environment = _connect(app, environment.id, stripe, listening.url, kept)
        _make_keys(app, environment, kept)
        apply_catalog_file(app, environment.id, Path.cwd(), catalog or demo_catalog(settings))
        store_url = f"{listening.url}/{STORE_MOUNT}/" if with_store else None
        application.become(_application(app, environment, listening.url, kept, stripe, with_store))
        kept.url, kept.sandbox_url = listening.url, stripe.url
        dev_data.write(data_dir, kept)
        stack.enter_context(Worker(app))
        stack.enter_context(listening)
        faults.disarmed_until_ready()
        yield {
            "url": listening.url,
            "dashboard_url": None,
            "store_url": store_url,
            "sandbox_url": stripe.url,
            "environment": environment.id,
            "secret_key": kept.secret_key,
            "publishable_key": kept.publishable_key,
            "webhook_secret": kept.webhook_secret,
        }


def offline(settings: "Settings") -> "Settings":
    """Offline means offline: Stripe keys in the environment are for other commands."""
    return msgspec.structs.replace(
        settings, stripe_secret_key=None, stripe_publishable_key=None, stripe_webhook_secret=None, stripe_api_base=None
    )


def demo_catalog(settings: "Settings") -> Path | None:
    """What the demo store sells, where there is no catalog here."""
    from paywright.catalog.loading import find
    from paywright.demo import CATALOG

    return None if find(Path.cwd(), settings.catalog) else CATALOG


class _Late:
    """An ASGI application that is known only after the address it is served at."""

    def __init__(self) -> None:
        self._application: Asgi | None = None

    def become(self, application: "Asgi") -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert self._application is not None, "the server starts after the application is made"
        await self._application(scope, receive, send)


def _opened(stack: ExitStack, settings: Any) -> "tuple[App, Environment]":
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


def _connect(app: "App", environment_id: str, stripe: Ready, url: str, kept: DevData) -> "Environment":
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


def _make_keys(app: "App", environment: "Environment", kept: DevData) -> None:
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


def _application(
    app: "App", environment: "Environment", url: str, kept: DevData, stripe: Ready, with_store: bool
) -> "Asgi":
    from paywright.api.server import build
    from paywright.cli.settled import settled

    mounts: dict[str, Any] = {SETTLED_MOUNT: settled(app, environment)}
    if with_store:
        from paywright import demo

        assert kept.secret_key is not None
        mounts[STORE_MOUNT] = demo.build(url, kept.secret_key, prefix=f"/{STORE_MOUNT}", checkout_origin=stripe.url)
    return build(app, mounts=mounts)


def watch(sandbox: SandboxProcess, stopping: threading.Event) -> None:
    """Until told to stop. A sandbox that was killed comes back where it was, with its data."""
    while not stopping.wait(WATCH_S):
        if not sandbox.is_running():
            log.warning("the sandbox ended; starting it again")
            sandbox.stop()
            sandbox.start()
            sandbox.ready()


def banner(facts: dict[str, Any]) -> str:
    lines = [
        ("API", facts["url"], f"docs at {facts['url']}/docs"),
        ("Demo store", facts["store_url"], "buy with 4242 4242 4242 4242"),
        ("Offline Stripe", facts["sandbox_url"], "no real money anywhere"),
        ("Secret key", facts["secret_key"], ""),
        ("Publishable key", facts["publishable_key"], ""),
        ("Webhook secret", facts["webhook_secret"], ""),
    ]
    shown = [f"  {name:<16}{value}{f'   {note}' if note else ''}" for name, value, note in lines if value]
    return "\n".join(
        [f"Paywright is running: environment `{facts['environment']}`. Ctrl-C ends it, the data stays.", *shown]
    )
