"""
Handing mail to a server: `smtp://`, `smtp+starttls://` and `smtps://`, with certificates checked.

A letter goes in two steps. Up to the recipient's address nothing has been sent; `begin` is asked right before the text is handed over, and from there
on the letter may have arrived.
"""

import contextlib
import hashlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

import msgspec

from paywright.emails.model import Rendered
from paywright.environments.rules import is_address
from paywright.kernel.instants import to_datetime
from paywright.kernel.settings import SettingsInvalid

TIMEOUT_S = 20.0
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


Connection = smtplib.SMTP
BROKEN = (OSError, smtplib.SMTPException)
"""What a connection raises when it ends on its own."""


class Server(msgspec.Struct, frozen=True):
    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None

    def __repr__(self) -> str:
        return f"Server({self.scheme}://{self.host}:{self.port})"


class Unreachable(Exception):
    """The server can't be talked to, or wants no mail of ours now. Nothing was sent."""


class Refused(Exception):
    """The server's answer to this letter was no. `is_final`: it will stay so."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


class Lost(Exception):
    """The connection ended while the server had the text: only the server knows."""


def server_of(url: str) -> Server:
    """Raises `SettingsInvalid` for what is no address of a mail server. A password is not sent readable over a network."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsInvalid(f"PAYWRIGHT_SMTP_URL is malformed: {error}") from error
    if parts.scheme not in PORTS or not host or parts.path not in ("", "/") or parts.query:
        raise SettingsInvalid(
            "PAYWRIGHT_SMTP_URL is smtp://, smtp+starttls:// or smtps://, then user:password@host:port, percent-encoded."
        )
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    if password is not None and parts.scheme == "smtp" and host not in _LOOPBACK:
        raise SettingsInvalid("PAYWRIGHT_SMTP_URL has a password, which smtp:// sends readable: use smtp+starttls://.")
    return Server(parts.scheme, host, port or PORTS[parts.scheme], user, password)


def deliverable(address: str) -> str:
    """As the server is told it; raises `Refused` for what is no address."""
    if not is_address(address):
        raise Refused("this is no e-mail address", is_final=True)
    try:
        return f"{address.rpartition('@')[0]}@{_ascii_domain(address)}"
    except UnicodeError as error:
        raise Refused("the domain of this address can't be written", is_final=True) from error


def message_id(environment_id: str, kind: str, fact: str, sender: str) -> str:
    """The same for the same letter, however often it is tried: mailboxes show one of them."""
    named = hashlib.sha256("\x00".join((environment_id, kind, fact)).encode()).hexdigest()[:32]
    return f"<{kind}.{named}@{_ascii_domain(parseaddr(sender)[1])}>"


def composed(rendered: Rendered, *, sender: str, shop_name: str, recipient: str, named: str, at: int) -> EmailMessage:
    """`at`: when it was written, so that a second try is byte for byte the first."""
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = _header_address(name or shop_name, deliverable(address))
    message["To"] = _header_address("", recipient)
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(to_datetime(at))
    message["Message-ID"] = named
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    # Its own boundary would be another one at every try.
    message.set_boundary(f"=_{hashlib.sha256(named.encode()).hexdigest()[:40]}")
    return message


@contextmanager
def connected(server: Server) -> Iterator[smtplib.SMTP]:
    """Signed in, or `Unreachable`."""
    try:
        connection = _open(server)
    except BROKEN as error:
        raise Unreachable(_said(error)) from error
    try:
        yield connection
    finally:
        # What is done is done; a server that has gone need not be told goodbye.
        with contextlib.suppress(*BROKEN):
            connection.quit()


def hand_over(connection: smtplib.SMTP, message: EmailMessage, recipient: str, begin: Callable[[], bool]) -> bool:
    """
    False: `begin` said no, and nothing was sent. Raises `Unreachable` or `Refused` when it certainly did not arrive, `Lost` when nobody knows.
    """
    sender = message["From"].addresses[0].addr_spec
    is_wide = not (sender + recipient).isascii()
    text = message.as_bytes(policy=SMTPUTF8 if is_wide else SMTP)
    try:
        wide = ["SMTPUTF8"] if is_wide else []
        if wide and not connection.has_extn("smtputf8"):
            raise Refused("the mail server takes no addresses with other letters than ASCII", is_final=True)
        _must(connection.mail(sender, wide), is_final=False)
        _must(connection.rcpt(recipient), is_final=True)
    except BROKEN as error:
        raise Unreachable(_said(error)) from error
    if not begin():
        with contextlib.suppress(*BROKEN):
            connection.rset()
        return False
    try:
        answer = connection.data(text)
    except smtplib.SMTPDataError as error:
        raise Refused(_said(error), is_final=False) from error  # It did not want the text at all.
    except BROKEN as error:
        raise Lost(_said(error)) from error
    _must(answer, is_final=True)
    return True


def _open(server: Server) -> smtplib.SMTP:
    context = ssl.create_default_context()
    connection: smtplib.SMTP
    if server.scheme == "smtps":
        connection = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    try:
        connection.ehlo_or_helo_if_needed()
        if server.scheme == "smtp+starttls":
            connection.starttls(context=context)
            connection.ehlo()
        if server.user is not None:
            connection.login(server.user, server.password or "")
    except BaseException:
        connection.close()
        raise
    return connection


def _must(answer: tuple[int, bytes], *, is_final: bool) -> None:
    code, said = answer
    if not 200 <= code < 300:
        raise Refused(f"{code} {said.decode('utf-8', 'replace')}"[:300], is_final=is_final and code >= 500)


def _header_address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(" ".join(name.split()), local, domain)


def _ascii_domain(address: str) -> str:
    domain = address.rpartition("@")[2]
    return domain if domain.isascii() else domain.encode("idna").decode()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
