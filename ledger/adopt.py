"""Bringing a ledger file and its packs together again, after a crash or a loss.

A pack may be there without its rows: the power went in between, or the disk refused the rows and
the same was kept again in another pack, or somebody put the folder back, or an older copy of the
ledger file. Rows may be there without their pack, or name what was altered.
"""

from collections.abc import Iterable
from contextlib import suppress

from ledger.errors import FullError
from ledger.pack_file import pack_names, read_spans, remove, sweep
from ledger.store import Store


def adopt(store: Store) -> None:
    """Take in packs that no row names, and let go of rows whose pack is gone.

    A pack of which all is whole in others is removed. One for which the ledger has no room waits.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    blobs = store.blobs
    sweep(blobs.folder)
    there = pack_names(blobs.folder)
    for pack in sorted(there - blobs.packs().keys()):
        with suppress(FullError):
            _take_in(store, pack)
    if not blobs.packs().keys() <= there:
        _let_go(store)


def forget(store: Store, digests: Iterable[bytes]) -> None:
    """Take chunks for missing that are damaged, so that others send them again.

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    forget_named(store, map(store.blobs.keys.name, digests))


def forget_named(store: Store, names: Iterable[bytes]) -> None:
    """Do as `forget` does with chunks of which only the names are known (`BlobKeys.name`).

    Raises:
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    with store.transaction():
        for name in names:
            store.run("DELETE FROM blob WHERE name = ?", name)
        store.file_entries.look_again()


def _take_in(store: Store, pack: bytes) -> None:
    blobs = store.blobs
    found, is_all = read_spans(blobs.folder, pack, blobs.keys)
    lacking = {span.name for span in found if not blobs.is_whole(span.name)}
    with store.transaction():
        if not found or pack in blobs.packs():
            return
        # Somebody may have let go of them since they were looked at.
        if is_all and not lacking and all(blobs.is_named(span.name) for span in found):
            remove(blobs.folder, pack)
            return
        for name in lacking:
            store.run("DELETE FROM blob WHERE name = ?", name)
        if lacking:  # else what could be read of it is here, and the rest is looked for again
            blobs.note_pack(pack, found)


def _let_go(store: Store) -> None:
    with store.transaction():
        there = pack_names(store.blobs.folder)
        for pack, number in store.blobs.packs().items():
            if pack not in there:
                store.run("DELETE FROM blob WHERE pack = ?", number)
                store.run("DELETE FROM pack WHERE id = ?", number)
        store.file_entries.look_again()
