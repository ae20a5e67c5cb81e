"""`paywright status`, `ledger verify`, `clock advance` and `init`."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paywright.cli.options import fail, must, opened, shared, show
from paywright.cli.starter import FRAMEWORKS, starter_files

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.environments.model import Environment


@click.command()
@shared
def status(environment: str | None, as_json: bool) -> None:
    """What is configured, and whether anything waits. Secrets are not shown."""
    with opened(environment) as (app, selected):
        found = status_of(app, selected)
    text = "\n".join(
        f"{name.replace('_', ' '):<18}{value if value not in ({}, None) else '-'}" for name, value in found.items()
    )
    show(found, text, as_json=as_json)


def status_of(app: "App", environment: "Environment") -> dict[str, Any]:
    from paywright.access import queries as access
    from paywright.catalog import queries as catalog
    from paywright.cli.emails import letters_of
    from paywright.environments.actions import accepted_webhook_secrets, stripe_credentials
    from paywright.kernel.instants import rfc3339
    from paywright.storage.migrate import revisions
    from paywright.worker import waiting

    revision, newest = revisions(app.database)
    with app.database.read() as connection:
        keys = [key for key in access.keys(connection, environment.id) if key.revoked_at is None]
        head = catalog.head(connection, environment.id)
        return {
            "environment": environment.id,
            "mode": environment.mode,
            "provider": environment.provider,
            "now": rfc3339(app.now(environment.id)),
            "database": app.database.dialect,
            "revision": revision,
            "is_up_to_date": revision == newest,
            "has_secret": app.settings.secret is not None,
            "stripe_connected": stripe_credentials(connection, app.settings, environment) is not None,
            "webhook_secrets": len(accepted_webhook_secrets(connection, app.settings, environment.id)),
            "catalog_version": head.version,
            "api_keys": len(keys),
            **letters_of(app, environment, connection),
            "waiting": waiting(app, environment),
        }


@click.group("ledger")
def ledger() -> None:
    """The ledger behind every balance."""


@ledger.command()
@shared
def verify(environment: str | None, as_json: bool) -> None:
    """Prove every balance from its entries. Exit code 1 when one of them is wrong."""
    from rich.console import Console
    from rich.progress import Progress

    from paywright.ledger import verify as ledger_verify

    with opened(environment) as (app, selected):
        entries = ledger_verify.count_entries(app, selected.id)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
            task = progress.add_task("Following entries", total=entries)
            problems = [
                str(each) for each in ledger_verify.verify(app, selected.id, lambda n: progress.advance(task, n))
            ]
    if problems:
        if not as_json:
            click.echo("\n".join(problems))
        fail(
            f"{len(problems)} of the ledger's promises do not hold.",
            as_json=as_json,
            code="ledger_wrong",
            facts={"problems": problems},
        )
    show({"entries": entries, "problems": []}, f"{entries} entries, every balance proven.", as_json=as_json)


@click.group("clock")
def clock() -> None:
    """Business time, in test environments with the sandbox or `instant`."""


@clock.command()
@click.argument("span", metavar="SPAN")
@shared
def advance(span: str, environment: str | None, as_json: bool) -> None:
    """Move time forward by SPAN, such as 31d (s m h d w). What falls due meanwhile happens."""
    from paywright.api.clock import move
    from paywright.api.environment import Advance, target
    from paywright.kernel.instants import rfc3339

    with opened(environment) as (app, selected):
        to = must(target(Advance(advance=span), app.now(selected.id)), as_json=as_json)
        now = must(move(app, selected, to), as_json=as_json)
    show({"now": rfc3339(now)}, f"It is {rfc3339(now)} now.", as_json=as_json)


@click.command()
@click.argument("framework", required=False, type=click.Choice(FRAMEWORKS))
@shared
def init(framework: str | None, environment: str | None, as_json: bool) -> None:
    """Write a starter catalog, a .env and first lines of code for FRAMEWORK. What is there already stays."""
    from paywright.cli.dev_data import beside
    from paywright.kernel.settings import load_settings

    # Where `dev` was before, its data can be read with its secret only.
    kept_by_dev = beside(load_settings())
    secret = secrets.token_urlsafe(32) if kept_by_dev is None else kept_by_dev.secret
    files = {**starter_files(framework), ".env": f"PAYWRIGHT_SECRET={secret}\n"}
    written, kept = [], []
    for name, text in files.items():
        path = Path(name)
        if path.exists():
            kept.append(name)
            continue
        mode = 0o600 if name == ".env" else 0o644
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        written.append(name)
    lines = [*(f"wrote {name}" for name in written), *(f"kept {name}" for name in kept), "Next: paywright dev"]
    show({"written": written, "kept": kept}, "\n".join(lines), as_json=as_json)
