import socket
import struct
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.transports.carriers.ends import LOOPBACK, a_bell, agree, giving, read, tcp_pair
from transports.carriers.address import Address
from transports.carriers.carrier import CarrierGoneError, CarrierUnusableError
from transports.carriers.tcp import TcpListener
from transports.carriers.tls import Person, Pinned, Tls


class Somebody(NamedTuple):
    person: Person
    sign: Callable[[bytes], bytes]

    def tls(self, *known: "Somebody", pinned: Pinned | None = None) -> Tls:
        return Tls(self.person, self.sign, [one.person for one in known], pinned or Pinned())


def somebody(name: str) -> Somebody:
    key = Ed25519PrivateKey.generate()
    return Somebody(Person(name, key.public_key().public_bytes_raw()), key.sign)


FARM, HOME, OTHER = somebody("farm"), somebody("home"), somebody("other")
IMPOSTOR = somebody("home")


def test_peers_who_know_each_other_agree_without_anybody_elses_word() -> None:
    with tcp_pair(FARM.tls(HOME), HOME.tls(OTHER, FARM)) as (one, other):
        agree(one, other)
        data = b"x" * 100_000
        sent = 0
        came = b""
        while len(came) < len(data):
            sent += one.write(data[sent : sent + 8192])
            came += other.read()
        assert came == data
        other.write(b"back")
        assert read(one, 4) == b"back"
        assert one.backlog_us() == 0
        other.close()
        with pytest.raises(CarrierGoneError):
            read(one)


def test_a_caller_who_is_gone_again_ends_nothing() -> None:
    listener = TcpListener(Address(LOOPBACK, 0), giving(HOME.tls(FARM)))
    with a_bell() as bell, closing(listener):
        port = listener.listen()
        for _ in range(20):
            with socket.create_connection((LOOPBACK, port)) as stranger:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with socket.create_connection((LOOPBACK, port)) as caller:
            name = f"tcp {LOOPBACK}:{caller.getsockname()[1]}"
            while (carrier := listener.open(bell)) is not None:
                carrier.close()
                if carrier.name == name:
                    break
            assert carrier is not None


def test_a_server_with_another_key_is_refused() -> None:
    with (
        tcp_pair(FARM.tls(HOME), IMPOSTOR.tls(FARM)) as (one, other),
        pytest.raises(CarrierGoneError, match="certificate of somebody else"),
    ):
        agree_quietly(one, other)


@pytest.mark.parametrize("known", [(), (OTHER,), (IMPOSTOR,)])
def test_a_client_whom_the_server_does_not_know_is_refused(known: tuple[Somebody, ...]) -> None:
    with (
        tcp_pair(HOME.tls(FARM), FARM.tls(*known)) as (one, other),
        pytest.raises(CarrierGoneError, match="certificate of somebody else"),
    ):
        agree_quietly(other, one)


def test_who_speaks_no_tls_is_refused() -> None:
    with tcp_pair(None, HOME.tls(FARM)) as (one, other):
        one.write(b"\0" * 100)
        with pytest.raises(CarrierGoneError, match="no TLS"):
            agree(other, one)


def agree_quietly(one: object, other: object) -> None:
    """Like `agree`, where the other side fails too."""
    agree(one, Quiet(other))  # type: ignore[arg-type]


class Quiet:
    def __init__(self, carrier: object) -> None:
        self._carrier = carrier

    def agree(self, bell: object) -> bool:
        try:
            return bool(self._carrier.agree(bell))  # type: ignore[attr-defined]
        except CarrierGoneError:
            return False


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a self-signed certificate of a person's own, alone and with its key."""
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, None)
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    alone, both = folder / f"{name}.crt", folder / f"{name}.pem"
    alone.write_bytes(made)
    both.write_bytes(made + secret)
    return alone, both


def test_certificates_that_people_give_are_pinned(tmp_path: Path) -> None:
    alone, both = certificate(tmp_path, "gate")
    stranger, _ = certificate(tmp_path, "stranger")
    server = Pinned(own=both)
    with tcp_pair(FARM.tls(pinned=Pinned(other=alone)), HOME.tls(FARM, pinned=server)) as (a, b):
        agree(a, b)
    with (
        tcp_pair(FARM.tls(pinned=Pinned(other=stranger)), HOME.tls(FARM, pinned=server)) as (a, b),
        pytest.raises(CarrierGoneError, match="certificate of somebody else"),
    ):
        agree_quietly(a, b)


def test_files_that_hold_no_certificate_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    alone, _ = certificate(tmp_path, "gate")
    for pinned in (Pinned(own=empty), Pinned(own=alone), Pinned(own=tmp_path / "none")):
        with pytest.raises(CarrierUnusableError, match="holds no certificate with its key"):
            FARM.tls(pinned=pinned)
    with pytest.raises(CarrierUnusableError, match="holds no certificate"):
        FARM.tls(pinned=Pinned(other=empty))
    with pytest.raises(CarrierUnusableError, match="cannot read"):
        FARM.tls(pinned=Pinned(other=tmp_path / "none"))
