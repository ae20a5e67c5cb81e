"""The local outbox: e-mails as they would have been sent. Sign-in codes stand here in plain text, so only `dev` shows it, to this machine alone."""

from paywright.emails.model import Rendered
from paywright.emails.sending import rendered
from paywright.emails.templates import TemplateBroken
from paywright.engine.app import App
from paywright.outbox.letters import Letter, letter, newest
from paywright.pages import wording
from paywright.pages.asked import Asked, Reply
from paywright.pages.links import account_link

NOT_HERE = Reply(
    "outcome.html", {"tone": "kind", "title": "There is no such letter", "text": "It may have been forgotten."}, 404
)


def show(asked: Asked) -> Reply:
    """The newest fifty."""
    settings = asked.app.settings
    with asked.app.database.read() as connection:
        found = newest(connection, settings.require_secret(), settings.environment)
    return Reply("letters.html", {"letters": [_line(asked.app, each) for each in found]})


def show_one(asked: Asked) -> Reply:
    """One letter: its HTML in a frame that can do nothing, and its text."""
    found = _letter(asked)
    if found is None:
        return NOT_HERE
    mail = _rendered(asked.app, found)
    shown = {"letter": _line(asked.app, found), "text": mail if isinstance(mail, str) else mail.text}
    return Reply("letter.html", {**shown, "is_broken": isinstance(mail, str)}, has_frame=True)


def show_html(asked: Asked) -> Reply:
    """What stands in the frame."""
    found = _letter(asked)
    mail = None if found is None else _rendered(asked.app, found)
    return Reply(letter=mail.html) if isinstance(mail, Rendered) else NOT_HERE


def _letter(asked: Asked) -> Letter | None:
    settings = asked.app.settings
    with asked.app.database.read() as connection:
        return letter(connection, settings.require_secret(), settings.environment, asked.named["letter_id"])


def _line(app: App, found: Letter) -> dict[str, str]:
    mail = _rendered(app, found)
    return {
        "id": found.id,
        "to": found.recipient,
        "kind": found.kind.replace("_", " "),
        "subject": f"The template is broken: {mail}" if isinstance(mail, str) else mail.subject,
        "at": wording.date(found.created_at),
    }


def _rendered(app: App, found: Letter) -> Rendered | str:
    """What is wrong with its template, if something is."""
    environment = app.environment(app.settings.environment)
    assert environment is not None, app.settings.environment
    try:
        return rendered(app, environment, found, account_link)
    except TemplateBroken as error:
        return str(error)
