"""
Signed addresses: whoever has one may use its page until its time is over. Real time, never the sandbox's.

A page's address holds ids and no credential; it is bound to its purpose, so the address of one kind of page opens no other.
"""

import base64
import hmac
from typing import Literal
from urllib.parse import quote

import msgspec

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.kernel.vault import derived_key

PURCHASE_LIFE_MS = 24 * 3_600_000
ACCOUNT_LIFE_MS = 3_600_000
ACCOUNT_BY_MAIL_LIFE_MS = 7 * 86_400_000
"""An e-mail is read days later, and by the one it was sent to."""
TOKEN_LENGTH_MAX = 4096

Purpose = Literal["purchase", "account"]


class Pass(msgspec.Struct, frozen=True):
    """What an address says: the environment, what it is about (a purchase's id, a customer's key), until when, and the way back."""

    environment_id: str
    subject: str
    expires_at: int
    return_url: str | None = None


def public_url(settings: Settings) -> str:
    """Where browsers reach this server, without a slash at its end."""
    return (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")


def link(settings: Settings, purpose: Purpose, page: Pass) -> str:
    return f"{public_url(settings)}/{purpose}/{quote(sign(settings, purpose, page))}"


def account_link(app: App, environment: Environment, customer: Customer) -> str:
    """The customer's own page, for an e-mail to them."""
    page = Pass(environment.id, customer.key, app.wall() + ACCOUNT_BY_MAIL_LIFE_MS)
    return link(app.settings, "account", page)


def sign(settings: Settings, purpose: Purpose, page: Pass) -> str:
    text = msgspec.json.encode(page)
    return f"{_written(text)}.{_written(_mac(settings, purpose, text))}"


def read(settings: Settings, purpose: Purpose, token: str, *, wall: int) -> Pass | None:
    """None for what is not ours, or whose time is over."""
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    written, _, mac = token.partition(".")
    try:
        text, given = _unwritten(written), _unwritten(mac)
    except ValueError:
        return None
    if not hmac.compare_digest(given, _mac(settings, purpose, text)):
        return None
    page = msgspec.json.decode(text, type=Pass)
    return page if wall < page.expires_at else None


def _mac(settings: Settings, purpose: Purpose, text: bytes) -> bytes:
    return hmac.digest(derived_key(settings.require_secret(), f"pages:{purpose}"), text, "sha256")


def _written(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _unwritten(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
