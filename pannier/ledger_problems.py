"""What people were told of ledger files that cannot be read, by who runs for long.

Each thing once, and once that it is over. A file that does not open shows that in each round; that
it is damaged deep inside only some rounds notice. So of the latter it is over only when another
file, as a repair makes one, has taken its place: else it would be told and untold for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import LedgerError
from ledger.genesis import LedgerId
from pannier.errors import PannierError
from pannier.node import Node
from pannier.unreadable import problems


@dataclass(slots=True)
class _Known:
    """What is wrong with a file.

    Attributes:
        path: Of the file.
        inode: Of the file in which something was found as it was read; None: it does not open.
        lines: All that was told of it.
    """

    path: Path
    inode: int | None
    lines: list[str] = field(default_factory=list)

    def is_mended(self) -> bool:
        """Return whether it is over, after a round in which nothing was found wrong."""
        return self.inode is None or self.inode != _inode(self.path)


class LedgerProblems:
    """Of the ledgers of one home; used by one thread."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Know of none.

        Args:
            say: Tells people a line.
        """
        self._say = say
        self._known: dict[LedgerId, _Known] = {}
        self._shown: set[LedgerId] = set()
        self._has_looked = False

    def lines(self) -> list[str]:
        """Return what was told and is not over."""
        return [line for known in self._known.values() for line in known.lines]

    @contextmanager
    def watching(self, node: Node) -> Iterator[None]:
        """Tell of what a node that was just opened cannot open, and of what it finds in the block.

        Raises:
            PannierError: a file with another name lies among the ledgers.
            BusyError: another process held one for too long.
            DiskError: the disk, and not what stands on it, is at fault.
        """
        unopened = dict[LedgerId, str]()
        with suppress(PannierError, LedgerError):  # what is done in the block meets it, too
            unopened = _found(node)
            self._has_looked = True
        for ledger_id, line in unopened.items():
            self._note(ledger_id, _Known(node.ledger_path(ledger_id), None), line)
        yield
        for ledger_id, line in _found(node).items():
            if ledger_id not in unopened:
                path = node.ledger_path(ledger_id)
                self._note(ledger_id, _Known(path, _inode(path)), line)

    @contextmanager
    def round(self) -> Iterator[None]:
        """Say at the end of the block, in which all is looked at, what is over."""
        self._shown.clear()
        self._has_looked = False
        yield
        if not self._has_looked:
            return
        for ledger_id in sorted(self._known.keys() - self._shown):
            known = self._known[ledger_id]
            if known.is_mended():
                del self._known[ledger_id]
                is_here = known.path.exists()
                self._say(f"{known.path} {'can be read again' if is_here else 'is gone'}")

    def _note(self, ledger_id: LedgerId, found: _Known, line: str) -> None:
        known = self._known.setdefault(ledger_id, found)
        known.inode = found.inode
        self._shown.add(ledger_id)
        if line not in known.lines:
            known.lines.append(line)
            self._say(line)


def _found(node: Node) -> dict[LedgerId, str]:
    return dict(zip(node.unreadable, problems(node), strict=True))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
