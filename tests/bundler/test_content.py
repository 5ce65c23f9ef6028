from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler.content import (
    Opened,
    Recipient,
    open_bundle,
    pack_clear,
    pack_full,
    pack_group,
    pack_pairwise,
)
from bundler.errors import (
    BundleError,
    ForgedError,
    LimitError,
    MalformedError,
    UnencryptedError,
    UnknownSenderError,
    UnopenableError,
)
from bundler.head import Stamp
from bundler.keyring import GroupKey, Keyring, PeerKey
from bundler.notices import GenesisSection, KeySection, SentSection
from bundler.seal import Sealer, directed_key, open_full
from bundler.sealed import Header, SealedClear, SealedFull, parse_sealed
from bundler.sections import Skipped, encode_section
from ledger.algorithm import Algorithm, HpkeKey
from ledger.card import node_id
from ledger.hpke import HpkeUnwrapper
from ledger.padding import padme_bytes
from tests.bundler.doubles import CountedEntropy, CountedWrapper
from tests.vectors import load

VECTORS = load("content")
ERRORS: dict[str, tuple[type[BundleError], ...]] = {
    "malformed": (MalformedError, LimitError),
    "unverified": (ForgedError,),
    "refused": (UnopenableError, UnknownSenderError, UnencryptedError),
}
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
SENDER = SIGNING.public_key().public_bytes_raw()
HPKE = X25519PrivateKey.from_private_bytes(bytes([2]) * 32)
RECIPIENT = Recipient(
    bytes([3]) * 32, HpkeKey(Algorithm.X25519, HPKE.public_key().public_bytes_raw())
)
STRANGER = Recipient(
    bytes([4]) * 32,
    HpkeKey(
        Algorithm.X25519,
        X25519PrivateKey.from_private_bytes(bytes([5]) * 32).public_key().public_bytes_raw(),
    ),
)
PAIRWISE_KEY = bytes(range(32))
EPOCH_KEY = bytes(range(50, 82))
GROUP = GroupKey(bytes(range(8)), EPOCH_KEY)
HEADER = Header(3, 2000)
STAMP = Stamp(incarnation=bytes(8), counter=7, time_us=-5)
SECTIONS = [
    encode_section(SentSection(bundle_ids=(bytes(8),))),
    encode_section(KeySection(key=bytes(32))),
]


FACTS = [encode_section(GenesisSection(genesis=b"\x81\x00"))]
SEALER = Sealer(CountedEntropy("seed"), CountedWrapper("seed"))


def randbytes(size: int) -> bytes:
    return Random(size).randbytes(size)


def knows(*authors: bytes) -> Callable[[bytes], bytes | None]:
    return {bytes.fromhex(node_id(author)): author for author in authors}.get


def keyring(
    *,
    author: bytes = RECIPIENT.author,
    senders: tuple[bytes, ...] = (SENDER,),
    is_clear_agreed: bool = True,
) -> Keyring:
    return Keyring(
        author=author,
        unwrapper=HpkeUnwrapper(HPKE),
        author_of=knows(*senders),
        peer_keys=[PeerKey(SENDER, bytes(32)), PeerKey(SENDER, PAIRWISE_KEY)],
        group_keys=[GroupKey(bytes(8), bytes(32)), GROUP],
        clear_senders=frozenset(senders if is_clear_agreed else ()),
    )


def full(*recipients: Recipient) -> bytes:
    return pack_full(
        SECTIONS,
        header=HEADER,
        stamp=STAMP,
        signing_key=SIGNING,
        recipients=recipients or [STRANGER, RECIPIENT],
        sealer=Sealer(CountedEntropy("seed"), CountedWrapper("seed")),
    )


def pairwise(*, sender: bytes = SENDER, recipient: bytes = RECIPIENT.author) -> bytes:
    return pack_pairwise(
        SECTIONS,
        header=HEADER,
        stamp=STAMP,
        key=directed_key(PAIRWISE_KEY, sender=sender, recipient=recipient),
        sealer=SEALER,
    )


