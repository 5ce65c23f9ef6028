"""What a node wants of what the other end of a link offers, and what becomes of it when it is here.

Done beside the link: it may read all that came of a bundle, and join it.
"""

from typing import NamedTuple

from bundler.errors import BundleError
from bundler.geometry import Geometry
from bundler.join import Cause
from bundler.sealed import bundle_id
from bundler.whole import Whole
from pannier.answers import sift, whose
from pannier.links.cargo import digest_of
from pannier.links.gaps import ByteRanges, lacking
from pannier.links.pieces import Pieces, Shape, fragment_of
from pannier.node import Node
from pannier.taken_along import note_doubt
from spool.delivery import Delivery
from spool.name import BundleName, FragmentName
from spool.partial import PartName
from transports.link.wares import SEALED, Ware
from transports.questions import Fate, Mine


class Have(NamedTuple):
    """All of it is here, durably; *is_new*: it became whole just now."""

    is_new: bool = False


class Refuse(NamedTuple):
    """It is not wanted, as long as the session lasts; *is_noted*: a person should know why."""

    reason: str
    is_noted: bool = True


class Want(NamedTuple):
    """Some of it is wanted.

    Attributes:
        part: What the spool calls it.
        ranges: Which bytes, besides what the spool has in part.
        shape: Of its fragments, if it is a bundle.
        sender: Node id of who made it, or a group; None if it is for somebody else.
        is_spoiled: What was here made no bundle and was put away.
    """

    part: PartName
    ranges: ByteRanges
    shape: Shape | None = None
    sender: str | None = None
    is_spoiled: bool = False


Answer = Have | Refuse | Want

FOREIGN = Refuse("it is for somebody else, and nothing is carried here", is_noted=False)
SPOILED = Refuse("however often it comes, it is not what it should be")
NO_ROOM = Refuse("there is no room for it")
ANOTHER = Refuse("something else is carried under its name, and under the one beside")


def answer(node: Node, ware: Ware, source: str, *, carries: bool) -> Answer:
    """Return what to say to an offer.

    Args:
        node: Who is asked.
        ware: What is offered.
        source: What the spool calls the link.
        carries: Whether this node takes along what is for others.

    Raises:
        PannierError: ``node.db`` cannot be read.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot be read; among them a name that cannot be.
    """
    name = fragment_name(ware)
    if ware.expiry_days < node.time.past_day():
        return Refuse("it has expired", is_noted=False)
    found = whose(node, name)
    if isinstance(found, Mine):
        return _of_ours(node, ware, source, found.peer)
    if found is not Fate.OTHER:
        return Have()
    return _of_others(node, ware, source) if carries and ware.kind != SEALED else FOREIGN


def fragment_name(ware: Ware) -> FragmentName:
    """Return what a file with what is offered would be called.

    Raises:
        SpoolError: the name cannot be.
    """
    return FragmentName(
        ware.priority,
        ware.expiry_days,
        ware.hint.hex(),
        ware.bundle_id.hex(),
        ware.payload_id,
    )


def part_name(ware: Ware, source: str) -> PartName:
    """Return what the spool calls what came of it.

    Raises:
        SpoolError: the name cannot be.
    """
    name = fragment_name(ware)
    if ware.kind != SEALED:
        return PartName(name, ware.size, ware.digest.hex(), source)
    label = name.priority, name.expiry_days, name.hint, name.bundle_id
    return PartName(BundleName(*label, ware.symbol_bytes), ware.size, name.bundle_id, source)


def _of_ours(node: Node, ware: Ware, source: str, sender: str) -> Answer:
    part = part_name(ware, source)
    if ware.kind != SEALED:
        return Want(part, ((0, ware.size),), sender=sender)
    try:
        shape = _shape(node, part, sender)
    except BundleError as error:
        return Refuse(str(error))
    inbox, number = node.spool.inbox, ware.bundle_id.hex()
    ranges = lacking(
        ware.bundle_id, shape.geometry, lambda: (one.data for one in inbox.read(number, sender))
    )
    if isinstance(ranges, Cause):
        node.spool.reject_from(number, f"damaged: {ranges.value}", [sender])
        return Want(part, ((0, ware.size),), shape, sender, is_spoiled=True)
    if not ranges:
        return Have(is_new=True)
    # An import that ended meanwhile noted that it has it, and emptied the inbox only then.
    is_taken = whose(node, fragment_name(ware)) in (Fate.OURS, Fate.SEEN)
    return Have() if is_taken else Want(part, ranges, shape, sender)


