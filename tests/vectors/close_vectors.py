"""Vectors of closes: the payload by which an author ends a log (docs/format.md section 3.1)."""

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.fork_vectors import AUTHOR, INCARNATION, LEDGER, checkpoint, leaves, root
from tests.vectors.second_signature import OTHER_SEED, SEED, public_key

Case = dict[str, object]
CHECKPOINT = checkpoint(7, root(leaves("one", 7)))


def cases() -> dict[str, Case]:
    good: Case = {"checkpoint": CHECKPOINT, "incarnation": INCARNATION}
    return {"close": _case("a log ended at 7 entries", "success", good)} | _bad(good) | _second()


def _case(comment: str, expect: str, value: object) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "ledger": LEDGER.hex(),
        "author": AUTHOR.hex(),
        "closed": INCARNATION.hex(),
        "size": 7,
        "payload": cbor2.dumps(value, canonical=True).hex(),
    }


def _second() -> dict[str, Case]:
    """Return the cases of an author whose card promises a second signature."""
    signed = checkpoint(7, root(leaves("one", 7)), second=SEED)
    stranger = checkpoint(7, root(leaves("one", 7)), second=OTHER_SEED)
    values = {
        "second": ("signed twice", "success", signed),
        "unverified_second_missing": ("signed once only", "unverified", CHECKPOINT),
        "unverified_second_other": ("the second time by somebody else", "unverified", stranger),
    }
    promised: Case = {"mldsa44": public_key().hex()}
    return {
        stem: _case(comment, expect, {"checkpoint": value, "incarnation": INCARNATION}) | promised
        for stem, (comment, expect, value) in values.items()
    }


def _bad(good: dict[str, object]) -> dict[str, Case]:
    size, tree, signature = CHECKPOINT
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    changes: dict[str, tuple[str, object]] = {
        "unverified_stranger": (
            "signed by somebody else",
            {**good, "checkpoint": checkpoint(7, root(leaves("one", 7)), key=stranger)},
        ),
        "unverified_size": (
            "a size that was not signed",
            {**good, "checkpoint": [8, tree, signature]},
        ),
        "unverified_log": ("the checkpoint of another log", {**good, "incarnation": bytes(8)}),
        "malformed_no_incarnation": ("of no log", {"checkpoint": CHECKPOINT}),
        "malformed_incarnation_7": ("7 bytes of incarnation", {**good, "incarnation": bytes(7)}),
        "malformed_key_more": ("a key more", {**good, "why": "restored"}),
        "malformed_unsigned": ("no signature", {**good, "checkpoint": [size, tree]}),
        "malformed_empty": (
            "that leaves nothing of the log",
            {**good, "checkpoint": [0, *CHECKPOINT[1:]]},
        ),
        "malformed_null": ("null", None),
        "malformed_too_long": ("more than 4 KiB", {**good, "incarnation": bytes(4096)}),
    }
    return {
        stem: _case(comment, stem.partition("_")[0], value)
        for stem, (comment, value) in changes.items()
    }