def group(*, key: bytes = EPOCH_KEY, sections: Sequence[bytes] = FACTS) -> bytes:
    return pack_group(sections, header=HEADER, stamp=STAMP, sender=SENDER, key=key, sealer=SEALER)


def clear(*recipients: bytes, sections: Sequence[bytes] = FACTS) -> bytes:
    return pack_clear(
        sections,
        header=HEADER,
        stamp=STAMP,
        signing_key=SIGNING,
        recipients=recipients or [STRANGER.author, RECIPIENT.author],
    )


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    sender = bytes.fromhex(case["sender"])
    ring = Keyring(
        author=bytes.fromhex(case["recipient"]),
        unwrapper=HpkeUnwrapper(
            X25519PrivateKey.from_private_bytes(bytes.fromhex(case["hpke_private"]))
        ),
        author_of=knows(sender),
        peer_keys=[PeerKey(sender, bytes.fromhex(case["pairwise_key"]))],
        group_keys=[GroupKey(bytes(8), bytes.fromhex(case["epoch_key"]))],
        clear_senders=frozenset([sender] if case["clear_agreed"] else []),
    )

    def read() -> tuple[Opened, int]:
        opened = open_bundle(bytes.fromhex(case["data"]), ring)
        return opened, len(list(opened.sections()))

    if case["expect"] == "success":
        opened, count = read()
        assert opened.sender == (None if stem.startswith("group") else sender)
        assert opened.stamp.counter == case["counter"]
        assert count == ("without_sections" not in stem) + ("padded" in stem)
    else:
        with pytest.raises(ERRORS[case["expect"]]):
            read()


@pytest.mark.parametrize(("data", "is_pairwise"), [(full(), False), (pairwise(), True)])
def test_a_bundle_opens(data: bytes, is_pairwise: bool) -> None:
    opened = open_bundle(data, keyring())
    assert opened.header == HEADER
    assert opened.sender == SENDER
    assert opened.stamp == STAMP
    assert opened.is_pairwise is is_pairwise
    assert list(opened.sections()) == [
        SentSection(bundle_ids=(bytes(8),)),
        KeySection(key=bytes(32)),
    ]


@pytest.mark.parametrize("data", [full(RECIPIENT), pairwise(), group(), clear(RECIPIENT.author)])
def test_every_flipped_bit_and_every_cut_is_refused(data: bytes) -> None:
    ring = keyring()
    assert open_bundle(data, ring).header == HEADER
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            open_bundle(bytes(altered), ring)
    for length in range(len(data)):
        with pytest.raises(BundleError):
            open_bundle(data[:length], ring)


def test_a_sender_without_a_card_is_named() -> None:
    with pytest.raises(UnknownSenderError) as caught:
        open_bundle(full(), keyring(senders=()))
    assert caught.value.kid.hex() == node_id(SENDER)


def test_a_bundle_for_others_does_not_open() -> None:
    with pytest.raises(UnopenableError):
        open_bundle(full(STRANGER), keyring())
    with pytest.raises(UnopenableError):
        open_bundle(pairwise(recipient=STRANGER.author), keyring())
    with pytest.raises(UnopenableError):
        open_bundle(pairwise(sender=RECIPIENT.author, recipient=SENDER), keyring())


def test_a_stolen_hpke_key_does_not_make_a_recipient() -> None:
    with pytest.raises(ForgedError, match="signed for others"):
        open_bundle(full(RECIPIENT), keyring(author=STRANGER.author))


def test_a_card_under_a_wrong_id_does_not_pass_for_the_sender() -> None:
    ring = keyring(senders=(SENDER,))
    wrong = Keyring(
        author=ring.author,
        unwrapper=ring.unwrapper,
        author_of=lambda _kid: STRANGER.author,
        peer_keys=[],
    )
    with pytest.raises(ForgedError):
        open_bundle(full(), wrong)


