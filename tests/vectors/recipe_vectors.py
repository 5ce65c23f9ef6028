"""Vectors of recipes (docs/format.md section 9.6), and of the bundles that they make."""

from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tests.vectors import content_vectors as content
from tests.vectors import seal_vectors as seal
from tests.vectors.blob_vectors import section
from tests.vectors.files_vectors import raw_frame
from tests.vectors.rest_vectors import LEDGER, REST_KEY, hkdf

Case = dict[str, object]
CLEAR, PADDED = 1, 2
CONTENTS = [b"a", b"abc"]
SECTIONS = [section(0, b"a"), section(1, raw_frame(b"abc"))]
PLACES = [(bytes([1]) * 8, 47, 42), (bytes([2]) * 8, 2**33, 56)]
NONCE = bytes(range(12))


def placement() -> bytes:
    return sha256(
        b"".join(
            pack + offset.to_bytes(8, "big") + length.to_bytes(8, "big")
            for pack, offset, length in PLACES
        )
    ).digest()


def padme(size: int) -> int:
    """Return the least Padmé size of *size* bytes or more."""
    exponent = size.bit_length() - 1
    zero_bits = exponent - exponent.bit_length()
    return -(-size >> zero_bits) << zero_bits


def signed(flags: int, sections: bytes, outside: bytes) -> bytes:
    """Return the content; the sections of a full bundle with contents of files are not signed."""
    digest = None if flags & CLEAR else b""
    return content.Full(sections=sections, signed_digest=digest).content(outside)


def pad(flags: int, outside: bytes) -> bytes:
    """Return the section that makes a padded bundle a Padmé size long."""
    for zeros in range(1000 if flags & PADDED else 0):
        section = b"\x83\x00\x00" + cbor2.dumps(bytes(zeros))
        whole = signed(flags, b"".join(SECTIONS) + section, outside)
        size = len(outside + cbor2.dumps(seal.stream(seal.HEADER, whole)))
        if padme(size) == size:
            return section
    return b""


def fields(flags: int, version: int = 1) -> list[object]:
    """Return what a recipe says."""
    outside = b"\x84" + cbor2.dumps(seal.HEADER)[1:]
    if not flags & CLEAR:
        outside = seal.outside(seal.HEADER, keys=[seal.HPKE])
    sections = b"".join(SECTIONS) + pad(flags, outside)
    whole = signed(flags, sections, outside)
    head = whole[: len(whole) - len(sections)]
    digests = b"".join(sha256(one).digest() for one in CONTENTS)
    key = seal.CONTENT_KEY
    return [version, LEDGER, key, *seal.HEADER[1:], flags, outside, head, digests, placement()]


def bundle(said: list[object]) -> bytes:
    """Return the bundle that is made of what a recipe says, and its chunks."""
    flags, outside, head = said[5:8]
    assert isinstance(flags, int)
    assert isinstance(outside, bytes)
    assert isinstance(head, bytes)
    whole = head + b"".join(SECTIONS) + pad(flags, outside)
    return outside + cbor2.dumps(whole if flags & CLEAR else seal.stream(seal.HEADER, whole))


def file(said: list[object], data: bytes) -> bytes:
    """Return the recipe of the bundle *data* as it lies in the outbox."""
    key = hkdf(REST_KEY, b"pannier recipes 1\0")
    sealed = AESGCMSIV(key).encrypt(NONCE, cbor2.dumps(said), None)
    return len(data).to_bytes(8, "little") + NONCE + sealed


def _case(comment: str, expect: str, flags: int, recipe: bytes) -> Case:
    said = fields(flags)
    return {
        "comment": comment,
        "expect": expect,
        "rest_key": REST_KEY.hex(),
        "ledger": LEDGER.hex(),
        "content_key": seal.CONTENT_KEY.hex(),
        "priority": said[3],
        "expiry": said[4],
        "flags": flags,
        "digests": [sha256(one).hexdigest() for one in CONTENTS],
        "places": [[pack.hex(), offset, length] for pack, offset, length in PLACES],
        "sections": [one.hex() for one in SECTIONS],
        "recipe": recipe.hex(),
        "bundle": bundle(said).hex(),
    }


def cases() -> dict[str, Case]:
    kinds = {"full": ("a full bundle", 0), "clear": ("a clear one", CLEAR),
             "padded": ("a padded one", PADDED)}  # fmt: skip
    good = {
        stem: _case(comment, "success", flags, file(fields(flags), bundle(fields(flags))))
        for stem, (comment, flags) in kinds.items()
    }
    whole = fields(0)
    sound = file(whole, bundle(whole))
    said: dict[str, tuple[str, list[object]]] = {
        "version_2": ("a newer version", fields(0, version=2)),
        "nine_items": ("no placement", whole[:-1]),
        "key_of_31": ("a content key of 31 bytes", [*whole[:2], bytes(31), *whole[3:]]),
        "flags_text": ("flags that are a text", [*whole[:5], "", *whole[6:]]),
        "priority_8": ("priority 8", [*whole[:3], 8, *whole[4:]]),
    }
    bad = {stem: (comment, file(one, b"")) for stem, (comment, one) in said.items()}
    bad["flipped"] = ("one bit of the tag flipped", sound[:-1] + bytes([sound[-1] ^ 1]))
    bad["cut"] = ("shorter than a nonce", sound[:15])
    return good | {
        f"refused_{stem}": _case(comment, "refused", 0, recipe)
        for stem, (comment, recipe) in bad.items()
    }
