"""What stands in ``node.db`` of that which peers lack of bundles that came there in part."""

from bundler.errors import BundleError
from bundler.lack_section import LackSection, SymbolRun, runs_of
from ledger import cbor
from ledger.errors import LedgerError
from pannier.errors import DamagedFileError
from pannier.nodedb_file import MEND_NODE_DB, NodeDbFile

_LACK = "lack "
_MAX_BYTES = 1 << 16


def note_lack(db: NodeDbFile, peer: str, section: LackSection | None) -> None:
    """Note what *peer* lacks of bundles for it; of all others that are on their way it has nothing.

    Raises:
        PannierError: ``node.db`` cannot be written.
    """
    mine = _key(peer, "")
    with db.transaction():
        db.run("DELETE FROM meta WHERE substr(key, 1, ?) = ?", len(mine), mine)
        for one in section.bundles if section else ():
            runs = cbor.encode([number for run in one.lacking for number in run])
            db.set_meta(_key(peer, one.bundle_id.hex()), runs)


def lack_of(db: NodeDbFile, peer: str, bundle_id: str) -> tuple[SymbolRun, ...]:
    """Return what *peer* lacks of a bundle by its word; nothing if it has not said.

    Raises:
        PannierError: ``node.db`` cannot be read, or is damaged.
    """
    said = db.meta(_key(peer, bundle_id))
    if said is None:
        return ()
    try:
        return runs_of(cbor.decode(said, limit_bytes=_MAX_BYTES))
    except (LedgerError, BundleError) as error:
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}") from error


def _key(peer: str, bundle_id: str) -> str:
    return f"{_LACK}{peer} {bundle_id}"
