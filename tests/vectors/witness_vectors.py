"""Vectors of witnesses: cosignatures and contradictions (docs/format.md sections 3.5 and 3.8).

Put together by hand from C2SP tlog-cosignature and RFC 6962. A case holds either a checkpoint with
its cosignatures (`witnessed`), or two checkpoints that contradict each other (`contradiction`).
"""

from base64 import b64encode
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.fork_vectors import AUTHOR, INCARNATION, LEDGER, checkpoint, leaves, root

Case = dict[str, object]
WITNESSES = [
    Ed25519PrivateKey.from_private_bytes(sha256(b"witness %d" % number).digest())
    for number in range(17)
]
TIME_SECONDS = 1_679_315_147
SIZE = 5
ROOT = root(leaves("one", SIZE))


def body(size: int = SIZE, tree: bytes = ROOT, incarnation: bytes = INCARNATION) -> str:
    """Return the body of a C2SP checkpoint."""
    origin = f"pannier/{LEDGER.hex()}/{AUTHOR.hex()}/{incarnation.hex()}"
    return f"{origin}\n{size}\n{b64encode(tree).decode()}\n"


def cosignature(
    key: Ed25519PrivateKey, text: str | None = None, time_seconds: int = TIME_SECONDS
) -> list[object]:
    head = f"cosignature/v1\ntime {time_seconds}\n"
    signature = key.sign((head + (body() if text is None else text)).encode())
    return [key.public_key().public_bytes_raw(), time_seconds, signature]


def ascending(cosignatures: list[list[object]]) -> list[list[object]]:
    return sorted(cosignatures, key=lambda one: bytes(one[0]))  # type: ignore[call-overload]


def subproof(old: int, hashes: list[bytes], *, is_whole: bool) -> list[bytes]:
    """Return SUBPROOF, word for word from RFC 6962 section 2.1.2."""
    if old == len(hashes):
        return [] if is_whole else [root(hashes)]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if old <= split:
        return [*subproof(old, hashes[:split], is_whole=is_whole), root(hashes[split:])]
    return [*subproof(old - split, hashes[split:], is_whole=False), root(hashes[:split])]


def contradiction(older: int, newer: int) -> list[object]:
    """Return the proof that the branches one and two differ, where two is the longer one."""
    one, two = leaves("one", older), leaves("two", newer)
    first, second = checkpoint(older, root(one)), checkpoint(newer, root(two))
    if older == newer:
        first, second = sorted((first, second), key=lambda item: bytes(item[1]))  # type: ignore[call-overload]
        return [first, second, second[1], []]
    return [first, second, root(two[:older]), subproof(older, two, is_whole=True)]


def cases() -> dict[str, Case]:
    good = [cosignature(WITNESSES[0])]
    witnessed = {
        "witnessed": ("one witness", "success", good),
        "witnessed_16": (
            "16 witnesses",
            "success",
            ascending(list(map(cosignature, WITNESSES[:16]))),
        ),
        "witnessed_none": ("only the author", "success", []),
        "witnessed_time_0": ("time 0", "success", [cosignature(WITNESSES[0], time_seconds=0)]),
        **_bad_witnessed(good[0]),
    }
    value = contradiction(5, 9)
    proofs = {
        "contradiction": ("branches of different lengths", "success", value),
        "contradiction_same_size": ("two ends of one size", "success", contradiction(5, 5)),
        "contradiction_perfect": ("the older is one perfect tree", "success", contradiction(4, 9)),
        "contradiction_by_one": ("one entry more", "success", contradiction(8, 9)),
        **_bad_proofs(value),
    }
    author_signed = checkpoint(SIZE, ROOT)
    return {
        stem: _case(comment, expect, witnessed=[author_signed, one])
        for stem, (comment, expect, one) in witnessed.items()
    } | {
        stem: _case(comment, expect, contradiction=one)
        for stem, (comment, expect, one) in proofs.items()
    }


def _bad_witnessed(good: list[object]) -> dict[str, tuple[str, str, list[object]]]:
    witness, time_seconds, signature = good
    assert isinstance(signature, bytes)
    other_log = cosignature(WITNESSES[0], body(incarnation=bytes(8)))
    plain = WITNESSES[0].sign(body().encode())
    seventeen: list[object] = list(ascending(list(map(cosignature, WITNESSES))))
    return {
        "unverified_other_size": (
            "of one entry less",
            "unverified",
            [cosignature(WITNESSES[0], body(size=SIZE - 1))],
        ),
        "unverified_other_log": ("of another log", "unverified", [other_log]),
        "unverified_other_time": ("at another time", "unverified", [[witness, 1, signature]]),
        "unverified_other_witness": (
            "by another witness",
            "unverified",
            [[WITNESSES[1].public_key().public_bytes_raw(), time_seconds, signature]],
        ),
        "unverified_plain": (
            "a signature over the checkpoint alone, as authors make them",
            "unverified",
            [[witness, time_seconds, plain]],
        ),
        "malformed_twice": ("one witness twice", "malformed", [good, good]),
        "malformed_descending": ("in the wrong order", "malformed", seventeen[1::-1]),
        "malformed_17": ("17 witnesses", "malformed", seventeen),
        "malformed_time_negative": ("before 1970", "malformed", [[witness, -1, signature]]),
        "malformed_two_fields": ("no signature", "malformed", [[witness, time_seconds]]),
        "malformed_short": ("63 bytes", "malformed", [[witness, time_seconds, signature[1:]]]),
    }


def _bad_proofs(value: list[object]) -> dict[str, tuple[str, str, list[object]]]:
    older, newer, tree, proof = value
    assert isinstance(proof, list)
    one = leaves("one", 9)
    honest = [checkpoint(5, root(one[:5])), checkpoint(9, root(one)), root(one[:5])]
    empty = [checkpoint(0, bytes(32)), newer, sha256().digest(), []]
    stranger = checkpoint(5, ROOT, key=WITNESSES[0])
    same: list[object] = contradiction(5, 5)
    return {
        "unverified_one_history": (
            "two checkpoints that continue each other",
            "unverified",
            [*honest, subproof(5, one, is_whole=True)],
        ),
        "unverified_older_last": ("the older last", "unverified", [newer, older, tree, proof]),
        "unverified_same_size_order": (
            "of one size, the greater root first",
            "unverified",
            [same[1], same[0], older[1], []],  # type: ignore[index]
        ),
        "unverified_same_twice": ("one twice", "unverified", [older, older, ROOT, []]),
        "unverified_stranger": ("one by a stranger", "unverified", [stranger, newer, tree, proof]),
        "unverified_other_root": ("another root", "unverified", [older, newer, bytes(32), proof]),
        "unverified_proof_short": ("a hash missing", "unverified", [older, newer, tree, proof[1:]]),
        "unverified_empty": ("of an empty log", "unverified", empty),
        "malformed_three_fields": ("no proof", "malformed", value[:3]),
        "malformed_hash_31": ("31 bytes", "malformed", [older, newer, tree, [bytes(31)]]),
        "malformed_unsigned": ("unsigned", "malformed", [older[:2], newer, tree, proof]),  # type: ignore[index]
    }


def _case(comment: str, expect: str, **value: list[object]) -> Case:
    return {
        "comment": comment,
        "expect": expect,
        "ledger": LEDGER.hex(),
        "author": AUTHOR.hex(),
        "incarnation": INCARNATION.hex(),
        **{what: cbor2.dumps(one).hex() for what, one in value.items()},
    }
