"""Talking to mail servers: encrypted with certificates that are checked, and addresses beyond ASCII."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paywright.emails import smtp
from paywright.emails.model import Rendered
from tests.emails.postbox import Postbox, with_tls

RENDERED = Rendered("Grüße ✨", "Text mit Umlauten: ä.\n.\nEine Zeile mit einem Punkt.\n", "<p>ä</p>\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file, which nobody trusts yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(params=["smtp+starttls", "smtps"])
def encrypted(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[str, Postbox]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    options = with_tls(context) if request.param == "smtp+starttls" else {"ssl_context": context}
    postbox = Postbox(**options)
    yield f"{request.param}://127.0.0.1:{postbox.port}", postbox
    postbox.stop()


def send(url: str, recipient: str = "b@x.example", sender: str = "Größe & Co <s@shop.example>") -> bool:
    named = smtp.message_id("test", "receipt", "pay_1", sender)
    to = smtp.deliverable(recipient)
    message = smtp.composed(RENDERED, sender=sender, shop_name="Shop", recipient=to, named=named, at=0)
    with smtp.connected(smtp.server_of(url)) as connection:
        return smtp.hand_over(connection, message, to, lambda: True)


def test_encrypted_servers_are_talked_to_when_their_certificate_is_good(
    encrypted: tuple[str, Postbox], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, postbox = encrypted
    with pytest.raises(smtp.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        send(url)
    assert postbox.arrived == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(url)
    (message,) = postbox.arrived
    assert (message["From"], message["Subject"]) == ("Größe & Co <s@shop.example>", "Grüße ✨")
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == RENDERED.text


def test_a_server_without_encryption_is_not_talked_to_when_it_was_asked_for() -> None:
    plain = Postbox()
    with pytest.raises(smtp.Unreachable, match="STARTTLS"):
        send(f"smtp+starttls://127.0.0.1:{plain.port}")
    plain.stop()
    assert plain.arrived == []


def test_addresses_beyond_ascii_go_where_the_server_takes_them() -> None:
    knowing, simple = Postbox(enable_SMTPUTF8=True), Postbox(enable_SMTPUTF8=False)
    assert send(knowing.url, "grüße@bücher.example")
    assert knowing.recipients == ["grüße@xn--bcher-kva.example"]
    assert send(simple.url, "gruesse@bücher.example")
    assert simple.recipients == ["gruesse@xn--bcher-kva.example"]
    with pytest.raises(smtp.Refused, match="other letters than ASCII") as refused:
        send(simple.url, "grüße@x.example")
    assert refused.value.is_final
    for each in (knowing, simple):
        each.stop()


@pytest.mark.parametrize(
    "address",
    ["", "a", "@x.example", "a@", "a b@x.example", "a@x.example\r\nBcc: c@x.example", "<a@x.example>", "a@x,b@y"],
)
def test_what_is_no_address_is_refused_for_good(address: str) -> None:
    with pytest.raises(smtp.Refused) as refused:
        smtp.deliverable(address)
    assert refused.value.is_final


def test_one_fact_has_one_message_id() -> None:
    sender = "s@bücher.example"
    same = smtp.message_id("test", "receipt", "pay_1", sender)
    assert same == smtp.message_id("test", "receipt", "pay_1", sender)
    assert same.endswith("@xn--bcher-kva.example>")
    others = [
        ("live", "receipt", "pay_1"),
        ("test", "refund", "pay_1"),
        ("test", "receipt", "pay_2"),
        ("test", "receiptpay", "_1"),
    ]
    assert len({same, *(smtp.message_id(*each, sender) for each in others)}) == 5
