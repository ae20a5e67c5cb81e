"""`paywright serve`, `worker` and `sandbox`: what runs until it is told to stop."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paywright.cli.options import fail, log_level, log_to_stderr, opened, read_settings, shared, show
from paywright.cli.stopping import Told
from paywright.cli.supervision import Supervisor

if TYPE_CHECKING:
    from paywright.kernel.settings import Settings

LOG_LEVEL = log_level("info")


@click.command()
@click.option("--host", help="Address to listen on; PAYWRIGHT_HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="PAYWRIGHT_PORT, else 8787; 0 takes a free one.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="HTTP processes. More than one needs PostgreSQL.",
)
@click.option("--no-worker", is_flag=True, help="Without the background work: `paywright worker` does it elsewhere.")
@click.option("--fd", type=int, hidden=True, help="A listening socket handed down by the supervisor.")
@LOG_LEVEL
@shared
def serve(
    host: str | None,
    port: int | None,
    workers: int,
    no_worker: bool,
    fd: int | None,
    log_level: str,
    environment: str | None,
    as_json: bool,
) -> None:
    """The production server, with the background work in it unless told otherwise. Ends on Ctrl-C or SIGTERM."""
    from paywright.api.listening import listening_socket, url_of
    from paywright.emails.shop import require_sound

    log_to_stderr(log_level)
    settings = read_settings(environment, host=host, port=port)
    settings.require_secret()
    require_sound(settings)
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise click.UsageError("SQLite has one writer: with --workers above 1, use PostgreSQL.")
    try:
        listener = socket.socket(fileno=fd) if fd is not None else listening_socket(settings.host, settings.port)
    except OSError as error:
        fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", as_json=as_json)
    if workers > 1:
        url = url_of(listener, settings.host)
        show({"url": url, "workers": workers}, f"Paywright serves {url} with {workers} processes", as_json=as_json)
        Supervisor(
            listener, workers=workers, with_worker=not no_worker, log_level=log_level, environment=environment
        ).run()
        return
    serve_here(listener, settings, with_worker=not no_worker, as_json=as_json, quiet=fd is not None)


def serve_here(listener: socket.socket, settings: "Settings", *, with_worker: bool, as_json: bool, quiet: bool) -> None:
    from paywright.api.listening import Listening, allow_many_connections, keep_what_is_there, url_of
    from paywright.api.server import build
    from paywright.app import apply_catalog_file, open_app
    from paywright.inprocess.hearing import load
    from paywright.kernel import faults
    from paywright.worker import Worker

    without_telemetry()
    allow_many_connections()
    told = Told()
    url = url_of(listener, settings.host)
    app = open_app(settings.reached_at(url))
    with ExitStack() as stack:
        stack.callback(app.close)
        apply_catalog_file(app, settings.environment, Path.cwd())
        stack.callback(load(app))
        if with_worker:
            stack.enter_context(Worker(app))
        application = build(app)
        keep_what_is_there()
        stack.enter_context(Listening(application, listener=listener))
        faults.disarmed_until_ready()
        if not quiet:
            show({"url": url, "environment": settings.environment}, f"Paywright serves {url}", as_json=as_json)
        told.wait()


@click.command()
@LOG_LEVEL
@shared
def worker(log_level: str, environment: str | None, as_json: bool) -> None:
    """The background work of all environments, apart from the server. Ends on Ctrl-C or SIGTERM."""
    from paywright.emails.shop import require_sound
    from paywright.inprocess.hearing import load
    from paywright.worker import Worker

    log_to_stderr(log_level)
    require_sound(read_settings(environment))
    without_telemetry()
    told = Told()
    with opened(environment) as (app, _), closing_after(load(app)), Worker(app):
        show({"worker": "running"}, "The worker is running.", as_json=as_json)
        told.wait()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--data", "data_file", metavar="FILE", help="Keep everything in this SQLite file; else in memory.")
@click.option("--seed", type=int, help="The same ids every time.")
@shared
def sandbox(
    host: str, port: int, data_file: str | None, seed: int | None, environment: str | None, as_json: bool
) -> None:
    """Only the offline Stripe: point any Stripe client at its address."""
    arguments = ["--host", host, "--port", str(port)]
    arguments += ["--data", data_file] if data_file else []
    arguments += ["--seed", str(seed)] if seed is not None else []
    arguments += ["--json"] if as_json else []
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "paywright_sandbox", *arguments])


@contextmanager
def closing_after(close: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    finally:
        close()


def without_telemetry() -> None:
    """The SDK would write a file into the home directory and add headers; in a process that is only ours it shall not."""
    import stripe

    stripe.enable_telemetry = False
