from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler.blob_section import BlobSection, blob_head
from bundler.content import open_bundle
from bundler.errors import LimitError, UnencryptedError
from bundler.head import Stamp
from bundler.keyring import Keyring
from bundler.remade import Frame, Signing, frame_for, outside_clear, outside_full, remake
from bundler.sealed import Header
from ledger.card import node_id
from ledger.keys import NodeKeys
from ledger.padding import padme_bytes
from tests.bundler.doubles import CountedEntropy, CountedWrapper

HEADER = Header(5, 2500)
STAMP = Stamp(incarnation=bytes(8), counter=7, time_us=1)
ADA = NodeKeys.generate("ada", CountedEntropy("ada"))
BEA = NodeKeys.generate("bea", CountedEntropy("bea"))
KEY = bytes(range(32))
SIGNING = Signing(key=ADA.signing, stamp=STAMP, recipient=BEA.card.author)


def sections(*bodies: bytes) -> list[bytes]:
    return [part for body in bodies for part in (blob_head(0, len(body)), body)]


def full(parts: list[bytes], *, is_padded: bool = False) -> Frame:
    outside = outside_full(HEADER, BEA.card.hpke_key, KEY, CountedWrapper("w"))
    return frame_for(outside, HEADER, SIGNING, parts, is_padded=is_padded)


def keyring(*, clear: bool = False) -> Keyring:
    ada = ADA.card.author
    return Keyring(
        author=BEA.card.author,
        unwrapper=BEA.unwrapper(),
        author_of={bytes.fromhex(node_id(ada)): ada}.get,
        peer_keys=[],
        group_keys=[],
        clear_senders=frozenset({ada} if clear else ()),
    )


@given(st.lists(st.binary(min_size=1, max_size=100_000), min_size=1, max_size=4), st.booleans())
def test_it_opens_and_is_the_same_each_time(bodies: list[bytes], is_padded: bool) -> None:
    parts = sections(*bodies)
    frame = full(parts, is_padded=is_padded)
    sealed = remake(frame, KEY, parts)
    assert remake(frame, KEY, list(parts)) == sealed
    opened = open_bundle(bytes(sealed), keyring())
    assert (opened.stamp, opened.header, opened.sender) == (STAMP, HEADER, ADA.card.author)
    found = [bytes(one.body) for one in opened.sections() if isinstance(one, BlobSection)]
    assert found == bodies
    assert not is_padded or padme_bytes(len(sealed)) == len(sealed)
    assert not any(body in sealed for body in bodies if len(body) > 8)


def test_a_clear_one_can_be_read_and_needs_consent() -> None:
    parts = sections(b"plain to see")
    frame = frame_for(outside_clear(HEADER), HEADER, SIGNING, parts, is_clear=True, is_padded=True)
    sealed = remake(frame, KEY, parts)
    assert b"plain to see" in sealed
    assert open_bundle(bytes(sealed), keyring(clear=True)).is_clear
    with pytest.raises(UnencryptedError):
        open_bundle(bytes(sealed), keyring())


def test_who_signs_is_bound_to_what_is_sealed() -> None:
    parts = sections(b"what was signed")
    sealed = remake(full(parts), KEY, sections(b"what was sealed"))
    with pytest.raises(Exception, match="not those that were signed"):
        open_bundle(bytes(sealed), keyring())
    other = Signing(
        key=Ed25519PrivateKey.from_private_bytes(sha256(b"eve").digest()),
        stamp=STAMP,
        recipient=BEA.card.author,
    )
    outside = outside_full(HEADER, BEA.card.hpke_key, KEY, CountedWrapper("w"))
    forged = remake(frame_for(outside, HEADER, other, parts), KEY, parts)
    with pytest.raises(Exception, match="whose card is not here"):
        open_bundle(bytes(forged), keyring())


def test_what_no_reader_would_take_is_not_made() -> None:
    parts = sections(bytes(16 << 20))
    with pytest.raises(LimitError):
        remake(full(parts), KEY, parts)
