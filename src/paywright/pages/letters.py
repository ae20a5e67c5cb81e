"""The local outbox: what would have been sent as e-mail. Sign-in codes stand here in plain text, so only `dev` shows it, and only to this machine."""

from paywright.outbox.letters import newest
from paywright.pages import wording
from paywright.pages.asked import Asked, Reply

SUBJECTS = {"sign_in_code": "Your sign-in code"}


def show(asked: Asked) -> Reply:
    settings = asked.app.settings
    with asked.app.database.read() as connection:
        found = newest(connection, settings.require_secret(), settings.environment)
    shown = [
        {
            "to": letter.recipient,
            "subject": SUBJECTS.get(letter.kind, letter.kind.replace("_", " ").capitalize()),
            "facts": [(name.replace("_", " "), value) for name, value in letter.facts.items()],
            "at": wording.date(letter.created_at),
        }
        for letter in found
    ]
    return Reply("letters.html", {"letters": shown})
