"""Mending the files of a home that were damaged: the part of `pannier verify` that writes.

A damaged file is never changed and never removed: it gets another name, and what it still proves is
put into a new one in its place. What is lost comes from peers with the next exchange.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ledger.errors import DamagedError, DiskError, OtherKeysError
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from ledger.repair import Owner, Salvaged, salvage
from ledger.store import Store
from ledger.verify import verify, verify_file
from pannier import set_aside
from pannier.errors import BusyError, DamagedFileError, PannierError
from pannier.home import Home
from pannier.lock import exclusive, sole_user
from pannier.node import Node
from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_int

_FOLDER = ".repair-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was done about one file.

    Attributes:
        path: The file, which is sound now; or gone, where nothing could be saved.
        damaged: Where the damaged one is now.
        salvaged: What the new one holds; None if there is none, or it is no ledger.
    """

    path: Path
    damaged: Path
    salvaged: Salvaged | None

    @property
    def is_ledger(self) -> bool:
        """Whether the file is, or was, that of a ledger."""
        return self.path.parent == Home(self.path.parent.parent).ledgers


@contextmanager
def alone(node: Node) -> Iterator[None]:
    """Keep all others from writing to the files of a home, as far as they ask first.

    Raises:
        BusyError: the daemon or another command is at work.
    """
    try:
        with (
            exclusive(node.home.locks / "run", "serving this home"),
            exclusive(node.home.locks / "import", "importing"),
            exclusive(node.home.locks / "send", "preparing bundles"),
        ):
            yield
    except BusyError as error:
        raise BusyError(f"{error} (stop `pannier run` before a repair)") from error


def take_up(node: Node) -> None:
    """Undo what a repair that was interrupted had begun, and remove its leavings. Inside `alone`.

    Raises:
        PannierError: the disk said no.
    """
    with _folder(node) as folder:
        for place in (node.home.path, node.home.ledgers):
            for path in set_aside.interrupted(place):
                set_aside.take_up(path, _damaged(node, path), folder)


def ledger_faults(node: Node, ledger_id: LedgerId) -> list[str]:
    """Return what is wrong with the file of a ledger; whatever it is, a repair may help.

    Raises:
        RefusedError: only a newer pannier reads it.
        BusyError: another process held it for too long.
        DiskError: the disk, and not what stands on it, is at fault.
    """
    try:
        path = node.ledger_path(ledger_id)
        # What was interrupted when the file was made SQLite takes back, as for any command.
        is_whole = not path.with_name(f"{path.name}-journal").exists()
        with Store.open(path, node.rest_key, is_read_only=is_whole) as store:
            found = [str(fault) for report in verify(store) for fault in report.faults]
            return found + [str(fault) for fault in verify_file(store)]
    except DiskError:
        raise
    except (DamagedError, OtherKeysError) as error:
        return [str(error)]


def repair_ledger(node: Node, ledger_id: LedgerId) -> Repaired:
    """Put what a damaged ledger file still proves into a new one, in its place.

    A damaged ``node.db`` was mended before.

    Contents of files are read by whoever asks for them next. Inside `alone`; no ledger of the node
    may be open.

    Raises:
        BusyError: another process has the file open.
        PannierError: what came out does not verify; nothing was changed.
        OtherKeysError: nothing in it is under the keys of this node; nothing was changed.
        LedgerError: the disk said no; nothing was changed.
    """
    path = node.ledger_path(ledger_id)
    with _folder(node) as folder:
        before = _look(path)
        with sole_user(path):
            pass  # fails at once, before all the work
        owner, held = Owner(node.author, node.rest_key), partial(_held_elsewhere, node, ledger_id)
        salvaged = salvage(path, folder, ledger_id, owner, held)
        if salvaged is not None and salvaged.entries:
            _check(node, salvaged.path)
        else:
            _refuse_other_keys(node, path)
        # Also if nothing is left to tell of: a peer may think that all it knew of is here still.
        node.db.tell_anew(node.peers)
        with sole_user(path):
            if _look(path) != before:
                raise BusyError(f"another pannier wrote to {path} meanwhile; try again")
            damaged = _damaged(node, path)
            set_aside.set_aside(path, damaged, salvaged.path if salvaged else None, folder)
    return Repaired(path=path, damaged=damaged, salvaged=salvaged)


