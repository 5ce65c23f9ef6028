"""Vectors of forks: two histories of one log, signed by its author (docs/format.md section 3.5)."""

from base64 import b64encode
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.second_signature import OTHER_SEED, SEED, public_key, second_signature

Case = dict[str, object]
Half = list[object]
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"the author of two histories").digest())
AUTHOR = KEY.public_key().public_bytes_raw()
LEDGER = bytes(range(16))
INCARNATION = bytes(range(0xA0, 0xA8))
COMMON = 3


def leaves(branch: str, size: int) -> list[bytes]:
    """Return leaves of which the first `COMMON` are the same on all branches."""
    names = [f"entry {n}" if n < COMMON else f"entry {n} of {branch}" for n in range(size)]
    return [sha256(b"\0" + name.encode()).digest() for name in names]


def root(hashes: list[bytes]) -> bytes:
    """Return the Merkle tree hash of leaf hashes, word for word from RFC 6962 section 2.1."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()


def path(index: int, hashes: list[bytes]) -> list[bytes]:
    """Return the audit path, word for word from RFC 6962 section 2.1.1."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*path(index, hashes[:split]), root(hashes[split:])]
    return [*path(index - split, hashes[split:]), root(hashes[:split])]


def checkpoint(
    size: int, tree: bytes, *, key: Ed25519PrivateKey = KEY, second: bytes | None = None
) -> list[object]:
    """Return a checkpoint, signed once more by whoever has the seed *second*."""
    origin = f"pannier/{LEDGER.hex()}/{AUTHOR.hex()}/{INCARNATION.hex()}"
    text = f"{origin}\n{size}\n{b64encode(tree).decode()}\n"
    more = [second_signature(text.encode(), second)] if second else []
    return [size, tree, key.sign(text.encode()), *more]


def half(
    branch: str,
    size: int,
    index: int,
    *,
    key: Ed25519PrivateKey = KEY,
    second: bytes | None = None,
) -> Half:
    hashes = leaves(branch, size)
    head = checkpoint(size, root(hashes), key=key, second=second)
    return [head, hashes[index], path(index, hashes)]


def fork(index: int, one: Half, other: Half) -> list[object]:
    low, high = sorted((one, other), key=lambda side: bytes(side[1]))  # type: ignore[call-overload]
    return [index, *low, *high]


def cases() -> dict[str, Case]:
    good = {
        "fork": ("branches of different lengths", fork(3, half("one", 5, 3), half("two", 9, 3))),
        "fork_later": ("not the first difference", fork(4, half("one", 5, 4), half("two", 9, 4))),
        "fork_same_size": ("two ends of one size", fork(3, half("one", 4, 3), half("two", 4, 3))),
    }
    return (
        {stem: _case(comment, "success", value) for stem, (comment, value) in good.items()}
        | _bad()
        | _second()
    )


def _second() -> dict[str, Case]:
    """Return the cases of an author whose card promises a second signature."""
    one, two = (half(branch, 4, 3, second=SEED) for branch in ("one", "two"))
    values = {
        "second": ("both halves signed twice", "success", fork(3, one, two)),
        "unverified_second_missing": (
            "one half is signed once",
            "unverified",
            fork(3, one, half("two", 4, 3)),
        ),
        "unverified_second_other": (
            "one half is signed by somebody else too",
            "unverified",
            fork(3, one, half("two", 4, 3, second=OTHER_SEED)),
        ),
        "unverified_second_moved": (
            "one half bears the second signature of the other",
            "unverified",
            fork(3, one, [[*two[0][:3], one[0][3]], *two[1:]]),  # type: ignore[index]
        ),
    }
    promised: Case = {"mldsa44": public_key().hex()}
    return {
        stem: _case(comment, expect, value) | promised
        for stem, (comment, expect, value) in values.items()
    }


def _case(comment: str, expect: str, value: object) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "ledger": LEDGER.hex(),
        "author": AUTHOR.hex(),
        "incarnation": INCARNATION.hex(),
        "data": cbor2.dumps(value).hex(),
    }


def _bad() -> dict[str, Case]:
    one, two = half("one", 5, 3), half("two", 9, 3)
    value = fork(3, one, two)
    stranger = half("two", 9, 3, key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
    same = half("one", 5, 2)
    unverified = {
        "wrong_order": ("the greater leaf first", [3, *value[4:], *value[1:4]]),
        "same_leaf": ("both have the same entry", [2, *same, *half("two", 9, 2)]),
        "one_branch": ("one branch twice", [3, *one, *one]),
        "prefix": ("two checkpoints of one history", fork(3, half("one", 9, 3), one)),
        "stranger": ("a half signed by somebody else", fork(3, one, stranger)),
        "other_index": ("the proofs are for another entry", [4, *value[1:]]),
        "index_beyond": ("no such entry", [2**63, *value[1:]]),
        "proof_short": ("a hash missing", [*value[:3], value[3][:-1], *value[4:]]),  # type: ignore[index]
        "proof_65": ("65 hashes", [*value[:3], [bytes(32)] * 65, *value[4:]]),
    }
    malformed = {
        "six_fields": ("no second proof", value[:6]),
        "eight_fields": ("a field more", [*value, 0]),
        "index_negative": ("a negative index", [-1, *value[1:]]),
        "leaf_31": ("a leaf of 31 bytes", [*value[:2], bytes(31), *value[3:]]),
        "hash_text": ("a hash that is text", [*value[:3], ["x" * 32], *value[4:]]),
        "checkpoint_two_fields": ("an unsigned checkpoint", [3, value[1][:2], *value[2:]]),  # type: ignore[index]
        "null": ("null", None),
        "too_long": ("more than 16 KiB", [*value[:3], [bytes(32)] * 600, *value[4:]]),
    }
    return {
        f"{expect}_{stem}": _case(comment, expect, one)
        for expect, group in (("unverified", unverified), ("malformed", malformed))
        for stem, (comment, one) in group.items()
    } | {
        "unverified_other_ledger": {
            **_case("of another ledger", "unverified", value),
            "ledger": "00" * 16,
        },
        "unverified_other_incarnation": {
            **_case("of another log", "unverified", value),
            "incarnation": "00" * 8,
        },
    }
