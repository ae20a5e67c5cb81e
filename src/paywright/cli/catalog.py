"""`paywright catalog`: what is sold, as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from paywright.cli.migrate_owners import migrate_owners
from paywright.cli.options import fail, opened, read_settings, refuse, shared, show

if TYPE_CHECKING:
    from paywright.catalog.push import Pushed
    from paywright.kernel.refusals import Refusal


@click.group("catalog")
def group() -> None:
    """What is sold, as a file: check it, compare it, apply it, bring it back."""


group.add_command(migrate_owners)

FILE = click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))


@group.command()
@FILE
@click.option("--mode", type=click.Choice(["test", "live"]), default="test", help="Which `stripe_price_id` counts.")
@shared
def lint(file: Path | None, mode: Any, environment: str | None, as_json: bool) -> None:
    """Check a catalog file: every problem at once, and warnings. Needs no database."""
    from paywright.catalog.lint import lint as warnings_of
    from paywright.catalog.loading import load
    from paywright.catalog.model import Catalog
    from paywright.catalog.parse import parse

    catalog = parse(load(catalog_file(file, environment)), mode=mode)
    if not isinstance(catalog, Catalog):
        refuse_catalog(catalog, as_json=as_json)
    warnings = warnings_of(catalog)
    lines = [f"{warning.path}: {warning.code}. {warning.message}" for warning in warnings]
    lines.append(f"Valid: {len(catalog.products)} products, {len(catalog.items)} items, {len(warnings)} warnings.")
    show({"problems": [], "warnings": warnings}, "\n".join(lines), as_json=as_json)


@group.command()
@FILE
@shared
def diff(file: Path | None, environment: str | None, as_json: bool) -> None:
    """What applying the file would change, and what somebody changed at Stripe of what is in force. Writes nothing."""
    from paywright.catalog import drift, queries
    from paywright.catalog.diff import diff as differences
    from paywright.catalog.diff import summary
    from paywright.catalog.loading import load
    from paywright.catalog.model import Catalog
    from paywright.catalog.parse import parse

    document = load(catalog_file(file, environment))
    with opened(environment) as (app, selected):
        read = parse(document, mode=selected.mode)
        with app.database.read() as connection:
            current = queries.current(connection, selected.id)
            drifted = drift.marked(connection, selected.id)
    if not isinstance(read, Catalog):
        refuse_catalog(read, as_json=as_json)
    changes = differences(current, read)
    lines = [summary(change) for change in changes]
    lines = lines or [f"No change: version {current.version} of `{selected.id}` is this catalog."]
    lines += drift.sentences(drifted)
    answer = {"version": current.version, "changed": bool(changes), "changes": changes, "drift": drifted}
    show(answer, "\n".join(lines), as_json=as_json)


@group.command()
@FILE
@click.option("--force", is_flag=True, help="Overwrite what was edited in the dashboard.")
@click.option("--no-push", is_flag=True, help="Do not tell Stripe now; the worker or the first checkout will.")
@shared
def apply(file: Path | None, force: bool, no_push: bool, environment: str | None, as_json: bool) -> None:
    """Put the file in force and tell Stripe. The same file again changes nothing; owners keep what they bought."""
    from paywright.app import is_in_use
    from paywright.catalog.actions import Applied
    from paywright.catalog.diff import summary
    from paywright.catalog.from_file import apply_file
    from paywright.catalog.push import Pushed, push
    from paywright.engine.app import NotConnected

    path = catalog_file(file, environment)
    with opened(environment) as (app, selected):
        applied = apply_file(app, selected.id, path, is_in_use=is_in_use, force=force)
        if not isinstance(applied, Applied):
            refuse_catalog(applied, as_json=as_json)
        state = "is in force now" if applied.changed else "was in force already"
        lines = [summary(change) for change in applied.changes]
        lines.append(f"Version {applied.catalog.version} of `{selected.id}` {state}.")
        if not as_json:
            click.echo("\n".join(lines))
        pushed = Pushed(0, 0, [])
        try:
            pushed = pushed if no_push else push(app, selected.id)
        except NotConnected as missing:
            click.echo(f"Stripe was not told: {missing}.", err=True)
    answer = {"version": applied.catalog.version, "changed": applied.changed, "changes": applied.changes}
    tell_pushed(answer, pushed, as_json=as_json)


def tell_pushed(answer: dict[str, Any], pushed: "Pushed", *, as_json: bool) -> None:
    if as_json:
        show({**answer, "pushed": pushed}, as_json=True)
    elif pushed.products or pushed.prices:
        click.echo(f"Stripe: {pushed.products} products and {pushed.prices} prices made or changed.")
    if not pushed.problems:
        return
    if not as_json:
        for problem in pushed.problems:
            click.echo(f"  {problem.path}: {problem.code}. {problem.message}", err=True)
        fail("the catalog is in force, but Stripe does not have all of it", as_json=False)
    raise click.exceptions.Exit(1)


@group.command()
@FILE
@click.option("--from-stripe", is_flag=True, help="Add what the Stripe account sells already, adopted by id.")
@click.option(
    "--format", "written_as", type=click.Choice(["toml", "json", "py"]), help="Default: by FILE's name, else TOML."
)
@shared
def pull(file: Path | None, from_stripe: bool, written_as: str | None, environment: str | None, as_json: bool) -> None:
    """Write the catalog in force to FILE, or show it. Edits made in the dashboard come along."""
    from paywright.catalog import queries, writing
    from paywright.catalog.pull import Pulled
    from paywright.catalog.pull import pull as pull_from_stripe

    with opened(environment) as (app, selected):
        with app.database.read() as connection:
            current = queries.current(connection, selected.id)
        here = Pulled(writing.document_of(current), [], [])
        pulled = pull_from_stripe(app, selected.id) if from_stripe else here
    written_as = written_as or (file.suffix.removeprefix(".") if file is not None else "toml")
    if written_as not in writing.FORMATS:
        raise click.UsageError("FILE ends in .toml, .json or .py; or say --format.")
    answer = {"version": current.version, **msgspec.to_builtins(pulled)}
    try:
        text = writing.text_of(pulled.document, written_as)
    except writing.NotWritable as error:
        fail(str(error), as_json=as_json, code="not_writable")
    for skipped in () if as_json else pulled.skipped:
        click.echo(f"{skipped.path}: {skipped.code}. {skipped.message}", err=True)
    if file is None:
        show(answer, text.rstrip("\n"), as_json=as_json)
        return
    file.write_text(text, encoding="utf-8")
    show(
        answer,
        f"{file}: {len(pulled.document['products'])} products, {len(pulled.added)} of them new.",
        as_json=as_json,
    )


def refuse_catalog(refusal: "Refusal", *, as_json: bool) -> NoReturn:
    """With every problem on a line of its own."""
    for problem in () if as_json else refusal.facts.get("problems", ()):
        click.echo(f"  {problem['path']}: {problem['code']}. {problem['message']}", err=True)
    if refusal.facts.get("edited_in") == "dashboard" and not as_json:
        fail(
            "the catalog in force was edited in the dashboard: bring the edit with `paywright catalog pull`, or use --force",
            as_json=False,
        )
    refuse(refusal, as_json=as_json)


def catalog_file(named: Path | None, environment: str | None) -> Path:
    """The file of the command line, else that of `PAYWRIGHT_CATALOG`, else `catalog.toml` and its siblings here."""
    from paywright.catalog.loading import NAMES, find

    found = named or find(Path.cwd(), read_settings(environment).catalog)
    if found is None:
        raise click.UsageError(
            f"No catalog here: name a file, set PAYWRIGHT_CATALOG, or write {NAMES[0]} with `paywright init`."
        )
    return found
