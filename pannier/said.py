"""What an entry says to whoever holds this node's keys: sealed or not, of a device or not."""

from ledger.data import value_from_payload
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.file_payload import FilePayload, file_from_value
from ledger.genesis import Genesis, Term
from ledger.hpke import Unwrapper
from ledger.lazy_dataclass import dataclass
from ledger.on_behalf import statement_from_value
from ledger.sealed_entry import Place, SealedPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an entry says.

    Attributes:
        value: The data; None where it cannot be read.
        device: Who said it, by the word of the author; None if that is the author.
        is_sealed: Whether it is for some members only.
        obstacle: Why it cannot be read here; empty if it can.
        file: The file that it describes, in place of a value; None if it is data.
    """

    value: object = None
    device: str | None = None
    is_sealed: bool = False
    obstacle: str = ""
    file: FilePayload | None = None

    def file_json(self) -> dict[str, object] | None:
        """Return the file for programs; None if it is data."""
        if self.file is None:
            return None
        digests = [digest.hex() for digest in self.file.digests]
        return {"size": self.file.size, "executable": self.file.is_executable, "chunks": digests}


def said_by(genesis: Genesis, author: bytes, entry: Entry, unwrapper: Unwrapper | None) -> Said:
    """Return what *entry*, in a log of *author*, says.

    Args:
        genesis: Of the ledger.
        author: 32 bytes.
        entry: The entry.
        unwrapper: Opens what is sealed for this node; None: nothing does.

    Raises:
        MalformedError: its payload is not one.
    """
    if entry.payload is None:
        return Said(obstacle="left out of this copy")
    value = value_from_payload(entry.payload)
    sealed = SealedPayload.from_value(value)
    if sealed is None:
        return _plain(genesis, value, is_sealed=False)
    place = Place(genesis.ledger_id, author, entry.thing)
    try:
        payload = sealed.open(place, unwrapper) if unwrapper else None
    except LedgerError as error:
        return Said(is_sealed=True, obstacle=str(error))
    if payload is None:
        return Said(is_sealed=True, obstacle="sealed for others")
    return _plain(genesis, value_from_payload(payload), is_sealed=True)


def _plain(genesis: Genesis, value: object, *, is_sealed: bool) -> Said:
    if not isinstance(value, dict) or not any(isinstance(key, int) for key in value):
        return Said(value=value, is_sealed=is_sealed)
    file = None if is_sealed else file_from_value(value)
    if file is not None:
        return Said(file=file)
    statement = statement_from_value(value)
    if statement is None or Term.CENTRALIZED not in genesis.terms:
        return Said(is_sealed=is_sealed, obstacle="of a form that is not known here")
    return Said(value=statement.value, device=statement.device, is_sealed=is_sealed)
