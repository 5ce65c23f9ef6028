import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import MalformedError
from ledger.hpke import STANZA_BYTES, HpkeUnwrapper, HpkeWrapper, Wrapper
from tests.bundler.doubles import CountedWrapper

PRIVATE = X25519PrivateKey.from_private_bytes(bytes([1]) * 32)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
KEY = bytes(range(32))


@pytest.mark.parametrize("wrapper", [HpkeWrapper(), CountedWrapper("seed")])
def test_a_stanza_opens_for_its_recipient_and_info_only(wrapper: Wrapper) -> None:
    stanza = wrapper.wrap(KEY, PUBLIC, b"info")
    assert len(stanza) == STANZA_BYTES
    assert HpkeUnwrapper(PRIVATE).unwrap(stanza, b"info") == KEY
    assert HpkeUnwrapper(PRIVATE).unwrap(stanza, b"other") is None
    assert HpkeUnwrapper(X25519PrivateKey.generate()).unwrap(stanza, b"info") is None
    assert wrapper.wrap(KEY, PUBLIC, b"info") != stanza


def test_the_double_is_the_same_in_each_run() -> None:
    first, second = (CountedWrapper("seed").wrap(KEY, PUBLIC, b"info") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("public", [b"short", bytes(32)])
def test_what_is_no_key_is_refused(public: bytes) -> None:
    with pytest.raises(MalformedError):
        HpkeWrapper().wrap(KEY, public, b"info")


@given(st.binary(max_size=100) | st.binary(min_size=80, max_size=80))
def test_arbitrary_stanzas_open_nothing(stanza: bytes) -> None:
    assert HpkeUnwrapper(PRIVATE).unwrap(stanza, b"info") is None


def test_a_content_key_of_another_length_is_none() -> None:
    stanza = CountedWrapper("seed").wrap(bytes(33), PUBLIC, b"info")
    assert HpkeUnwrapper(PRIVATE).unwrap(stanza, b"info") is None


def test_an_ephemeral_key_of_low_order_opens_nothing() -> None:
    assert HpkeUnwrapper(PRIVATE).unwrap(bytes(80), b"info") is None
