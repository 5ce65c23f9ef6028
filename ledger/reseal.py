"""Putting a ledger file under another key, as where a node with new keys takes a backup.

Only for a file that nobody else has open. What lies in it is sealed as docs/format.md section 9.2
says.
"""

from collections.abc import Iterator

from ledger import cbor
from ledger.blob_pack import BLOB_KEY, BLOB_KEY_LABEL
from ledger.passphrase import NETWORK_KEY, NETWORK_KEY_LABEL
from ledger.records import COVER, DROPPED, SqlValue, read_back
from ledger.rest import Rest
from ledger.store import COVER_COPY, Store

# Kinds of evidence that are sealed, and what as.
_SEALED = {"dropped": DROPPED, COVER_COPY: COVER}
# Rows with payloads that are in memory at once: at most 64 MiB.
_STEP = 64


def reseal(store: Store, key: bytes) -> None:
    """Seal all that lies in *store* under *key*; open the file again after it.

    Args:
        store: The file; all of it or nothing is changed.
        key: 32 bytes, the `RestKey.of_ledger` of who will have the file.

    Raises:
        AlteredError: something in it does not open.
        BusyError: another process held the file for too long.
        DamagedError: the disk said no.
    """
    new = Rest(key, hides_names=store.rest.hides_names)
    with store.transaction():
        _reseal_payloads(store, new)
        _reseal_evidence(store, new)
        _reseal_covers(store, new)  # after which the old key reads no log
        if new.hides_names:
            _reseal_names(store, new)
        _reseal_network_key(store, new)
        # Contents of files stay as they are, under the key that they were sealed under.
        store.set_meta(BLOB_KEY, new.seal(BLOB_KEY_LABEL, store.blobs.key))
        store.set_meta("check", new.check)


def _reseal_payloads(store: Store, new: Rest) -> None:
    for number, digest, sealed in _rows(store, "SELECT id, digest, payload FROM entry"):
        if sealed is None:
            continue
        with read_back():
            committed = cbor.as_bytes(digest)
            payload = store.rest.open_payload(committed, cbor.as_bytes(sealed))
        store.run(
            "UPDATE entry SET payload = ? WHERE id = ?",
            new.seal_payload(committed, payload),
            number,
        )


def _reseal_network_key(store: Store, new: Rest) -> None:
    sealed = store.meta(NETWORK_KEY)
    if sealed is not None:
        key = store.rest.open(NETWORK_KEY_LABEL, sealed)
        store.set_meta(NETWORK_KEY, new.seal(NETWORK_KEY_LABEL, key))


def _reseal_covers(store: Store, new: Rest) -> None:
    for number, author, incarnation, sealed in _rows(
        store, "SELECT id, author, incarnation, cover FROM log"
    ):
        with read_back():
            what = COVER + cbor.as_bytes(author) + cbor.as_bytes(incarnation)
            cover = store.rest.open(what, cbor.as_bytes(sealed))
        store.run("UPDATE log SET cover = ? WHERE id = ?", new.seal(what, cover), number)


def _reseal_evidence(store: Store, new: Rest) -> None:
    logs = {state.row: b"".join(state.name) for state in store.logs()}
    for number, log, what, sealed in _rows(store, "SELECT id, log, what, data FROM evidence"):
        if what not in _SEALED:
            continue
        with read_back():
            label = _SEALED[str(what)] + logs[cbor.as_uint(log)]
            data = store.rest.open(label, cbor.as_bytes(sealed))
        store.run("UPDATE evidence SET data = ? WHERE id = ?", new.seal(label, data), number)


def _reseal_names(store: Store, new: Rest) -> None:
    for table in ("thing", "kind"):
        for number, sealed in _rows(store, f"SELECT id, name FROM {table}"):  # noqa: S608 -- our own names
            name = new.seal_name(store.rest.open_name(sealed))
            store.run(f"UPDATE {table} SET name = ? WHERE id = ?", name, number)  # noqa: S608


def _rows(store: Store, select: str) -> Iterator[tuple[SqlValue, ...]]:
    """Yield all rows of a table, some in memory at once; the first column is their id."""
    after: SqlValue = -1
    while found := store.rows(f"{select} WHERE id > ? ORDER BY id LIMIT ?", after, _STEP):
        yield from found
        after = found[-1][0]
