from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler import cose
from bundler.blob_section import BlobSection, blob_head
from bundler.content import open_bundle
from bundler.errors import ForgedError, LimitError, MalformedError, UnencryptedError
from bundler.head import OPEN, Stamp, payload_over
from bundler.keyring import Keyring
from bundler.notices import SentSection
from bundler.remade import (
    Frame,
    Signing,
    clear_frame,
    full_frame,
    outside_clear,
    outside_full,
)
from bundler.remade import remake as remake_parts
from bundler.sealed import Header
from bundler.sections import encode_section
from ledger.card import node_id
from ledger.keys import NodeKeys
from ledger.padding import padme_bytes
from tests.bundler.doubles import CountedEntropy, CountedWrapper

HEADER = Header(5, 2500)
STAMP = Stamp(incarnation=bytes(8), counter=7, time_us=1)
ADA = NodeKeys.generate("ada", CountedEntropy("ada"))
BEA = NodeKeys.generate("bea", CountedEntropy("bea"))
CIA = NodeKeys.generate("cia", CountedEntropy("cia"))
KEY = bytes(range(32))
SIGNING = Signing(key=ADA.signing, stamp=STAMP, recipient=BEA.card.author)


def sections(*bodies: bytes) -> list[bytes]:
    return [part for body in bodies for part in (blob_head(0, len(body)), body)]


def remake(frame: Frame, key: bytes, parts: list[bytes]) -> bytes:
    return bytes(remake_parts(frame, key, parts, sum(map(len, parts))))


def full(*, is_padded: bool = False) -> Frame:
    outside = outside_full(HEADER, BEA.card.hpke_key, KEY, CountedWrapper("w"))
    return full_frame(outside, HEADER, SIGNING, is_padded=is_padded)


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
    frame = full(is_padded=is_padded)
    sealed = remake(frame, KEY, parts)
    assert remake(frame, KEY, list(parts)) == sealed
    opened = open_bundle(sealed, keyring())
    assert (opened.stamp, opened.header, opened.sender) == (STAMP, HEADER, ADA.card.author)
    found = [bytes(one.body) for one in opened.sections() if isinstance(one, BlobSection)]
    assert found == bodies
    assert not is_padded or padme_bytes(len(sealed)) == len(sealed)
    assert not any(body in sealed for body in bodies if len(body) > 8)


def test_a_clear_one_can_be_read_and_needs_consent() -> None:
    parts = sections(b"plain to see")
    frame = clear_frame(outside_clear(HEADER), HEADER, SIGNING, parts)
    sealed = remake(frame, KEY, parts)
    assert b"plain to see" in sealed
    assert open_bundle(sealed, keyring(clear=True)).is_clear
    with pytest.raises(UnencryptedError):
        open_bundle(sealed, keyring())


def test_what_lies_in_the_room_from_before_is_written_over() -> None:
    parts = sections(b"a", bytes(range(256)) * 999, b"b" * 70_000)
    size = sum(map(len, parts))
    for frame in (full(), full(is_padded=True), clear_frame(b"\x84", HEADER, SIGNING, parts)):
        room = memoryview(bytearray(b"\xff") * 400_000)
        assert remake_parts(frame, KEY, iter(parts), size, room) == remake(frame, KEY, parts)
        small = memoryview(bytearray(10))
        assert remake_parts(frame, KEY, iter(parts), size, small) == remake(frame, KEY, parts)


def test_only_contents_of_files_go_without_a_signature() -> None:
    have = encode_section(SentSection(bundle_ids=()))
    opened = open_bundle(remake(full(), KEY, [*sections(b"content"), have]), keyring())
    assert opened.is_open
    found = opened.sections()
    assert isinstance(next(found), BlobSection)
    with pytest.raises(MalformedError, match="did not sign"):
        next(found)


def test_of_two_readers_none_puts_contents_under_the_signature_for_the_other() -> None:
    ours, theirs = sections(b"what Ada sent"), sections(b"what Cia, who has the key, put there")
    ids = [bytes.fromhex(node_id(one.card.author)) for one in (ADA, BEA, CIA)]

    def for_two(digest: bytes) -> Frame:
        payload = payload_over(full().outside, STAMP, ids[1:], digest)
        return replace(full(), head=cose.sign(ADA.signing, kid=ids[0], payload=payload).to_bytes())

    signed = for_two(sha256(b"".join(ours)).digest())
    assert not open_bundle(remake(signed, KEY, ours), keyring()).is_open
    for frame in (signed, for_two(OPEN)):
        with pytest.raises(ForgedError, match="not those that were signed"):
            open_bundle(remake(frame, KEY, theirs), keyring())


def test_a_clear_one_is_signed_with_all_that_is_in_it() -> None:
    signed, other = sections(b"what was signed"), sections(b"what was sealed")
    outside = outside_clear(HEADER)
    frame = clear_frame(outside, HEADER, SIGNING, signed)
    with pytest.raises(ForgedError, match="not those that were signed"):
        open_bundle(remake(frame, KEY, other), keyring(clear=True))
    unsigned = replace(full_frame(outside, HEADER, SIGNING), is_clear=True)
    with pytest.raises(MalformedError, match="nobody has signed"):
        open_bundle(remake(unsigned, KEY, signed), keyring(clear=True))


def test_who_signs_is_bound_to_what_is_sealed() -> None:
    other = Signing(
        key=Ed25519PrivateKey.from_private_bytes(sha256(b"eve").digest()),
        stamp=STAMP,
        recipient=BEA.card.author,
    )
    outside = outside_full(HEADER, BEA.card.hpke_key, KEY, CountedWrapper("w"))
    forged = remake(full_frame(outside, HEADER, other), KEY, sections(b"content"))
    with pytest.raises(Exception, match="whose card is not here"):
        open_bundle(forged, keyring())


def test_what_no_reader_would_take_is_not_made() -> None:
    parts = sections(bytes(16 << 20))
    with pytest.raises(LimitError):
        remake(full(), KEY, parts)
