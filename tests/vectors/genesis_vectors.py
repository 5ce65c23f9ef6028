"""Vectors of geneses, put together by hand from docs/format.md section 3."""

from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.card_vectors import card_bytes

Case = dict[str, object]
TIME = 1_700_000_000_000_000
NONCE = bytes(range(16))


def key_of(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def _cards(count: int) -> list[bytes]:
    return [card_bytes(key_of(f"admin {n}"), f"admin {n}") for n in range(count)]


def cases() -> dict[str, Case]:
    one = [1, "harbour", _cards(1), TIME, NONCE, []]
    good = {
        "genesis": ("a ledger with one admin", one),
        "admins_16": ("16 admins", [1, "harbour", _cards(16), TIME, NONCE, []]),
        "name_64": ("the longest name", [1, "🚢" * 64, _cards(1), TIME, NONCE, []]),
        "terms": (
            "all terms",
            [1, "h", _cards(1), TIME, NONCE, ["centralized", "clear", "passphrase"]],
        ),
        "time_negative": ("made before 1970", [1, "harbour", _cards(1), -1, NONCE, []]),
    }
    return {
        stem: {
            "comment": comment,
            "expect": "success",
            "data": cbor2.dumps(value).hex(),
            "ledger": sha256(b"pannier ledger 1\0" + cbor2.dumps(value)).hexdigest()[:32],
            "name": value[1],
            "admins": 16 if stem == "admins_16" else 1,
        }
        for stem, (comment, value) in good.items()
    } | _bad()


def _bad() -> dict[str, Case]:
    cards = _cards(2)
    forged = cards[0][:-1] + bytes([cards[0][-1] ^ 1])
    second = card_bytes(key_of("admin 0"), "the same key under another name")
    values: dict[str, tuple[str, str, object]] = {
        "unverified_card": ("a card altered", "unverified", [1, "h", [forged], TIME, NONCE, []]),
        "admins_none": ("no admin", "malformed", [1, "h", [], TIME, NONCE, []]),
        "admins_17": ("17 admins", "malformed", [1, "h", _cards(17), TIME, NONCE, []]),
        "admins_twice": (
            "the same card twice",
            "malformed",
            [1, "h", [cards[0]] * 2, TIME, NONCE, []],
        ),
        "admins_same_key": (
            "two cards of one key",
            "malformed",
            [1, "h", [cards[0], second], TIME, NONCE, []],
        ),
        "card_inside": (
            "a card that is not in a byte string",
            "malformed",
            [1, "h", [cbor2.loads(cards[0])], TIME, NONCE, []],
        ),
        "name_empty": ("no name", "malformed", [1, "", cards, TIME, NONCE, []]),
        "name_slash": ("a slash", "malformed", [1, "a/b", cards, TIME, NONCE, []]),
        "time_text": ("a time that is text", "malformed", [1, "h", cards, "now", NONCE, []]),
        "time_2_63": ("a time beyond 64 bits", "malformed", [1, "h", cards, 2**63, NONCE, []]),
        "nonce_15": ("a nonce of 15 bytes", "malformed", [1, "h", cards, TIME, NONCE[1:], []]),
        "version_2": ("version 2", "malformed", [2, "h", cards, TIME, NONCE, []]),
        "version_true": ("a boolean version", "malformed", [True, "h", cards, TIME, NONCE, []]),
        "five_fields": ("no terms", "malformed", [1, "h", cards, TIME, NONCE]),
        "seven_fields": ("a field more", "malformed", [1, "h", cards, TIME, NONCE, [], 0]),
        "term_unknown": (
            "a term from the future",
            "malformed",
            [1, "h", cards, TIME, NONCE, ["clear", "dear"]],
        ),
        "terms_order": (
            "out of order",
            "malformed",
            [1, "h", cards, TIME, NONCE, ["clear", "centralized"]],
        ),
        "terms_twice": ("one twice", "malformed", [1, "h", cards, TIME, NONCE, ["clear", "clear"]]),
        "nothing": ("an empty array", "malformed", []),
        "map": ("a map", "malformed", {}),
    }
    return {
        f"bad_{stem}": {"comment": comment, "expect": expect, "data": cbor2.dumps(value).hex()}
        for stem, (comment, expect, value) in values.items()
    }
