"""``pack`` and ``unpack``: fragments out as files, fragments in from files, one way at a time."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.fragment import Fragment
from bundler.split import Cut, split
from bundler.whole import START as WHOLE_START
from bundler.whole import Whole, frame_bytes
from pannier.answers import whose
from pannier.errors import PannierError, UsageError
from pannier.home import Peer
from pannier.importing import Report, import_arrived
from pannier.node import Node
from pannier.sending import prepare
from spool.delivery import Delivery
from spool.errors import MalformedNameError
from spool.name import BundleName, FragmentName
from spool.os_file_system import OsFileSystem
from transports.questions import Mine, Ours, Seen

MAX_FILES = 1_000_000
_MAX_FILE_BYTES = 17 << 20
_BATCH_BYTES = 32 << 20
_SOURCE = "unpack"
_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What `pack` wrote.

    Attributes:
        bundles: How many.
        files: How many fragments, a file each.
        size_bytes: All of them together.
    """

    bundles: int
    files: int
    size_bytes: int


def pack(node: Node, peer: Peer, into: Path, *, mtu: int | None, repair_percent: int) -> Packed:
    """Write what waits for *peer* into *into*, one file a fragment; durable on return.

    Args:
        node: The sender.
        peer: The recipient.
        into: A folder, made if missing.
        mtu: Most bytes of a file; None for the peer's.
        repair_percent: Share of the fragments of each bundle that may get lost.

    Raises:
        UsageError: the MTU is smaller than the symbols that the bundles were made for.
        PannierError: *into* cannot be written.
    """
    settings = node.settings(peer)
    mtu = mtu or settings.mtu
    bundles = prepare(node, peer, mtu=mtu)
    files = size = 0
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder = OsFileSystem(into)
        for bundle in bundles:
            name = BundleName.from_text(bundle.name)
            sealed = node.spool.outbox.read(peer.node_id, name)
            parts = {text: data for data, text in _cut(sealed, name, mtu, repair_percent)}
            _write(folder, parts)
            files += len(parts)
            size += sum(map(len, parts.values()))
    except OSError as error:
        raise PannierError(f"cannot write to {into}: {error.strerror}") from error
    for bundle in bundles:
        node.db.note_written(bundle.bundle_id, f"folder:{into.resolve()}", node.clock())
    return Packed(bundles=len(bundles), files=files, size_bytes=size)


def _cut(
    sealed: bytes, name: BundleName, mtu: int, repair_percent: int
) -> Iterator[tuple[bytes, str]]:
    """Yield (content, name) of the files for one bundle."""
    parts = (name.priority, name.expiry_days, name.hint, name.bundle_id)
    if frame_bytes(len(sealed)) <= mtu and not repair_percent:
        whole = Whole(hint=bytes.fromhex(name.hint), sealed=sealed)
        yield whole.to_bytes(), FragmentName(*parts, 0).to_text()
        return
    cut = Cut(mtu_bytes=mtu, symbol_bytes=name.symbol_bytes)
    for data in split(sealed, cut, repair_percent=repair_percent):
        yield data, FragmentName(*parts, Fragment.from_bytes(data).payload_id).to_text()


def _write(folder: OsFileSystem, parts: Mapping[str, bytes]) -> None:
    """Write files, all durable before the first gets its name."""
    for text, data in parts.items():
        folder.remove(f".{text}.part")
        folder.create(f".{text}.part", [data])
    folder.sync([f".{text}.part" for text in parts])
    for text in parts:
        folder.rename(f".{text}.part", text)
    folder.sync([""])


def unpack(node: Node, paths: Iterable[Path]) -> tuple[Report, dict[str, int]]:
    """Take in the fragments in *paths*, files or folders; the files stay as they are.

    Returns:
        What was imported, and how many files were left: by ``others``, ``seen``, ``foreign``.

    Raises:
        UsageError: a path is not there.
        PannierError: one cannot be read.
    """
    left = {"others": 0, "seen": 0, "foreign": 0}
    batch: list[Delivery] = []
    size = 0
    for path in _files(paths):
        delivery = _look(node, path, left)
        if delivery is None:
            continue
        batch.append(delivery)
        size += len(delivery.data)
        if size > _BATCH_BYTES:
            node.spool.inbox.receive(_joined(batch))
            batch, size = [], 0
    node.spool.inbox.receive(_joined(batch))
    return import_arrived(node), left


def _look(node: Node, path: Path, left: dict[str, int]) -> Delivery | None:
    try:
        name = FragmentName.from_text(path.name)
    except MalformedNameError:
        left["foreign"] += 1
        return None
    verdict = whose(node, name)
    if not isinstance(verdict, Mine):
        left["seen" if isinstance(verdict, Seen | Ours) else "others"] += 1
        return None
    data = _read(path)
    if data is None:
        left["foreign"] += 1
        return None
    return Delivery(name=name, peer=verdict.peer, source=_SOURCE, data=data)


def _joined(batch: Iterable[Delivery]) -> list[Delivery]:
    """Put the fragments of each bundle one after another: one file each instead of thousands."""
    together: dict[tuple[str, str], list[Delivery]] = {}
    wholes = []
    for one in batch:
        if one.data.startswith(WHOLE_START):
            wholes.append(one)
        else:
            together.setdefault((one.name.bundle_id, one.peer), []).append(one)
    return wholes + [
        same[0]._replace(data=b"".join(one.data for one in same)) for same in together.values()
    ]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield all files below *paths*, without following links, at most `MAX_FILES`."""
    count = 0
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} is not there")
        found = [path] if path.is_file() else _walk(path)
        for one in found:
            count += 1
            if count > MAX_FILES:
                raise UsageError(f"more than {MAX_FILES:,} files; unpack them folder by folder")
            yield one


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(parent) / name


def _read(path: Path) -> bytes | None:
    """Return the content of a regular file of sensible size, else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _LINKS)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- opened without following links
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_FILE_BYTES:
                return None
            return file.read(_MAX_FILE_BYTES)
    except OSError:
        return None
