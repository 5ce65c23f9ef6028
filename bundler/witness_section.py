"""The witness section: checkpoints of logs and who countersigned them (docs/format.md 5)."""

from typing import ClassVar, NamedTuple, Self

from bundler.errors import ledger_errors_converted
from bundler.limits import Limits
from ledger import cbor
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.witness import Witnessed

_LEDGER_ID_BYTES = 16
_AUTHOR_BYTES = 32
_INCARNATION_BYTES = 8


class WitnessedLog(NamedTuple):
    """One checkpoint of one log; of a log there may be several.

    Attributes:
        author: 32 bytes.
        incarnation: 8 bytes.
        witnessed: The checkpoint and its witnesses, nothing of it verified.
    """

    author: bytes
    incarnation: bytes
    witnessed: Witnessed

    def to_cbor(self) -> list[object]:
        """Return it as it is encoded."""
        return [self.author, self.incarnation, *self.witnessed.to_cbor()]


class LedgerWitness(NamedTuple):
    """What was witnessed of one ledger.

    Attributes:
        ledger: Which ledger.
        logs: Checkpoints of its logs.
    """

    ledger: LedgerId
    logs: tuple[WitnessedLog, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSection:
    """What the sender and others hold of logs, signed by each, so that two histories come out."""

    TYPE: ClassVar[int] = 12

    ledgers: tuple[LedgerWitness, ...]

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        return cbor.encode(
            [[ledger, [one.to_cbor() for one in logs]] for ledger, logs in self.ledgers]
        )

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a witness section.
        """
        with ledger_errors_converted():
            ledgers = cbor.as_list(cbor.decode(data, limit_bytes=limits.small_section_bytes))
            return cls(ledgers=tuple(map(_ledger, ledgers)))


def _ledger(value: object) -> LedgerWitness:
    ledger, logs = cbor.as_list(value, 2)
    number = LedgerId(cbor.as_bytes(ledger, _LEDGER_ID_BYTES))
    return LedgerWitness(number, tuple(map(_log, cbor.as_list(logs))))


def _log(value: object) -> WitnessedLog:
    author, incarnation, checkpoint, cosignatures = cbor.as_list(value, 4)
    return WitnessedLog(
        cbor.as_bytes(author, _AUTHOR_BYTES),
        cbor.as_bytes(incarnation, _INCARNATION_BYTES),
        Witnessed.from_cbor(checkpoint, cosignatures),
    )
