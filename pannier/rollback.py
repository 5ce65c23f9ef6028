"""What a node does that finds out that it is older than what others saw of it."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.append import open_incarnation
from ledger.errors import DamagedError, FullError
from ledger.genesis import LEDGER_ID_BYTES, LedgerId
from ledger.store import Store
from pannier.durable_files import make_folder, sync_folder
from pannier.errors import PannierError

if TYPE_CHECKING:
    from pannier.node import Node

_LEDGER_ID = re.compile(f"[0-9a-f]{{{2 * LEDGER_ID_BYTES}}}")


def begin_anew(node: "Node", *, above: bytes, settled: LedgerId | None = None) -> None:
    """Count bundles anew, and write in new logs: what this node remembers of both is too old.

    In all ledgers: it may have written more in others as well, and who holds that may not have
    spoken yet.

    Args:
        node: Who is older than others know.
        above: The newest incarnation that others saw of it, 8 bytes.
        settled: A ledger where it writes in a new log already.

    Raises:
        PannierError: the home cannot be written.
        LedgerError: a ledger is busy, or of other keys, or the disk is full.
    """
    node.renew_incarnation(above=above)
    _note(node, [one for one in node.ledger_ids() if one != settled])
    go_on_beginning(node)


def go_on_beginning(node: "Node") -> None:
    """Do what `begin_anew` left: a ledger that cannot be written keeps nobody from the others.

    Each import begins with it.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: a ledger is busy, or of other keys, or the disk is full.
    """
    for path in _noted(node):
        try:
            store = node.ledger(LedgerId(bytes.fromhex(path.name)))
            if store is not None:
                open_incarnation(store, node.author)
        except FullError:
            raise
        except DamagedError:
            continue
        _forget(path)


def begin_before_writing(node: "Node", store: Store) -> None:
    """Do what `begin_anew` left of one ledger: nothing may be written in its old log any more.

    Raises:
        PannierError: the home cannot be written.
        LedgerError: the ledger cannot be written.
    """
    path = _path(node, store.ledger_id)
    if path.exists():
        open_incarnation(store, node.author)
        _forget(path)


# -- which ledgers are left: a file for each, so that a `put` need not open node.db ---------------


def _path(node: "Node", ledger_id: LedgerId) -> Path:
    return node.home.anew / ledger_id.hex()


def _noted(node: "Node") -> list[Path]:
    found = sorted(node.home.anew.glob("*"))
    return [path for path in found if _LEDGER_ID.fullmatch(path.name)]


def _note(node: "Node", ledger_ids: Iterable[LedgerId]) -> None:
    try:
        make_folder(node.home.anew)
        for one in ledger_ids:
            _path(node, one).touch()
        sync_folder(node.home.anew)
    except OSError as error:
        raise PannierError(f"cannot write {node.home.anew}: {error.strerror}") from error


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PannierError(f"cannot remove {path}: {error.strerror}") from error
