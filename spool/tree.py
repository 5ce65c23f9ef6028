"""One node's spool: the trees under one folder, opened and swept (docs/format.md section 9).

Each tree has one owner; here they are tied together. Several processes may work in one spool at a
time, and all may be killed at any instant.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from spool.carried import Carried
from spool.errors import ConflictError
from spool.expiry import IsLate
from spool.file_system import FileSystem
from spool.files import LOCKS_FOLDER, TEMP_FOLDER, Files, converted
from spool.held import Held
from spool.inbox import Inbox
from spool.name import BundleName, check_source
from spool.os_file_system import OsFileSystem
from spool.outbox import Outbox
from spool.partial import Partials
from spool.quarantine import Quarantine
from spool.quotas import Quotas

_MARK = f"{LOCKS_FOLDER}/mark"
_MARK_TEXT = re.compile("[0-9a-f]{8}")


class Expired(NamedTuple):
    """What `Spool.expire` dropped.

    Attributes:
        queued: (peer, bundle name) each, to be planned again.
        arrived: Ids of bundles that never became whole.
        held: Bundles that waited in vain.
        carried_count: Files of fragments for others.
        partial_count: Things that links brought in part.
    """

    queued: tuple[tuple[str, BundleName], ...]
    arrived: tuple[str, ...]
    held: tuple[BundleName, ...]
    carried_count: int
    partial_count: int


class Spool:
    """The queues of one node.

    Attributes:
        mark: 8 hex digits, drawn once, by which this spool finds its own rubbish on a medium.
        outbox: What we send.
        inbox: What arrives for us.
        held: What waits for something else.
        carried: What we carry for others.
        partials: What links have brought in part.
        quarantine: What failed.
    """

    def __init__(
        self,
        fs: FileSystem,
        *,
        entropy: Callable[[int], bytes],
        quotas: Quotas | None = None,
        pid: int,
    ) -> None:
        """Make the folders that are missing in *fs*; `open_spool` is the usual way here.

        Args:
            fs: The tree, an existing folder.
            entropy: Returns as many random bytes as it is asked for.
            quotas: Bounds; None for the usual ones.
            pid: Of this process; its temporary files are swept once it is dead.

        Raises:
            FullError: the disk is full.
            StorageError: the disk refused.
        """
        quotas = quotas or Quotas()
        with converted("make the spool"):
            for folder in (TEMP_FOLDER, LOCKS_FOLDER):
                fs.make_folder(folder)
        self._fs = fs
        self._files = Files(fs, entropy=entropy, pid=pid)
        self.mark = self._read_mark(entropy)
        self.quarantine = Quarantine(self._files, quotas)
        self.outbox = Outbox(self._files, quotas)
        self.inbox = Inbox(self._files, quotas, put_away=self.quarantine.move)
        self.held = Held(self._files, quotas, put_away=self.quarantine.move)
        self.carried = Carried(self._files, quotas, put_away=self.quarantine.move)
        self.partials = Partials(self._files, quotas)

    def sweep(self, *, is_alive: Callable[[int], bool], now_ns: int) -> None:
        """Remove temporary files that no living process will finish.

        Raises:
            StorageError: the disk refused.
        """
        self._files.sweep(is_alive=is_alive, now_ns=now_ns)

    def expire(self, is_late: IsLate) -> Expired:
        """Drop from every queue what is of no use any more; quarantine stays.

        Args:
            is_late: Asked about everything that waits.

        Raises:
            StorageError: the disk refused.
        """
        return Expired(
            queued=tuple(self.outbox.expire(is_late)),
            arrived=tuple(self.inbox.expire(is_late)),
            held=tuple(self.held.expire(is_late)),
            carried_count=self.carried.drop_expired(is_late),
            partial_count=self.partials.drop_expired(is_late),
        )

    def reject(self, bundle_id: str, reason: str) -> None:
        """Move what arrived of a bundle into quarantine.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        self.quarantine.move(bundle_id, reason, self.inbox.paths(bundle_id))
        self.inbox.discard(bundle_id)

    def reject_from(self, bundle_id: str, reason: str, peers: Iterable[str]) -> None:
        """Move what arrived of a bundle from *peers* into quarantine; what others sent stays.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        paths = [path for peer in peers for path in self.inbox.paths(bundle_id, peer)]
        self.quarantine.move(bundle_id, reason, paths)
        self.inbox.forget(paths)

    @contextmanager
    def exchange(self, source: str) -> Iterator[None]:
        """Be the only one in this home to exchange with the medium or link *source*.

        The lock lies at home and not on the medium, where it would be left behind as rubbish.

        Raises:
            BusyError: another exchange with it is going on.
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        check_source(source)
        with self._files.alone(source, f"another exchange with {source} is going on"):
            yield

    def _read_mark(self, entropy: Callable[[int], bytes]) -> str:
        drawn = entropy(4).hex()
        if self._files.inspect(_MARK) is None:  # to try is to flush a file for nothing, each time
            with suppress(ConflictError):
                self._files.create_new(_MARK, drawn.encode())
        mark = self._files.read(_MARK, limit_bytes=4096).decode("ascii", errors="replace")
        if _MARK_TEXT.fullmatch(mark):
            return mark
        self._files.replace(_MARK, drawn.encode())
        return drawn


def open_spool(
    root: Path,
    *,
    entropy: Callable[[int], bytes],
    quotas: Quotas | None = None,
    patience_seconds: float = 0.0,
) -> Spool:
    """Return the spool in the folder *root*, made if missing and swept.

    Args:
        root: Where; the folders above it are made, too.
        entropy: For names of temporary files.
        quotas: How much there may be of what.
        patience_seconds: How long `Spool.exchange` waits for another process.

    Raises:
        FullError: the disk is full.
        StorageError: the disk refused.
    """
    with converted("open the spool"):
        if not root.is_dir():
            root.mkdir(parents=True, exist_ok=True)
            OsFileSystem(root.parent).sync([""])
        fs = OsFileSystem(root, patience_seconds=patience_seconds)
    spool = Spool(fs, entropy=entropy, quotas=quotas, pid=os.getpid())
    spool.sweep(is_alive=_is_alive, now_ns=time.time_ns())
    return spool


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
