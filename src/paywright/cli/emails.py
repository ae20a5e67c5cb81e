"""`paywright emails`: templates, and the letters that were written."""

import time
from pathlib import Path
from typing import Any, get_args

import click

from paywright.cli.options import fail, opened, read_settings, shared, show, table
from paywright.environments.model import LetterKind

STATUSES = ("pending", "sending", "sent", "kept", "uncertain", "dead")


@click.group("emails")
def group() -> None:
    """E-mails: check and look at templates, see what was sent, send again."""


@group.command()
@shared
def lint(environment: str | None, as_json: bool) -> None:
    """Try every template with every sample. Exit code 1 when one can't be rendered."""
    from paywright.emails.model import Shop
    from paywright.emails.shop import templates_of

    problems = templates_of(read_settings(environment)).lint(Shop("Shop", None, None))
    if problems:
        told = [{"template": each.template, "message": each.message} for each in problems]
        if not as_json:
            click.echo("\n".join(f"{each.template}: {each.message}" for each in problems))
        fail("templates can't be rendered.", as_json=as_json, code="templates_invalid", facts={"problems": told})
    show({"problems": []}, "Every template renders with every sample.", as_json=as_json)


@group.command()
@click.argument("name", type=click.Choice(get_args(LetterKind)))
@click.option(
    "--write", "folder", type=click.Path(path_type=Path, file_okay=False), help="Put NAME.html and NAME.txt there."
)
@shared
def preview(name: LetterKind, folder: Path | None, environment: str | None, as_json: bool) -> None:
    """Render a letter with sample facts, as this environment would send it. Nothing is sent."""
    from paywright.emails.samples import SAMPLES
    from paywright.emails.shop import Post, shop_of
    from paywright.emails.templates import TemplateBroken

    facts = SAMPLES[name][0]
    with opened(environment) as (app, selected):
        try:
            rendered = app.resource(Post).templates.render(name, shop_of(app.settings, selected), facts)
        except TemplateBroken as error:
            fail(str(error), as_json=as_json, code="template_broken")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, text in (("html", rendered.html), ("txt", rendered.text)):
            (folder / f"{name}.{kind}").write_text(text, encoding="utf-8")
    told: dict[str, Any] = {"subject": rendered.subject, "text": rendered.text, "html": rendered.html, "facts": facts}
    written = "" if folder is None else f"\nwrote {folder / name}.html and .txt"
    show(told, f"Subject: {rendered.subject}\n\n{rendered.text}{written}", as_json=as_json)


@group.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many, newest first."
)
@shared
def list_letters(status: str | None, limit: int, environment: str | None, as_json: bool) -> None:
    """Letters, newest first, with why one was not sent. Contents are not shown."""
    from paywright.kernel.instants import rfc3339
    from paywright.outbox.letters import newest

    with opened(environment) as (app, selected), app.database.read() as connection:
        found = newest(connection, app.settings.require_secret(), selected.id, status=status, limit=limit)
    rows = [
        {
            "id": each.id,
            "kind": each.kind,
            "to": each.recipient,
            "status": each.status,
            "attempts": each.attempts,
            "created_at": rfc3339(each.created_at),
            "last_error": each.last_error,
        }
        for each in found
    ]
    head = ("id", "kind", "to", "status", "attempts", "created_at", "last_error")
    text = table([tuple(str(row[name] or "") for name in head) for row in rows], head) if rows else "No letters."
    show({"data": rows}, text, as_json=as_json)


@group.command()
@click.argument("letter_id")
@shared
def resend(letter_id: str, environment: str | None, as_json: bool) -> None:
    """Send a letter again, with the same Message-ID. The worker sends it."""
    from paywright.outbox.audit import note
    from paywright.outbox.letters import send_again

    with opened(environment) as (app, selected), app.work(selected.id) as work:
        is_there = send_again(work, letter_id)
        if is_there:
            note(work, "letter.resent", letter_id)
    if not is_there:
        fail(
            "there is no such letter, or it is on its way, or its contents are forgotten.",
            as_json=as_json,
            code="not_found",
        )
    show({"id": letter_id, "status": "pending"}, f"{letter_id} is sent again.", as_json=as_json)


def letters_of(app: Any, environment: Any, connection: Any) -> dict[str, Any]:
    """For `paywright status`: whether anything leaves, and the letters of the last day by status."""
    from paywright.emails.sending import shop_line
    from paywright.outbox.letters import count_by_status

    since = int(time.time() * 1000) - 86_400_000
    return {"emails": shop_line(app, environment), "letters": count_by_status(connection, environment.id, since=since)}
