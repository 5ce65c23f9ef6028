"""Vectors of cards, put together by hand from docs/format.md section 2."""

from base64 import b32encode
from hashlib import sha256, shake_256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Case = dict[str, object]
SECRET = sha256(b"the owner of the card vectors").digest()
KEY = Ed25519PrivateKey.from_private_bytes(SECRET)
AUTHOR = KEY.public_key().public_bytes_raw()
X25519 = [0x0020, sha256(b"an HPKE key").digest()]
MLDSA44 = [0x0904, shake_256(b"an ML-DSA-44 key").digest(1312)]
HYBRID = [0x647A, shake_256(b"an MLKEM768-X25519 key").digest(1216)]
UNKNOWN = [0x7FFF, b"a key of some kind that is not known yet"]
# Base32 digits that no card of these vectors ends with by chance.
SPARE_BITS = "B"


def card_bytes(key: Ed25519PrivateKey, name: str, keys: list[object] | None = None) -> bytes:
    """Return a card; others use it for the cards of their vectors."""
    author = key.public_key().public_bytes_raw()
    fields = [1, name, author, [X25519] if keys is None else keys]
    signature = key.sign(b"pannier card 1\0" + cbor2.dumps(fields))
    return cbor2.dumps([*fields, signature])


def cases() -> dict[str, Case]:
    good = {
        "card": _good("a card", "Ada"),
        "name_64": _good("the longest name", "n" * 64),
        "name_emoji": _good("characters count, not bytes", "🚢" * 64),
        "name_joined": _good("an emoji of several characters", "👩‍🔬 of 🫨"),
        "name_unassigned": _good("a character that no Unicode knows yet", "\U0003fffd"),
        "suites_4": _good("four suites", "Ada", [[n, b"k" * n] for n in (1, 2, 3, 4)]),
        "post_quantum": _good("all keys that there are", "Ada", [X25519, MLDSA44, HYBRID]),
        "suite_unknown": _good("a suite that is not known", "Ada", [X25519, UNKNOWN]),
    }
    return good | _unverified() | _malformed() | _texts()


def _with(key: list[object]) -> bytes:
    return card_bytes(KEY, "Ada", [X25519, key])


def _good(comment: str, name: str, keys: list[object] | None = None) -> Case:
    data = card_bytes(KEY, name, keys)
    signed = cbor2.dumps(cbor2.loads(data)[:4])
    digits = b32encode(sha256(b"pannier fingerprint 1\0" + signed).digest()[:10]).decode()
    return {
        "comment": comment,
        "expect": "success",
        "data": data.hex(),
        "text": "PANNIER1:" + b32encode(data).decode().rstrip("="),
        "name": name,
        "author": AUTHOR.hex(),
        "node_id": sha256(b"pannier node 1\0" + AUTHOR).hexdigest()[:16],
        "fingerprint": f"{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:]}",
    }


def _bad(comment: str, expect: str, data: bytes) -> Case:
    return {"comment": comment, "expect": expect, "data": data.hex()}


def _unverified() -> dict[str, Case]:
    fields = cbor2.loads(card_bytes(KEY, "Ada"))
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    without_label = KEY.sign(cbor2.dumps(fields[:4]))
    values = {
        "other_name": ("another name", [1, "Eve", *fields[2:]]),
        "other_author": ("somebody else's key", [*fields[:2], other, *fields[3:]]),
        "other_hpke": ("another HPKE key", [*fields[:3], [[0x0020, bytes(32)]], fields[4]]),
        "suite_added": ("a suite more", [*fields[:3], [X25519, UNKNOWN], fields[4]]),
        "no_signature": ("a signature of zeros", [*fields[:4], bytes(64)]),
        "no_label": ("signed without the label", [*fields[:4], without_label]),
        "small_order": ("a key of small order", [*fields[:2], b"\1" + bytes(31), *fields[3:]]),
    }
    return {
        f"unverified_{stem}": _bad(comment, "unverified", cbor2.dumps(value))
        for stem, (comment, value) in values.items()
    }


