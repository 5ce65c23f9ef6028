from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from ledger.data import payload_from_value, value_from_payload
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError, UnverifiedError
from ledger.genesis import LedgerId
from ledger.hpke import HpkeUnwrapper, HpkeWrapper
from ledger.kdf import derive
from ledger.keys import NodeKeys
from ledger.padding import padme_bytes
from ledger.sealed_entry import MAX_RECIPIENTS, Place, SealedPayload, seal_payload
from tests.ledger.world import Drbg, keys_of
from tests.vectors import load

VECTORS = load("sealed_entry")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
PLACE = Place(LedgerId(bytes(16)), bytes(32), "x")
ALICE, BOB, EVE = keys_of("alice"), keys_of("bob"), keys_of("eve")
QUINN = NodeKeys.generate("quinn", Drbg("quinn"), post_quantum=True)
DRAWN = count()


def seal(payload: bytes, *readers: NodeKeys) -> SealedPayload:
    keys = [one.card.hpke_key for one in readers]
    entropy = Drbg(f"seal {next(DRAWN)}")
    sealed = seal_payload(payload, PLACE, keys, HpkeWrapper(), entropy)
    read = SealedPayload.from_value(value_from_payload(sealed.to_payload()))
    assert read == sealed
    return sealed


def opened(vector: dict[str, str]) -> bytes | None:
    ledger_id = LedgerId(bytes.fromhex(vector["ledger"]))
    place = Place(ledger_id, bytes.fromhex(vector["author"]), vector["thing"])
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["secret"]))
    sealed = SealedPayload.from_value(value_from_payload(bytes.fromhex(vector["data"])))
    if sealed is None:
        raise MalformedError("a payload of another form")
    return sealed.open(place, HpkeUnwrapper(private))


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    if vector["expect"] in FAILURES:
        with pytest.raises(FAILURES[vector["expect"]]):
            opened(vector)
    else:
        assert opened(vector) == (bytes.fromhex(vector["payload"]) if vector["payload"] else None)


@given(st.binary(max_size=300))
def test_every_recipient_reads_the_same_and_nobody_else_anything(data: bytes) -> None:
    payload = payload_from_value(data)
    sealed = seal(payload, ALICE, BOB, QUINN)
    for reader in (ALICE, BOB, QUINN):
        assert sealed.open(PLACE, reader.unwrapper()) == payload
    assert sealed.open(PLACE, EVE.unwrapper()) is None


@pytest.mark.parametrize(
    "place",
    [
        PLACE._replace(ledger_id=LedgerId(bytes(15) + b"\1")),
        PLACE._replace(author=bytes(31) + b"\1"),
        PLACE._replace(thing="y"),
    ],
    ids=["ledger", "author", "thing"],
)
def test_what_was_copied_to_another_place_does_not_open(place: Place) -> None:
    sealed = seal(payload_from_value(1), ALICE)
    assert sealed.open(PLACE, ALICE.unwrapper()) is not None
    assert sealed.open(place, ALICE.unwrapper()) is None


def times(one: int, other: int) -> int:
    """Multiply as GCM does: NIST SP 800-38D, algorithm 1."""
    product = 0
    for bit in reversed(range(128)):
        product ^= one * (other >> bit & 1)
        one = one >> 1 ^ (0xE1 << 120) * (one & 1)
    return product


def inverse(value: int) -> int:
    """Return value^(2^128 - 2)."""
    result = 1 << 127  # the one of this field
    for _ in range(127):
        value = times(value, value)
        result = times(result, value)
    return result


def block(key: bytes, content: int) -> int:
    cipher = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 -- what GCM is made of
    return int.from_bytes(cipher.update(content.to_bytes(16, "big")), "big")


def for_two_keys(keys: tuple[bytes, bytes], plaintext: bytes) -> bytes:
    """Return a ciphertext that opens under both keys: *plaintext* under the first but for 16 bytes.

    Source: Y. Dodis et al., "Fast Message Franking: From Invisible Salamanders to Encryptment"
    (2018).
    """
    sealed = AESGCM(keys[0]).encrypt(bytes(12), plaintext, None)[:-16]
    blocks = [int.from_bytes(sealed[at : at + 16], "big") for at in range(0, len(sealed), 16)]
    blocks[1] = 0  # what is chosen so that the tags are the same
    tags, weights = [], []
    for key in keys:
        hashed, total = block(key, 0), 0
        for one in (*blocks, 8 * len(sealed)):
            total = times(total ^ one, hashed)
        tags.append(total ^ block(key, 1))
        weight = hashed
        for _ in blocks[1:]:
            weight = times(weight, hashed)
        weights.append(weight)
    blocks[1] = times(tags[0] ^ tags[1], inverse(weights[0] ^ weights[1]))
    tag = tags[0] ^ times(blocks[1], weights[0])
    return b"".join(one.to_bytes(16, "big") for one in (*blocks, tag))


