"""What a node does that finds out that it is older than what others saw of it."""

import re
from collections.abc import Iterable
from functools import partial
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
    node.counting.renew(above=above)
    _note(node, node.ledger_ids())
    for ledger_id in _noted(node):
        if ledger_id != settled:
            _go_on(node, ledger_id)
        elif (store := node.ledger(ledger_id)) is not None:
            _forget_once_durable(node, store)


def go_on_beginning(node: "Node") -> None:
    """Do what `begin_anew` left: a ledger that cannot be written keeps nobody from the others.

    Each import begins with it.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: a ledger is busy, or of other keys, or the disk is full.
    """
    for ledger_id in _noted(node):
        _go_on(node, ledger_id)


def _go_on(node: "Node", ledger_id: LedgerId) -> None:
    if node.has_ledger(ledger_id) and node.readable(ledger_id) is None:
        return  # once it can be read
    try:
        store = node.ledger(ledger_id)
        if store is None:
            _forget(_path(node, ledger_id))
        else:
            open_incarnation(store, node.author)
            _forget_once_durable(node, store)
    except FullError:
        raise
    except DamagedError:
        return


def begin_before_writing(node: "Node", store: Store) -> None:
    """Do what `begin_anew` left of one ledger: nothing may be written in its old log any more.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: the ledger cannot be written.
    """
    if _is_noted(_path(node, store.ledger_id)):
        open_incarnation(store, node.author)
        _forget_once_durable(node, store)


# -- which ledgers are left: a file for each, so that a `put` need not open node.db ---------------


def _path(node: "Node", ledger_id: LedgerId) -> Path:
    return node.home.anew / ledger_id.hex()


def _noted(node: "Node") -> list[LedgerId]:
    try:
        names = sorted(path.name for path in node.home.anew.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PannierError(f"cannot read {node.home.anew}: {error.strerror}") from error
    return [LedgerId(bytes.fromhex(name)) for name in names if _LEDGER_ID.fullmatch(name)]


def _is_noted(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise PannierError(f"cannot read {path}: {error.strerror}") from error
    return True


def _note(node: "Node", ledger_ids: Iterable[LedgerId]) -> None:
    try:
        make_folder(node.home.anew)
        for one in ledger_ids:
            _path(node, one).touch()
        sync_folder(node.home.anew)
    except OSError as error:
        raise PannierError(f"cannot write {node.home.anew}: {error.strerror}") from error


def _forget_once_durable(node: "Node", store: Store) -> None:
    store.after_commit(partial(_forget, _path(node, store.ledger_id)))


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PannierError(f"cannot remove {path}: {error.strerror}") from error
