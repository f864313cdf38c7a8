from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.learn.watching.notify.receivers import smtp_receiver
from tests.learn.watching.test_alert_book import ALERT, NOW

from payoff.core.errors import ServiceError
from payoff.learn.watching.notify.channel import Message
from payoff.learn.watching.notify.mail import Mail

MESSAGE = Message("raised", 7, NOW, ALERT)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine's own, with its key."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    address = x509.IPAddress(ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_mails_the_sentence_encrypted_and_logged_in(certificate: Path) -> None:
    with smtp_receiver(context=server_context(certificate)) as server:
        Mail(
            "ops@example.com",
            server=f"127.0.0.1:{server.server_address[1]}",
            sender="payoff@example.com",
            user="payoff",
            password="pass-word",
            context=ssl.create_default_context(cafile=str(certificate)),
        ).send(MESSAGE)
    assert server.encrypted
    letter = server.letters[0]
    assert "Subject: payoff: loss support 1234, 120.00 EUR a day" in letter
    assert "To: ops@example.com" in letter
    assert "From: payoff@example.com" in letter
    assert "support loses 120.00 EUR a day" in letter.replace("=\n", "").replace("\n", " ")
    assert server.said.index("STARTTLS") < [s.split()[0] for s in server.said].index("AUTH")


def test_a_server_on_this_machine_may_do_without() -> None:
    with smtp_receiver() as server:
        Mail("ops@example.com", server=f"127.0.0.1:{server.server_address[1]}").send(
            Message("over", 8, NOW, ALERT)
        )
    assert "is over" in server.letters[0]


def test_no_password_is_sent_in_clear() -> None:
    with smtp_receiver() as server:
        mail = Mail(
            "ops@example.com",
            server=f"127.0.0.1:{server.server_address[1]}",
            user="payoff",
            password="pass-word",
        )
        with pytest.raises(ServiceError, match=r"PF748.*STARTTLS"):
            mail.send(MESSAGE)
    assert not any(line.startswith("AUTH") for line in server.said)
    assert server.letters == []


def test_a_stranger_is_not_trusted(certificate: Path) -> None:
    with smtp_receiver(context=server_context(certificate)) as server:
        mail = Mail("ops@example.com", server=f"127.0.0.1:{server.server_address[1]}")
        with pytest.raises(ServiceError, match="PF748"):
            mail.send(MESSAGE)
    assert server.letters == []


def test_a_refusal_does_not_tell_the_password(certificate: Path) -> None:
    with smtp_receiver(context=server_context(certificate), welcomes=False) as server:
        mail = Mail(
            "ops@example.com",
            server=f"127.0.0.1:{server.server_address[1]}",
            user="payoff",
            password="pass-word",
            context=ssl.create_default_context(cafile=str(certificate)),
        )
        with pytest.raises(ServiceError, match="PF748") as caught:
            mail.send(MESSAGE)
    assert "pass-word" not in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(ServiceError, match="PF748"):
        Mail("ops@example.com", server="127.0.0.1:1", timeout_s=1).send(MESSAGE)


@pytest.mark.parametrize(
    ("to", "server", "sender"),
    [
        ("ops", "mail:25", ""),
        ("ops@a\nBcc: x@y", "mail:25", ""),
        ("ops@a.b", "mail:port", ""),
        ("ops@a.b", "", ""),
        ("ops@a.b", "mail:25", "two@a.b,three@a.b"),
        ("ops@example.com", "mail.example.com:65536", ""),
        ("ops@example.com", "mail.example.com:0", ""),
    ],
)
def test_addresses_that_are_none_are_refused(to: str, server: str, sender: str) -> None:
    with pytest.raises(ServiceError, match="PF749"):
        Mail(to, server=server, sender=sender)
