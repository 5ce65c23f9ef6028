"""``pack`` and ``unpack``: fragments out as files, fragments in from files, one way at a time."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from bundler.fragment import Fragment, is_plausible, mac_check
from bundler.geometry import Geometry
from bundler.sequence import parse_sequence
from bundler.split import Cut, split, symbols_of
from bundler.whole import START as WHOLE_START
from bundler.whole import Whole, frame_bytes
from ledger.lazy_dataclass import dataclass
from pannier.answers import sift, whose
from pannier.durable_files import make_folder
from pannier.errors import PannierError, UsageError
from pannier.files_sending import make_files
from pannier.home import Peer
from pannier.import_report import Report
from pannier.importing import import_arrived
from pannier.incomplete import rest_of
from pannier.links.payload_ids import Supply
from pannier.loads import Room
from pannier.node import Node
from pannier.nodedb_file import name_text
from pannier.out_bundle import OutBundle
from pannier.queued import sealed_bundle
from pannier.sending import prepare
from pannier.taking import Taking
from pannier.unreadable import going_on
from spool.delivery import Delivery
from spool.errors import MalformedNameError, StorageError
from spool.name import BundleName, FragmentName
from spool.os_file_system import OsFileSystem
from transports.questions import LONG_BYTES, Fate, Mine, Offer, Took
from transports.terms import FILE_BYTES

MAX_FILES = 1_000_000
_BATCH_BYTES = 32 << 20
_SOURCE = "unpack"
_LEFT = ("others", "seen", "foreign", "damaged", "forged", "newer", "refused")
_DRAFT = re.compile(r"\.[0-9a-f-]{40}\.pnr\.part-([0-9a-f]{8})")
_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What `pack` wrote.

    Attributes:
        bundles: How many.
        files: How many fragments, a file each.
        size_bytes: All of them together.
        is_cut: Whether contents of files are left that go at another time, being too many at once.
    """

    bundles: int
    files: int
    size_bytes: int
    is_cut: bool


def pack(
    node: Node, peer: Peer, into: Path, *, mtu: int | None, repair_percent: int | None
) -> Packed:
    """Write what waits for *peer* into *into*, one file a fragment; durable on return.

    Args:
        node: The sender.
        peer: The recipient.
        into: A folder, made if missing.
        mtu: Most bytes of a file; None for the peer's.
        repair_percent: So many more fragments, as a share of those that each bundle has without;
            None for the peer's. What goes again since part of it came gets none.

    Raises:
        UsageError: the MTU is smaller than the symbols that the bundles were made for.
        BusyError: another process of this home is packing.
        PannierError: *into* cannot be written.
        StorageError: a bundle was spoiled on this disk; all others were written.
    """
    return going_on(node, lambda: _pack(node, peer, into, mtu, repair_percent))


def _pack(
    node: Node, peer: Peer, into: Path, mtu: int | None, repair_percent: int | None
) -> Packed:
    settings = node.settings(peer)
    mtu = mtu or settings.mtu
    percent = settings.repair if repair_percent is None else repair_percent
    written: list[OutBundle] = []
    files = size = 0
    spoiled: StorageError | None = None
    room = Room()
    with folder_for_files(node, into) as folder:
        for bundle in _waiting(node, peer, room, mtu):
            try:
                parts = _parts(node, bundle, mtu, percent)
            except StorageError as error:
                spoiled = error
                continue
            write_files(folder, parts, mark=node.spool.mark)
            if percent:
                _note_repair(node, bundle, parts)
            written.append(bundle)
            files += len(parts)
            size += sum(map(len, parts.values()))
    for bundle in written:
        medium = f"folder:{name_text(str(into.resolve()))}"
        node.db.note_written(bundle.bundle_id, medium, node.clock(), [peer.node_id])
    if spoiled is not None:
        raise spoiled
    return Packed(bundles=len(written), files=files, size_bytes=size, is_cut=room.is_cut)


def _waiting(node: Node, peer: Peer, room: Room, mtu: int) -> list[OutBundle]:
    """Return what waits for *peer*, made now if need be, contents of files last."""
    bundles = prepare(node, peer, mtu=mtu)
    made = [one.bundle for one in make_files(node, peer, room, mtu=mtu)]
    # What has come by another way was withdrawn meanwhile.
    queued = {one.bundle_id for one in node.db.queued_bundles()}
    return [*(one for one in bundles if one.bundle_id in queued), *made]