def test_an_author_cannot_show_two_readers_different_things() -> None:
    """A ciphertext that opens under two keys, each of which one reader gets."""
    contents = Drbg("one")(32), Drbg("another")(32)
    keys = tuple(derive(one, PLACE.info(b"pannier entry key 1\0")) for one in contents)
    plaintext = (payload_from_value(bytes(40)) + b"\x80").ljust(64, b"\0")
    ciphertext = for_two_keys((keys[0], keys[1]), plaintext)
    read = [AESGCM(key).decrypt(bytes(12), ciphertext, None) for key in keys]
    assert read[0] != read[1], "the attack works on GCM"
    info = PLACE.info(b"pannier entry 1\0")
    stanzas = tuple(
        HpkeWrapper().wrap(content, reader.card.hpke_key, info)
        for content, reader in zip(contents, (ALICE, BOB), strict=True)
    )
    sealed = SealedPayload(
        stanzas=stanzas,
        commitment=derive(contents[0], PLACE.info(b"pannier entry commitment 1\0")),
        ciphertext=ciphertext,
    )
    assert sealed.open(PLACE, ALICE.unwrapper()) is not None
    with pytest.raises(UnverifiedError, match="several keys"):
        sealed.open(PLACE, BOB.unwrapper())


def test_a_member_with_a_hybrid_key_gets_no_other_stanza() -> None:
    sealed = seal(payload_from_value(1), QUINN, ALICE)
    assert sorted(map(len, sealed.stanzas)) == [80, 1168]
    weak = NodeKeys(name="q", signing=QUINN.signing, x25519_secret=QUINN.x25519_secret)
    downgraded = seal(payload_from_value(1), weak)
    assert downgraded.open(PLACE, weak.unwrapper()) is not None
    assert downgraded.open(PLACE, QUINN.unwrapper()) is None


@given(st.integers(0, 5000))
def test_sizes_tell_little(size: int) -> None:
    payload = payload_from_value(bytes(size))
    length = len(seal(payload, ALICE).ciphertext) - 16
    assert length == padme_bytes(length) >= 64
    assert length <= max(64, (len(payload) + 1) * 1.13)


def test_short_answers_look_the_same() -> None:
    answers = [True, False, None, 1, 1000, "no", "yes, but only on Thursdays", {"hb": 9.1}]
    lengths = {len(seal(payload_from_value(one), ALICE).ciphertext) for one in answers}
    assert len(lengths) == 1


def test_stanzas_are_in_an_order_that_tells_nothing() -> None:
    sealed = seal(payload_from_value(1), *(keys_of(f"reader {n}") for n in range(9)))
    assert list(sealed.stanzas) == sorted(sealed.stanzas)


def test_too_many_or_no_recipients_are_refused() -> None:
    with pytest.raises(MalformedError):
        seal(payload_from_value(1))
    with pytest.raises(MalformedError):
        seal(payload_from_value(1), *[ALICE] * (MAX_RECIPIENTS + 1))


def test_what_grows_beyond_a_payload_is_refused() -> None:
    payload = payload_from_value(bytes(MAX_PAYLOAD_BYTES - 5))
    assert len(payload) == MAX_PAYLOAD_BYTES
    with pytest.raises(MalformedError, match="at most"):
        seal(payload, ALICE)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_stanza_and_ciphertext_are_closed_or_spoiled(stanza: bytes, data: bytes) -> None:
    value = {0: [stanza, bytes(80)], 1: bytes(32), 2: data}
    sealed = SealedPayload.from_value(value)
    assert sealed is not None
    assert sealed.open(PLACE, ALICE.unwrapper()) is None


@given(st.recursive(st.none() | st.integers(0, 3) | st.binary(max_size=40), st.lists))
def test_any_value_is_sealed_or_not(item: object) -> None:
    for value in (item, {0: item, 1: bytes(32), 2: b""}, {0: [b""], 1: item, 2: b""}):
        sealed = SealedPayload.from_value(value)
        assert sealed is None or sealed.open(PLACE, ALICE.unwrapper()) is None
