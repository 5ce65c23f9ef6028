"""Proof of one entry: that its author signed it, at its place in its log (docs/format.md 10).

Whoever holds one can convince anybody, without the ledger and without any other entry of it; of the
payloads of the log it discloses this one. Nothing here reads or writes files but through a store.
"""

from typing import Self

from ledger import cbor
from ledger.card import Card
from ledger.entry import MAX_PAYLOAD_BYTES, Entry, entry_from_bytes, leaf_bytes, payload_digest
from ledger.errors import RefusedError, UnverifiedError
from ledger.genesis import Genesis
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, log_origin
from ledger.merkle import HASH_BYTES, inclusion_proof, leaf_hash, verify_inclusion
from ledger.note import Checkpoint
from ledger.seeds import MAX_ENTRIES, SEED_BYTES, covers, salt
from ledger.signing import Verifier
from ledger.store import Store

MAX_PROOF_BYTES = 2 << 20
"""A payload of 1 MiB, a genesis of 128 KiB, an entry of 64 KiB, and room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One entry with all that shows who signed it; nothing is believed before `verify`.

    Attributes:
        genesis: Of the ledger; its hash is the id that the author signed.
        card: The author's.
        incarnation: Which log of the author, 8 bytes.
        number: Which entry of that log, from 0.
        entry: What was signed, with its payload.
        salt: What the digest in the entry was made with, 16 bytes.
        checkpoint: The head of the log that covers the entry.
        path: Inclusion proof of the entry's leaf under the checkpoint's root.
    """

    genesis: Genesis
    card: Card
    incarnation: bytes
    number: int
    entry: Entry
    salt: bytes
    checkpoint: Checkpoint
    path: tuple[bytes, ...]

    @property
    def log(self) -> LogName:
        """The log that the entry is in."""
        return LogName(self.card.author, self.incarnation)

    def to_bytes(self) -> bytes:
        """Return the proof as one CBOR item, the content of a proof file."""
        return cbor.encode(
            [
                1,
                self.genesis.to_bytes(),
                self.card.to_bytes(),
                self.incarnation,
                self.number,
                leaf_bytes(self.entry),
                self.entry.payload,
                self.salt,
                self.checkpoint.to_cbor(),
                list(self.path),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a proof; `verify` says whether it proves anything.

        Raises:
            NewerError: *data* is of a later version.
            MalformedError: it is not a proof.
            UnverifiedError: a card in it does not verify.
        """
        fields = cbor.as_list(cbor.decode(data, limit_bytes=MAX_PROOF_BYTES))
        cbor.check_version(fields, "a proof")
        _, genesis, card, incarnation, number, entry, payload, secret, checkpoint, path = (
            cbor.as_list(fields, 10)
        )
        said = cbor.as_bytes(payload)
        cbor.decode(said, limit_bytes=MAX_PAYLOAD_BYTES)
        return cls(
            genesis=Genesis.from_bytes(cbor.as_bytes(genesis)),
            card=Card.from_bytes(cbor.as_bytes(card)),
            incarnation=cbor.as_bytes(incarnation, 8),
            number=cbor.as_uint(number, maximum=MAX_ENTRIES - 1),
            entry=entry_from_bytes(cbor.as_bytes(entry), said),
            salt=cbor.as_bytes(secret, SEED_BYTES),
            checkpoint=Checkpoint.from_cbor(checkpoint),
            path=tuple(cbor.as_bytes(item, HASH_BYTES) for item in cbor.as_list(path)),
        )

    def verify(self, card: Card | None = None) -> None:
        """Check that the author of this entry signed it, at this place of this log.

        If any card of the author that is known promises a second signature, it must be there: else
        whoever breaks the first kind brings a card that promises no other.

        Args:
            card: The author's as the caller has it from elsewhere; without one the caller compares
                the fingerprint of the card in the proof.

        Raises:
            UnverifiedError: this proves nothing, or something about another author.
        """
        if card is not None and card.author != self.card.author:
            raise UnverifiedError(
                f"the proof is of an entry by {self.card.name} ({self.card.fingerprint}), "
                f"whose key is not that of {card.name}"
            )
        if payload_digest(self.salt, self.entry.payload or b"") != self.entry.digest:
            raise UnverifiedError("the payload is not the one that was signed")
        verify_inclusion(
            index=self.number,
            size=self.checkpoint.size,
            leaf=leaf_hash(leaf_bytes(self.entry)),
            proof=self.path,
            root=self.checkpoint.root,
        )
        origin = log_origin(self.genesis.ledger_id, self.log)
        for verifier in self._verifiers(card):
            self.checkpoint.verify(origin, verifier)

    def _verifiers(self, card: Card | None) -> set[Verifier]:
        """Return what must accept the checkpoint: the strictest of what is known of the author."""
        cards = [self.card, *self.genesis.admins, *([] if card is None else [card])]
        known = {one.verifier for one in cards if one.author == self.card.author}
        return {one for one in known if None not in one.mldsa44} or known


def prove(store: Store, log: LogName, number: int, card: Card) -> Proof:
    """Return the proof of one entry, under the newest checkpoint of its log.

    Args:
        store: The ledger.
        log: Which log.
        number: Which entry of it.
        card: That of the log's author.

    Raises:
        RefusedError: there is no such entry, or its payload or salt is not here.
        DamagedError: the file cannot be read.
    """
    state = store.log(log)
    checkpoint = store.last_checkpoint(state)
    if checkpoint is None or not number < checkpoint.size <= state.size:
        raise RefusedError(f"log {log} has no entry {number} that is signed")
    entry = next(iter(store.entries(state, number, number + 1)), None)
    if entry is None or entry.payload is None or not covers(state.cover, number, 1):
        raise RefusedError(f"what entry {number} says is not here: prove it where it is")
    return Proof(
        genesis=store.genesis,
        card=card,
        incarnation=log.incarnation,
        number=number,
        entry=entry,
        salt=salt(state.cover, number),
        checkpoint=checkpoint,
        path=tuple(inclusion_proof(number, checkpoint.size, store.nodes(state))),
    )
