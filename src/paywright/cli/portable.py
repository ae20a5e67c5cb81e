"""`paywright export` and `import`: everything out as lines, and back; an existing Stripe account in."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from paywright.cli.options import fail, must, opened, read_settings, shared, show, table
from paywright.cli.reconciling import say

if TYPE_CHECKING:
    from paywright.healing.adopted import Found

UNFINISHED = ".part"


@click.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@shared
def export(file: Path | None, environment: str | None, as_json: bool) -> None:
    """
    Everything as JSONL into FILE, or to standard output: all environments, or one by --environment.

    A consistent snapshot, whatever is written meanwhile. Secrets stay behind: Stripe keys, webhook and hook secrets, the text of letters.
    """
    from paywright.healing import export as leaving

    with at_newest_schema(environment) as database:
        if environment is not None and environment not in known_environments(database):
            fail(f"there is no environment {environment}", as_json=as_json, code="environment_not_found")
        if file is None:
            leaving.export(database, sys.stdout.buffer, environment_id=environment)
            sys.stdout.buffer.flush()
            return
        with bar("Rows", as_json=as_json) as (begin, advance), new_file(file) as out:
            manifest = leaving.export(
                database,
                out,
                environment_id=environment,
                begun=lambda found: begin(sum(found.rows.values())),
                progress=advance,
            )
    rows = sum(manifest.rows.values())
    answer = {"file": str(file), "rows": rows, "schema": manifest.schema, "tables": manifest.rows}
    show(answer, f"{file}: {rows} rows. It holds personal data: keep it as you keep your database.", as_json=as_json)


@click.command("import")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--apply", is_flag=True, help="Of a Stripe account: write it down here. Without it, only tell.")
@click.option(
    "--customers",
    "names_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="CSV or JSON: which customer each Stripe Customer is, e.g. `cus_123,user:u_1`.",
)
@click.option(
    "--customer-metadata", metavar="KEY", help="The key of your own metadata at Stripe that holds your customer's id."
)
@shared
def bring_in(
    file: Path | None,
    apply: bool,
    names_file: Path | None,
    customer_metadata: str | None,
    environment: str | None,
    as_json: bool,
) -> None:
    """
    With FILE: an export, into an empty database. Without: the Stripe account of the environment.

    Of a Stripe account every product, price, customer and subscription is told as mapped, mappable, or not and why; --apply maps them. Again
    changes nothing.
    """
    if file is not None:
        if apply or names_file is not None or customer_metadata is not None:
            raise click.UsageError("--apply and --customers are for a Stripe account; FILE is an export.")
        restore_file(file, environment, as_json=as_json)
        return
    bring_in_account(apply, names_file, customer_metadata, environment, as_json=as_json)


def restore_file(file: Path, environment: str | None, *, as_json: bool) -> None:
    from paywright.healing import restore
    from paywright.storage.migrate import upgrade

    settings = read_settings(environment)
    upgrade(settings.database_url)
    try:
        with (
            at_newest_schema(environment) as database,
            file.open("rb") as source,
            bar("Rows", as_json=as_json) as (begin, advance),
        ):
            found = restore.restore(
                database, source, begun=lambda manifest: begin(sum(manifest.rows.values())), progress=advance
            )
    except (restore.NotAnExport, restore.NotEmpty) as error:
        fail(f"{file}: {error}", as_json=as_json, code="not_imported")
    lines = [f"{found.rows} rows, environments {', '.join(found.environments) or 'none'}."]
    lines += [f"Set up again: {each}." for each in found.secrets_missing]
    lines += [
        "Prove the balances with `paywright ledger verify`, then take up what was missed: `paywright reconcile --events --fix`."
    ]
    show(found, "\n".join(lines), as_json=as_json)


def bring_in_account(
    apply: bool, names_file: Path | None, metadata_key: str | None, environment: str | None, *, as_json: bool
) -> None:
    from paywright.app import is_in_use
    from paywright.healing import accounts, adoption
    from paywright.healing.named import NamesUnreadable, read_names

    try:
        names = {} if names_file is None else read_names(names_file)
    except NamesUnreadable as error:
        fail(str(error), as_json=as_json, code="customers_unreadable")
    told: list[Found] = []

    def tell(found: "Found") -> None:
        """As JSON each is a line at once, however many there are; people see those that need them."""
        if as_json:
            show(found, as_json=True)
        elif found.state != "mapped":
            told.append(found)
        seen()

    with opened(environment) as (app, selected), bar("Things at Stripe", as_json=as_json) as (begin, advance):
        begin(None)

        def seen() -> None:
            advance(1)

        if selected.is_at_stripe:
            must(accounts.verify(app, selected), as_json=as_json)
        wish = adoption.Wish(apply=apply, names=names, metadata_key=metadata_key)
        counts = must(adoption.bring_in(app, selected, wish, is_in_use=is_in_use, tell=tell), as_json=as_json)
    rows: list[tuple[str, ...]] = [(each.noun, each.id, each.state, each.ours or "", each.why or "") for each in told]
    text = [table(rows, ("what", "id", "state", "here", "why"))] if rows else []
    text += [
        f"{noun}: " + ", ".join(f"{number} {state}" for state, number in sorted(its.items()))
        for noun, its in counts.items()
    ]
    if apply:
        text.append("Payments and invoices of the past come with `paywright reconcile --fix`.")
    else:
        text.append("Nothing was written. Map what is mappable with --apply.")
    show({"applied": apply, "counts": counts}, "\n".join(text), as_json=as_json)


@contextmanager
def at_newest_schema(environment: str | None) -> "Iterator[Any]":
    """The database alone: no environment is made in it."""
    from paywright.storage.database import Database
    from paywright.storage.migrate import require_current

    database = Database(read_settings(environment).database_url)
    try:
        require_current(database)
        yield database
    finally:
        database.close()


def known_environments(database: Any) -> set[str]:
    from paywright.environments.queries import every_environment

    with database.read() as connection:
        return {each.id for each in every_environment(connection)}


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Readable by its owner only, and there under its name only once it is whole."""
    unfinished = path.with_name(path.name + UNFINISHED)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(path)


@contextmanager
def bar(title: str, *, as_json: bool) -> "Iterator[tuple[Callable[[int | None], None], Callable[[int], None]]]":
    """Begin with a total, and advance: a bar for people, a JSON line every ten thousand for everybody else."""
    if as_json or not sys.stderr.isatty():
        done = 0

        def advance_quietly(more: int) -> None:
            nonlocal done
            done += more
            if done // 10_000 > (done - more) // 10_000:
                say({"done": done}, None)

        yield (lambda _total: None), advance_quietly
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield (lambda total: progress.update(task, total=total)), (lambda more: progress.advance(task, more))
