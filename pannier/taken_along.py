"""What was taken along for others while a ledger could not be read, and is for this node after all.

Only the keys in a ledger tell that a bundle is for all of its members. On a medium it stays, and is
found there; a link hands nothing over twice.
"""

from collections.abc import Iterable

from pannier.node import Node
from spool.delivery import Delivery
from spool.errors import GoneError, StorageError
from spool.name import FragmentName

_UNKNOWN = "whose some of what is carried is cannot be told"
_SOURCE = "carried"
# The inbox is listed, and flushed, once for so much.
_TOGETHER_BYTES = 8 << 20


def note_doubt(node: Node, names: Iterable[FragmentName] = ()) -> None:
    """Note, before something is taken along, that it may be for this node, if that may be.

    An import alone would learn of it too late: all can be read again before the next one.

    Args:
        node: Who takes it along.
        names: What it was found to be for others some time ago; by now that may be known better.

    Raises:
        PannierError: ``node.db`` cannot be read or written.
        LedgerError: a ledger turns out to be damaged.
    """
    if node.db.meta(_UNKNOWN):
        return
    if node.unreadable or any(_is_ours(node, name) for name in names):
        node.db.set_meta(_UNKNOWN, b"\1")


def look_again(node: Node) -> None:
    """Put into the inbox what is for this node of all that it carries, once that can be told.

    It is carried on, too: other members may lack it.

    Raises:
        PannierError: ``node.db`` cannot be read or written.
        LedgerError: a ledger turns out to be damaged.
        SpoolError: the spool cannot be read or written.
    """
    was_unknown = bool(node.db.meta(_UNKNOWN))
    is_unknown = bool(node.unreadable)
    if was_unknown and not is_unknown:
        is_unknown = not _take_in(node, node.spool.carried.known())
    if was_unknown != is_unknown:
        node.db.set_meta(_UNKNOWN, b"\1" if is_unknown else b"")


def _is_ours(node: Node, name: FragmentName) -> bool:
    from pannier.answers import whose  # noqa: PLC0415 -- as below
    from transports.questions import Mine  # noqa: PLC0415

    return isinstance(whose(node, name), Mine)


def _take_in(node: Node, names: Iterable[FragmentName]) -> bool:
    """Put carried files into the inbox that are for this node; False if one stays out for now."""
    together, size_bytes, is_all_in = list[Delivery](), 0, True
    for name in names:
        try:
            delivery = _for_us(node, name)
        except StorageError:  # a file that the disk refuses keeps nothing else out
            is_all_in = False
            continue
        if delivery is not None:
            together.append(delivery)
            size_bytes += len(delivery.data)
        if size_bytes >= _TOGETHER_BYTES:
            is_all_in &= _receive(node, together)
            together, size_bytes = [], 0
    return _receive(node, together) and is_all_in


def _receive(node: Node, deliveries: list[Delivery]) -> bool:
    receipt = node.spool.inbox.receive(deliveries)
    return not (receipt.refused or receipt.gave_way)


def _for_us(node: Node, name: FragmentName) -> Delivery | None:
    """Return what a carried file brings this node; None if it is for others, or nothing in it."""
    from pannier.answers import sift, whose  # noqa: PLC0415 -- only after a repair
    from transports.questions import Mine  # noqa: PLC0415

    found = whose(node, name)
    if not isinstance(found, Mine):
        return None
    try:
        data = sift(node, name, found.peer, node.spool.carried.read(name)).data
    except GoneError:
        return None
    return Delivery(name, found.peer, _SOURCE, data) if data else None
