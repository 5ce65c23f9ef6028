"""Proof that an author signed two histories of one log (docs/format.md section 3.5). Pure.

Whoever holds one can convince anybody: it needs no other part of the log.
"""

from typing import Self

from ledger import cbor
from ledger.errors import UnverifiedError
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, log_origin
from ledger.merkle import verify_inclusion
from ledger.note import Checkpoint, verify_all
from ledger.signing import Verifier

_MAX_FORK_BYTES = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One side of a fork: a signed checkpoint and the leaf it has at the index.

    Attributes:
        checkpoint: Signed by the author.
        leaf: 32 bytes.
        proof: Inclusion proof of the leaf under the checkpoint's root.
    """

    checkpoint: Checkpoint
    leaf: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Two branches that differ at *index*; the one with the smaller leaf first."""

    index: int
    branches: tuple[Branch, Branch]

    @classmethod
    def of(cls, index: int, one: Branch, other: Branch) -> Self:
        """Return the fork of two branches, in the order that makes its bytes unique."""
        low, high = sorted((one, other), key=lambda branch: branch.leaf)
        return cls(index=index, branches=(low, high))

    def to_bytes(self) -> bytes:
        """Return the proof as one CBOR item."""
        items: list[object] = [self.index]
        for branch in self.branches:
            items += [branch.checkpoint.to_cbor(), branch.leaf, list(branch.proof)]
        return cbor.encode(items)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a proof; `verify` says whether it proves anything.

        Raises:
            MalformedError: *data* is not one.
        """
        index, *sides = cbor.as_list(cbor.decode(data, limit_bytes=_MAX_FORK_BYTES), 7)
        branches = tuple(_branch(*sides[at : at + 3]) for at in (0, 3))
        return cls(index=cbor.as_uint(index), branches=(branches[0], branches[1]))

    def verify(self, ledger_id: LedgerId, log: LogName, verifier: Verifier) -> None:
        """Check that the author of *log* signed both branches.

        Args:
            ledger_id: Which ledger.
            log: Which of its logs.
            verifier: The keys of its author, as the ledger knows them.

        Raises:
            OtherCardError: the author signed both, but not with the second key that *verifier* has.
            UnverifiedError: this proves nothing.
        """
        if self.branches[0].leaf >= self.branches[1].leaf:
            raise UnverifiedError("the branches of a fork are equal or in the wrong order")
        checkpoints = [branch.checkpoint for branch in self.branches]
        verify_all(checkpoints, log_origin(ledger_id, log), verifier)
        for branch in self.branches:
            verify_inclusion(
                index=self.index,
                size=branch.checkpoint.size,
                leaf=branch.leaf,
                proof=list(branch.proof),
                root=branch.checkpoint.root,
            )


def _branch(checkpoint: object, leaf: object, proof: object) -> Branch:
    return Branch(
        checkpoint=Checkpoint.from_cbor(checkpoint),
        leaf=cbor.as_bytes(leaf, 32),
        proof=tuple(cbor.as_bytes(item, 32) for item in cbor.as_list(proof)),
    )
