"""What every command shares: `--environment`, `--json`, an App of the settings, and exit codes 0 done, 1 refused or failed, 2 called wrongly."""

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import click
import msgspec

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.environments.model import Environment
    from paywright.kernel.refusals import Refusal
    from paywright.kernel.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


def shared(command: Command) -> Command:
    """Adds `--environment` and `--json`, and turns what goes wrong into a sentence and exit code 1."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except expected() as error:
            fail(
                f"{error}" or type(error).__name__,
                as_json=bool(options.get("as_json")),
                code=snake(type(error).__name__),
            )
        except OSError as error:
            if error.filename is None:
                raise
            fail(f"{error.filename}: {error.strerror}", as_json=bool(options.get("as_json")), code="file_unusable")

    with_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(guarded)
    with_both: Any = click.option(
        "--environment", metavar="ID", help="Which environment; PAYWRIGHT_ENVIRONMENT, else test."
    )(with_json)
    return cast("Command", with_both)


def expected() -> tuple[type[Exception], ...]:
    """Outages and mistakes of the operator's; anything else is a bug of ours and shows its stack."""
    from paywright.app import CatalogRefused, UnknownEnvironment
    from paywright.catalog.loading import CatalogFileUnreadable
    from paywright.engine.app import NotConnected
    from paywright.kernel.settings import SettingsInvalid
    from paywright.kernel.vault import SecretUnreadable
    from paywright.storage.database import DatabaseUnavailable
    from paywright.storage.migrate import SchemaOutdated
    from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown

    return (
        UnknownEnvironment,
        CatalogRefused,
        CatalogFileUnreadable,
        NotConnected,
        SettingsInvalid,
        SecretUnreadable,
        DatabaseUnavailable,
        SchemaOutdated,
        StripeBusy,
        StripeRefused,
        StripeUnknown,
    )


def read_settings(environment: str | None = None, **given: Any) -> "Settings":
    """The settings; where `paywright dev` keeps its data in this folder, its secret too."""
    from paywright.cli.dev_data import with_dev_secret
    from paywright.kernel.settings import load_settings

    return with_dev_secret(load_settings(environment=environment, **given))


@contextmanager
def opened(environment: str | None = None, **given: Any) -> "Iterator[tuple[App, Environment]]":
    """An App and the selected environment, closed in the end."""
    from paywright.app import open_app, select_environment
    from paywright.cli.dev_data import as_dev_is
    from paywright.outbox.audit import acting

    app = open_app(as_dev_is(read_settings(environment, **given)))
    try:
        with acting("cli"):
            yield app, select_environment(app, app.settings.environment)
    finally:
        app.close()


def show(value: Any, text: str | None = None, *, as_json: bool) -> None:
    """One JSON line, or `text` for people."""
    if as_json or text is None:
        click.echo(msgspec.json.encode(value).decode())
    else:
        click.echo(text)


def fail(message: str, *, as_json: bool, code: str = "failed", facts: dict[str, Any] | None = None) -> NoReturn:
    """Exit code 1. The sentence goes to standard error; with `--json` the error's shape goes to standard output."""
    if as_json:
        show({"error": {"code": code, "message": message, **({"facts": facts} if facts else {})}}, as_json=True)
    else:
        click.echo(f"paywright: {message}", err=True)
    raise click.exceptions.Exit(1)


def must(outcome: Any, *, as_json: bool) -> Any:
    """The outcome of an action, unless it is a refusal, which ends the command."""
    from paywright.kernel.refusals import Refusal

    if isinstance(outcome, Refusal):
        refuse(outcome, as_json=as_json)
    return outcome


def refuse(refusal: "Refusal", *, as_json: bool) -> NoReturn:
    fail(refusal.message, as_json=as_json, code=refusal.code, facts=refusal.facts)


def table(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> str:
    """Columns as wide as they need to be; made for people, so nothing promises its exact shape."""
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def log_level(default: str) -> Callable[[Command], Command]:
    """The option `--log-level`."""
    return click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        default=default,
        show_default=True,
        help="debug, info, warning or error, on standard error.",
    )


def log_to_stderr(level: str) -> None:
    """The server's log: one line per record, on standard error."""
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # They tell of every call, with its URL.
    for noisy in ("httpx", "httpcore", "alembic", "stripe", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
