"""Who writes: the environment's own words first, then the server's."""

from email.utils import parseaddr
from pathlib import Path

from paywright.emails.model import Shop
from paywright.emails.smtp import Server, server_of
from paywright.emails.templates import TemplateBroken, Templates
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.rules import is_address, is_sender
from paywright.kernel.settings import Settings, SettingsInvalid


class Post:
    """One per App: `app.resource(Post)`. The templates as they are on disk, and the mail server, if there is one."""

    def __init__(self, app: App) -> None:
        settings = app.settings
        self.templates = templates_of(settings)
        self.server: Server | None = None if settings.smtp_url is None else server_of(settings.smtp_url)

    def close(self) -> None:
        """Connections live as long as a batch of letters only."""


def templates_of(settings: Settings) -> Templates:
    try:
        return Templates(None if settings.templates is None else Path(settings.templates))
    except TemplateBroken as error:
        raise SettingsInvalid(f"PAYWRIGHT_TEMPLATES: {error}") from error


def shop_of(settings: Settings, environment: Environment) -> Shop:
    policy = environment.policy.emails
    sender = policy.sender or settings.email_from
    return Shop(
        name=policy.shop_name or _named_by(sender),
        sender=sender,
        operator=policy.operator or settings.operator_email,
        locale=policy.locale,
        time_zone=policy.time_zone,
        url=settings.public_url,
        is_test=not environment.livemode,
    )


def _named_by(sender: str | None) -> str:
    """`Shop <billing@shop.example>` is Shop, `billing@shop.example` is shop.example."""
    name, address = parseaddr(sender or "")
    return name or address.rpartition("@")[2] or "Your shop"


def require_sound(settings: Settings) -> None:
    """What a server asks before it starts: an address of a mail server, a sender, and templates that render. Raises `SettingsInvalid`."""
    if settings.smtp_url is not None:
        server_of(settings.smtp_url)
    if settings.email_from is not None and not is_sender(settings.email_from):
        raise SettingsInvalid("PAYWRIGHT_EMAIL_FROM is an e-mail address, or `Name <address>`.")
    if settings.operator_email is not None and not is_address(settings.operator_email):
        raise SettingsInvalid("PAYWRIGHT_OPERATOR_EMAIL is an e-mail address.")
    templates = templates_of(settings)
    if settings.templates is not None:
        problems = templates.lint(Shop("Shop", None, None))
        if problems:
            raise SettingsInvalid(
                "PAYWRIGHT_TEMPLATES: " + "; ".join(f"{each.template}: {each.message}" for each in problems)
            )


def what_is_missing(settings: Settings, environment: Environment) -> str | None:
    """Why no letter leaves, as a sentence for the operator; None when all is there."""
    if settings.smtp_url is None:
        return "nothing is sent: PAYWRIGHT_SMTP_URL is not set"
    if shop_of(settings, environment).sender is None:
        return "nothing is sent: PAYWRIGHT_EMAIL_FROM is not set"
    return None
