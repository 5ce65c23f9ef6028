from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import (
    BundleError,
    ForgedError,
    LimitError,
    MalformedError,
    UnopenableError,
)
from bundler.limits import Limits
from bundler.seal import (
    Sealer,
    directed_key,
    group_sealing_key,
    open_full,
    open_shared,
    seal_full,
    seal_shared,
)
from bundler.sealed import Header, SealedClear, SealedFull, SealedShared, parse_sealed
from ledger.algorithm import Algorithm, HpkeKey
from ledger.hpke import HpkeUnwrapper, HpkeWrapper
from ledger.keys import NodeKeys
from tests.bundler.doubles import CountedEntropy, CountedWrapper
from tests.ledger.world import keys_of
from tests.vectors import load

VECTORS = load("seal")
ERRORS: dict[str, tuple[type[BundleError], ...]] = {
    "malformed": (MalformedError, LimitError),
    "unverified": (ForgedError,),
    "refused": (UnopenableError,),
}
HEADER = Header(3, 2000)
ONE, TWO, THREE = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))


def public(key: X25519PrivateKey) -> HpkeKey:
    return HpkeKey(Algorithm.X25519, key.public_key().public_bytes_raw())


def sealer(seed: str = "seed") -> Sealer:
    return Sealer(CountedEntropy(seed), CountedWrapper(seed))


def open_vector(case: dict[str, str]) -> bytes:
    sealed = parse_sealed(bytes.fromhex(case["data"]))
    if isinstance(sealed, SealedClear):
        return bytes(sealed.content)
    if isinstance(sealed, SealedFull):
        key = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["hpke_private"]))
        return bytes(open_full(sealed, HpkeUnwrapper(key)))
    assert isinstance(sealed, SealedShared)
    if case["epoch_key"]:
        return open_shared(sealed, group_sealing_key(bytes.fromhex(case["epoch_key"])))
    key_bytes = directed_key(
        bytes.fromhex(case["pairwise_key"]),
        sender=bytes.fromhex(case["sender"]),
        recipient=bytes.fromhex(case["recipient"]),
    )
    return open_shared(sealed, key_bytes)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    if case["expect"] == "success":
        assert sha256(open_vector(case)).hexdigest() == case["content_sha256"]
    else:
        with pytest.raises(ERRORS[case["expect"]]):
            open_vector(case)


@given(st.binary(max_size=200))
def test_each_recipient_opens_a_full_bundle_and_nobody_else(content: bytes) -> None:
    outsides = []

    def content_for(outside: bytes) -> bytes:
        outsides.append(outside)
        return content

    recipients = [public(ONE), public(TWO)]
    data = seal_full(HEADER, recipients, content_for, Sealer(CountedEntropy("a"), HpkeWrapper()))
    sealed = parse_sealed(data)
    assert isinstance(sealed, SealedFull)
    assert sealed.header == HEADER
    assert outsides == [sealed.outside()]
    for key in (ONE, TWO):
        assert open_full(sealed, HpkeUnwrapper(key)) == content
    with pytest.raises(UnopenableError):
        open_full(sealed, HpkeUnwrapper(THREE))


def test_each_bundle_has_a_key_of_its_own() -> None:
    """Whoever has opened one opens no other by it; the commitment hangs on nothing but the key."""
    commitments, ciphertexts = set(), set()
    for draw in ("first", "second"):
        data = seal_full(
            HEADER, [public(ONE)], lambda _: b"plain", Sealer(CountedEntropy(draw), HpkeWrapper())
        )
        sealed = parse_sealed(data)
        assert isinstance(sealed, SealedFull)
        commitments.add(sealed.commitment)
        ciphertexts.add(bytes(sealed.ciphertext))
        assert b"plain" not in data
    assert len(commitments) == len(ciphertexts) == 2


def test_a_hybrid_recipient_opens_its_own_stanza_and_none_under_x25519_alone() -> None:
    hybrid = NodeKeys.generate("h", CountedEntropy("hybrid"), post_quantum=True)
    weak = HpkeKey(Algorithm.X25519, hybrid.card.x25519)

    def sealed_for(*recipients: HpkeKey) -> SealedFull:
        data = seal_full(HEADER, recipients, lambda _: b"content", sealer())
        sealed = parse_sealed(data)
        assert isinstance(sealed, SealedFull)
        return sealed

    both = sealed_for(public(ONE), hybrid.card.hpke_key)
    assert [len(stanza) for stanza in both.stanzas] == [80, 1168]
    for unwrapper in (HpkeUnwrapper(ONE), hybrid.unwrapper()):
        assert bytes(open_full(both, unwrapper)) == b"content"
    with pytest.raises(UnopenableError, match="nothing under MLKEM768-X25519"):
        open_full(sealed_for(weak, public(ONE)), hybrid.unwrapper())
    with pytest.raises(UnopenableError, match="none of our keys"):
        open_full(sealed_for(weak, keys_of("pq other").card.hpke_key), hybrid.unwrapper())
    with pytest.raises(UnopenableError, match="nothing under X25519"):
        open_full(sealed_for(hybrid.card.hpke_key), HpkeUnwrapper(ONE))


def test_sealing_with_the_same_randomness_gives_the_same_bytes() -> None:
    first, second = (
        seal_full(HEADER, [public(ONE)], lambda _: b"content", sealer()) for _ in range(2)
    )
    assert first == second
    assert first != seal_full(HEADER, [public(ONE)], lambda _: b"content", sealer("other"))


def open_altered_full(data: bytes) -> bytes:
    sealed = parse_sealed(data)
    assert isinstance(sealed, SealedFull)
    return bytes(open_full(sealed, HpkeUnwrapper(ONE)))


def open_altered_pairwise(data: bytes, key: bytes) -> bytes:
    sealed = parse_sealed(data)
    assert isinstance(sealed, SealedShared)
    return open_shared(sealed, key)


def test_every_flipped_bit_of_a_full_bundle_is_refused() -> None:
    data = seal_full(HEADER, [public(ONE)], lambda _: b"content", sealer())
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            open_altered_full(bytes(altered))


def test_every_flipped_bit_of_a_pairwise_bundle_is_refused() -> None:
    key = directed_key(bytes(32), sender=bytes(32), recipient=bytes([1]) * 32)
    data = seal_shared(HEADER, key, b"content", CountedEntropy("seed"))
    assert open_altered_pairwise(data, key) == b"content"
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            open_altered_pairwise(bytes(altered), key)


def test_a_nonce_that_comes_twice_tells_nothing_about_other_contents() -> None:
    """As after a restored backup: with GCM the second would give away both."""
    key = bytes(32)
    first, second = (
        seal_shared(HEADER, key, content, bytes)
        for content in (b"one content ....", b"two content ....")
    )
    assert first[:20] == second[:20]
    assert bytes(a ^ b for a, b in zip(first, second, strict=True))[20:36] != bytes(
        a ^ b for a, b in zip(b"one content ....", b"two content ....", strict=True)
    )


def test_what_cannot_be_sealed_is_refused() -> None:
    for recipients in ([], [public(ONE)] * 65):
        with pytest.raises(LimitError):
            seal_full(HEADER, recipients, lambda _: b"", sealer())
    limits = Limits(bundle_bytes=200)
    with pytest.raises(LimitError):
        seal_full(HEADER, [public(ONE)], lambda _: bytes(99), sealer(), limits=limits)
    with pytest.raises(LimitError):
        seal_shared(HEADER, bytes(32), bytes(199), CountedEntropy("seed"), limits=limits)
