"""Proof that two checkpoints of a log are of two histories (docs/format.md section 3.5). Pure.

It needs less than a fork: no entry, and of the tree only what shows which root the longer history
had where the shorter one ends. So whoever holds one branch can prove it against a checkpoint that
somebody brought, and two checkpoints of one size prove it by themselves.
"""

from collections.abc import Sequence
from typing import Self

from ledger import cbor
from ledger.errors import UnverifiedError
from ledger.fork import Fork
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, log_origin
from ledger.merkle import verify_consistency
from ledger.note import Checkpoint, verify_all
from ledger.signing import Verifier

_MAX_CONTRADICTION_BYTES = 1 << 14
_FOUR_ITEMS = b"\x84"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two checkpoints of one log, of which the newer does not continue the older.

    Attributes:
        older: Of fewer entries, or of as many and with the smaller root.
        newer: The other.
        root: The root that the tree of *newer* has over its first ``older.size`` entries.
        proof: Consistency proof from there to *newer*.
    """

    older: Checkpoint
    newer: Checkpoint
    root: bytes
    proof: tuple[bytes, ...]

    @classmethod
    def of(
        cls, older: Checkpoint, newer: Checkpoint, *, root: bytes, proof: Sequence[bytes]
    ) -> Self:
        """Return the contradiction of two checkpoints, in the order that makes its bytes unique."""
        if older.size == newer.size:
            older, newer = sorted((older, newer), key=lambda one: one.root)
            root = newer.root
        return cls(older=older, newer=newer, root=root, proof=tuple(proof))

    def to_bytes(self) -> bytes:
        """Return the proof as one CBOR item."""
        two = [self.older.to_cbor(), self.newer.to_cbor()]
        return cbor.encode([*two, self.root, list(self.proof)])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a proof; `verify` says whether it proves anything.

        Raises:
            MalformedError: *data* is not one.
        """
        value = cbor.decode(data, limit_bytes=_MAX_CONTRADICTION_BYTES)
        older, newer, root, proof = cbor.as_list(value, 4)
        return cls(
            older=Checkpoint.from_cbor(older),
            newer=Checkpoint.from_cbor(newer),
            root=cbor.as_bytes(root, 32),
            proof=tuple(cbor.as_bytes(item, 32) for item in cbor.as_list(proof)),
        )

    def verify(self, ledger_id: LedgerId, log: LogName, verifier: Verifier) -> None:
        """Check that the author of *log* signed both, and that they are of two histories.

        Raises:
            OtherCardError: the author signed both, but not with the second key that *verifier* has.
            UnverifiedError: this proves nothing.
        """
        older, newer = self.older, self.newer
        if not 0 < older.size <= newer.size or self.root == older.root:
            raise UnverifiedError("two checkpoints that do not contradict each other")
        if older.size == newer.size and older.root > newer.root:
            raise UnverifiedError("the checkpoints of a contradiction are in the wrong order")
        verify_all((older, newer), log_origin(ledger_id, log), verifier)
        verify_consistency(
            old=older.size,
            new=newer.size,
            old_root=self.root,
            new_root=newer.root,
            proof=list(self.proof),
        )


def proof_from_bytes(data: bytes) -> Fork | Contradiction:
    """Return the proof of two histories, of either sort, that *data* is.

    Raises:
        MalformedError: it is neither.
    """
    return Contradiction.from_bytes(data) if data[:1] == _FOUR_ITEMS else Fork.from_bytes(data)
