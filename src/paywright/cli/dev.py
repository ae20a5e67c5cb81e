"""`paywright dev`: everything, offline, in one command."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from paywright.cli import dev_data, dev_setup
from paywright.cli.dev_data import DevData
from paywright.cli.options import fail, log_level, log_to_stderr, shared, show
from paywright.cli.sandbox_process import SandboxFailed, SandboxProcess
from paywright.cli.stopping import Told

if TYPE_CHECKING:
    from paywright.api.listening import Listening

log = logging.getLogger("paywright.dev")

WATCH_S = 0.5


class Wish(msgspec.Struct, frozen=True):
    """The options. `catalog` None: the catalog file of this folder, else the demo store's."""

    host: str
    port: int
    data_dir: Path
    catalog: Path | None
    with_store: bool
    environment_id: str | None


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
@log_level("warning")
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
    told = Told()
    sandbox = SandboxProcess(data_dir / "sandbox.db", port=sandbox_port)
    data_dir.mkdir(parents=True, exist_ok=True)
    sandbox.start()
    try:
        with running(sandbox, Wish(host, port, data_dir, catalog, not no_demo, environment)) as facts:
            show(facts, banner(facts), as_json=as_json)
            watch(sandbox, told)
    except (dev_setup.Refused, SandboxFailed) as error:
        fail(str(error), as_json=as_json)
    finally:
        sandbox.stop()


@contextmanager
def running(sandbox: SandboxProcess, wish: Wish) -> Iterator[dict[str, Any]]:
    """Everything up, and the facts to print; everything down again when the block ends."""
    from paywright.app import apply_catalog_file
    from paywright.cli.serving import without_telemetry
    from paywright.kernel import faults
    from paywright.kernel.settings import load_settings
    from paywright.storage.migrate import upgrade
    from paywright.worker import Worker

    url = f"sqlite:///{wish.data_dir / 'paywright.db'}"
    given = load_settings(database_url=url, environment=wish.environment_id)
    kept = dev_data.read_or_make(wish.data_dir, given.secret)
    settings = dev_setup.offline(given, kept.secret)
    upgrade(settings.database_url)
    without_telemetry()
    with ExitStack() as stack:
        late = dev_setup.Late()
        listening = listen(late, wish)
        app, environment = dev_setup.opened(stack, settings.reached_at(listening.url))
        stripe = sandbox.ready()
        environment = dev_setup.connect(app, environment.id, stripe, listening.url, kept)
        dev_setup.make_keys(app, environment, kept)
        apply_catalog_file(app, environment.id, Path.cwd(), wish.catalog or dev_setup.demo_catalog(settings))
        late.become(dev_setup.application(app, environment, listening.url, kept, stripe, wish.with_store))
        kept.url, kept.sandbox_url = listening.url, stripe.url
        dev_data.write(wish.data_dir, kept)
        stack.enter_context(Worker(app))
        stack.enter_context(listening)
        faults.disarmed_until_ready()
        yield facts_of(kept, environment.id, with_store=wish.with_store)


def listen(late: dev_setup.Late, wish: Wish) -> "Listening":
    from paywright.api.listening import Listening

    try:
        return Listening(late, host=wish.host, port=wish.port)
    except OSError as error:
        raise dev_setup.Refused(
            f"cannot listen on {wish.host}:{wish.port}: {error.strerror}. Try `--port 0`."
        ) from error


def facts_of(kept: DevData, environment_id: str, *, with_store: bool) -> dict[str, Any]:
    """What `--json` prints; null for what is not there."""
    return {
        "url": kept.url,
        "dashboard_url": None,
        "store_url": f"{kept.url}/{dev_setup.STORE_MOUNT}/" if with_store else None,
        "sandbox_url": kept.sandbox_url,
        "environment": environment_id,
        "secret_key": kept.secret_key,
        "publishable_key": kept.publishable_key,
        "webhook_secret": kept.webhook_secret,
    }


def watch(sandbox: SandboxProcess, told: Told) -> None:
    """Until told to stop. A sandbox that was killed comes back where it was, with its data."""
    while not told.wait(WATCH_S):
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
        ("Letters", f"{facts['url']}/letters", "what would have been sent as e-mail"),
        ("Secret key", facts["secret_key"], ""),
        ("Publishable key", facts["publishable_key"], ""),
        ("Webhook secret", facts["webhook_secret"], ""),
    ]
    shown = [f"  {name:<16}{value}{f'   {note}' if note else ''}" for name, value, note in lines if value]
    return "\n".join(
        [f"Paywright is running: environment `{facts['environment']}`. Ctrl-C ends it, the data stays.", *shown]
    )
