from base64 import b64encode
from hashlib import sha256

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import cbor
from ledger.errors import LedgerError, MalformedError, UnverifiedError
from ledger.note import Checkpoint, origin
from ledger.witness import (
    MAX_WITNESSES,
    Cosignature,
    Witnessed,
    cosign,
    gather,
    witnessed_from_bytes,
    witnessed_to_bytes,
)
from tests.vectors import load

VECTORS = {stem: one for stem, one in load("witness").items() if "witnessed" in one}
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ORIGIN = origin(bytes(16), bytes(32), bytes(8))


def checkpoint(size: int, branch: str = "") -> Checkpoint:
    return Checkpoint(size, sha256(f"{size} {branch}".encode()).digest(), bytes(64))


def by(*names: int, time_seconds: int = 0) -> tuple[Cosignature, ...]:
    return tuple(Cosignature(bytes([name]) * 32, time_seconds, bytes(64)) for name in names)


def verified(vector: dict[str, str]) -> Witnessed:
    found = Witnessed.from_cbor(*cbor2.loads(bytes.fromhex(vector["witnessed"])))
    name = origin(*(bytes.fromhex(vector[part]) for part in ("ledger", "author", "incarnation")))
    for one in found.cosignatures:
        one.verify(name, found.checkpoint)
    return found


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    if vector["expect"] == "success":
        assert cbor.encode(verified(vector).to_cbor()).hex() == vector["witnessed"]
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            verified(vector)


def test_a_cosignature_is_what_the_specification_says() -> None:
    held = checkpoint(7)
    made = cosign(KEY, ORIGIN, held, 1_700_000_000)
    body = f"{ORIGIN}\n7\n{b64encode(held.root).decode()}\n"
    KEY.public_key().verify(made.signature, f"cosignature/v1\ntime 1700000000\n{body}".encode())
    made.verify(ORIGIN, held)
    with pytest.raises(UnverifiedError):
        made.verify(ORIGIN, checkpoint(7, "other"))


@given(st.binary(max_size=200))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    try:
        assert witnessed_to_bytes(witnessed_from_bytes(data)) == data
    except LedgerError:
        pass


def test_of_each_witness_the_newest_is_kept() -> None:
    known = gather((), Witnessed(checkpoint(5), by(1, 2)))
    known = gather(known, Witnessed(checkpoint(9), by(2)))
    assert known == (Witnessed(checkpoint(5), by(1)), Witnessed(checkpoint(9), by(2)))
    assert gather(known, Witnessed(checkpoint(7), by(2))) == known
    assert gather(known, Witnessed(checkpoint(9), by(1))) == (Witnessed(checkpoint(9), by(1, 2)),)


def test_a_later_word_on_the_same_checkpoint_replaces_the_earlier() -> None:
    late = Witnessed(checkpoint(5), by(1, time_seconds=9))
    assert gather((Witnessed(checkpoint(5), by(1, time_seconds=3)),), late) == (late,)
    assert gather((late,), Witnessed(checkpoint(5), by(1, time_seconds=3))) == (late,)


def test_a_checkpoint_without_witnesses_is_kept_if_it_is_the_newest() -> None:
    bare = Witnessed(checkpoint(9))
    known = gather((Witnessed(checkpoint(5), by(1)),), bare)
    assert known == (Witnessed(checkpoint(5), by(1)), bare)
    assert gather(known, Witnessed(checkpoint(8))) == known
    assert gather(known, Witnessed(checkpoint(10)))[-1] == Witnessed(checkpoint(10))
    assert bare not in gather(known, Witnessed(checkpoint(10)))


SAID = st.builds(
    lambda size, branch, names: Witnessed(checkpoint(size, branch), by(*sorted(names))),
    st.integers(1, 6),
    st.sampled_from("xy"),
    st.sets(st.integers(0, 40), max_size=MAX_WITNESSES),
)


@given(st.lists(SAID, max_size=30))
def test_what_is_kept_is_bounded_and_stays_when_it_is_heard_again(said: list[Witnessed]) -> None:
    known: tuple[Witnessed, ...] = ()
    for one in said:
        known = gather(known, one)
        assert len(known) <= MAX_WITNESSES
        names = [name.witness for item in known for name in item.cosignatures]
        assert len(names) == len(set(names)) <= MAX_WITNESSES
    assert witnessed_from_bytes(witnessed_to_bytes(known)) == known
    for one in known:
        assert gather(known, one) == known


@given(st.lists(SAID.filter(lambda one: len(one.cosignatures) < 5), max_size=4), st.randoms())
def test_the_order_of_arrival_does_not_matter(said: list[Witnessed], order: object) -> None:
    def all_of(items: list[Witnessed]) -> tuple[Witnessed, ...]:
        known: tuple[Witnessed, ...] = ()
        for one in items:
            known = gather(known, one)
        return known

    shuffled = list(said)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert all_of(shuffled) == all_of(said)
