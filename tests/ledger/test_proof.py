from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.card import Card
from ledger.errors import LedgerError, MalformedError, RefusedError, UnverifiedError
from ledger.genesis import Genesis
from ledger.keys import NodeKeys
from ledger.log import LogName, log_origin
from ledger.note import sign_checkpoint
from ledger.proof import MAX_PROOF_BYTES, Proof, prove
from tests.ledger.world import Drbg, Site, World, keys_of, send
from tests.vectors import load

VECTORS = load("proof")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    data = bytes.fromhex(vector["data"])
    if vector["expect"] == "success":
        proof = Proof.from_bytes(data)
        proof.verify()
        proof.verify(proof.card)
        assert proof.to_bytes() == data
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            Proof.from_bytes(data).verify()


@given(st.integers(0))
def test_a_flipped_bit_proves_nothing(position: int) -> None:
    data = bytearray.fromhex(VECTORS["proof"]["data"])
    position %= len(data) * 8
    data[position // 8] ^= 1 << position % 8
    with pytest.raises(LedgerError):
        Proof.from_bytes(bytes(data)).verify()


@given(st.binary(max_size=300))
def test_any_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(LedgerError):
        Proof.from_bytes(data).verify()


@given(st.data())
def test_any_fields_are_no_proof(data: st.DataObject) -> None:
    """Each field replaced by the value of another, or by something of the wrong kind."""
    fields = cbor2.loads(bytes.fromhex(VECTORS["proof"]["data"]))
    position = data.draw(st.integers(1, len(fields) - 1))
    odd = [None, -1, 2**64 - 1, "", b"", [], {}, [[]], bytes(32), *fields]
    fields[position] = data.draw(st.sampled_from([one for one in odd if one != fields[position]]))
    with pytest.raises(LedgerError):
        Proof.from_bytes(cbor2.dumps(fields, canonical=True)).verify()


def test_a_file_too_long_is_not_decoded() -> None:
    with pytest.raises(MalformedError, match="at most"):
        Proof.from_bytes(bytes(MAX_PROOF_BYTES + 1))


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    with World.of(tmp_path, "ada", "ben") as world:
        ada, ben = world.sites
        for number in range(300):
            ada.put(f"thing {number}", {"n": number})
        send(ada, ben)
        yield ada, ben


def test_every_entry_of_a_log_is_proven_by_whoever_holds_it(sites: tuple[Site, Site]) -> None:
    ada, ben = sites
    for number in (0, 1, 127, 255, 256, 299):
        mine = prove(ada.store, ada.log, number, ada.keys.card)
        theirs = prove(ben.store, ada.log, number, ada.keys.card)
        assert mine == theirs
        assert mine.entry.thing == f"thing {number}"
        read = Proof.from_bytes(mine.to_bytes())
        read.verify(ada.keys.card)
        with pytest.raises(UnverifiedError, match="whose key is not that of ben"):
            read.verify(ben.keys.card)


def test_a_proof_moved_to_another_place_does_not_hold(sites: tuple[Site, Site]) -> None:
    ada, ben = sites
    proof = prove(ada.store, ada.log, 7, ada.keys.card)
    other = prove(ada.store, ada.log, 8, ada.keys.card)
    genesis = replace(ada.store.genesis, nonce=bytes(16))
    for moved in (
        replace(proof, number=8),
        replace(proof, entry=other.entry),
        replace(proof, path=other.path),
        replace(proof, card=ben.keys.card),
        replace(proof, incarnation=bytes(8)),
        replace(proof, genesis=genesis),
        replace(proof, salt=other.salt),
        replace(proof, entry=proof.entry._replace(payload=other.entry.payload)),
    ):
        with pytest.raises(UnverifiedError):
            moved.verify()


def test_what_is_not_there_is_refused(sites: tuple[Site, Site]) -> None:
    ada, _ = sites
    with pytest.raises(RefusedError, match="no entry 300"):
        prove(ada.store, ada.log, 300, ada.keys.card)
    with pytest.raises(RefusedError, match="no entry 0"):
        prove(ada.store, LogName(ada.keys.author, bytes(8)), 0, ada.keys.card)


class TestSecondSignature:
    """An author whose card promises ML-DSA-44 is not impersonated by who breaks Ed25519 alone."""

    KEYS = NodeKeys.generate("quinn", Drbg("quinn"), post_quantum=True)

    def proof(self, *, signed_twice: bool, card: Card | None = None) -> Proof:
        """Return the proof of a vector, by another author."""
        found = Proof.from_bytes(bytes.fromhex(VECTORS["proof_alone"]["data"]))
        genesis = Genesis(name="h", admins=(keys_of("ada").card,), time_us=0, nonce=bytes(16))
        mine = replace(found, genesis=genesis, card=card or self.KEYS.card)
        signer = self.KEYS.signer if signed_twice else replace(self.KEYS.signer, mldsa44=None)
        origin = log_origin(genesis.ledger_id, mine.log)
        return replace(mine, checkpoint=sign_checkpoint(signer, origin, 1, found.checkpoint.root))

    def test_both_signatures_hold(self) -> None:
        proof = self.proof(signed_twice=True)
        Proof.from_bytes(proof.to_bytes()).verify(self.KEYS.card)

    def test_one_signature_does_not(self) -> None:
        with pytest.raises(UnverifiedError):
            self.proof(signed_twice=False).verify()

    def test_a_weaker_card_does_not_stand_against_the_one_that_is_known(self) -> None:
        weak = replace(self.KEYS, post_quantum=None).card
        proof = self.proof(signed_twice=False, card=weak)
        proof.verify()
        with pytest.raises(UnverifiedError):
            proof.verify(self.KEYS.card)
