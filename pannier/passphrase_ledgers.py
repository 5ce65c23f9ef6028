"""Ledgers of all who know a name and a passphrase (docs/format.md section 3.7).

Nobody has anybody's card at first. So a node leaves a *hello* on every medium: a group bundle under
the key that follows from the passphrase, with the entry by which it made itself a member. Who can
read it makes that member a peer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from bundler.errors import BundleError
from bundler.geometry import symbol_bytes_for
from bundler.limits import DEFAULT_LIMITS
from bundler.plan import Span
from bundler.sealed import MAX_EXPIRY_DAYS, Header
from ledger.append import Author, Draft, append, open_incarnation
from ledger.card import Card
from ledger.entry import MEMBERS_THING, Action
from ledger.facts import Fact, Grant
from ledger.genesis import Term
from ledger.hpke import can_seal_for
from ledger.log import MAX_BATCH_ENTRIES, LogName
from ledger.members import Role, members
from ledger.signing import Signer
from ledger.storage_errors import damage_in
from ledger.store import Store
from pannier.epochs import keep_network_key, network_key
from pannier.errors import UsageError
from pannier.home import add_peer, is_file_name
from pannier.lacks import Piece
from pannier.node import Node
from pannier.out_bundle import OutBundle, withdraw
from pannier.sending import MAX_MTU, reconcile

if TYPE_CHECKING:
    from ledger.epochs import Epoch
    from ledger.keys import KeyStretch
    from pannier.load import Load

_HELLO_DAYS = 366
# Two entries with cards of the longest kind fit ten times. Who has the passphrase can write into
# the log of anybody's grant, and what it wrote must not go onto every medium.
_MAX_HELLO_BYTES = 64 << 10
# Who knows the passphrase can make up members: so many are met through one ledger.
_MOST_MEMBERS = 256


def join(
    node: Node,
    name: str,
    passphrase: str,
    *,
    stretch: "KeyStretch | None" = None,
    hide_names: bool = False,
) -> Store:
    """Make the ledger that *name* and *passphrase* give, or find it, and be a member of it.

    A member whose grant stands in no log that a hello could carry is granted anew.

    Args:
        node: Who joins.
        name: Of the ledger.
        passphrase: What the members agreed on.
        stretch: The cost of a guess; all members have to have agreed on it, too.
        hide_names: Whether its file, if it is new, hides the names of things and kinds.

    Raises:
        UsageError: this node has another ledger called so.
        LedgerError: *name* is not a name, or the disk said no.
    """
    from ledger.passphrase import PassphraseLedger  # noqa: PLC0415 -- only to join one

    found = PassphraseLedger.derive(name, passphrase, stretch)
    genesis = found.genesis
    for store in node.every_ledger():
        if store.genesis.name == genesis.name and store.ledger_id != genesis.ledger_id:
            raise UsageError(
                f"there is a ledger {genesis.name} already, and not by this passphrase"
            )
    store = node.ledger(genesis.ledger_id) or node.make_ledger(genesis, hide_names=hide_names)
    keep_network_key(store, found.network_key)
    grants = _own_grants(node, store)
    if _introduction(store, grants) is None:
        grant = Grant(card=node.card, role=Role.WRITER)
        draft = Draft(
            thing=MEMBERS_THING,
            payload=grant.to_payload(),
            time_us=node.clock(),
            action=Action.GRANT,
        )
        admin = Author(signer=Signer(found.admin), entropy=node.entropy)
        if grants:
            open_incarnation(store, admin)  # where others wrote on, the log grew too long
        for _ in append(store, admin, [draft]):
            pass
    return store


def meet_members(node: Node, notes: list[str]) -> None:
    """Make peers of all who are members of a passphrase ledger of this node.

    Args:
        node: Who meets them.
        notes: Takes lines for people.

    Raises:
        PannierError: a card cannot be kept.
        LedgerError: a ledger cannot be read.
    """
    for store in _passphrase_ledgers(node):
        if network_key(store) is None:
            continue  # a peer made it up, or shared it: nobody here said its passphrase
        admins = {card.author for card in store.genesis.admins}
        others = [
            member
            for author, member in members(store).items()
            if author != node.card.author and author not in admins
        ]
        new = [one for one in others if node.peer_by_author(one.card.author) is None]
        room = max(_MOST_MEMBERS - (len(others) - len(new)), 0)
        # What follows is not looked at: it may be any number, and each costs an encapsulation.
        for member in islice((one for one in new if can_seal_for(one.card)), room):
            name = _free_name(node, member.card)
            node.meet(add_peer(node.home, name, member.card, own=node.card.author))
            node.db.note_met(member.card.node_id)
            notes.append(f"met {name} through the ledger {store.genesis.name}")


def hellos(node: Node, problems: list[str]) -> list[OutBundle]:
    """Return what every medium is to hold: by it others learn of this node.

    Args:
        node: Who says hello.
        problems: Takes lines for people: for which ledger there is none, and why.

    Raises:
        BusyError: another process is preparing bundles in this home.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot take a bundle.
    """
    made: list[OutBundle] = []
    with node.alone("send", "preparing bundles"):
        for store in _passphrase_ledgers(node):
            try:
                made += _hello(node, store)
            except (BundleError, UsageError) as error:
                problems.append(f"no hello was made for {store.genesis.name}: {error}")
    return made


def _passphrase_ledgers(node: Node) -> Iterator[Store]:
    return (store for store in node.ledgers() if Term.PASSPHRASE in store.genesis.terms)


def _hello(node: Node, store: Store) -> list[OutBundle]:
    """Return the hello for one ledger, made if there is none; nothing if this node is not in it.

    Raises:
        UsageError: all that grants this node is too long.
        BundleError: it cannot be made.
        LedgerError: the ledger cannot be read.
        SpoolError: the spool cannot take it.
    """
    epoch, grants = node.epochs.of(store).sealing, _own_grants(node, store)
    if epoch is None or not grants:
        return []  # restored from a backup of another node: `ledger new` once more
    piece = _introduction(store, grants)
    if piece is None:
        raise UsageError(
            "others have made the log too long by which this node is a member; make it one anew "
            f'with "pannier ledger new {store.genesis.name} --passphrase"'
        )
    queue = epoch.epoch_id.hex()
    reconcile(node, queue)
    wanted = [(store.ledger_id, piece.state.name, piece.span)]
    for bundle in node.db.bundles(queue):
        if bundle.control and node.db.spans(bundle.bundle_id) == wanted:
            return [bundle]
        if bundle.control:
            withdraw(node, bundle, "replaced")
    return [_make_hello(node, epoch, piece)]


def _make_hello(node: Node, epoch: "Epoch", piece: Piece) -> OutBundle:
    from pannier.group_sending import seal_for_group  # noqa: PLC0415 -- few have such a ledger
    from pannier.sealing import CONTROL_PRIORITY  # noqa: PLC0415

    load = _load(piece)
    today = node.time.today()
    days = today + _HELLO_DAYS if node.time.is_confirmed() else MAX_EXPIRY_DAYS
    header = Header(CONTROL_PRIORITY, min(days, MAX_EXPIRY_DAYS))
    symbol_bytes = symbol_bytes_for(MAX_MTU)
    made, name, sealed = seal_for_group(
        node, epoch, load.encoded, header, symbol_bytes=symbol_bytes
    )
    made = replace(made, control=True)
    node.db.add_bundle(made, load.spans)
    node.spool.outbox.publish(epoch.epoch_id.hex(), name, sealed)
    return made


def _load(piece: Piece) -> "Load":
    from bundler.notices import GenesisSection  # noqa: PLC0415 -- few have such a ledger
    from pannier.load import Load  # noqa: PLC0415

    genesis = GenesisSection(genesis=piece.store.genesis.to_bytes())
    load = Load([genesis], symbol_bytes=symbol_bytes_for(MAX_MTU))
    load.add(piece, DEFAULT_LIMITS.bundle_bytes)
    return load


def _introduction(store: Store, grants: Sequence[Fact]) -> Piece | None:
    """Return the beginning of a log up to one of *grants*; None if none is short enough.

    Whoever gets it asks for the rest itself: the log may have grown to any length since.
    """
    for fact in sorted(grants, key=lambda one: one.number):
        state = store.log(fact.log)
        signed = store.checkpoints(state, fact.number, fact.number + MAX_BATCH_ENTRIES)
        if not signed:  # or another process has cut the log off meanwhile
            raise damage_in(store.path, f"no signature after entry {fact.number} of a log")
        end = signed[0].size
        if sum(store.costs(state, 0, end)) <= _MAX_HELLO_BYTES:
            return Piece(store=store, state=state, span=Span(0, end), with_cover=True)
    return None


def _own_grants(node: Node, store: Store) -> list[Fact]:
    """Return the first entry of each log that makes this node, as it is, a member."""
    found: dict[LogName, Fact] = {}
    for fact in store.facts((Action.GRANT,)):
        said = fact.says()
        if isinstance(said, Grant) and said.card == node.card:
            found.setdefault(fact.log, fact)
    return list(found.values())


def _free_name(node: Node, card: Card) -> str:
    """Return what a new peer is called here: as its card says, or numbered where that is taken."""
    if not is_file_name(card.name):
        return card.node_id
    # Without regard to letter case, as some file systems look at names. What the configuration
    # says of a name was said of somebody whom a person knows.
    names_taken = {*(peer.name for peer in node.peers.values()), *node.config.peers}
    taken = {name.casefold() for name in names_taken}
    names = (card.name, *(f"{card.name}-{number}" for number in range(2, _MOST_MEMBERS)))
    free = (one for one in names if one.casefold() not in taken and is_file_name(one))
    return next(free, card.node_id)
