import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.contradiction import Contradiction, proof_from_bytes
from ledger.errors import LedgerError, MalformedError, UnverifiedError
from ledger.fork import Fork
from ledger.genesis import LedgerId
from ledger.log import LogName, log_origin
from ledger.merkle import EMPTY_FRONTIER, consistency_proof, extend, leaf_hash, tiled_reader
from ledger.note import Checkpoint, sign_checkpoint
from ledger.signing import Signer, Verifier
from tests.vectors import load

VECTORS = {stem: one for stem, one in load("witness").items() if "contradiction" in one}
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
LEDGER = LedgerId(bytes(16))
LOG = LogName(SIGNER.verifier.author, bytes(8))


def names(vector: dict[str, str]) -> tuple[LedgerId, LogName, Verifier]:
    author = bytes.fromhex(vector["author"])
    log = LogName(author, bytes.fromhex(vector["incarnation"]))
    return LedgerId(bytes.fromhex(vector["ledger"])), log, Verifier(author)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    data = bytes.fromhex(vector["contradiction"])
    if vector["expect"] == "success":
        found = Contradiction.from_bytes(data)
        found.verify(*names(vector))
        assert found.to_bytes() == data
        assert proof_from_bytes(data) == found
        again = Contradiction.of(found.older, found.newer, root=found.root, proof=found.proof)
        assert again == found
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            Contradiction.from_bytes(data).verify(*names(vector))


@given(st.integers(0))
def test_a_flipped_bit_proves_nothing(position: int) -> None:
    vector = VECTORS["contradiction"]
    data = bytearray.fromhex(vector["contradiction"])
    position %= len(data) * 8
    data[position // 8] ^= 1 << position % 8
    with pytest.raises(LedgerError):
        Contradiction.from_bytes(bytes(data)).verify(*names(vector))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(LedgerError):
        proof_from_bytes(data)


def test_a_fork_is_told_from_a_contradiction() -> None:
    data = bytes.fromhex(load("fork")["fork"]["data"])
    assert isinstance(proof_from_bytes(data), Fork)


def history(branch: str, common: int, size: int) -> list[bytes]:
    return [
        leaf_hash(f"{number} of {branch if number >= common else 'both'}".encode())
        for number in range(size)
    ]


def signed(leaves: list[bytes]) -> Checkpoint:
    root = extend(EMPTY_FRONTIER, leaves).frontier.root()
    return sign_checkpoint(SIGNER, log_origin(LEDGER, LOG), len(leaves), root)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40))
def test_any_two_histories_are_proven_and_no_single_one_is(
    common: int, own: int, more: int
) -> None:
    """Two branches that part before the end of the shorter; then one history cut in two."""
    size, longer = common + own, common + own + more
    held = history("held", common, longer)
    nodes = tiled_reader(
        lambda level, position: extend(
            EMPTY_FRONTIER, held[position << level : (position + 1) << level]
        ).frontier.root(),
        lambda first, end: held[first:end],
    )
    proof = consistency_proof(size, longer, nodes)
    root = extend(EMPTY_FRONTIER, held[:size]).frontier.root()
    heard = signed(history("heard", common, size))
    found = Contradiction.of(heard, signed(held), root=root, proof=proof)
    found.verify(LEDGER, LOG, SIGNER.verifier)
    honest = Contradiction.of(signed(held[:size]), signed(held), root=root, proof=proof)
    with pytest.raises(UnverifiedError):
        honest.verify(LEDGER, LOG, SIGNER.verifier)
