"""Compact bundles: sealed, opened, and nothing else taken for one."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler.content import Opened, open_bundle, pack_compact, pack_pairwise
from bundler.errors import BundleError, LimitError, MalformedError, UnopenableError
from bundler.head import Stamp
from bundler.keyring import Keyring, PeerKey
from bundler.notices import Receipt, ReceiptSection, SentSection
from bundler.seal import compact_key, directed_key
from bundler.sealed import Header, SealedCompact, parse_sealed
from bundler.sections import BodySection, Section, Skipped, encode_section
from bundler.tail_section import Context, TailSection, log_reference
from bundler.whole import frame_bytes
from ledger.genesis import LedgerId
from ledger.hpke import HpkeUnwrapper
from ledger.log import LogName
from ledger.padding import padme_bytes
from tests.bundler.test_content import SEALER
from tests.vectors import load

VECTORS = load("compact")
ERRORS: dict[str, tuple[type[BundleError], ...]] = {
    "malformed": (MalformedError, LimitError),
    "refused": (UnopenableError,),
}
SENDER, RECIPIENT = bytes([5]) * 32, bytes([6]) * 32
KEY, INCARNATION = bytes(range(32)), bytes(range(8))
HEADER = Header(4, 2_500)
DAY_US = 86_400_000_000
STAMP = Stamp(incarnation=INCARNATION, counter=7, time_us=20_000 * DAY_US)
TAIL = TailSection(
    reference=bytes(4),
    signature=bytes(64),
    first=300,
    count=1,
    context=Context(0, 11),
    data=bytes(102),
)
SENT = SentSection(bundle_ids=(bytes(8),))
SECTIONS: list[BodySection] = [SENT, TAIL]


def keyring(*keys: PeerKey, author: bytes = RECIPIENT) -> Keyring:
    return Keyring(
        author=author,
        unwrapper=HpkeUnwrapper(X25519PrivateKey.from_private_bytes(bytes([2]) * 32)),
        author_of=lambda _: None,
        peer_keys=keys
        or [PeerKey(SENDER, bytes(32), INCARNATION), PeerKey(SENDER, KEY, INCARNATION)],
    )


def compact(
    *sections: BodySection, stamp: Stamp = STAMP, header: Header = HEADER, is_padded: bool = False
) -> bytes:
    key = compact_key(KEY, sender=SENDER, recipient=RECIPIENT, incarnation=INCARNATION)
    return pack_compact(
        sections or SECTIONS, header=header, stamp=stamp, key=key, is_padded=is_padded
    )


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    sender, incarnation = bytes.fromhex(case["sender"]), bytes.fromhex(case["incarnation"])
    ring = keyring(
        PeerKey(sender, bytes.fromhex(case["pairwise_key"]), incarnation),
        author=bytes.fromhex(case["recipient"]),
    )

    def read() -> tuple[Opened, list[Section]]:
        opened = open_bundle(bytes.fromhex(case["data"]), ring)
        return opened, [one for one in opened.sections() if not isinstance(one, Skipped)]

    if case["expect"] != "success":
        with pytest.raises(ERRORS[case["expect"]]):
            read()
        return
    opened, sections = read()
    assert opened.stamp.counter == case["counter"]
    assert opened.stamp.time_us == (18_262 + case["day"]) * DAY_US
    tails = [one for one in sections if isinstance(one, TailSection)]
    assert len(tails) == (stem in ("tail", "padded"))
    ledger, author, log_incarnation = map(bytes.fromhex, case["log"])
    name = LogName(author, log_incarnation)
    assert log_reference(LedgerId(ledger), name).hex() == case["reference"]
    assert all(one.reference.hex() == case["reference"] for one in tails)


def test_a_compact_bundle_opens_and_proves_its_sender() -> None:
    opened = open_bundle(compact(), keyring())
    assert (opened.header, opened.sender, opened.stamp) == (HEADER, SENDER, STAMP)
    assert (opened.is_pairwise, opened.is_compact, opened.group) == (True, True, None)
    assert list(opened.sections()) == SECTIONS


def test_it_takes_40_bytes_around_a_tail_in_a_frame() -> None:
    sealed = compact(TAIL)
    assert frame_bytes(len(sealed)) == 40 + len(TAIL.to_body())


@pytest.mark.parametrize(
    ("time_us", "found_us"),
    [
        (20_000 * DAY_US + 5, 20_000 * DAY_US),
        (-5, 18_262 * DAY_US),
        (10**18, (18_262 + 65_535) * DAY_US),
    ],
)
def test_of_the_time_only_the_day_is_left(time_us: int, found_us: int) -> None:
    opened = open_bundle(compact(stamp=replace(STAMP, time_us=time_us)), keyring())
    assert opened.stamp.time_us == found_us


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    data, ring = compact(), keyring()
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            open_bundle(bytes(altered), ring)
    for length in range(len(data)):
        with pytest.raises(BundleError):
            open_bundle(data[:length], ring)


@pytest.mark.parametrize(
    "key",
    [
        PeerKey(SENDER, KEY, bytes(8)),
        PeerKey(SENDER, KEY),
        PeerKey(SENDER, bytes(32), INCARNATION),
        PeerKey(RECIPIENT, KEY, INCARNATION),
    ],
    ids=["other_incarnation", "never_heard", "other_key", "other_sender"],
)
def test_it_opens_under_its_key_alone(key: PeerKey) -> None:
    with pytest.raises(UnopenableError):
        open_bundle(compact(), keyring(key))


def test_a_pairwise_ciphertext_does_not_pass_for_a_compact_one() -> None:
    """Not even where a sender would use one key for both, with a nonce of zeros."""
    pairwise = directed_key(KEY, sender=SENDER, recipient=RECIPIENT)
    data = pack_pairwise(
        [encode_section(SENT)], header=HEADER, stamp=STAMP, key=pairwise, sealer=SEALER
    )
    sealed = SealedCompact(header=HEADER, ciphertext=parse_sealed(data).ciphertext)  # type: ignore[union-attr]
    with pytest.raises(UnopenableError):
        open_bundle(sealed.to_bytes(), keyring())


def test_equal_contents_are_sealed_alike_and_others_are_not() -> None:
    """What a restored backup says again is the same; what it says instead shows nothing."""
    assert compact() == compact()
    other = compact(SentSection(bundle_ids=(bytes([1]) * 8,)), TAIL)
    one, another = (parse_sealed(data) for data in (compact(), other))
    assert isinstance(one, SealedCompact)
    assert isinstance(another, SealedCompact)
    same = sum(a == b for a, b in zip(one.ciphertext, another.ciphertext, strict=True))
    assert same < len(one.ciphertext) // 8


def test_a_tail_has_no_place_in_any_other_bundle() -> None:
    key = directed_key(KEY, sender=SENDER, recipient=RECIPIENT)
    data = pack_pairwise([encode_section(TAIL)], header=HEADER, stamp=STAMP, key=key, sealer=SEALER)
    opened = open_bundle(data, keyring())
    with pytest.raises(MalformedError, match="a tail"):
        list(opened.sections())


@given(st.integers(0, 300))
def test_padded_ones_have_padme_sizes(count: int) -> None:
    receipts = ReceiptSection(receipts=(Receipt(bytes(8), ""),) * count)
    data = compact(receipts, is_padded=True)
    assert padme_bytes(len(data)) == len(data)
    found = open_bundle(data, keyring()).sections()
    assert [one for one in found if not isinstance(one, Skipped)] == [receipts]


def test_too_many_sections_are_neither_packed_nor_read() -> None:
    many = [SentSection(bundle_ids=())] * 4096
    with pytest.raises(LimitError):
        compact(*many)
    opened = open_bundle(compact(*many[:4095]), keyring())
    assert len(list(opened.sections())) == 4095
