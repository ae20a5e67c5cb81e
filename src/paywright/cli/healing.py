"""`paywright doctor`: what is wrong, and how to mend it."""

from typing import TYPE_CHECKING

import click

from paywright.cli.options import read_settings, shared, show

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.environments.model import Environment
    from paywright.healing.model import Check

SIGNS = {True: "ok", False: "WRONG", None: "note"}


@click.command("doctor")
@shared
def doctor(environment: str | None, as_json: bool) -> None:
    """
    What is wrong, and how to mend it: keys, account, endpoint, inbox, catalog, clock, database, worker, ledger, mail.

    Changes nothing. Exit code 1 when something is wrong.
    """
    checks = examined(environment)
    is_well = all(check.ok is not False for check in checks)
    text = "\n".join(
        f"{SIGNS[check.ok]:<6}{check.name:<18}{check.says}"
        + (f"\n{'':<24}→ {check.mend}" if check.mend and not check.ok else "")
        for check in checks
    )
    show({"ok": is_well, "data": checks}, text, as_json=as_json)
    if not is_well:
        raise click.exceptions.Exit(1)


def examined(environment: str | None) -> "list[Check]":
    """On a database that is behind, nothing but that can be said."""
    from paywright.app import is_new_sqlite, open_app, select_environment
    from paywright.cli.dev_data import as_dev_is
    from paywright.healing import doctor as healing
    from paywright.healing.model import Check
    from paywright.storage.migrate import SchemaOutdated

    settings = as_dev_is(read_settings(environment))
    if is_new_sqlite(settings.database_url):
        return [
            Check(
                "database",
                False,
                "There is no database yet.",
                "Start with `paywright dev`, or run `paywright migrate`.",
            )
        ]
    try:
        app = open_app(settings)
    except SchemaOutdated as behind:
        return [Check("database", False, f"{behind}.", "Run `paywright migrate`.")]
    try:
        selected = select_environment(app, settings.environment)
        return [*healing.examine(app, selected), mail(app, selected)]
    finally:
        app.close()


def mail(app: "App", environment: "Environment") -> "Check":
    """Whether letters leave: what is set, and whether the server answers. Nothing is sent."""
    from paywright.emails.shop import what_is_missing
    from paywright.emails.smtp import server_of
    from paywright.healing.model import Check
    from paywright.kernel.settings import SettingsInvalid

    missing = what_is_missing(app.settings, environment)
    if missing is not None:
        sentence = f"{missing[:1].upper()}{missing[1:]}."
        mend = "Set PAYWRIGHT_SMTP_URL and PAYWRIGHT_EMAIL_FROM; without them letters are kept and not sent."
        return Check("smtp", False if environment.livemode else None, sentence, mend)
    assert app.settings.smtp_url is not None
    try:
        server = server_of(app.settings.smtp_url)
    except SettingsInvalid as error:
        return Check("smtp", False, f"{error}.", "Correct PAYWRIGHT_SMTP_URL.")
    trouble = greeted(server.host, server.port, is_tls=server.scheme == "smtps")
    if trouble is not None:
        return Check(
            "smtp",
            False,
            f"{server.host}:{server.port} does not answer: {trouble}.",
            "Look at PAYWRIGHT_SMTP_URL and the mail server.",
        )
    return Check("smtp", True, f"{server.host}:{server.port} answers.")


def greeted(host: str, port: int, *, is_tls: bool) -> str | None:
    """None: a mail server is there. Else what went wrong, without any secret."""
    import smtplib

    try:
        with (smtplib.SMTP_SSL if is_tls else smtplib.SMTP)(host, port, timeout=5) as connection:
            connection.noop()
    except (OSError, smtplib.SMTPException) as error:
        return type(error).__name__
    return None
