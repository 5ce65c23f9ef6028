"""What adding and checking out are tried with: a node with a ledger, and folders of files."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ledger.append import Draft, deletion
from ledger.blob import CHUNK_BYTES, chunk_of
from ledger.file_payload import FilePayload, file_of
from ledger.store import Store
from ledger.views import heads, things
from pannier import ledgers
from pannier.adding import Added, Adding
from pannier.checked_out import CheckedOut, CheckoutOptions
from pannier.checkout import Checkout
from pannier.files import Skipped, version_of
from pannier.node import Node

TIME_US = 1_700_000_000_123_456


def store_of(node: Node) -> Store:
    (store,) = node.ledgers()
    return store


def write(path: Path, content: bytes, *, time_us: int = TIME_US, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(time_us * 1000, time_us * 1000))
    return path


def add(
    node: Node, *paths: Path | str, prefix: str = "", reread: bool = False, settle: bool = False
) -> tuple[Added, dict[str, str]]:
    """Add; return what came of it, and why what was left out by path."""
    adding = Adding(node, store_of(node), reread=reread, settle=settle)
    skipped = skipped_of(adding.run(paths, prefix))
    assert adding.added.skipped == len(skipped)
    return adding.added, skipped


def check_out(
    node: Node, folder: Path, prefix: str = "", options: CheckoutOptions | None = None
) -> tuple[CheckedOut, dict[str, str]]:
    """Check out; return what came of it, and why what was left as it was by path."""
    checkout = Checkout(node, store_of(node), folder, options or CheckoutOptions())
    skipped = skipped_of(checkout.run(prefix))
    assert checkout.done.skipped == len(skipped)
    return checkout.done, skipped


def skipped_of(steps: Iterable[object]) -> dict[str, str]:
    return {one.path: one.why for one in steps if isinstance(one, Skipped)}


def files_in(store: Store) -> dict[str, FilePayload]:
    """Return the files of the ledger as they are now."""
    found = {}
    for thing in things(store):
        version = version_of(heads(store, thing)[0])
        if version is not None:
            found[thing] = version.file
    return found


def put_file(
    node: Node,
    thing: str,
    content: bytes,
    *,
    time_us: int = TIME_US,
    executable: bool = False,
    size: int | None = None,
) -> None:
    """Say that *thing* is a file as any member can, whatever its name; contents are here."""
    store = store_of(node)
    chunks = [
        chunk_of(content[start : start + CHUNK_BYTES])
        for start in range(0, len(content), CHUNK_BYTES)
    ]
    store.blobs.add(chunks, os.urandom)
    said = len(content) if size is None else size
    file = file_of(said, [one.digest for one in chunks], executable=executable)
    ledgers.put(node, store, [Draft(thing, file.to_payload(), time_us, "file")])


def delete(node: Node, thing: str) -> None:
    ledgers.put(node, store_of(node), [deletion(thing, TIME_US + 1)])


def tree(folder: Path) -> Mapping[str, bytes]:
    """Return the content of each regular file below *folder*, and of links where they lead."""
    return {
        str(path.relative_to(folder)): b"-> " + os.fsencode(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while, if this is root, whom no mode keeps out of a file."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
