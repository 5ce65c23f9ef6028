"""What a node answers to a transport's three questions."""

from collections.abc import Iterator

from bundler.errors import BundleError
from bundler.fragment import Fragment
from bundler.sealed import bundle_id
from bundler.sequence import parse_sequence
from bundler.split import Cut, split
from bundler.whole import START as WHOLE_START
from bundler.whole import Whole
from pannier.node import Node
from spool.errors import StorageError
from spool.name import BundleName, FragmentName
from transports.questions import Mine, Other, Ours, Questions, Seen, Verdict

MEDIUM_FRAGMENT_BYTES = 1 << 20
"""On a medium a fragment holds many symbols: a bad sector spoils one of these and no more."""


def questions(node: Node) -> Questions:
    """Return the three callables for a transport that serves *node*."""
    return Questions(
        whose=lambda name: whose(node, name),
        genuine=is_genuine,
        fragments=lambda peer, name: fragments(node, peer, name),
    )


def whose(node: Node, name: FragmentName) -> Verdict:
    """Return whose a fragment of that name is: by its bundle's id, then by the hint.

    A bundle of ours that was forgotten (with ``node.db``, or in a crash) is left where it is: it
    may still arrive. So is one that waits here, whole: its sender hears of it when it is merged,
    and would write it again until then.
    """
    bundle = node.db.bundle(name.bundle_id)
    if bundle is not None:
        return Ours() if bundle.state == "queued" else Seen()
    if node.db.seen(name.bundle_id) is not None:
        return Seen()
    if is_held(node, name.bundle_id):
        return Ours()
    number = bytes.fromhex(name.bundle_id)
    for peer in node.peers.values():
        if node.hint_from(peer, number).hex() == name.hint:
            return Mine(peer.node_id)
        if node.hint_to(peer, number).hex() == name.hint:
            return Ours()
    return Other()


def is_held(node: Node, number: str) -> bool:
    """Return whether a bundle waits, whole, for something else."""
    return bool(node.db.rows("SELECT 1 FROM waiting WHERE bundle = ? LIMIT 1", number))


def is_genuine(name: FragmentName, data: bytes) -> bool:
    """Return whether anything in *data* is a fragment of the bundle in its name."""
    if data.startswith(WHOLE_START):
        try:
            return bundle_id(Whole.from_bytes(data).sealed).hex() == name.bundle_id
        except BundleError:
            return False
    return any(
        isinstance(part, Fragment) and part.bundle_id.hex() == name.bundle_id
        for part in parse_sequence(data)
    )


def fragments(node: Node, peer: str, name: BundleName) -> Iterator[bytes]:
    """Return a queued bundle as fragments for a medium, made one by one.

    Raises:
        SpoolError: it is not queued any more, or not as it was sealed.
    """
    cut = Cut(mtu_bytes=MEDIUM_FRAGMENT_BYTES, symbol_bytes=name.symbol_bytes)
    return split(sealed_bundle(node, peer, name), cut)


def sealed_bundle(node: Node, peer: str, name: BundleName) -> bytes:
    """Return a queued bundle; one that the disk spoiled is forgotten, and so planned again.

    Raises:
        SpoolError: it is not queued any more, or not as it was sealed.
    """
    sealed = node.spool.outbox.read(peer, name)
    if bundle_id(sealed).hex() != name.bundle_id:
        node.db.forget_bundle(name.bundle_id)
        node.spool.outbox.withdraw(peer, name)
        raise StorageError(f"bundle {name.bundle_id} was spoiled on this disk; it is made anew")
    return sealed
