"""Tickets: asked for here by one who cannot answer, redeemed there by any way (docs/link.md 8)."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible, mac_check
from bundler.geometry import OVERHEAD_BYTES, Geometry
from bundler.join import Joiner, Need
from bundler.sequence import parse_sequence
from bundler.split import EXTRA_SYMBOLS, Cut, Numbers, symbols_of
from bundler.ticket import Ticket
from bundler.whole import START as WHOLE_START
from ledger.lazy_dataclass import dataclass
from pannier.errors import PannierError, UsageError
from pannier.links.payload_ids import Supply
from pannier.node import Node
from pannier.oneway import folder_for_files, write_files
from pannier.out_bundle import OutBundle
from pannier.queued import sealed_bundle
from spool.name import BundleName

_MOST_SYMBOLS = 0xFFFF
_AROUND_BYTES = OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A bundle that has not come whole.

    Attributes:
        bundle_id: 16 hex digits.
        sender: Node id of who sent it, or the epoch id of the group that it is for.
        needed: How many symbols it takes at least.
        symbols: How many it has.
        ticket: Asks for them, and two more.
    """

    bundle_id: str
    sender: str
    needed: int
    symbols: int
    ticket: Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What was done about a ticket.

    Attributes:
        bundle: Of which it wants more.
        symbols: How many were made.
        size_bytes: In so many bytes of fragments; 0 where they go with the next round.
    """

    bundle: OutBundle
    symbols: int
    size_bytes: int


def lacking(node: Node, start: str = "") -> Iterator[Lacking]:
    """Yield what arrived in part, with a ticket for the rest.

    Args:
        node: Who lacks it.
        start: Of the ids of the bundles asked for, in hex.

    Raises:
        SpoolError: the inbox cannot be read.
        PannierError: ``node.db`` cannot be read.
    """
    for number in node.spool.inbox.bundles():
        if number.startswith(start.lower()) and node.db.seen(number) is None:
            for sender in node.spool.inbox.senders(number):
                found = _lacking(node, number, sender)
                if found is not None:
                    yield found


def _lacking(node: Node, number: str, sender: str) -> Lacking | None:
    """Return what lacks of a bundle of *sender*; None if it is whole, or nobody known sent it."""
    joiner, geometry = Joiner(bytes.fromhex(number)), None
    for arrival in node.spool.inbox.read(number, sender):
        if arrival.data.startswith(WHOLE_START):
            return None
        for part in parse_sequence(arrival.data, is_plausible):
            if isinstance(part, Fragment):
                with suppress(BundleError):
                    joiner.receive(part)
                    geometry = Geometry.of(part.transfer_bytes, part.symbol_bytes)
    needs = list(joiner.needs())
    key = _key_to(node, sender)
    if not needs or geometry is None or key is None:
        return None
    asked = [Need(one.block, min(one.symbols + EXTRA_SYMBOLS, _MOST_SYMBOLS)) for one in needs]
    return Lacking(
        bundle_id=number,
        sender=sender,
        needed=sum(one.symbols for one in needs),
        symbols=geometry.symbols,
        ticket=Ticket.of(key, bytes.fromhex(number), asked),
    )


def _key_to(node: Node, peer: str) -> bytes | None:
    with suppress(PannierError):
        return node.shared.fragment_key_to(peer)
    return None


def redeem(
    node: Node, tickets: Sequence[bytes], into: Path | None = None, *, mtu: int | None = None
) -> list[Redeemed]:
    """Make what *tickets* ask for: symbols of their bundles that were never sent.

    Args:
        node: The sender of the bundles.
        tickets: As bytes; all are looked at before anything is made.
        into: A folder for fragments, a file each; None: they go with the next one-way round.
        mtu: Most bytes of a file; None for the peer's.

    Raises:
        UsageError: one is no ticket, or not for a bundle that waits here; says which. Or no
            fragment of it is as short as *mtu*.
        PannierError: *into* cannot be written.
        SpoolError: a bundle cannot be read.
    """
    found = [_look(node, data) for data in dict.fromkeys(tickets)]
    return [
        _to_folder(node, ticket, supply, into, mtu) if into else _to_round(node, ticket, supply)
        for ticket, supply in found
    ]


def _look(node: Node, data: bytes) -> tuple[Ticket, Supply]:
    """Return a ticket and the symbols of its bundle, if it may have them."""
    try:
        ticket = Ticket.from_bytes(data)
    except BundleError as error:
        raise UsageError(f"that is no ticket: {error}") from error
    bundle = _bundle_of(node, ticket)
    name = BundleName.from_text(bundle.name)
    geometry = Geometry.of(bundle.size_bytes, name.symbol_bytes)
    for block, symbols in ticket.wanted:
        most = geometry.block_symbols(block) + EXTRA_SYMBOLS if block < geometry.blocks else 0
        if symbols > most:
            raise UsageError(f"the ticket asks for more than there is of {bundle.bundle_id}")
    return ticket, Supply(node.db, bundle.bundle_id, geometry)


def _bundle_of(node: Node, ticket: Ticket) -> OutBundle:
    """Return the bundle that a ticket is for.

    Raises:
        UsageError: there is none, or whoever it is for did not make the ticket.
    """
    start = ticket.start.hex()
    rows = node.db.rows("SELECT id FROM bundle WHERE substr(id, 1, ?) = ?", len(start), start)
    known = [one for (number,) in rows if (one := node.db.bundle(str(number))) is not None]
    if not known:
        raise UsageError(f"no bundle of this node begins with {start}: is the ticket for another?")
    for bundle in known:
        key = _key_from(node, bundle.peer)
        if key is None or not ticket.is_for(key, bytes.fromhex(bundle.bundle_id)):
            continue
        if bundle.state != "queued":
            raise UsageError(
                f"bundle {bundle.bundle_id} waits no more, it was {bundle.state}: what is still "
                "lacking goes in another one"
            )
        return bundle
    raise UsageError(f"the ticket for {start}… was misread, or made by somebody else")


def _key_from(node: Node, peer: str) -> bytes | None:
    with suppress(PannierError):
        return node.shared.fragment_key_from(peer)
    return None


def _to_round(node: Node, ticket: Ticket, supply: Supply) -> Redeemed:
    bundle = _begun(node, supply)
    for block, count in ticket.wanted:
        supply.redeem(block, count)
    return Redeemed(bundle=bundle, symbols=_count(ticket), size_bytes=0)


def _to_folder(node: Node, ticket: Ticket, supply: Supply, into: Path, mtu: int | None) -> Redeemed:
    bundle = _begun(node, supply)
    cut = _cut(node, bundle, mtu)
    runs = [supply.take(block, count, is_repair=True) for block, count in ticket.wanted]
    parts = _parts(node, bundle, cut, runs)
    with folder_for_files(node, into) as folder:
        write_files(folder, parts, mark=node.spool.mark)
    size_bytes = sum(map(len, parts.values()))
    return Redeemed(bundle=bundle, symbols=_count(ticket), size_bytes=size_bytes)


def _begun(node: Node, supply: Supply) -> OutBundle:
    """Return the bundle, which stays as it is from now on."""
    bundle = node.db.bundle(supply.bundle_id)
    if bundle is None or not node.db.note_begun(bundle.bundle_id):
        raise PannierError(f"bundle {supply.bundle_id} has just been withdrawn")
    return bundle


def _count(ticket: Ticket) -> int:
    return sum(one.symbols for one in ticket.wanted)


def _cut(node: Node, bundle: OutBundle, mtu: int | None) -> Cut:
    """Return how a bundle is cut for files of at most *mtu* bytes, or of its peer's.

    Raises:
        UsageError: that is too short.
    """
    symbol_bytes = BundleName.from_text(bundle.name).symbol_bytes
    peer = node.peers.get(bundle.peer)
    least = symbol_bytes + _AROUND_BYTES
    if mtu is not None and mtu < least:
        raise UsageError(f"no symbol of {symbol_bytes} bytes fits: say --mtu {least}")
    return Cut(
        mtu_bytes=mtu or max(node.settings(peer).mtu if peer else 0, least),
        symbol_bytes=symbol_bytes,
        check=mac_check(node.shared.fragment_key_to(bundle.peer)),
    )


def _parts(node: Node, bundle: OutBundle, cut: Cut, runs: Sequence[Numbers]) -> dict[str, bytes]:
    """Return files with symbols of a bundle, by name."""
    name = BundleName.from_text(bundle.name)
    sealed = sealed_bundle(node, bundle.peer, name)
    made = list(symbols_of(sealed, cut, runs, number=bytes.fromhex(bundle.bundle_id)))
    found = (Fragment.from_bytes(data, is_plausible) for data in made)
    return {
        name.fragment(part.payload_id).to_text(): data
        for part, data in zip(found, made, strict=True)
    }
