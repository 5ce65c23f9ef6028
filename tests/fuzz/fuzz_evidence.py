"""Proofs of two histories, and checkpoints with their witnesses."""

from collections.abc import Iterator

from ledger import cbor
from ledger.contradiction import proof_from_bytes
from ledger.errors import LedgerError
from ledger.genesis import LedgerId
from ledger.log import LogName
from ledger.note import origin
from ledger.signing import Verifier
from ledger.witness import Witnessed, witnessed_from_bytes, witnessed_to_bytes
from tests.fuzz.harness import Target, vectors
from tests.vectors import load


def take(data: bytes) -> None:
    if data[:1] in (b"\x80", b"\x81"):
        known = witnessed_from_bytes(data)
        assert witnessed_to_bytes(known) == data
        for one in known:
            _verify(one)
    else:
        proof = proof_from_bytes(data)
        assert proof.to_bytes() == data
        proof.verify(LEDGER, LOG, Verifier(LOG.author))


def _verify(one: Witnessed) -> None:
    name = origin(LEDGER, *LOG)
    one.checkpoint.verify(name, Verifier(LOG.author))
    for cosignature in one.cosignatures:
        cosignature.verify(name, one.checkpoint)


def seeds() -> Iterator[bytes]:
    yield from vectors("fork", "data")
    yield from vectors("witness", "contradiction")
    yield from (b"\x81" + data for data in vectors("witness", "witnessed"))
    yield cbor.encode([])


_CASE = load("witness")["contradiction"]
LEDGER = LedgerId(bytes.fromhex(_CASE["ledger"]))
LOG = LogName(bytes.fromhex(_CASE["author"]), bytes.fromhex(_CASE["incarnation"]))
TARGET = Target(take, (LedgerError,), seeds)
