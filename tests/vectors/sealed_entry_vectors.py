"""Vectors of payloads sealed for some members (docs/format.md section 3.9), from the primitives."""

import cbor2
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.bundler.doubles import hpke_seal
from tests.vectors.seal_vectors import hkdf

Case = dict[str, object]

ALICE, BOB, EVE = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (21, 22, 23))
CONTENT_KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
LEDGER, AUTHOR, THING = bytes(range(16)), bytes([9]) * 32, "patient/17"
PLACE = LEDGER + AUTHOR + THING.encode()
PAYLOAD = cbor2.dumps({"hb": 9.125}, canonical=True)


def stanza(recipient: X25519PrivateKey, place: bytes = PLACE, key: bytes = CONTENT_KEY) -> bytes:
    public = recipient.public_key().public_bytes_raw()
    ephemeral = public[::-1]  # any 32 bytes make one
    return hpke_seal(key, public, b"pannier entry 1\0" + place, ephemeral=ephemeral)


def ciphertext(plaintext: bytes, place: bytes = PLACE, key: bytes = CONTENT_KEY) -> bytes:
    return AESGCM(hkdf(key, b"pannier entry key 1", place)).encrypt(bytes(12), plaintext, None)


def commitment(place: bytes = PLACE, key: bytes = CONTENT_KEY) -> bytes:
    return hkdf(key, b"pannier entry commitment 1", place)


def padded(payload: bytes, size: int) -> bytes:
    return (payload + b"\x80").ljust(size, b"\0")


def sealed(
    *stanzas: bytes, plaintext: bytes = padded(PAYLOAD, 64), place: bytes = PLACE
) -> dict[int, object]:
    found = stanzas or (stanza(ALICE, place), stanza(BOB, place))
    return {0: list(found), 1: commitment(place), 2: ciphertext(plaintext, place)}


def cases() -> dict[str, Case]:
    long = cbor2.dumps(bytes(1000))
    good = {
        "two": ("for Alice and Bob, opened by Alice", sealed(), PAYLOAD),
        "one": ("for Alice alone", sealed(stanza(ALICE)), PAYLOAD),
        "long": (
            "1,003 bytes and a mark in 1,024",
            sealed(plaintext=padded(long, 1024)),
            long,
        ),
        "ends_like_padding": (
            "a payload that ends as padding does",
            sealed(plaintext=padded(b"\x42\x80\x00", 64)),
            b"\x42\x80\x00",
        ),
        "unpadded": ("a mark and no zero", sealed(plaintext=PAYLOAD + b"\x80"), PAYLOAD),
    }
    return {
        stem: _case(comment, "success", value, payload.hex())
        for stem, (comment, value, payload) in good.items()
    } | _bad()


def _case(comment: str, expect: str, value: object, payload: str | None = None) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "ledger": LEDGER.hex(),
        "author": AUTHOR.hex(),
        "thing": THING,
        "secret": ALICE.private_bytes_raw().hex(),
        "data": cbor2.dumps(value, canonical=True).hex(),
        "payload": payload,
    }


def _bad() -> dict[str, Case]:
    flipped = ciphertext(padded(PAYLOAD, 64))
    flipped = flipped[:-1] + bytes([flipped[-1] ^ 1])
    places = {
        "ledger": bytes(16) + AUTHOR + THING.encode(),
        "author": LEDGER + bytes(32) + THING.encode(),
        "thing": LEDGER + AUTHOR + b"patient/18",
    }
    refused = {
        "for_others": ("for Bob alone", sealed(stanza(BOB))),
        **{
            f"other_{what}": (f"sealed for another {what}", sealed(place=place))
            for what, place in places.items()
        },
    }
    two_keys = sealed(stanza(ALICE, key=OTHER_KEY), stanza(BOB))
    unverified = {
        "two_keys": ("Alice gets another key than Bob", two_keys),
        "commitment": ("a commitment to nothing", {**sealed(), 1: bytes(32)}),
        "flipped": ("a ciphertext altered", {**sealed(), 2: flipped}),
        "short": ("a ciphertext shorter than its tag", {**sealed(), 2: bytes(15)}),
        "moved_ciphertext": (
            "a ciphertext of another thing under the same key",
            {**sealed(), 2: ciphertext(padded(PAYLOAD, 64), places["thing"])},
        ),
    }
    malformed = {
        "no_stanza": ("no stanza", {**sealed(), 0: []}),
        "stanzas_65": ("65 stanzas", {**sealed(), 0: [bytes(80)] * 65}),
        "stanza_4097": ("a stanza of 4,097 bytes", {**sealed(), 0: [bytes(4097)]}),
        "commitment_16": ("a commitment of 16 bytes", {**sealed(), 1: commitment()[:16]}),
        "no_ciphertext": ("no ciphertext", {0: [stanza(ALICE)], 1: commitment()}),
        "key_more": ("a key more", {**sealed(), 3: 0}),
        "no_mark": ("nothing marks the end", sealed(plaintext=bytes(64))),
        "mark_missing": ("a payload without mark", sealed(plaintext=PAYLOAD + b"\0")),
        "inner_not_cbor": ("what is inside is not CBOR", sealed(plaintext=b"\xff\x80")),
        "inner_two": ("two items inside", sealed(plaintext=b"\x01\x02\x80")),
    }
    groups = (("refused", refused), ("unverified", unverified), ("malformed", malformed))
    return {
        f"{expect}_{stem}": _case(comment, expect, value)
        for expect, group in groups
        for stem, (comment, value) in group.items()
    }
