"""A mail server of the test's own: it takes letters, or does what it is told to."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from paywright.emails.sending import send_due
from paywright.emails.writing import WRITE_LETTER, note_letters, write
from paywright.kernel.model import Customer
from paywright.outbox import commands, letters
from paywright.outbox.actions import lock_customers, record
from paywright.outbox.letters import Letter
from tests.harness.shop import SECRET, Shop


class Postbox:
    """`says` answers addresses by their first word, e.g. `{"rcpt": "550 nobody"}`; `hang up` as an answer ends the connection."""

    def __init__(self, **server: Any) -> None:
        self.empty()
        self._controller = Controller(self, hostname="127.0.0.1", port=_free_port(), **server)
        self._controller.start()

    def empty(self) -> None:
        self.arrived: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []
        self.says: dict[str, str] = {}
        self.before: dict[str, Callable[[], None]] = {}

    @property
    def port(self) -> int:
        return int(self._controller.port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(self, server: SMTP, _session: Session, envelope: Envelope, address: str, _: Any) -> str:
        await self._ask("rcpt")
        said = self.says.get("rcpt")
        if said is not None:
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        said = self.says.get("data")
        if said is None:
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            self.recipients += envelope.rcpt_tos
            self.arrived.append(message_from_bytes(envelope.content, policy=default))
        await self._ask("data")
        if said == "hang up":
            assert server.transport is not None
            cast("asyncio.Transport", server.transport).abort()
        return said or "250 taken"

    async def _ask(self, place: str) -> None:
        """What a test does while a client waits for the answer."""
        if place in self.before:
            await asyncio.get_running_loop().run_in_executor(None, self.before[place])

    def stop(self) -> None:
        self._controller.stop(no_assert=True)


class Writing:
    """A shop whose events become letters. `paid` and the like record an event as its room would."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.app = shop.app
        self.app.at_commit.append(note_letters)

    def configure(self, **settings: Any) -> None:
        self.app.settings = msgspec.structs.replace(self.app.settings, **settings)

    def record(self, event_type: str, facts: dict[str, Any], customer: Customer | None) -> str:
        with self.app.work("test") as work:
            if customer is not None:
                lock_customers(work, [customer])
            return record(work, event_type, facts, customer=customer, change=None)

    def write(self) -> int:
        """What the worker does with the commands; answers how many letters were written."""
        with self.app.work("test") as work:
            claimed = commands.claim_due(work, lease_ms=60_000, limit=100)
        written = 0
        for each in claimed:
            if each.kind != WRITE_LETTER:
                continue
            written += write(self.app, self.environment, each.arguments["event_id"])
            with self.app.work("test") as work:
                commands.finish(work, [each])
        return written

    def send(self) -> int:
        return send_due(self.app, self.environment, lambda *_: "https://shop.test/account/x")

    @property
    def environment(self) -> Any:
        found = self.app.environment("test")
        assert found is not None
        return found

    def letters(self) -> list[Letter]:
        with self.app.database.read() as connection:
            return letters.newest(connection, SECRET, "test")


def with_password(**names: str) -> dict[str, Any]:
    """For `Postbox(…)`: it takes mail of those alone, and their passwords over an unencrypted connection."""

    def authenticate(*given: Any) -> AuthResult:
        claimed = given[-1]
        assert isinstance(claimed, LoginPassword)
        known = names.get(claimed.login.decode()) == claimed.password.decode()
        return AuthResult(success=known, handled=False)

    return {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}


def with_tls(context: ssl.SSLContext) -> dict[str, Any]:
    return {"tls_context": context, "require_starttls": True}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
