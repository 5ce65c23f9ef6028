from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import ed25519
from ledger.errors import MalformedError, UnverifiedError
from tests.vectors import load
from tests.vectors.edwards import TORSION, ZERO, L, decode, encode, times, verdicts

VECTORS = load("ed25519")
SIGNATURES = {stem: one for stem, one in VECTORS.items() if one["operation"] == "signature"}
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
RUN: dict[str, Callable[[dict[str, Any]], None]] = {
    "key": lambda vector: ed25519.check_author(bytes.fromhex(vector["key"])),
    "signature": lambda vector: ed25519.verify(*parts(vector)),
}


def parts(vector: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Key, message and signature."""
    return (
        bytes.fromhex(vector["key"]),
        bytes.fromhex(vector["message"]),
        bytes.fromhex(vector["signature"]),
    )


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    run = RUN[vector["operation"]]
    if vector["expect"] == "success":
        run(vector)
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            run(vector)


def test_a_key_that_cannot_name_an_author_verifies_nothing() -> None:
    for vector in VECTORS.values():
        if vector["operation"] == "key" and vector["expect"] == "malformed":
            with pytest.raises(UnverifiedError):
                ed25519.verify(bytes.fromhex(vector["key"]), b"", bytes(64))


def test_the_refused_points_are_all_eight_of_small_order() -> None:
    """All multiples of one point of order 8, computed from the curve and not from a list."""
    encodings = {encode(point) for point in TORSION}
    assert len(encodings) == 8
    for encoding in encodings:
        with pytest.raises(MalformedError):
            ed25519.check_author(encoding)


# -- on which verifiers differ --------------------------------------------------------------------


def is_sound(point: bytes) -> bool:
    """Canonical and not of small order, by the curve and not by a list."""
    found = decode(point)
    return found is not None and encode(found) == point and times(8, found) != ZERO


def passes_prechecks(key: bytes, signature: bytes) -> bool:
    return (
        len(signature) == 64
        and is_sound(key)
        and is_sound(signature[:32])
        and int.from_bytes(signature[32:], "little") < L
    )


def by_openssl(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_what_the_prechecks_let_through_leaves_only_the_cofactor() -> None:
    let_through = with_cofactor = 0
    for stem, vector in SIGNATURES.items():
        key, message, signature = parts(vector)
        accepted = vector["expect"] == "success"
        if not passes_prechecks(key, signature):
            assert not accepted, stem
            continue
        let_through += 1
        says = verdicts(key, message, signature)
        with_cofactor += says["cofactor"]
        answers = (says["bytes"], says["points"], by_openssl(key, message, signature))
        assert answers == (accepted, accepted, accepted), stem
    assert let_through > 40
    assert with_cofactor > 30, "vectors that fit if both sides are multiplied by 8"


def test_what_the_prechecks_stop_is_what_others_let_through() -> None:
    """Each of them alone is needed: OpenSSL, or whoever decodes R, takes what it stops."""
    stopped = [
        stem
        for stem, vector in SIGNATURES.items()
        if not passes_prechecks(parts(vector)[0], parts(vector)[2])
        and any([*verdicts(*parts(vector)).values()][:2])
    ]
    for reason in ("small_r", "under_key_order_8", "under_key_order_4_not_reduced", "r_order_1"):
        assert any(reason in stem for stem in stopped), reason


def test_the_prechecks_hang_on_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is below, what it takes beyond the rest cannot be one of these."""

    class TakesAll:
        @staticmethod
        def from_public_bytes(_: bytes) -> "TakesAll":
            return TakesAll()

        def verify(self, *_: bytes) -> None:
            pass

    monkeypatch.setattr(ed25519, "Ed25519PublicKey", TakesAll)
    stopped = 0
    for stem, vector in SIGNATURES.items():
        key, message, signature = parts(vector)
        # That a point lies on the curve at all is left to the library: all look at that.
        if not passes_prechecks(key, signature) and "not_on_curve" not in stem:
            stopped += 1
            with pytest.raises(UnverifiedError):
                ed25519.verify(key, message, signature)
    assert stopped > 30


def test_libsodium_agrees_on_all_that_the_prechecks_let_through() -> None:
    """For comparison, where PyNaCl is installed."""
    pytest.importorskip("nacl")
    verify_key = import_module("nacl.signing").VerifyKey
    bad = import_module("nacl.exceptions").BadSignatureError
    for stem, vector in SIGNATURES.items():
        key, message, signature = parts(vector)
        if passes_prechecks(key, signature):
            try:
                verify_key(key).verify(message, signature)
                accepted = True
            except bad:
                accepted = False
            assert accepted == (vector["expect"] == "success"), stem


@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=70))
def test_arbitrary_bytes_only_raise_unverified(
    key: bytes, message: bytes, signature: bytes
) -> None:
    with pytest.raises(UnverifiedError):
        ed25519.verify(key, message, signature)
