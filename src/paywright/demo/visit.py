"""
Who is looking: one signed cookie with the demo user, the CSRF token, the chosen currency and a message to show once.

There is no password to protect. The cookie is signed all the same, because a store that believed any cookie would be a poor example.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Literal

import msgspec

COOKIE = "paywright_store"
COOKIE_AGE_S = 30 * 86_400
MAC_BYTES = 32


class DemoUser(msgspec.Struct, frozen=True):
    id: str
    name: str

    @property
    def email(self) -> str:
        return f"{self.id}@example.com"


DEMO_USERS = (
    DemoUser("user_1", "First demo user"),
    DemoUser("user_2", "Second demo user"),
    DemoUser("user_3", "Third demo user"),
)


class Message(msgspec.Struct, frozen=True):
    """A sentence for the next page, shown once. `href` leads on, with `link` as its words."""

    tone: Literal["good", "kind", "bad"]
    text: str
    link: str | None = None
    href: str | None = None


class Visit(msgspec.Struct, frozen=True):
    csrf: str
    user_id: str = DEMO_USERS[0].id
    currency: str = "usd"
    message: Message | None = None

    @property
    def user(self) -> DemoUser:
        return next((user for user in DEMO_USERS if user.id == self.user_id), DEMO_USERS[0])

    def may_post(self, token: str) -> bool:
        return hmac.compare_digest(self.csrf.encode(), token.encode())


class Visits:
    """Reads and writes the cookie. The signing key comes from the secret key, so a restart forgets nobody."""

    def __init__(self, secret_key: str) -> None:
        self._key = hashlib.sha256(b"demo store cookie\0" + secret_key.encode()).digest()

    def read(self, cookie: str | None) -> Visit:
        """The visit in the cookie; a new one when there is none, or somebody else wrote it."""
        if cookie:
            try:
                packed = base64.urlsafe_b64decode(cookie.encode())
            except ValueError:
                return fresh()
            mac, text = packed[:MAC_BYTES], packed[MAC_BYTES:]
            if hmac.compare_digest(mac, self._mac(text)):
                return _visit(text)
        return fresh()

    def written(self, visit: Visit) -> str:
        text = msgspec.json.encode(visit)
        return base64.urlsafe_b64encode(self._mac(text) + text).decode()

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")


def _visit(text: bytes) -> Visit:
    try:
        return msgspec.json.decode(text, type=Visit)
    except msgspec.ValidationError:  # Ours, from an older release.
        return fresh()


def fresh() -> Visit:
    return Visit(csrf=secrets.token_urlsafe(24))
