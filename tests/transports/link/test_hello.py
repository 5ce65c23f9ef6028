from dataclasses import replace
from random import Random

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.link.doubles import HPKE_BYTES, HYBRID_BYTES, DoubleIdentity, identity
from tests.vectors import load
from transports.link.encode import encode_hello_part
from transports.link.errors import (
    ForgedFrameError,
    FrameTooSmallError,
    LinkError,
    MalformedFrameError,
)
from transports.link.frame import HELLO_FRAME_BYTES, MAX_FRAME_BYTES, HelloPart
from transports.link.framing import framing_named
from transports.link.hello import (
    LABEL,
    Assembler,
    Hello,
    Identity,
    open_sealed,
    seal,
    split,
)

A, B = bytes([1] * 8), bytes([2] * 8)
VECTORS = {k: v for k, v in load("link").items() if v["operation"] == "hello"}
PARTS = {k: v for k, v in load("link").items() if v["operation"] == "parts"}
ERRORS = {"malformed": MalformedFrameError, "unverified": ForgedFrameError}
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
HYBRID = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
HELLO = Hello(versions=1, nonce=b"n" * 16, echo=b"e" * 16, node_id=A, frame_bytes=65_000, flags=255)
SIXTEEN, EIGHT = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)


class VectorIdentity:
    """The recipient of the vectors, with real keys."""

    def __init__(self, vector: dict[str, str]) -> None:
        self.node_id = bytes.fromhex(vector["recipient"])
        self.peer = bytes.fromhex(vector["node_id"])
        self._author = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vector["author"]))
        self._key = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["x25519_secret"]))

    def is_expected(self, peer: bytes) -> bool:
        return peer == self.peer

    def open(self, sealed: bytes) -> bytes | None:
        try:
            return SUITE.decrypt(sealed, self._key, LABEL)
        except InvalidTag:
            return None

    def verify(self, peer: bytes, message: bytes, signature: bytes) -> bool:
        assert peer == self.peer
        try:
            self._author.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def seal(self, peer: bytes, hello: bytes) -> bytes:
        raise NotImplementedError

    def sign(self, message: bytes) -> bytes:
        raise NotImplementedError


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    vector = VECTORS[name]
    recipient: Identity = VectorIdentity(vector)
    sealed = bytes.fromhex(vector["sealed"])
    if vector["expect"] != "success":
        with pytest.raises(ERRORS[vector["expect"]]):
            open_sealed(sealed, recipient)
        return
    hello = open_sealed(sealed, recipient)
    assert (hello.versions, hello.frame_bytes, hello.flags) == (1, 2048, 3)
    for field in ("nonce", "echo", "node_id"):
        assert getattr(hello, field).hex() == vector[field]


@given(
    st.builds(
        Hello,
        versions=st.integers(1, 255),
        nonce=SIXTEEN,
        echo=SIXTEEN,
        node_id=st.just(A),
        frame_bytes=st.integers(32, MAX_FRAME_BYTES),
        flags=st.integers(0, 255),
    )
)
def test_a_hello_comes_back(hello: Hello) -> None:
    sealed = seal(hello, identity(A, B), B)
    assert open_sealed(sealed, identity(B, A)) == hello


@pytest.mark.parametrize(
    "recipient",
    [
        identity(bytes([3] * 8), A),
        identity(B, bytes([3] * 8)),
        replace(identity(A, B, A), secret=identity(B, A).secret),
    ],
    ids=["sealed to another", "of nobody expected", "of this node itself"],
)
def test_a_hello_that_is_not_for_this_link_is_refused(recipient: DoubleIdentity) -> None:
    with pytest.raises(ForgedFrameError):
        open_sealed(seal(HELLO, identity(A, B), B), recipient)


@given(st.binary(max_size=300))
def test_any_bytes_that_open_are_refused_or_a_hello(opened: bytes) -> None:
    recipient = identity(B, A)
    try:
        open_sealed(recipient.seal(B, opened), recipient)
    except LinkError:
        pass


def test_a_hello_under_x25519_fits_one_frame_of_222_bytes() -> None:
    double = seal(HELLO, identity(A, B), B)
    plain = double[HPKE_BYTES:]
    sealed = SUITE.encrypt(plain, X25519PrivateKey.generate().public_key(), LABEL)
    assert len(sealed) == len(double) == 165
    (part,) = split(sealed, 222)
    frame = encode_hello_part(part)
    assert len(frame) == 173
    assert len(framing_named("cobs").frame(frame)) <= 222


def test_a_hello_under_both_kems_fits_sixteen_frames_of_87_bytes() -> None:
    plain = seal(HELLO, identity(A, B), B)[HPKE_BYTES:]
    mlkem = MLKEM768PrivateKey.generate().public_key()
    key = MLKEM768X25519PublicKey(mlkem, X25519PrivateKey.generate().public_key())
    sealed = HYBRID.encrypt(plain, key, LABEL)
    assert len(sealed) == len(plain) + HYBRID_BYTES == 1253
    assert len(split(sealed, 87)) == 16
    assert len(split(sealed, 222)) == 6
    with pytest.raises(FrameTooSmallError, match="87 bytes"):
        split(sealed, 86)


@pytest.mark.parametrize("name", PARTS)
def test_vectors_of_parts(name: str) -> None:
    vector = PARTS[name]
    sealed = bytes.fromhex(vector["sealed"])
    parts = split(sealed, vector["mtu"])
    assert [encode_hello_part(part).hex() for part in parts] == vector["frames"]
    assembler = Assembler()
    assert [assembler.add(part) for part in parts][-1] == sealed


@given(st.binary(min_size=1, max_size=16 * 200), st.integers(208, 2048), st.randoms())
def test_parts_add_up_in_any_order(sealed: bytes, frame_bytes: int, random: Random) -> None:
    parts = split(sealed, frame_bytes)
    assert all(len(encode_hello_part(part)) <= min(frame_bytes, 222) for part in parts)
    random.shuffle(parts)
    assembler = Assembler()
    assert [assembler.add(part) for part in parts] == [None] * (len(parts) - 1) + [sealed]


def test_parts_of_two_hellos_do_not_mix() -> None:
    one, two = split(b"1" * 600, 222), split(b"2" * 600, 222)
    assembler = Assembler()
    found = [assembler.add(part) for part in (one[0], two[2], one[2], two[1], one[1], two[0])]
    assert found == [None, None, None, None, b"1" * 600, b"2" * 600]


def test_what_was_lost_comes_with_the_next_time() -> None:
    parts = split(b"1" * 600, 222)
    assembler = Assembler()
    assert [assembler.add(part) for part in (parts[0], parts[2], parts[0])] == [None] * 3
    assert assembler.add(parts[1]) == b"1" * 600


def test_a_flood_of_parts_takes_no_memory() -> None:
    assembler = Assembler()
    for number in range(1000):
        tag = number.to_bytes(2, "big")
        assert assembler.add(HelloPart(0, 15, tag, b"z" * MAX_FRAME_BYTES)) is None
        assert assembler.add(HelloPart(0, 15, tag, b"z" * HELLO_FRAME_BYTES)) is None
    kept = [len(data) for parts in assembler._begun.values() for data in parts.values()]
    assert 0 < sum(kept) <= 4 * 16 * HELLO_FRAME_BYTES


def test_parts_that_do_not_make_what_their_tag_says_are_dropped() -> None:
    parts = split(b"1" * 600, 222)
    assembler = Assembler()
    for part in (replace(parts[0], data=b"?"), *parts[1:]):
        assert assembler.add(part) is None