def _parts(node: Node, bundle: OutBundle, mtu: int, repair_percent: int) -> dict[str, bytes]:
    """Return the files for one bundle by name."""
    name = BundleName.from_text(bundle.name)
    sealed = sealed_bundle(node, bundle.peer, name)
    cut = Cut(
        mtu_bytes=mtu,
        symbol_bytes=name.symbol_bytes,
        check=mac_check(node.shared.fragment_key_to(bundle.peer)),
    )
    rest = rest_of(node, bundle.peer, name)
    if rest is not None:
        number = bytes.fromhex(name.bundle_id)
        return dict(_named(name, symbols_of(sealed, cut, rest.numbers, number=number)))
    if frame_bytes(len(sealed)) <= mtu and not repair_percent:
        whole = Whole(hint=bytes.fromhex(name.hint), sealed=bytes(sealed))
        return {name.fragment(0).to_text(): whole.to_bytes()}
    return dict(_named(name, split(sealed, cut, repair_percent=repair_percent)))


def _named(name: BundleName, fragments: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the fragments of a bundle, each with the name of its file."""
    for data in fragments:
        number = Fragment.from_bytes(data, is_plausible).payload_id
        yield name.fragment(number).to_text(), data


def _note_repair(node: Node, bundle: OutBundle, parts: Mapping[str, bytes]) -> None:
    """Note which repair symbols are in use, so that what is sent later adds to them."""
    symbol_bytes = BundleName.from_text(bundle.name).symbol_bytes
    supply = Supply(node.db, bundle.bundle_id, Geometry.of(bundle.size_bytes, symbol_bytes))
    for data in parts.values():
        fragment = Fragment.from_bytes(data, is_plausible)
        run = supply.geometry.run(fragment.payload_id, len(fragment.symbols))
        if not run.is_source:
            supply.pass_over(run.block, run.first + run.count)


@contextmanager
def folder_for_files(node: Node, into: Path) -> Iterator[OsFileSystem]:
    """Give the folder *into*, made if missing, to `write_files`; an `OSError` inside is converted.

    What a process of this home that was killed there has left is gone.

    Raises:
        BusyError: another process of this home is writing such files.
        PannierError: *into* cannot be written.
    """
    with node.alone("files", "writing files of fragments"):
        try:
            make_folder(into)
            folder = OsFileSystem(into)
            for name in list(folder.names("")):
                draft = _DRAFT.fullmatch(name)
                if draft is not None and draft[1] == node.spool.mark:
                    folder.remove(name)
            yield folder
        except OSError as error:
            raise PannierError(
                f"cannot write to {into}: {error.strerror}; see to that folder, then try again"
            ) from error


def write_files(folder: OsFileSystem, parts: Mapping[str, bytes], *, mark: str) -> None:
    """Write files, all durable before the first gets its name; after an error no draft stays.

    Args:
        folder: From `folder_for_files`.
        parts: Contents by name.
        mark: Of the spool.

    Raises:
        OSError: the disk said no.
    """
    drafts = {text: f".{text}.part-{mark}" for text in parts}
    try:
        for text, data in parts.items():
            folder.remove(drafts[text])
            folder.create(drafts[text], [data])
        folder.sync(list(drafts.values()))
        for text, draft in drafts.items():
            folder.rename(draft, text)
        folder.sync([""])
    except OSError:
        with suppress(OSError):
            for draft in drafts.values():
                folder.remove(draft)
        raise


def unpack(node: Node, paths: Iterable[Path]) -> tuple[Report, dict[str, int]]:
    """Take in the fragments in *paths*, files or folders; the files stay as they are.

    Returns:
        What was imported, and how many files were left: for ``others``; ``seen`` before; none of
        ours by name (``foreign``); that could not be read (``damaged``); of a later version
        (``newer``). ``forged`` is how many fragments were damaged or forged, and ``refused`` how
        many bundles found no room in the spool.

    Raises:
        UsageError: a path is not there, or there are too many files.
        SpoolError: the spool cannot be written.
        PannierError: the home cannot be read or written.
    """
    intake = _Intake(node)
    for path in _files(paths):
        going_on(node, partial(intake.take, path))
    intake.store()
    report = intake.take_long()
    node.db.count_forged(intake.left["forged"])
    report.add(import_arrived(node))
    return report, intake.left


class _Intake:
    """Files on their way into the inbox, the fragments of each bundle together in one delivery.

    What is damaged or forged is left out, so that it costs nothing but a look; so is what the inbox
    has, for a folder that fills slowly is unpacked again and again.
    """

    def __init__(self, node: Node) -> None:
        self.left = dict.fromkeys(_LEFT, 0)
        self._node = node
        self._deliveries: list[Delivery] = []
        self._parts: dict[tuple[str, str], list[bytes]] = {}
        self._names: dict[str, FragmentName] = {}
        self._known: dict[str, set[bytes]] = {}
        self._waiting_bytes = 0
        self._long: list[tuple[FragmentName, str, Path]] = []

    def take(self, path: Path) -> None:
        """Look at a file and keep what it brings."""
        try:
            name = FragmentName.from_text(path.name)
        except MalformedNameError:
            self.left["foreign"] += 1
            return
        match whose(self._node, name):
            case Mine(peer) if _size_bytes(path) >= LONG_BYTES:
                self._long.append((name, peer, path))
            case Mine(peer):
                self._keep(name, peer, _read(path))
            case Fate.SEEN | Fate.OURS:
                self.left["seen"] += 1
            case _:
                self.left["others"] += 1

    def take_long(self) -> Report:
        """Take in long files where they lie, if they are of that kind; else keep what they bring.

        All shorter ones are in the inbox.
        """
        report = Report()
        offers = [
            Offer(name, peer, _SOURCE, _size_bytes(path), partial(_read_into, path))
            for name, peer, path in self._long
        ]
        took = Taking(self._node, report).take(offers) if offers else Took()
        for name, peer, path in self._long:
            if name not in took.taken | took.left:
                self._keep(name, peer, _read(path))
        self.store()
        return report

    def store(self) -> None:
        """Put what was kept into the inbox; durable on return."""
        for (number, peer), parts in self._parts.items():
            if parts:
                data = b"".join(parts)
                self._deliveries.append(Delivery(self._names[number], peer, _SOURCE, data))
        receipt = self._node.spool.inbox.receive(self._deliveries)
        self.left["refused"] += len(set(receipt.refused))
        for kept in (self._deliveries, self._parts, self._known):
            kept.clear()
        self._waiting_bytes = 0

    def _keep(self, name: FragmentName, peer: str, data: bytes | None) -> None:
        if data is None:
            self.left["damaged"] += 1
            return
        sifted = sift(self._node, name, peer, data)
        self.left["newer"] += sifted.is_newer
        data = sifted.data
        if not data:
            self.left["forged"] += sifted.forged or not sifted.is_newer
            return
        self.left["forged"] += sifted.forged
        if data.startswith(WHOLE_START):
            self._deliveries.append(Delivery(name, peer, _SOURCE, data))
        else:
            self._names.setdefault(name.bundle_id, name)
            known = self._known_of(name.bundle_id)
            new = {sha256(part).digest(): part for part in _fragments(name.bundle_id, data)}
            parts = [part for digest, part in new.items() if digest not in known]
            self._parts.setdefault((name.bundle_id, peer), []).extend(parts)
            known |= set(new)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _BATCH_BYTES:
            self.store()

    def _known_of(self, number: str) -> set[bytes]:
        """Return the digests of the fragments of a bundle that the inbox has."""
        if number not in self._known:
            self._known[number] = {
                sha256(part).digest()
                for arrival in self._node.spool.inbox.read(number)
                for part in _fragments(number, arrival.data)
            }
        return self._known[number]


def _fragments(number: str, data: bytes) -> Iterator[bytes]:
    """Yield the fragments of one bundle in *data*, which is sifted, one by one as bytes."""
    for part in parse_sequence(data, is_plausible):
        if isinstance(part, Fragment) and part.bundle_id.hex() == number:
            yield part.to_bytes()


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


def _size_bytes(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0


def _read_into(path: Path, room: memoryview) -> int | None:
    """Put the content of such a file into *room*; return its length, None if it cannot be had."""
    data = _read(path)
    if data is None or len(data) > len(room):
        return None
    room[: len(data)] = data
    return len(data)


def _read(path: Path) -> bytes | None:
    """Return the content of a regular file of sensible size, else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _LINKS)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- opened without following links
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > FILE_BYTES:
                return None
            return file.read(FILE_BYTES)
    except OSError:
        return None
