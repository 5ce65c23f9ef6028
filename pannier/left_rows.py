"""Which ledger files are left until they are other files, as ``node.db`` remembers it.

Damage deep in a file shows only when somebody reads on: without this each process would begin with
that ledger, and take back again what it said and made by it.
"""

from collections.abc import Mapping

from ledger.genesis import LedgerId
from pannier.errors import DamagedFileError
from pannier.nodedb_file import MEND_NODE_DB, NodeDbFile, as_blob
from pannier.open_ledgers import LeftFile

_KEY = "unreadable "
_BEYOND = f"{_KEY}g"
"""Follows all such keys, which go on with hex digits."""


def left_files(db: NodeDbFile) -> Mapping[LedgerId, LeftFile]:
    """Return all that were noted, whatever became of them.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    found = db.rows("SELECT key, value FROM meta WHERE key > ? AND key < ?", _KEY, _BEYOND)
    try:
        return {_ledger_id(str(key)): _from_bytes(as_blob(value)) for key, value in found}
    except ValueError as error:
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}") from error


def note_left(db: NodeDbFile, ledger_id: LedgerId, left: LeftFile) -> None:
    """Note that a file is left as long as it looks like that."""
    text = f"{' '.join(map(str, left.look))}\n{left.why}"
    db.set_meta(f"{_KEY}{ledger_id.hex()}", text.encode())


def forget_left(db: NodeDbFile, ledger_id: LedgerId) -> None:
    """Take it that a file can be read, or is another."""
    db.run("DELETE FROM meta WHERE key = ?", f"{_KEY}{ledger_id.hex()}")


def _ledger_id(key: str) -> LedgerId:
    return LedgerId(bytes.fromhex(key.removeprefix(_KEY)))


def _from_bytes(value: bytes) -> LeftFile:
    """Return what `note_left` was given.

    Raises:
        ValueError: it is something else.
    """
    look, _, why = value.decode().partition("\n")
    inode, size, changed_ns = map(int, look.split())
    return LeftFile((inode, size, changed_ns), why)
