"""TLS around a TCP link, pinned by the keys that the peers know of each other anyway.

Who a peer is says the hello inside (docs/link.md 3), with or without TLS: this hides frames from
the network, and keeps strangers away from them. No authority is asked. Each process draws a key of
its own and certifies it with the node's signing key, in an X.509 certificate that is valid at all
times, since clocks may be wrong by years; for each peer whose signing key is known, an anchor is
made here that such certificates lead to.

Source: RFC 8446; RFC 5280; RFC 8410 (Ed25519 in X.509).
"""

import secrets
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from transports.carriers.address import reason
from transports.carriers.bell import Bell
from transports.carriers.carrier import CarrierGoneError, CarrierUnusableError
from transports.carriers.connection import Connection
from transports.carriers.waiting import HasFileno, wait_for

HANDSHAKE_SECONDS = 30.0
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
# AlgorithmIdentifier of Ed25519, and the head of a bit string of 64 bytes.
_ED25519 = bytes.fromhex("300506032b6570")
_SIGNATURE_HEAD = bytes.fromhex("034100")


@dataclass(frozen=True, slots=True)
class Person:
    """A signing key as certificates speak of it.

    Attributes:
        name: The node id, in hex.
        key: Ed25519, 32 bytes.
    """

    name: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Pinned:
    """Certificates that people gave, in place of those made here.

    Attributes:
        other: PEM file of the other side's certificate; None: made here, from the peers' keys.
        own: PEM file of our certificate and its key; None: made here.
    """

    other: Path | None = None
    own: Path | None = None


class Tls:
    """What both ends of our connections show, and what they accept."""

    def __init__(
        self,
        me: Person,
        sign: Callable[[bytes], bytes],
        peers: Sequence[Person],
        pinned: Pinned = Pinned(),
    ) -> None:
        """Draw a key and certify it.

        Args:
            me: This node.
            sign: Returns the Ed25519 signature (64 bytes) by this node's signing key.
            peers: Whom to accept.
            pinned: Certificates given by people.

        Raises:
            CarrierUnusableError: a given file cannot be read, or holds no certificate.
        """
        self._contexts = {}
        for is_server in (False, True):
            context = ssl.SSLContext(
                ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT
            )
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.check_hostname = False
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            self._contexts[is_server] = context
        self._accept(peers, pinned.other)
        self._show(me, sign, pinned.own)

    def wrap(self, sock: socket.socket, name: str, *, is_server: bool) -> "TlsCarrier":
        """Return the carrier on *sock*, on which nothing has been agreed yet.

        Raises:
            OSError: it is gone again.
        """
        sock.getpeername()  # of one that is gone the library would not close its own socket
        inside = self._contexts[is_server].wrap_socket(
            sock, server_side=is_server, do_handshake_on_connect=False
        )
        return TlsCarrier(inside, name)

    def _accept(self, peers: Sequence[Person], other: Path | None) -> None:
        anchors = "".join(_anchor(peer) for peer in peers) if other is None else _read(other)
        for context in self._contexts.values():
            if not anchors:
                continue  # nobody is accepted
            try:
                context.load_verify_locations(cadata=anchors)
            except ssl.SSLError as error:
                raise CarrierUnusableError(f"{other} holds no certificate in PEM") from error

    def _show(self, me: Person, sign: Callable[[bytes], bytes], own: Path | None) -> None:
        if own is not None:
            for context in self._contexts.values():
                _load(context, own, None)
            return
        # The library reads keys from files alone: this one tells nothing, and is gone at once.
        passphrase = secrets.token_bytes(32)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tls.pem"
            path.write_bytes(_certified(me, sign, passphrase))
            for context in self._contexts.values():
                _load(context, path, passphrase)


class TlsCarrier(Connection):
    """One encrypted connection."""

    not_now = (ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def __init__(self, sock: ssl.SSLSocket, name: str) -> None:
        """Take over a connected socket that does not block."""
        super().__init__(sock, name)
        self._inside = sock

    def agree(self, bell: Bell) -> bool:
        """See `Carrier`: the handshake, in which both show who they are."""
        end = time.monotonic() + HANDSHAKE_SECONDS
        while not bell.is_stopped:
            reading: list[HasFileno] = [bell]
            writing: list[HasFileno] = []
            try:
                self._inside.do_handshake()
            except ssl.SSLWantReadError:
                reading.append(self)
            except ssl.SSLWantWriteError:
                writing.append(self)
            except OSError as error:
                text = f"{self.name}: no TLS: {_why(error)}; do both say --tls?"
                raise CarrierGoneError(text) from error
            else:
                return True
            left = end - time.monotonic()
            if left <= 0:
                raise CarrierGoneError(f"{self.name}: no TLS: the other side says nothing")
            wait_for(left, reading=reading, writing=writing)
            bell.hush()
        return False


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"it shows the certificate of somebody else ({error.verify_message})"
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else reason(error)


def _certified(me: Person, sign: Callable[[bytes], bytes], passphrase: bytes) -> bytes:
    """Return, in PEM, a new key under *passphrase* and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject="pannier link", issuer=me.name)
    # The library signs with keys alone: what a stranger's key signed is put under our signature.
    draft = builder.public_key(key.public_key()).sign(ed25519.Ed25519PrivateKey.generate(), None)
    text = draft.tbs_certificate_bytes
    body = text + _ED25519 + _SIGNATURE_HEAD + sign(text)
    certificate = x509.load_der_x509_certificate(b"\x30\x82" + len(body).to_bytes(2, "big") + body)
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.hex().encode()),
    )


def _anchor(person: Person) -> str:
    """Return, in PEM, what certificates of *person* lead to; nobody looks at its own signature."""
    builder = _builder(subject=person.name, issuer="pannier").public_key(
        ed25519.Ed25519PublicKey.from_public_bytes(person.key)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _builder(subject: str, issuer: str) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ALWAYS[0])
        .not_valid_after(_ALWAYS[1])
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise CarrierUnusableError(f"cannot read {path}: {reason(error)}") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise CarrierUnusableError(f"{path} holds no certificate in PEM")
    return text


def _load(context: ssl.SSLContext, path: Path, passphrase: bytes | None) -> None:
    try:
        # Without a passphrase the library would ask at the terminal.
        context.load_cert_chain(path, password=passphrase.hex() if passphrase else "")
    except (OSError, ValueError) as error:
        raise CarrierUnusableError(
            f"{path} holds no certificate with its key, without a passphrase, in PEM"
        ) from error
