"""Keeping contents of files that came from others, in the ledgers whose entries name them.

What no entry names is not kept: a member cannot fill a disk by sending what nobody wrote down. What
is here already is not written again.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from ledger.blob import Chunk
from ledger.errors import FullError
from ledger.genesis import LedgerId
from ledger.store import Store
from ledger.store_blobs import Packing
from pannier.node import Node

# What is left for entries, receipts and what is to be written to the medium that is being read.
_SPARE_BYTES = 4 << 20


class Keeper:
    """Packs in the making, one for each ledger that something is for; `keeping`.

    Attributes:
        content_bytes: What was new.
    """

    def __init__(self, node: Node, packs: ExitStack) -> None:
        """Use `keeping` instead."""
        self._node = node
        self._packs = packs
        self._open: dict[LedgerId, Packing] = {}
        self.content_bytes = 0

    def add(self, chunks: Iterable[Chunk]) -> list[bytes]:
        """Add chunks; return the digests of those that no entry names.

        They are durable once `keep` was called.

        Raises:
            FullError: the disk would be too full for anything else with them.
            LedgerError: a ledger cannot be read or written.
        """
        found = {chunk.digest: chunk for chunk in chunks}
        unnamed = set(found)
        for store in self._node.ledgers():
            wanted = store.blobs.wanted(found)
            _check_room(store, sum(len(found[digest].body) for digest in wanted))
            for digest, chunk in found.items():
                if digest in wanted:
                    self._packing(store).add(chunk)
                    self.content_bytes += chunk.size
            unnamed -= wanted
            unnamed -= store.blobs.held(unnamed)
        return [digest for digest in found if digest in unnamed]

    def keep(self) -> int:
        """Make all that was added durable; return how many chunks were new.

        Raises:
            LedgerError: a ledger cannot be written.
        """
        return sum(packing.keep() for packing in self._open.values())

    def _packing(self, store: Store) -> Packing:
        if store.ledger_id not in self._open:
            packing = self._packs.enter_context(store.blobs.packing(self._node.entropy))
            self._open[store.ledger_id] = packing
        return self._open[store.ledger_id]


def _check_room(store: Store, size_bytes: int) -> None:
    from shutil import disk_usage  # noqa: PLC0415 -- it brings three codecs along

    folder = store.path.parent
    if size_bytes and disk_usage(folder).free < size_bytes + _SPARE_BYTES:
        raise FullError(f"{folder}: no room for {size_bytes:,} bytes of files")


@contextmanager
def keeping(node: Node) -> Iterator[Keeper]:
    """Give what keeps contents; what was added and not kept when the block ends is gone.

    Raises:
        LedgerError: a ledger cannot be read or written.
    """
    with ExitStack() as packs:
        yield Keeper(node, packs)


def is_named(node: Node, digest: bytes) -> bool:
    """Return whether an entry of any ledger names a content, be it here or not.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    return any(
        store.blobs.wanted([digest]) or store.blobs.held([digest]) for store in node.ledgers()
    )