def _of_others(node: Node, ware: Ware, source: str) -> Answer:
    name, carried = fragment_name(ware), node.spool.carried
    shares = carried.shares(node.time.past_day())
    names = name, name.beside(ware.digest)
    for known in filter(None, map(shares.find, names)):
        if known.size_bytes == ware.size and digest_of(carried.read(known.name)) == ware.digest:
            carried.add_source(known, source)
            return Have()
    free = next((one for one in names if shares.find(one) is None), None)
    if free is None:
        return ANOTHER
    # Whether it goes on from what is here shows when all of it has come: it may need room beside.
    if not shares.has_room(free, ware.size, source):
        return NO_ROOM
    return Want(part_name(ware, source), ((0, ware.size),))


def _shape(node: Node, part: PartName, sender: str) -> Shape:
    name = part.name
    if not isinstance(name, BundleName):
        raise TypeError("fragments have no symbols of their own")
    return Shape(
        number=bytes.fromhex(name.bundle_id),
        geometry=Geometry.of(part.size_bytes, name.symbol_bytes),
        key=node.shared.fragment_key_from(sender),
    )


def keep_file(node: Node, want: Want) -> Answer:
    """Take over a file of fragments all of which is in the spool, durably.

    Returns:
        What to say now; that it is wanted once more if it is not what was offered.

    Raises:
        PannierError: there is no key for it any more.
        SpoolError: the spool cannot be read or written.
    """
    part, name = want.part, want.part.name
    pieces = Pieces(part.size_bytes)
    for piece in node.spool.partials.read(part):
        pieces.add(*piece)
    data = b"".join(piece.data for piece in pieces.rest())
    if pieces.had.total != part.size_bytes or digest_of(data).hex() != part.digest:
        return want._replace(is_spoiled=True)
    if not isinstance(name, FragmentName):
        raise TypeError("a bundle is no file of fragments")
    sifted = sift(node, name, want.sender, data)
    if want.sender is not None:
        node.db.count_forged(sifted.forged)
    if not sifted.data:
        return Refuse("nothing in it is genuine")
    if want.sender is None:
        return _carry(node, name, sifted.data, part.source)
    receipt = node.spool.inbox.receive([Delivery(name, want.sender, part.source, sifted.data)])
    return NO_ROOM if receipt.refused else Have(is_new=True)


def _carry(node: Node, name: FragmentName, data: bytes, source: str) -> Answer:
    """Take *data* along, beside what else is carried under its name."""
    note_doubt(node, [name])
    carried, today = node.spool.carried, node.time.past_day()
    if carried.place(carried.shares(today), name, data, source) is None:
        return ANOTHER
    return Have() if name in carried.take({name: data}, source, today_days=today) else NO_ROOM


def recover(node: Node, source: str) -> None:
    """Put symbols where all look for them that a process got by a link and left when it was killed.

    Raises:
        PannierError: ``node.db`` cannot be read.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot be read or written.
    """
    for part in node.spool.partials.names():
        if part.source != source or not isinstance(part.name, BundleName):
            continue
        found = whose(node, part.name.fragment(0))
        if found is Fate.OTHER and node.unreadable:
            continue  # it may be for the members of a ledger whose keys cannot be read
        if not isinstance(found, Mine):
            node.spool.partials.drop(part)
            continue
        pieces = Pieces(part.size_bytes)
        for piece in node.spool.partials.read(part):
            pieces.add(*piece)
        try:
            shape = _shape(node, part, found.peer)
        except BundleError:
            node.spool.partials.drop(part)
            continue
        if keep_symbols(node, part, shape, found.peer, pieces):
            node.spool.partials.replace(part, pieces.rest())


def keep_symbols(node: Node, part: PartName, shape: Shape, sender: str, pieces: Pieces) -> bool:
    """Put the whole symbols among *pieces* into the inbox, durably; False if it has no room.

    Raises:
        SpoolError: the spool cannot be read or written.
    """
    data = b"".join(fragment_of(shape, piece) for piece in pieces.take(shape.geometry))
    if not data or not isinstance(part.name, BundleName):
        return True
    delivery = Delivery(part.name.fragment(0), sender, part.source, data)
    return not node.spool.inbox.receive([delivery]).refused


def keep_whole(node: Node, name: tuple[int, int, bytes], sealed: bytes, source: str) -> Answer:
    """Put a small bundle into the inbox, durably, if it is for this node, and new.

    Args:
        node: Who got it.
        name: Priority, expiry and hint.
        sealed: The bundle.
        source: What the spool calls the link.

    Raises:
        PannierError: ``node.db`` cannot be read.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot be read or written; among them a name that cannot be.
    """
    priority, expiry_days, hint = name
    file = FragmentName(priority, expiry_days, hint.hex(), bundle_id(sealed).hex(), 0)
    found = whose(node, file)
    if not isinstance(found, Mine):
        return FOREIGN if found is Fate.OTHER else Have()
    data = Whole(hint=hint, sealed=sealed).to_bytes()
    receipt = node.spool.inbox.receive([Delivery(file, found.peer, source, data)])
    return NO_ROOM if receipt.refused else Have(is_new=True)