def _malformed() -> dict[str, Case]:
    fields = cbor2.loads(card_bytes(KEY, "Ada"))
    signed = {
        "name_empty": ("no name", card_bytes(KEY, "")),
        "name_65": ("a name of 65 characters", card_bytes(KEY, "n" * 65)),
        "name_slash": ("a slash", card_bytes(KEY, "../Ada")),
        "name_line_feed": ("a line break", card_bytes(KEY, "Ada\n")),
        "name_nel": ("a line break: U+0085", card_bytes(KEY, "Ada\x85")),
        "name_line_separator": ("a line break: U+2028", card_bytes(KEY, "Ada\u2028")),
        "name_paragraph_separator": ("a line break: U+2029", card_bytes(KEY, "Ada\u2029")),
        "name_escape": ("a control character", card_bytes(KEY, "\x1b[2JAda")),
        "suites_none": ("no HPKE key", card_bytes(KEY, "Ada", [])),
        "suites_5": ("five suites", card_bytes(KEY, "Ada", [[n, b""] for n in range(5)])),
        "suites_twice": ("a suite twice", card_bytes(KEY, "Ada", [X25519, X25519])),
        "suites_descending": ("suites not ascending", card_bytes(KEY, "Ada", [UNKNOWN, X25519])),
        "suite_65536": ("a suite beyond 16 bits", card_bytes(KEY, "Ada", [[65536, b""]])),
        "x25519_31": ("an X25519 key of 31 bytes", card_bytes(KEY, "Ada", [[32, bytes(31)]])),
        "mldsa44_1311": ("an ML-DSA-44 key of 1,311 bytes", _with([0x0904, bytes(1311)])),
        "hybrid_32": ("an MLKEM768-X25519 key of 32 bytes", _with([0x647A, bytes(32)])),
        "too_long": ("more than 8 KiB", card_bytes(KEY, "Ada", [[1, bytes(8192)]])),
    }
    shapes = {
        "version_2": ("version 2", [2, *fields[1:]]),
        "version_true": ("a version that is a boolean", [True, *fields[1:]]),
        "version_float": ("a version that is a float", [1.0, *fields[1:]]),
        "four_fields": ("no signature", fields[:4]),
        "six_fields": ("a field more", [*fields, 0]),
        "nothing": ("an empty array", []),
        "null": ("null", None),
        "name_bytes": ("a name that is a byte string", [1, b"Ada", *fields[2:]]),
        "author_31": ("an author of 31 bytes", [*fields[:2], AUTHOR[1:], *fields[3:]]),
        "signature_63": ("a signature of 63 bytes", [*fields[:4], fields[4][1:]]),
    }
    encoded = {
        stem: (comment, cbor2.dumps(value, canonical=True))
        for stem, (comment, value) in shapes.items()
    }
    encoded["trailing"] = ("a byte more", cbor2.dumps(fields) + b"\0")
    return {
        f"malformed_{stem}": _bad(comment, "malformed", data)
        for stem, (comment, data) in (signed | encoded).items()
    }


def _texts() -> dict[str, Case]:
    text = str(_good("", "Ada")["text"])
    texts = {
        "prefix_missing": ("without its prefix", text.removeprefix("PANNIER1:")),
        "prefix_2": ("of version 2", text.replace("PANNIER1", "PANNIER2")),
        "letter_missing": ("the last letter is missing", text[:-1]),
        "digit_1": ("a digit that base32 does not have", text[:-1] + "1"),
        "padded": ("with padding", text + "======"),
        "spare_bits": ("the last letter says more than the bytes", text[:-1] + SPARE_BITS),
        "long_s": ("a letter whose capital is in base32", text.replace("S", "\u017f", 1)),
        "empty": ("nothing", ""),
        "prefix_only": ("only the prefix", "PANNIER1:"),
    }
    return {
        f"text_{stem}": {"comment": comment, "expect": "malformed", "text": value}
        for stem, (comment, value) in texts.items()
    }
