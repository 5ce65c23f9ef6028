"""Vectors of checkpoints, put together by hand from C2SP tlog-checkpoint and signed-note."""

from base64 import b64encode
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.second_signature import OTHER_SEED, public_key, second_signature

Case = dict[str, object]
SECRET = sha256(b"the author of the note vectors").digest()
KEY = Ed25519PrivateKey.from_private_bytes(SECRET)
AUTHOR = KEY.public_key().public_bytes_raw()
LEDGER = bytes(range(16))
INCARNATION = bytes(range(0xA0, 0xA8))
ROOT = sha256(b"a root").digest()
EMPTY_ROOT = sha256().digest()


def cases() -> dict[str, Case]:
    good = _checkpoint("a checkpoint of 20852163 entries", 20852163, ROOT)
    return {
        "checkpoint": good,
        "checkpoint_empty": _checkpoint("of an empty log", 0, EMPTY_ROOT),
        "checkpoint_largest": _checkpoint("of the largest log", 2**32, ROOT),
        **_unverified(good),
        **_malformed(good),
        **_second(good),
    }


def _checkpoint(comment: str, size: int, root: bytes) -> Case:
    origin = f"pannier/{LEDGER.hex()}/{AUTHOR.hex()}/{INCARNATION.hex()}"
    text = f"{origin}\n{size}\n{_base64(root)}\n"
    signature = KEY.sign(text.encode())
    key_id = sha256(origin.encode() + b"\x0a\x01" + AUTHOR).digest()[:4]
    return {
        "comment": comment,
        "expect": "success",
        "ledger": LEDGER.hex(),
        "secret": SECRET.hex(),
        "author": AUTHOR.hex(),
        "incarnation": INCARNATION.hex(),
        "data": cbor2.dumps([size, root, signature]).hex(),
        "text": text,
        "note": f"{text}\n— {origin} {_base64(key_id + signature)}\n",
        "vkey": f"{origin}+{key_id.hex()}+{_base64(bytes([1]) + AUTHOR)}",
    }


def _unverified(good: Case) -> dict[str, Case]:
    size, root, signature = _fields(good)
    other_author = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    changes: dict[str, tuple[str, Case]] = {
        "other_author": ("signed by somebody else", {"author": other_author.hex()}),
        "other_ledger": ("of the same author in another ledger", {"ledger": "00" * 16}),
        "other_incarnation": ("of another log of the author", {"incarnation": "00" * 8}),
        "other_size": ("one entry more", _data(size + 1, root, signature)),
        "other_root": ("a bit of the root flipped", _data(size, _flip(root), signature)),
        "other_r": ("a bit of R flipped", _data(size, root, _flip(signature))),
        "other_s": (
            "a bit of S flipped",
            _data(size, root, signature[:32] + _flip(signature[32:])),
        ),
        "no_signature": ("a signature of zeros", _data(size, root, bytes(64))),
    }
    return {
        f"unverified_{stem}": {**good, "comment": comment, "expect": "unverified", **change}
        for stem, (comment, change) in changes.items()
    }


def _malformed(good: Case) -> dict[str, Case]:
    size, root, signature = _fields(good)
    values: dict[str, tuple[str, object]] = {
        "size_too_large": ("no log has more than 2^32 entries", [2**32 + 1, root, signature]),
        "size_negative": ("a negative size", [-1, root, signature]),
        "size_float": ("a size that is no integer", [1.5, root, signature]),
        "size_true": ("a size that is a boolean", [True, root, signature]),
        "root_short": ("a root of 31 bytes", [size, root[1:], signature]),
        "root_long": ("a root of 33 bytes", [size, root + b"\0", signature]),
        "root_text": ("a root that is text", [size, "x" * 32, signature]),
        "signature_short": ("a signature of 63 bytes", [size, root, signature[1:]]),
        "signature_long": ("a signature of 65 bytes", [size, root, signature + b"\0"]),
        "two_fields": ("no signature", [size, root]),
        "four_fields": ("a field more", [size, root, signature, 0]),
        "map": ("a map", {"size": size}),
        "null": ("null", None),
    }
    return {
        f"malformed_{stem}": {
            **good,
            "comment": comment,
            "expect": "malformed",
            "data": cbor2.dumps(value, canonical=True).hex(),
        }
        for stem, (comment, value) in values.items()
    }


def _second(good: Case) -> dict[str, Case]:
    """Return the cases of an author whose card promises a second signature."""
    size, root, signature = _fields(good)
    text = str(good["text"]).encode()
    second = second_signature(text)
    by_other = second_signature(text, OTHER_SEED)
    longer = second_signature(text.replace(b"20852163", b"20852164"))
    promised: Case = {"mldsa44": public_key().hex()}
    fields: dict[str, tuple[str, Case, list[object]]] = {
        "second": ("signed twice, as promised", promised, [second]),
        "unverified_second_missing": ("the second signature is missing", promised, []),
        "unverified_second_flipped": ("a bit of it flipped", promised, [_flip(second)]),
        "unverified_second_zeros": ("one of zeros", promised, [bytes(2420)]),
        "unverified_second_other": ("by the key of somebody else", promised, [by_other]),
        "unverified_second_text": ("over one entry more", promised, [longer]),
        "unverified_second_only": ("a bit of the first flipped", promised, [second]),
        "unverified_second_unpromised": ("one that the card does not promise", {}, [second]),
        "malformed_second_short": ("one of 2,419 bytes", promised, [second[:-1]]),
        "malformed_second_null": ("null in its place", promised, [None]),
        "malformed_third": ("a third one", promised, [second, second]),
    }
    cases: dict[str, Case] = {}
    for stem, (comment, changes, items) in fields.items():
        first = _flip(signature) if stem == "unverified_second_only" else signature
        expect = "success" if stem == "second" else stem.partition("_")[0]
        data = _data(size, root, first, *items)
        cases[stem] = {**good, "comment": comment, "expect": expect, **changes, **data}
    return cases


def _fields(case: Case) -> tuple[int, bytes, bytes]:
    size, root, signature = cbor2.loads(bytes.fromhex(str(case["data"])))
    return size, root, signature


def _data(*fields: object) -> Case:
    return {"data": cbor2.dumps(fields).hex()}


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _flip(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]
