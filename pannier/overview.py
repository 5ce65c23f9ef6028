"""The state of a node in one value: what `pannier status` shows."""

from dataclasses import asdict
from functools import partial

from bundler.plan import lacking as spans_lacking
from ledger.lazy_dataclass import dataclass
from ledger.log import LogStatus
from ledger.members import passed_on
from ledger.storage_errors import found_in
from ledger.store import Store
from ledger.views import conflicts, count_files
from pannier.clear import travelling
from pannier.exchange import served
from pannier.files_sending import unpacked_bytes
from pannier.have import known_have
from pannier.home import Peer
from pannier.left_out import left_out
from pannier.link_counters import ever_worked, is_running, read_counters
from pannier.node import Node
from pannier.review import waiting
from pannier.unreadable import going_on, kept_from


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOverview:
    """One ledger.

    Attributes:
        name: As its genesis says.
        ledger: Its id, hex.
        entries: In all logs.
        conflicts: Things of which several heads say several things.
        forks: Names of the authors of forked logs.
        files: How many things are files now.
        lacking_versions: Of how many versions of files, former ones too, not all has arrived.
        lacking_chunks: How many chunks, of up to 1 MiB, those lack together.
    """

    name: str
    ledger: str
    entries: int
    conflicts: int
    forks: tuple[str, ...]
    files: int
    lacking_versions: int
    lacking_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOverview:
    """What waits for one peer.

    Attributes:
        name: As it is called here.
        node: Its node id.
        unpacked: Entries that it lacks and that are in no bundle for it yet.
        unpacked_bytes: Contents of files, likewise, as many bytes as they take here.
        bundles: How many are kept until it confirms them.
        size_bytes: All of them together.
        has_notice: Whether a note of what we hold waits too; the next one replaces it.
        since_us: When the oldest was made.
        media: (label, since when) of the media that they were written to.
        refused: Why it refused bundles.
        repeat: Onto how many media each bundle goes, if it can never answer; else None.
        by_media: Whether sticks and folders serve it.
    """

    name: str
    node: str
    unpacked: int
    unpacked_bytes: int
    bundles: int
    size_bytes: int
    has_notice: bool
    since_us: int | None
    media: tuple[tuple[str, int], ...]
    refused: tuple[str, ...]
    repeat: int | None
    by_media: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A node at one moment.

    Attributes:
        name: Of the node.
        node: Its id.
        ledgers: Each of them that can be read.
        unreadable: Of each other one what is wrong with it.
        peers: Each of them.
        strangers: Names that the configuration has settings for, and no peer is called so.
        incomplete: Bundles of which some fragments arrived.
        held: Bundles that wait for an earlier one, or for the right to write.
        review: Bundles that wait for a person's word.
        carried: Files of fragments carried for others.
        quarantined: Bundles that were refused.
        forged: Fragments for us that were damaged or forged, since this home began.
        links: What each link that ever ran has counted (`pannier.link_counters`).
    """

    name: str
    node: str
    ledgers: tuple[LedgerOverview, ...]
    unreadable: tuple[str, ...]
    peers: tuple[PeerOverview, ...]
    strangers: tuple[str, ...]
    incomplete: int
    held: int
    review: int
    carried: int
    quarantined: int
    forged: int
    links: tuple[dict[str, object], ...]

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def overview(node: Node) -> Overview:
    """Look at everything once; what cannot be read of ledgers keeps nobody from the rest.

    Raises:
        PannierError: the home cannot be read.
        LedgerError: a ledger is in use, or the disk does not let it be read.
        SpoolError: the spool cannot be read.
    """
    return going_on(node, partial(_overview, node))


def _overview(node: Node) -> Overview:
    ledgers = tuple(_ledger(node, store) for store in node.ledgers())
    asked = waiting(node)
    return Overview(
        name=node.card.name,
        node=node.card.node_id,
        ledgers=ledgers,
        unreadable=tuple(node.unreadable.values()),
        peers=tuple(_peer(node, peer) for peer in node.peers.values()),
        strangers=_strangers(node),
        incomplete=len(node.spool.inbox.bundles()),
        held=len(node.spool.held.names()) - len(asked),
        review=len(asked),
        carried=len(node.spool.carried.known()),
        quarantined=len(node.spool.quarantine.list()),
        forged=node.db.forged(),
        links=tuple(_links(node)),
    )


def _links(node: Node) -> list[dict[str, object]]:
    """Return the counters of all links but those that were tried once, in vain."""
    now_us = node.clock()
    counted = read_counters(node.home.path)
    return [one for one in counted if is_running(one, now_us) or ever_worked(one)]


def _ledger(node: Node, store: Store) -> LedgerOverview:
    stuck = (LogStatus.FORKED, LogStatus.HOSTILE)
    with found_in(store.path):
        logs = store.logs()
        lacking = store.file_entries.lacking()
        return LedgerOverview(
            name=store.genesis.name,
            ledger=store.ledger_id.hex(),
            entries=sum(log.size for log in logs),
            conflicts=len(conflicts(store)),
            forks=tuple(node.who(log.name.author) for log in logs if log.status in stuck),
            files=count_files(store),
            lacking_versions=lacking.versions,
            lacking_chunks=lacking.chunks,
        )


def _strangers(node: Node) -> tuple[str, ...]:
    return tuple(sorted(set(node.config.peers) - {peer.name for peer in node.peers.values()}))


def _unpacked(node: Node, peer: Peer) -> int:
    """Return how many entries *peer* lacks that are in no bundle for it.

    A forked log is counted as if its branches were one: this is for people, and not what is sent.
    """
    known = known_have(node, peer)
    states = ("queued", "sent") if node.settings(peer).oneway else ("queued",)
    count, in_vain, kept = 0, left_out(node, peer, known), kept_from(node, peer)
    for store in travelling(node, peer):
        for log in store.logs():
            held, end = known.log(store.ledger_id, log.name), passed_on(store, log)
            confirmed = held.size if held else 0
            if confirmed < end:
                on_the_way = node.db.spans_for(
                    peer.node_id, store.ledger_id, log.name, states, without=kept
                )
                gone = [*on_the_way, *in_vain.get((store.ledger_id, log.name), ())]
                spans = spans_lacking(end, confirmed, gone)
                count += sum(span.end - span.first for span in spans)
    return count


def _peer(node: Node, peer: Peer) -> PeerOverview:
    settings = node.settings(peer)
    queued = [*node.db.bundles(peer.node_id), *node.db.group_bundles(peer.node_id)]
    notices = [one for one in queued if one.control]
    bundles = [
        one
        for one in queued
        if not one.control and not node.is_sent_enough(peer.node_id, one.bundle_id)
    ]
    media = node.db.rows(
        "SELECT coalesce(nullif(medium.label, ''), on_medium.medium), min(time) FROM on_medium "
        "LEFT JOIN medium ON medium.id = on_medium.medium "
        "JOIN bundle ON bundle.id = on_medium.bundle "
        "WHERE (bundle.peer = ?1 OR bundle.id IN (SELECT bundle FROM audience WHERE peer = ?1)) "
        "AND bundle.state = 'queued' AND NOT control GROUP BY 1 ORDER BY 2",
        peer.node_id,
    )
    return PeerOverview(
        name=peer.name,
        node=peer.node_id,
        unpacked=_unpacked(node, peer),
        unpacked_bytes=unpacked_bytes(node, peer),
        bundles=len(bundles),
        size_bytes=sum(one.size_bytes for one in bundles),
        has_notice=bool(notices),
        since_us=min((one.created_us for one in bundles), default=None),
        media=tuple((str(label), int(when or 0)) for label, when in media),
        refused=tuple(one.note for one in node.db.bundles(peer.node_id, "refused")),
        repeat=settings.repeat if settings.oneway else None,
        by_media=peer in served(node),
    )
