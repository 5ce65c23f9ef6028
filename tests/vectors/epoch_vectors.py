"""Vectors of epoch entries, put together by hand from docs/format.md section 3.6."""

from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.bundler.doubles import hpke_seal

Case = dict[str, object]
LEDGER = bytes(range(16))
KEY = sha256(b"the key of an epoch").digest()
AFTER = [bytes([7] * 16), bytes([9] * 16)]
SECRET = sha256(b"hpke of ada").digest()
_AUTHOR = Ed25519PrivateKey.from_private_bytes(sha256(b"ada").digest())
AUTHOR = _AUTHOR.public_key().public_bytes_raw()
NODE = sha256(b"pannier node 1\0" + AUTHOR).digest()[:8]
OTHER = bytes(8)


def epoch_id(key: bytes, depth: int, after: list[bytes]) -> bytes:
    info = b"pannier epoch id 1\0" + depth.to_bytes(8, "big") + b"".join(after)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)[:8]


def stanza(key: bytes, number: bytes, depth: int, ledger: bytes = LEDGER) -> bytes:
    public = X25519PrivateKey.from_private_bytes(SECRET).public_key().public_bytes_raw()
    info = b"pannier epoch 1\0" + ledger + number + depth.to_bytes(8, "big")
    return hpke_seal(key, public, info, ephemeral=sha256(b"ephemeral" + info).digest())


def entry(depth: int = 3, after: list[bytes] = AFTER) -> dict[str, object]:
    number = epoch_id(KEY, depth, after)
    return {
        "after": after,
        "depth": depth,
        "id": number,
        "stanzas": [[OTHER, bytes(80)], [NODE, stanza(KEY, number, depth)]],
    }


def _encoded(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def _case(comment: str, expect: str, value: object) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "payload": _encoded(value).hex(),
        "ledger": LEDGER.hex(),
        "author": AUTHOR.hex(),
        "x25519_secret": SECRET.hex(),
    }


def cases() -> dict[str, Case]:
    good: dict[str, tuple[str, int, list[bytes]]] = {
        "first": ("the first epoch of a ledger", 0, []),
        "after_two": ("an epoch whose maker knew two revocations", 3, AFTER),
        "depth_most": ("the greatest depth", 2**63 - 1, []),
    }
    return (
        {
            stem: {
                **_case(comment, "success", entry(depth, after)),
                "id": epoch_id(KEY, depth, after).hex(),
                "depth": depth,
                "after": [one.hex() for one in after],
                "key": KEY.hex(),
            }
            for stem, (comment, depth, after) in good.items()
        }
        | _closed()
        | _malformed()
    )


def _closed() -> dict[str, Case]:
    """Entries that are well-formed and give this node no epoch."""
    one, number = entry(), epoch_id(KEY, 3, AFTER)
    short = stanza(KEY[:31], number, 3)
    values = {
        "others": ("a stanza for somebody else only", {**one, "stanzas": [[OTHER, bytes(80)]]}),
        "other_ledger": (
            "a stanza that was made for another ledger",
            {**one, "stanzas": [[NODE, stanza(KEY, number, 3, bytes(16))]]},
        ),
        "other_depth": ("an epoch that is said to be deeper than it is", {**one, "depth": 4}),
        "other_after": (
            "an epoch that is said to know a revocation more than it does",
            {**one, "after": [*AFTER, bytes([11] * 16)]},
        ),
        "other_key": (
            "a stanza with the key of another epoch",
            {**one, "stanzas": [[NODE, stanza(bytes(32), number, 3)]]},
        ),
        "short_key": ("a key of 31 bytes", {**one, "stanzas": [[NODE, short]]}),
    }
    return {
        f"closed_{stem}": _case(comment, "refused", value)
        for stem, (comment, value) in values.items()
    }


def _malformed() -> dict[str, Case]:
    one = entry()
    pair = [NODE, bytes(80)]
    values: dict[str, tuple[str, object]] = {
        "after_order": ("revocations out of order", {**one, "after": AFTER[::-1]}),
        "after_twice": ("a revocation twice", {**one, "after": [AFTER[0]] * 2}),
        "after_short": ("a revocation of 15 bytes", {**one, "after": [bytes(15)]}),
        "depth_2_63": ("a depth beyond 63 bits", {**one, "depth": 2**63}),
        "depth_negative": ("a depth below 0", {**one, "depth": -1}),
        "id_short": ("an id of 7 bytes", {**one, "id": bytes(7)}),
        "stanzas_order": ("stanzas out of order", {**one, "stanzas": [pair, [OTHER, b""]]}),
        "stanzas_twice": ("two stanzas for one node", {**one, "stanzas": [pair, pair]}),
        "stanza_alone": ("a stanza without a node", {**one, "stanzas": [bytes(80)]}),
        "node_short": ("a node id of 7 bytes", {**one, "stanzas": [[bytes(7), bytes(80)]]}),
        "missing": ("no depth", {key: one[key] for key in ("after", "id", "stanzas")}),
        "more": ("a field more", {**one, "more": 0}),
        "list": ("an array", list(one.values())),
    }
    return {
        f"bad_{stem}": _case(comment, "malformed", value)
        for stem, (comment, value) in values.items()
    }
