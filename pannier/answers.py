"""What a node answers to a transport's questions."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from bundler.errors import BundleError
from bundler.fragment import fits, is_plausible, mac_check
from bundler.geometry import OVERHEAD_BYTES, Geometry
from bundler.sealed import bundle_id
from bundler.whole import START as WHOLE_START
from bundler.whole import Whole, frame_bytes, is_of_later_version
from pannier.lack_rows import lack_of
from pannier.node import Node
from spool.name import BundleName, FragmentName
from transports.questions import Fate, Mine, Part, Questions, Sifted, Verdict
from transports.terms import FILE_BYTES

if TYPE_CHECKING:
    from pannier.incomplete import Rest
    from pannier.queued import Sealed

MEDIUM_FRAGMENT_BYTES = 1 << 20
"""On a medium a fragment holds many symbols: a bad sector spoils one of these and no more."""

REPAIRED_FRAGMENT_BYTES = 16 << 10
"""Where there are symbols for repair, one flipped bit costs no more of them than this."""

# What stands around symbols is a good deal less than this share of a file.
_AROUND_SHARE = 128


def questions(node: Node) -> Questions:
    """Return the callables for a transport that serves *node*."""
    return Questions(
        whose=lambda name: whose(node, name),
        sift=lambda name, peer, data: sift(node, name, peer, data),
        fragments=lambda peer, name: fragments(node, peer, name),
        part=lambda peer, name: part(node, peer, name),
    )


def whose(node: Node, name: FragmentName) -> Verdict:
    """Return whose a fragment of that name is: by its bundle's id, then by the hint.

    A bundle of ours that was forgotten (with ``node.db``, or in a crash) is left where it is: it
    may still arrive. So is one that waits here, whole: its sender hears of it when it is merged,
    and would write it again until then.
    """
    bundle = node.db.bundle(name.bundle_id)
    if bundle is not None:
        return Fate.OURS if bundle.state == "queued" else Fate.SEEN
    number = bytes.fromhex(name.bundle_id)
    is_seen = node.db.seen(name.bundle_id) is not None
    group = node.groups.hinted(bytes.fromhex(name.hint), number)
    if group is not None:
        # Others of the group may lack it yet: only its sender takes it off.
        return Fate.OURS if is_seen or is_held(node, name.bundle_id) else Mine(group)
    if is_seen:
        return Fate.OURS if _may_be_of_group(node, name.bundle_id) else Fate.SEEN
    return Fate.OURS if is_held(node, name.bundle_id) else _whose_by_hint(node, name, number)


def _may_be_of_group(node: Node, number: str) -> bool:
    """Return whether a bundle that was seen may be for a group whose ledger cannot be read."""
    return node.db.seen_from(number) not in node.peers and bool(node.unreadable)


def _whose_by_hint(node: Node, name: FragmentName, number: bytes) -> Verdict:
    for peer in node.peers.values():
        if node.shared.hint_from(peer, number).hex() == name.hint:
            is_taken = node.db.seen(name.bundle_id, peer.node_id) is not None
            return Fate.SEEN if is_taken else Mine(peer.node_id)
        if node.shared.hint_to(peer, number).hex() == name.hint:
            return Fate.OURS
    return Fate.OTHER


def is_held(node: Node, number: str) -> bool:
    """Return whether a bundle waits, whole, for something else."""
    return bool(node.db.rows("SELECT 1 FROM waiting WHERE bundle = ? LIMIT 1", number))


def sift(node: Node, name: FragmentName, peer: str | None, data: bytes) -> Sifted:
    """Return what in *data* is genuine, and of the bundle in its name.

    Args:
        node: Who asks.
        name: Of the file.
        peer: Who sent it, by the hint in its name: each fragment must bear that node's MAC. None
            if it is for others: then only damage that leaves nothing whole can be told.
        data: The file.
    """
    found = _sift(node, name, peer, data)
    if found.data or not is_of_later_version(data):
        return found
    # Or is the version alone spoilt?
    spoilt = _sift(node, name, peer, data[:1] + WHOLE_START[1:2] + data[2:])
    return found if spoilt.data else Sifted(b"", 0, is_newer=True)


def _sift(node: Node, name: FragmentName, peer: str | None, data: bytes) -> Sifted:
    number = bytes.fromhex(name.bundle_id)
    if data.startswith(WHOLE_START):
        return _sift_whole(number, data)
    from bundler.sequence import sift as sift_sequence  # noqa: PLC0415 -- many bundles are whole

    verify = is_plausible if peer is None else fits(mac_check(node.shared.fragment_key_from(peer)))
    return Sifted(*sift_sequence(data, number, verify))


def _sift_whole(number: bytes, data: bytes) -> Sifted:
    """Return what is left of a whole bundle: its id is its check."""
    with suppress(BundleError):
        if bundle_id(Whole.from_bytes(data).sealed) == number:
            return Sifted(data, 0)
    return Sifted(b"", 1)


def part(node: Node, peer: str, name: BundleName) -> Part | None:
    """Return which part of a queued bundle `fragments` gives; None: all of it."""
    rest = _rest(node, peer, name)
    return None if rest is None else rest.part


def _rest(node: Node, peer: str, name: BundleName) -> "Rest | None":
    if not lack_of(node.db, peer, name.bundle_id):
        return None
    from pannier.incomplete import rest_of  # noqa: PLC0415 -- most bundles come whole

    return rest_of(node, peer, name)


def fragments(node: Node, peer: str, name: BundleName) -> Iterator[bytes | memoryview]:
    """Return a queued bundle as fragments for a medium, joined, in parts.

    Where the peer has said that it has some of it already, that is left out.

    Raises:
        SpoolError: it is not queued any more; with the first fragment: it is not as it was sealed.
        LedgerError: the ledger that its contents are in cannot be read.
    """
    from pannier.queued import begin_sealed_bundle  # noqa: PLC0415 -- often nothing goes out

    return _fragments(node, peer, name, begin_sealed_bundle(node, peer, name))


def _fragments(
    node: Node, peer: str, name: BundleName, bundle: "Callable[[], Sealed]"
) -> Iterator[bytes | memoryview]:
    yield from sealed_fragments(node, peer, name, bundle())


def sealed_fragments(
    node: Node, peer: str, name: BundleName, sealed: "Sealed"
) -> Iterator[bytes | memoryview]:
    """Return a bundle as fragments for a medium, joined, in parts.

    Raises:
        PannierError: *peer* is no peer, and no group that this node is in.
    """
    repair_percent = min(_repair_percent(node, peer, name), _most_percent(len(sealed), name))
    is_small = frame_bytes(len(sealed)) <= OVERHEAD_BYTES + name.symbol_bytes
    if is_small and not repair_percent:
        yield Whole(hint=bytes.fromhex(name.hint), sealed=bytes(sealed)).to_bytes()
        return
    from bundler.split import Cut, parts, split, symbols_of  # noqa: PLC0415 -- as above

    number = bytes.fromhex(name.bundle_id)
    cut = Cut(
        mtu_bytes=_fragment_bytes(name) if repair_percent else MEDIUM_FRAGMENT_BYTES,
        symbol_bytes=name.symbol_bytes,
        check=mac_check(node.shared.fragment_key_to(peer)),
    )
    rest = _rest(node, peer, name)
    if rest is not None:
        yield from symbols_of(sealed, cut, rest.numbers, number=number)
    elif repair_percent:
        yield from split(sealed, cut, repair_percent=repair_percent)
    else:
        yield from parts(sealed, cut, number=number)


def _fragment_bytes(name: BundleName) -> int:
    """Return how long the fragments of a bundle are where damage is made good."""
    return max(REPAIRED_FRAGMENT_BYTES, name.symbol_bytes + OVERHEAD_BYTES)


def _most_percent(length: int, name: BundleName) -> int:
    """Return how much repair goes with a bundle into a file that its reader still takes."""
    geometry = Geometry.of(length, name.symbol_bytes)
    source_bytes = geometry.symbols * geometry.symbol_bytes
    # Each block has whole fragments more, and two symbols.
    rounding_bytes = geometry.blocks * (_fragment_bytes(name) + 2 * geometry.symbol_bytes)
    room_bytes = FILE_BYTES - FILE_BYTES // _AROUND_SHARE - source_bytes - rounding_bytes
    return max(100 * room_bytes // source_bytes, 0)


def _repair_percent(node: Node, queue: str, name: BundleName) -> int:
    """Return the most that any of those who wait for a bundle is to have."""
    readers = [queue] if queue in node.peers else node.db.audience(name.bundle_id)
    peers = (node.peers[one] for one in readers if one in node.peers)
    return max((node.settings(one).repair for one in peers), default=0)
