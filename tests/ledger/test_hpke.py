from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.algorithm import Algorithm, HpkeKey
from ledger.errors import MalformedError
from ledger.hpke import (
    STANZA_BYTES,
    HpkeUnwrapper,
    HpkeWrapper,
    HybridPrivateKey,
    Unwrapper,
    Wrapper,
    seal_message,
)
from tests.bundler.doubles import CountedWrapper
from tests.vectors import load

VECTORS = load("hpke")
PRIVATE = X25519PrivateKey.from_private_bytes(bytes([1]) * 32)
PUBLIC = HpkeKey(Algorithm.X25519, PRIVATE.public_key().public_bytes_raw())
HYBRID = HybridPrivateKey(bytes([2]) * 32)
HYBRID_PUBLIC = HpkeKey(Algorithm.MLKEM768_X25519, HYBRID.public)
KEY = bytes(range(32))


def unwrapper_of(vector: dict[str, Any]) -> Unwrapper:
    private = bytes.fromhex(vector["private"])
    if vector["kem"] == Algorithm.MLKEM768_X25519:
        return HpkeUnwrapper(HybridPrivateKey(private))
    return HpkeUnwrapper(X25519PrivateKey.from_private_bytes(private))


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    stanza, info = bytes.fromhex(vector["stanza"]), bytes.fromhex(vector["info"])
    opened = unwrapper_of(vector).unwrap(stanza, info)
    expected = bytes.fromhex(vector["content_key"]) if vector["expect"] == "success" else None
    assert opened == expected


def test_the_public_key_of_a_seed_is_that_of_the_draft() -> None:
    seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
    public = HybridPrivateKey(bytes.fromhex(seed)).public.hex()
    assert public.startswith("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5")
    assert public.endswith("edb06eff389b27dce59844570216223593d4ba32d9abac8cd049040ef6534")


@pytest.mark.parametrize(
    ("wrapper", "key", "unwrapper", "stranger"),
    [
        (HpkeWrapper(), PUBLIC, HpkeUnwrapper(PRIVATE), X25519PrivateKey.generate()),
        (CountedWrapper("seed"), PUBLIC, HpkeUnwrapper(PRIVATE), X25519PrivateKey.generate()),
        (HpkeWrapper(), HYBRID_PUBLIC, HpkeUnwrapper(HYBRID), HybridPrivateKey(bytes(32))),
    ],
)
def test_a_stanza_opens_for_its_recipient_and_info_only(
    wrapper: Wrapper,
    key: HpkeKey,
    unwrapper: Unwrapper,
    stranger: X25519PrivateKey | HybridPrivateKey,
) -> None:
    stanza = wrapper.wrap(KEY, key, b"info")
    assert len(stanza) == STANZA_BYTES[key.algorithm]
    assert unwrapper.algorithm is key.algorithm
    assert unwrapper.unwrap(stanza, b"info") == KEY
    assert unwrapper.unwrap(stanza, b"other") is None
    assert HpkeUnwrapper(stranger).unwrap(stanza, b"info") is None
    assert wrapper.wrap(KEY, key, b"info") != stanza


def test_the_double_is_the_same_in_each_run() -> None:
    first, second = (CountedWrapper("seed").wrap(KEY, PUBLIC, b"info") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "key",
    [
        HpkeKey(Algorithm.X25519, b"short"),
        HpkeKey(Algorithm.X25519, bytes(32)),
        HpkeKey(Algorithm.X25519, HYBRID.public),
        HpkeKey(Algorithm.MLKEM768_X25519, PUBLIC.public),
        HpkeKey(Algorithm.MLKEM768_X25519, HYBRID.public[:1184] + bytes(32)),
        HpkeKey(Algorithm.MLKEM768_X25519, b"\xff" * 1184 + PUBLIC.public),
        HpkeKey(Algorithm.MLKEM768_X25519, HYBRID.public + b"\0"),
    ],
)
def test_what_is_no_key_is_refused(key: HpkeKey) -> None:
    with pytest.raises(MalformedError, match=key.algorithm.label):
        HpkeWrapper().wrap(KEY, key, b"info")


@given(
    st.binary(max_size=100)
    | st.binary(min_size=80, max_size=80)
    | st.binary(min_size=1168, max_size=1168)
)
def test_arbitrary_stanzas_open_nothing(stanza: bytes) -> None:
    for private in (PRIVATE, HYBRID):
        assert HpkeUnwrapper(private).unwrap(stanza, b"info") is None


def test_a_content_key_of_another_length_is_none() -> None:
    stanza = CountedWrapper("seed").wrap(bytes(33), PUBLIC, b"info")
    assert HpkeUnwrapper(PRIVATE).unwrap(stanza, b"info") is None


def test_an_ephemeral_key_of_low_order_opens_nothing() -> None:
    assert HpkeUnwrapper(PRIVATE).unwrap(bytes(80), b"info") is None
    stanza = HpkeWrapper().wrap(KEY, HYBRID_PUBLIC, b"info")
    low = stanza[:1088] + bytes(32) + stanza[1120:]
    assert HpkeUnwrapper(HYBRID).unwrap(low, b"info") is None


@pytest.mark.parametrize(("private", "public"), [(PRIVATE, PUBLIC), (HYBRID, HYBRID_PUBLIC)])
def test_a_message_is_read_by_whom_it_is_for_and_for_what_it_is(
    private: X25519PrivateKey | HybridPrivateKey, public: HpkeKey
) -> None:
    sealed, unwrapper = seal_message(b"some words", public, b"info"), HpkeUnwrapper(private)
    assert len(sealed) == 10 + STANZA_BYTES[public.algorithm] - len(KEY)
    assert unwrapper.open_message(sealed, b"info") == b"some words"
    assert unwrapper.open_message(sealed, b"other") is None
    for wrong in (b"", sealed[:-1], sealed[:40], bytes(len(sealed))):
        assert unwrapper.open_message(wrong, b"info") is None
