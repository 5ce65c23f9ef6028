"""Keeping a copy of a ledger, and taking it back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.adopt import adopt
from ledger.append import open_incarnation
from ledger.genesis import Genesis
from ledger.keys import KeyStretch
from ledger.reseal import reseal
from ledger.rest import FileKey
from ledger.store import Store
from ledger.store_place import put_in_place, put_new
from ledger.verify import verify, verify_file
from pannier.backup_file import new_head, read_backup, read_head, write_backup
from pannier.errors import PannierError, UsageError
from pannier.node import Node

_PIECE = ".backup"


def backup(
    node: Node,
    store: Store,
    path: Path,
    passphrase: str | None,
    *,
    stretch: KeyStretch | None = None,
) -> None:
    """Write a copy of a ledger to *path*, which must be new; others may go on writing meanwhile.

    Args:
        node: Whose ledger it is.
        store: Which one.
        path: The backup.
        passphrase: What opens it; None: the keys of this node, and nothing else.
        stretch: The cost of trying a passphrase.

    Raises:
        UsageError: there is something at *path*.
        BusyError: another process is making or taking back a backup.
        PannierError: *path* cannot be written.
        LedgerError: the disk said no.
    """
    if path.exists():
        raise UsageError(f"{path} exists already: choose a new name")
    head = new_head(node.entropy, (stretch or KeyStretch()) if passphrase is not None else None)
    secret = head.secret(passphrase, node.rest_key)
    # Always the same name: the next one to *path* removes what one that was killed has left.
    draft = path.with_name(f".{path.name}.tmp")
    try:
        with _piece(node) as copy:
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600, exist_ok=False)  # nor through a link that somebody put there
            store.copy_to(copy)
            with copy.open("rb") as source:
                _write(draft, write_backup(head, secret, store.rest.key, source))
        put_new(draft, path)
    except OSError as error:
        raise PannierError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if draft.parent.is_dir():
            draft.unlink(missing_ok=True)


def wants_passphrase(path: Path) -> bool:
    """Return whether the backup at *path* is under a passphrase.

    Raises:
        UsageError: there is none.
        PannierError: it is no backup, or cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            return read_head(file)[0].stretch is not None
    except OSError as error:
        raise PannierError(f"cannot read {path}: {error.strerror}") from error


def restore(node: Node, path: Path, passphrase: str | None) -> Store:
    """Take a ledger back from a backup, and write in a new incarnation from now on.

    A backup of a node that had other keys is put under those of this one. Contents of files are not
    in it; those that lie in the ledger's folder of packs are taken in.

    Args:
        node: Where it goes.
        path: The backup.
        passphrase: What it is under, if it is under one.

    Raises:
        UsageError: there is no backup, or this node has the ledger already.
        BusyError: another process is making or taking back a backup, or importing.
        WrongPassphraseError: *passphrase*, or this node, does not open it.
        PannierError: the backup is none, is damaged or does not verify.
        LedgerError: the disk said no.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    with _piece(node) as copy, node.alone("import", "importing"):
        try:
            key = _unpack(node, path, passphrase, copy)
        except OSError as error:
            raise PannierError(f"cannot take {path}: {error.strerror}") from error
        genesis = _make_ready(node, copy, key)
        try:
            put_in_place(copy, node.ledger_path(genesis.ledger_id))
        except FileExistsError as error:  # others make ledgers meanwhile
            raise _is_here(genesis) from error
        except OSError as error:
            raise PannierError(f"cannot restore {genesis.name}: {error.strerror}") from error
    store = node.ledger(genesis.ledger_id)
    if store is None:
        raise PannierError(f"{genesis.name} could not be restored")
    adopt(store)
    return store


def _make_ready(node: Node, copy: Path, key: FileKey) -> Genesis:
    """Make of what was in a backup a file of this node's, in which nothing is written yet."""
    with Store.open(copy, key) as candidate:
        ledger_id, genesis = candidate.ledger_id, candidate.genesis
        if node.ledger(ledger_id) is not None:
            raise _is_here(genesis)
        _check(candidate)
        open_incarnation(candidate, node.author)
        if node.rest_key.of_ledger(ledger_id) != key.key:
            reseal(candidate, node.rest_key.of_ledger(ledger_id))
        candidate.finish()
    return genesis


def _is_here(genesis: Genesis) -> UsageError:
    return UsageError(
        f"this node has the ledger {genesis.name}; a backup is for a node that lost it"
    )


def _unpack(node: Node, path: Path, passphrase: str | None, copy: Path) -> FileKey:
    with path.open("rb") as file:
        head, commitment = read_head(file)
        secret = head.secret(passphrase, node.rest_key)
        key, pieces = read_backup(head, commitment, secret, file)
        _write(copy, pieces)
    return FileKey(key)


def _check(candidate: Store) -> None:
    faults = [fault for report in verify(candidate) for fault in report.faults]
    faults += verify_file(candidate)
    if faults:
        raise PannierError(f"the backup does not verify: {faults[0]}")


@contextmanager
def _piece(node: Node) -> Iterator[Path]:
    """Give a path among the ledgers for a file that is gone afterwards."""
    with node.alone("backup", "making or taking back a backup"):
        _sweep(node)  # what one that was killed has left
        try:
            yield node.home.ledgers / _PIECE
        finally:
            _sweep(node)


def _sweep(node: Node) -> None:
    for path in node.home.ledgers.glob(f"{_PIECE}*"):
        path.unlink(missing_ok=True)


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    """Write *pieces* to *path*, durably."""
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
