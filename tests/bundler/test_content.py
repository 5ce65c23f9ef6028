from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler.content import (
    Keyring,
    Opened,
    PeerKey,
    Recipient,
    Stamp,
    open_bundle,
    pack_full,
    pack_pairwise,
)
from bundler.errors import (
    BundleError,
    ForgedError,
    LimitError,
    MalformedError,
    UnknownSenderError,
    UnopenableError,
)
from bundler.notices import KeySection, SentSection
from bundler.seal import Sealer, directed_key
from bundler.sealed import Header
from bundler.sections import encode_section
from ledger.card import node_id
from ledger.hpke import HpkeUnwrapper
from tests.bundler.doubles import CountedEntropy, CountedWrapper
from tests.vectors import load

VECTORS = load("content")
ERRORS: dict[str, tuple[type[BundleError], ...]] = {
    "malformed": (MalformedError, LimitError),
    "unverified": (ForgedError,),
    "refused": (UnopenableError, UnknownSenderError),
}
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
SENDER = SIGNING.public_key().public_bytes_raw()
HPKE = X25519PrivateKey.from_private_bytes(bytes([2]) * 32)
RECIPIENT = Recipient(bytes([3]) * 32, HPKE.public_key().public_bytes_raw())
STRANGER = Recipient(
    bytes([4]) * 32,
    X25519PrivateKey.from_private_bytes(bytes([5]) * 32).public_key().public_bytes_raw(),
)
PAIRWISE_KEY = bytes(range(32))
HEADER = Header(3, 2000)
STAMP = Stamp(incarnation=bytes(8), counter=7, time_us=-5)
SECTIONS = [
    encode_section(SentSection(bundle_ids=(bytes(8),))),
    encode_section(KeySection(key=bytes(32))),
]


def knows(*authors: bytes) -> Callable[[bytes], bytes | None]:
    return {bytes.fromhex(node_id(author)): author for author in authors}.get


def keyring(*, author: bytes = RECIPIENT.author, senders: tuple[bytes, ...] = (SENDER,)) -> Keyring:
    return Keyring(
        author=author,
        unwrapper=HpkeUnwrapper(HPKE),
        author_of=knows(*senders),
        peer_keys=[PeerKey(SENDER, bytes(32)), PeerKey(SENDER, PAIRWISE_KEY)],
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
        entropy=CountedEntropy("seed"),
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
    )

    def read() -> tuple[Opened, int]:
        opened = open_bundle(bytes.fromhex(case["data"]), ring)
        return opened, len(list(opened.sections()))

    if case["expect"] == "success":
        opened, count = read()
        assert (opened.sender, opened.stamp.counter) == (sender, case["counter"])
        assert count == ("without_sections" not in stem)
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


@pytest.mark.parametrize("data", [full(RECIPIENT), pairwise()])
def test_every_flipped_bit_and_every_cut_is_refused(data: bytes) -> None:
    ring = keyring()
    assert open_bundle(data, ring).sender == SENDER
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
        pack_pairwise(
            [b""] * 4097, header=HEADER, stamp=STAMP, key=bytes(32), entropy=CountedEntropy("seed")
        )


@given(st.binary(max_size=100))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    with pytest.raises(BundleError):
        open_bundle(data, keyring())