def test_too_many_sections_are_not_packed() -> None:
    with pytest.raises(LimitError):
        pack_pairwise([b""] * 4096, header=HEADER, stamp=STAMP, key=bytes(32), sealer=SEALER)


def test_a_group_bundle_opens_and_proves_no_sender() -> None:
    opened = open_bundle(group(), keyring())
    assert (opened.sender, opened.group) == (None, GROUP.group)
    assert opened.claimed_sender == bytes.fromhex(node_id(SENDER))
    assert (opened.header, opened.stamp) == (HEADER, STAMP)
    assert list(opened.sections()) == [GenesisSection(genesis=b"\x81\x00")]
    assert (opened.is_pairwise, opened.is_clear) == (False, False)


def test_a_group_bundle_opens_under_its_epoch_key_alone() -> None:
    with pytest.raises(UnopenableError):
        open_bundle(group(key=bytes([9]) * 32), keyring())
    with pytest.raises(UnopenableError):
        open_bundle(group(key=PAIRWISE_KEY), keyring())


def test_what_needs_a_sender_is_not_packed_for_a_group() -> None:
    for section in SECTIONS:
        with pytest.raises(MalformedError, match="proves itself"):
            group(sections=[*FACTS, section])


def test_a_clear_bundle_is_readable_and_its_sender_proven() -> None:
    data = clear()
    assert FACTS[0] in data
    opened = open_bundle(data, keyring())
    assert (opened.sender, opened.stamp, opened.is_clear) == (SENDER, STAMP, True)
    assert list(opened.sections()) == [GenesisSection(genesis=b"\x81\x00")]


def test_a_clear_bundle_is_refused_where_that_is_not_agreed() -> None:
    with pytest.raises(UnencryptedError):
        open_bundle(clear(), keyring(is_clear_agreed=False))


def test_a_key_is_not_packed_in_clear() -> None:
    with pytest.raises(MalformedError, match="a key"):
        clear(sections=[*FACTS, SECTIONS[1]])
    for count in (0, 65):
        with pytest.raises(LimitError):
            pack_clear(
                FACTS, header=HEADER, stamp=STAMP, signing_key=SIGNING, recipients=[SENDER] * count
            )


def test_what_was_sealed_for_us_is_not_passed_off_as_clear() -> None:
    """A member that publishes what it was sent cannot make it look as if the sender had done so."""
    sealed = parse_sealed(full(RECIPIENT))
    assert isinstance(sealed, SealedFull)
    content = open_full(sealed, HpkeUnwrapper(HPKE))
    with pytest.raises(ForgedError):
        open_bundle(SealedClear(header=HEADER, content=content).to_bytes(), keyring())


@given(st.integers(0, 3000) | st.sampled_from([65_000, 65_536, 70_000, 200_000]))
def test_padded_bundles_have_padme_sizes(size: int) -> None:
    sealer = replace(SEALER, is_padded=True)
    section = GenesisSection(genesis=cbor2.dumps([randbytes(size)]))
    sections = [encode_section(section)]
    packed = (
        pack_full(
            sections,
            header=HEADER,
            stamp=STAMP,
            signing_key=SIGNING,
            recipients=[STRANGER, RECIPIENT],
            sealer=sealer,
        ),
        pack_pairwise(
            sections,
            header=HEADER,
            stamp=STAMP,
            key=directed_key(PAIRWISE_KEY, sender=SENDER, recipient=RECIPIENT.author),
            sealer=sealer,
        ),
        pack_group(
            sections, header=HEADER, stamp=STAMP, sender=SENDER, key=EPOCH_KEY, sealer=sealer
        ),
    )
    for data in packed:
        assert padme_bytes(len(data)) == len(data)
        found = open_bundle(data, keyring()).sections()
        assert [one for one in found if not isinstance(one, Skipped)] == [section]


@given(st.binary(max_size=100))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    with pytest.raises(BundleError):
        open_bundle(data, keyring())
