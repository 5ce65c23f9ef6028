"""Vectors of proofs of one entry, put together by hand from docs/format.md section 10."""

from base64 import b64encode
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.card_vectors import MLDSA44, X25519, card_bytes
from tests.vectors.fork_vectors import path, root
from tests.vectors.genesis_vectors import NONCE, TIME, key_of

Case = dict[str, object]
KEY = key_of("the author of a proof")
AUTHOR = KEY.public_key().public_bytes_raw()
CARD = card_bytes(KEY, "farm")
GENESIS = [1, "weather", [CARD], TIME, NONCE, []]
INCARNATION = bytes(range(0xB0, 0xB8))
PAYLOAD = cbor2.dumps({"moisture": 0.3125}, canonical=True)
SALT = sha256(b"a salt").digest()[:16]
SIZE, NUMBER = 7, 4


def entry_bytes(payload: bytes, thing: str = "field/3") -> bytes:
    digest = sha256(SALT + payload).digest()
    return cbor2.dumps([thing, "reading", 0, TIME, [], digest])


def checkpoint(
    genesis: object, tree: bytes, size: int, *, key: Ed25519PrivateKey = KEY
) -> list[object]:
    ledger = sha256(b"pannier ledger 1\0" + cbor2.dumps(genesis)).hexdigest()[:32]
    origin = f"pannier/{ledger}/{AUTHOR.hex()}/{INCARNATION.hex()}"
    text = f"{origin}\n{size}\n{b64encode(tree).decode()}\n"
    return [size, tree, key.sign(text.encode())]


def proof(
    *,
    genesis: object = GENESIS,
    payload: bytes = PAYLOAD,
    size: int = SIZE,
    number: int = NUMBER,
    key: Ed25519PrivateKey = KEY,
) -> list[object]:
    entry = entry_bytes(payload)
    leaves = [sha256(b"\0other %d" % n).digest() for n in range(size)]
    leaves[number] = sha256(b"\0" + entry).digest()
    signed = checkpoint(genesis, root(leaves), size, key=key)
    return [
        1, cbor2.dumps(genesis), CARD, INCARNATION, number, entry, payload, SALT, signed,
        path(number, leaves),
    ]  # fmt: skip


def cases() -> dict[str, Case]:
    good = {
        "proof": ("entry 4 of 7", proof()),
        "proof_alone": ("the only entry", proof(size=1, number=0)),
        "proof_last": ("the last entry of 1,000", proof(size=1000, number=999)),
        "proof_member": (
            "by somebody who is not in the genesis",
            proof(genesis=[1, "weather", [card_bytes(key_of("a"), "a")], TIME, NONCE, []]),
        ),
        "proof_device": (
            "on behalf of a device, in a centralized ledger",
            proof(
                genesis=[1, "weather", [CARD], TIME, NONCE, ["centralized"]],
                payload=cbor2.dumps({3: "sensor-7", 4: 0.3125}, canonical=True),
            ),
        ),
    }
    return {
        stem: _case(comment, "success", value) for stem, (comment, value) in good.items()
    } | _bad()


def _case(comment: str, expect: str, value: object) -> Case:
    return {"comment": comment, "expect": expect, "data": cbor2.dumps(value).hex()}


def _with(position: int, item: object) -> list[object]:
    value = proof()
    value[position] = item
    return value


def _bad() -> dict[str, Case]:
    other = cbor2.dumps([1, "weather", [CARD], TIME + 1, NONCE, []])
    promising = card_bytes(KEY, "farm", [X25519, MLDSA44])
    stranger = card_bytes(key_of("a stranger"), "farm")
    signed = proof()[8]
    assert isinstance(signed, list)
    hashes = proof()[9]
    assert isinstance(hashes, list)
    unverified = {
        "payload": ("another payload", _with(6, cbor2.dumps({"moisture": 0.5}, canonical=True))),
        "salt": ("another salt", _with(7, bytes(16))),
        "entry": ("an entry that is in no tree", _with(5, entry_bytes(PAYLOAD, "field/4"))),
        "number": ("another place", _with(4, 3)),
        "number_beyond": ("a place beyond the checkpoint", _with(4, SIZE)),
        "hash_missing": ("a hash too few", _with(9, hashes[:-1])),
        "hashes_65": ("65 hashes", _with(9, [bytes(32)] * 65)),
        "size": ("a checkpoint of another size", _with(8, [SIZE + 1, *signed[1:]])),
        "root": ("a checkpoint of another tree", _with(8, [SIZE, bytes(32), signed[2]])),
        "stranger": ("signed by somebody else", proof(key=key_of("a stranger"))),
        "ledger": ("of another ledger", _with(1, other)),
        "incarnation": ("of another log", _with(3, bytes(8))),
        "card_stranger": ("the card of somebody else", _with(2, stranger)),
        "card_altered": ("a card altered", _with(2, CARD[:-1] + bytes([CARD[-1] ^ 1]))),
        "second_signature": (
            "no ML-DSA-44 signature, which the card promises",
            _with(2, promising),
        ),
        "second_signature_genesis": (
            "no ML-DSA-44 signature, which the author's card in the genesis promises",
            proof(genesis=[1, "weather", [promising], TIME, NONCE, []]),
        ),
    }
    malformed = {
        "version_2": ("version 2", _with(0, 2)),
        "fields_9": ("a field too few", proof()[:-1]),
        "fields_11": ("a field too many", [*proof(), 0]),
        "genesis_array": ("a genesis that is no byte string", _with(1, GENESIS)),
        "genesis_empty": ("no genesis", _with(1, b"")),
        "card_text": ("a card as text", _with(2, "PANNIER1:")),
        "incarnation_7": ("an incarnation of 7 bytes", _with(3, bytes(7))),
        "number_negative": ("entry -1", _with(4, -1)),
        "number_2_32": ("entry 2^32", _with(4, 1 << 32)),
        "number_true": ("a number that is true", _with(4, True)),
        "entry_empty": ("no entry", _with(5, b"")),
        "entry_array": ("an entry of one field", _with(5, b"\x81\x00")),
        "payload_null": ("no payload", _with(6, None)),
        "payload_not_cbor": ("a payload that is not CBOR", _with(6, b"\xff")),
        "salt_15": ("a salt of 15 bytes", _with(7, bytes(15))),
        "checkpoint_unsigned": ("a checkpoint without signature", _with(8, signed[:2])),
        "hash_31": ("a hash of 31 bytes", _with(9, [bytes(31)])),
        "hashes_null": ("no hashes", _with(9, None)),
        "null": ("null", None),
        "map": ("a map", {1: 2}),
        "empty": ("an empty array", []),
    }
    return {
        f"{expect}_{stem}": _case(comment, expect, value)
        for expect, group in (("unverified", unverified), ("malformed", malformed))
        for stem, (comment, value) in group.items()
    }