def _held_elsewhere(node: Node, ledger_id: LedgerId, log: LogName) -> int:
    """Return how many entries of a log a peer has said that it holds."""
    found = node.db.rows(
        "SELECT coalesce(max(size), 0) FROM held "
        "WHERE ledger = ? AND author = ? AND incarnation = ?",
        ledger_id,
        *log,
    )
    return as_int(found[0][0])


def _refuse_other_keys(node: Node, path: Path) -> None:
    """Leave a file alone that opens as it is, and that only other keys read."""
    with suppress(DamagedError):
        Store.open(path, node.rest_key, is_read_only=True).close()


def node_db_faults(node: Node) -> list[str]:
    """Return what is wrong with ``node.db``; nothing if there is none yet.

    Raises:
        BusyError: another process held it for too long.
        PannierError: it, or the card of a peer, cannot be read, or only by a newer pannier.
    """
    if not node.home.node_db.exists():
        return []
    try:
        db = NodeDb.open(node.home.node_db)
    except DamagedFileError as error:
        return [str(error)]
    with closing(db):
        return db.faults() or _sealed_faults(node)


def _sealed_faults(node: Node) -> list[str]:
    """Return what is wrong with the keys that the node shares with others."""
    try:
        for peer in node.peers.values():
            node.shared.pairwise_keys(peer)
    except DamagedFileError as error:
        return [str(error)]
    finally:
        node.close()
    return []


def repair_node_db(node: Node) -> Repaired:
    """Set a damaged ``node.db`` aside and make it anew. Inside `alone`; it may not be open.

    The new one remembers that peers were told what this node held, which may be lost, too.

    Raises:
        BusyError: another process has it open.
        PannierError: the card of a peer cannot be read; nothing was changed.
    """
    path = node.home.node_db
    with _folder(node) as folder, sole_user(path):
        new = folder / path.name
        with closing(NodeDb.open(new)) as db:
            db.tell_anew(node.peers)
        damaged = _damaged(node, path)
        set_aside.set_aside(path, damaged, new, folder)
    return Repaired(path=path, damaged=damaged, salvaged=None)


@contextmanager
def _folder(node: Node) -> Iterator[Path]:
    """Give an empty folder among the ledgers that is gone afterwards."""
    for left in node.home.ledgers.glob(f"{_FOLDER}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = node.home.ledgers / f"{_FOLDER}{node.entropy(8).hex()}"
    try:
        folder.mkdir(mode=0o700)
        yield folder
    except OSError as error:
        raise PannierError(f"cannot repair in {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(node: Node, path: Path) -> None:
    with Store.open(path, node.rest_key) as store:
        faults = [fault for report in verify(store) for fault in report.faults]
        faults += verify_file(store)
    if faults:
        raise PannierError(f"what was saved of {path.name} does not verify: {faults[0]}")


def _look(path: Path) -> list[tuple[int, int] | None]:
    """Return what changes whenever somebody writes to a file of SQLite."""
    found: list[tuple[int, int] | None] = []
    for suffix in ("", "-wal"):
        try:
            state = path.with_name(path.name + suffix).stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((state.st_size, state.st_mtime_ns))
    return found


def _damaged(node: Node, path: Path) -> Path:
    """Return a name for a damaged file that no other has."""
    now = datetime.fromtimestamp(node.clock() / 1_000_000, UTC)
    name = f"{path.name}.damaged-{now:%Y-%m-%dT%H%M%S}"
    damaged = path.with_name(name)
    number = 1
    while damaged.exists():
        number += 1
        damaged = path.with_name(f"{name}-{number}")
    return damaged
