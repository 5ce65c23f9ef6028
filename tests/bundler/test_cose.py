import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler import cose
from bundler.errors import BundleError, ForgedError, LimitError
from bundler.items import Reader

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
AUTHOR = KEY.public_key().public_bytes_raw()
KID = bytes(range(8))


@given(st.binary(max_size=300))
def test_what_was_signed_verifies(payload: bytes) -> None:
    data = cose.sign(KEY, kid=KID, payload=payload).to_bytes()
    reader = Reader(data + b"rest")
    signed = cose.Sign1.take(reader, limit_bytes=300)
    signed.verify(AUTHOR)
    assert (signed.kid, signed.payload, reader.at) == (KID, payload, len(data))


def test_it_is_a_cose_sign1() -> None:
    tag = cbor2.loads(cose.sign(KEY, kid=KID, payload=b"payload").to_bytes())
    assert tag.tag == 18
    protected, unprotected, payload, signature = tag.value
    assert (cbor2.loads(protected), unprotected, payload) == ({1: -8}, {4: KID}, b"payload")
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    KEY.public_key().verify(signature, signed)


def test_every_flipped_bit_is_refused() -> None:
    data = cose.sign(KEY, kid=KID, payload=b"payload").to_bytes()
    kid = range(8 * data.index(KID), 8 * (data.index(KID) + len(KID)))
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        if bit in kid:
            continue  # not signed: it only says whose key to try
        with pytest.raises(BundleError):
            cose.Sign1.take(Reader(bytes(altered)), limit_bytes=300).verify(AUTHOR)


def test_another_author_or_none_is_refused() -> None:
    signed = cose.sign(KEY, kid=KID, payload=b"payload")
    for author in (
        bytes(32),
        b"short",
        Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
    ):
        with pytest.raises(ForgedError):
            signed.verify(author)


def test_a_key_under_which_anybody_can_sign_is_refused() -> None:
    identity = bytes([1]).ljust(32, b"\0")
    signed = cose.Sign1(KID, b"any payload", identity + bytes(32))
    with pytest.raises(ForgedError):
        signed.verify(identity)


def test_a_long_payload_is_refused() -> None:
    data = cose.sign(KEY, kid=KID, payload=bytes(10)).to_bytes()
    with pytest.raises(LimitError):
        cose.Sign1.take(Reader(data), limit_bytes=9)
