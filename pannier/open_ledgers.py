"""The ledger files of a home: each opened when it is asked for, and left where it cannot be read.

A file that cannot be read is neither gone nor empty: what it says is not known for now. So those
that can be read are gone through without it, who asks for that one hears why, and who must not take
it for one that is gone asks for `unreadable`. It is tried again when it is another file, once what
was begun without it is through.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ledger.errors import DamagedError, DiskError, RefusedError
from ledger.genesis import LedgerId
from ledger.rest import RestKey
from ledger.storage_errors import MEND
from ledger.store import Store
from pannier.errors import PannierError

_LEDGER_FILE = re.compile("[0-9a-f]{32}[.]db")

Look = tuple[int, int, int]
"""Inode, size and time of change: another when somebody has mended the file, or written to it."""

Unreadable = DamagedError | RefusedError
"""Why a file is left: the disk spoiled it, or other keys or a later version wrote it."""


class LeftFile(NamedTuple):
    """A file in which damage was found, for other processes.

    Attributes:
        look: As the file was then.
        why: What was found.
    """

    look: Look
    why: str


class _Left(NamedTuple):
    """A file that could not be read, as it was then, and why."""

    look: Look | None
    error: Unreadable


class OpenLedgers:
    """The ledger files in one folder; used by one thread."""

    def __init__(self, folder: Path, key: Callable[[], RestKey]) -> None:
        """Open none yet.

        Args:
            folder: Where they are.
            key: Gives what they are under.
        """
        self._folder = folder
        self._key = key
        self._stores: dict[LedgerId, Store] = {}
        self._left: dict[LedgerId, _Left] = {}
        self._are_all_tried = False

    def ids(self) -> list[LedgerId]:
        """Return the ids of the ledgers of which there is a file, readable or not.

        Raises:
            PannierError: a file with another name lies among them.
        """
        return [_ledger_id(path) for path in sorted(self._folder.glob("*.db"))]

    def path(self, ledger_id: LedgerId) -> Path:
        """Return where the file of a ledger is, or would be."""
        return self._folder / f"{ledger_id.hex()}.db"

    def open(self, ledger_id: LedgerId) -> Store:
        """Return the ledger of which there is a file.

        Raises:
            DamagedError: it is damaged, as far as was seen so far.
            RefusedError: it is under other keys, or another ledger's, or only a newer pannier reads
                it.
            DiskError: the disk, and not what stands on it, is at fault.
            BusyError: another process held it for too long.
        """
        left = self._left.get(ledger_id)
        if left is not None and left.look == self._look(ledger_id):
            raise left.error.with_traceback(None)
        if ledger_id not in self._stores:
            try:
                self._stores[ledger_id] = self._opened(ledger_id)
            except DiskError:
                raise  # no fault of that file, as where no more files may be open
            except (DamagedError, RefusedError) as error:
                self._left[ledger_id] = _Left(self._look(ledger_id), error)
                raise
        return self._stores[ledger_id]

    def find(self, ledger_id: LedgerId) -> Store | None:
        """Return the ledger of which there is a file, or None if that cannot be read.

        Once None, it is None until `look_again`, though somebody mends or touches the file: what
        was begun without a ledger must not find it there in the middle.

        Raises:
            DiskError: the disk, and not what stands on it, is at fault.
            BusyError: another process held it for too long.
        """
        if ledger_id in self._left:
            return None
        try:
            return self.open(ledger_id)
        except DiskError:
            raise
        except (DamagedError, RefusedError):
            return None

    def readable(self) -> Iterator[Store]:
        """Yield every ledger that can be read.

        Raises:
            PannierError: a file with another name lies among them.
            DiskError: the disk, and not what stands on it, is at fault.
            BusyError: another process held one for too long.
        """
        yield from filter(None, map(self.find, self.ids()))

    def unreadable(self) -> Mapping[LedgerId, str]:
        """Return why the others cannot be read, and what to do about each, in a line.

        Raises:
            PannierError: a file with another name lies among them.
            DiskError: the disk, and not what stands on it, is at fault.
            BusyError: another process held one for too long.
        """
        if not self._are_all_tried:
            for one in self.ids():
                self.find(one)
            self._are_all_tried = True
        return {one: self._why(one, left.error) for one, left in sorted(self._left.items())}

    def look_again(self) -> None:
        """Try those files once more that are others by now, and see which are new or gone."""
        self._are_all_tried = False
        for ledger_id, left in tuple(self._left.items()):
            if left.look != self._look(ledger_id):
                del self._left[ledger_id]

    def close_one(self, error: DamagedError) -> LedgerId | None:
        """Close the ledger in which *error* was found: the next who asks for it opens it anew.

        Returns:
            Which one it is; None if it is none of these that was read until now.
        """
        path = error.path
        if isinstance(error, DiskError) or path is None or path.parent != self._folder:
            return None
        ledger_id = _ledger_id(path)
        store = self._stores.pop(ledger_id, None)
        if store is None:
            return None
        store.close()
        return ledger_id

    def leave(self, error: DamagedError) -> LedgerId | None:
        """Take the ledger for unreadable from now on in which *error* was found.

        Returns:
            As `close_one`.
        """
        ledger_id = self.close_one(error)
        if ledger_id is not None:
            self._left[ledger_id] = _Left(self._look(ledger_id), error)
        return ledger_id

    def left_file(self, ledger_id: LedgerId) -> LeftFile | None:
        """Return what another process must know to leave a file as well; None: it cannot."""
        left = self._left.get(ledger_id)
        return None if left is None or left.look is None else LeftFile(left.look, str(left.error))

    def leave_as(self, ledger_id: LedgerId, left: LeftFile) -> bool:
        """Leave a file in which another process found damage; return whether it is the same yet."""
        is_same = left.look == self._look(ledger_id)
        if is_same:
            error = DamagedError(left.why)
            error.path = self.path(ledger_id)
            self._left.setdefault(ledger_id, _Left(left.look, error))
        return is_same

    def try_again(self, ledger_id: LedgerId) -> None:
        """Leave a file no longer: it was found to be sound."""
        self._left.pop(ledger_id, None)

    def add(self, store: Store) -> None:
        """Have one more, which is new in the folder."""
        self._stores[store.ledger_id] = store

    def close(self) -> None:
        """Close all; one is opened again when it is asked for."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def _opened(self, ledger_id: LedgerId) -> Store:
        """Open a file; a copy of another ledger's under its name would be that one twice."""
        path = self.path(ledger_id)
        store = Store.open(path, self._key())
        if store.ledger_id != ledger_id:
            store.close()
            held = store.ledger_id.hex()
            raise RefusedError(
                f"{path} holds the ledger {held}: move it away, or give it its own name"
            )
        return store

    def _look(self, ledger_id: LedgerId) -> Look | None:
        """Return what is another when somebody has mended the file, or put one in its place."""
        try:
            facts = self.path(ledger_id).stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_size, facts.st_mtime_ns

    def _why(self, ledger_id: LedgerId, error: Unreadable) -> str:
        path = str(self.path(ledger_id))
        mend = MEND if isinstance(error, DamagedError) else ""
        return str(error) if path in str(error) else f"{path}: {error}{mend}"


def _ledger_id(path: Path) -> LedgerId:
    if not _LEDGER_FILE.fullmatch(path.name):
        raise PannierError(f"{path} has not the name of a ledger file: move it out of that folder")
    return LedgerId(bytes.fromhex(path.stem))
