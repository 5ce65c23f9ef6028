"""An exchange with a medium, both ways: take what is ours, leave what others lack.

The order is what makes it safe: what came is durable and merged before it leaves the medium, room
is made before anything is written, and bundles are made last, when it is known what came.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bundler.errors import BundleError
from pannier import content_rows
from pannier.answers import part, questions, sealed_fragments, whose
from pannier.clear import refusal, refusing
from pannier.errors import BugError, UsageError, bugs_told
from pannier.group_sending import prepare_groups
from pannier.home import Peer
from pannier.housekeeping import keep_house
from pannier.import_report import Outcome, Report, left_undone
from pannier.importing import import_arrived
from pannier.loads import Room, bytes_around
from pannier.node import Node
from pannier.nodedb_file import name_text
from pannier.out_bundle import OutBundle
from pannier.passphrase_ledgers import hellos
from pannier.sending import prepare
from pannier.taken_along import note_doubt
from pannier.times import time_text
from pannier.unreadable import going_on
from spool.errors import FullError
from spool.name import BundleName
from transports.directory import Directory
from transports.errors import (
    MediumFaultError,
    MediumGoneError,
    MediumReadOnlyError,
    TransportError,
)
from transports.identity import MAX_LABEL_LENGTH, clean_label
from transports.medium import Medium
from transports.questions import Fate, Fresh, Offer, Took
from transports.report import Collected, Delivered
from transports.terms import Terms

TRANSPORT = "directory"
"""What a peer's ``transports`` must name, if it names any, to be served by sticks and folders."""


@dataclass(kw_only=True)
class Exchanged:
    """What an exchange did.

    Attributes:
        medium_id: 16 hex digits.
        label: What people call the medium; may be empty.
        collected: What was taken over.
        report: What became of it.
        written: New bundles on the medium, by peer.
        waiting: Bundles that were on it already, by peer.
        carried_written: Files for others that we left.
        removed: Files that went from it.
        problems: What was left undone, for people; empty when all is well.
        is_gone: The medium was pulled.
    """

    medium_id: str
    label: str
    collected: Collected
    report: Report
    written: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    carried_written: int = 0
    removed: int = 0
    problems: list[str] = field(default_factory=list)
    is_gone: bool = False


def exchange_medium(
    node: Node, folder: Path, *, peers: Sequence[Peer] | None = None, label: str | None = None
) -> Exchanged:
    """Exchange with the medium at *folder*, both ways; of ledgers that cannot be read nothing goes.

    Args:
        node: Who exchanges.
        folder: A stick's mount point, or a drop folder.
        peers: For whom to write; None for all that may be served by a medium.
        label: What a new medium is called.

    Returns:
        What was done; what is named as written is durable on the medium.

    Raises:
        UsageError: nothing can have that label; nothing was done.
        TransportError: the folder is no medium, or went before anything was done.
        SpoolError: the spool cannot be read or written, or another exchange is going on.
        LedgerError: a ledger cannot be read or written.
        PannierError: the home cannot be read or written.
    """
    if label is not None and clean_label(label) != label:
        raise UsageError(f"a label is at most {MAX_LABEL_LENGTH} characters that can be printed")
    keep_house(node)
    medium = Medium.open(folder, entropy=node.entropy, label=label, mark=node.spool.mark)
    node.db.note_medium(medium.id, medium.label, name_text(str(folder.resolve())), node.clock())
    report = Report()
    asked = questions(node)._replace(take=lambda offers: _take(node, report, offers))
    directory = Directory(medium, node.spool, asked)
    terms = Terms(today_days=node.time.past_day(), now_ns=node.clock() * 1000)
    done = going_on(node, lambda: _collect(node, directory, terms, report))
    node.db.count_forged(done.collected.forged)
    report.add(import_arrived(node))
    _name_problems(done)
    if not done.is_gone:
        _leave_if_it_stays(node, directory, terms, done, served(node) if peers is None else peers)
        done.problems = list(dict.fromkeys(done.problems))  # some was begun twice (`going_on`)
    return done


def _take(node: Node, report: Report, offers: Sequence[Offer]) -> Took:
    from pannier.taking import Taking  # noqa: PLC0415 -- few media hold long files

    return Taking(node, report).take(offers)


def served(node: Node) -> list[Peer]:
    """Return the peers that media serve: all whose configuration does not say otherwise."""
    return [
        peer
        for peer in node.peers.values()
        if not node.settings(peer).transports or TRANSPORT in node.settings(peer).transports
    ]


def _collect(node: Node, directory: Directory, terms: Terms, report: Report) -> Exchanged:
    """Take over what is on the medium, which may go away meanwhile."""
    medium, problems, is_gone = directory.medium, list[str](), False
    note_doubt(node)
    try:
        collected = directory.collect(terms)
    except MediumGoneError as error:
        problems, is_gone = [str(error)], True
        collected = error.done if isinstance(error.done, Collected) else Collected()
    except FullError as error:
        # What came before is in the inbox, and leaves it when it is merged.
        problems, collected = [f"{error}: free some, then exchange again"], Collected()
    return Exchanged(
        medium_id=medium.id,
        label=medium.label,
        collected=collected,
        report=report,
        removed=collected.removed,
        problems=problems,
        is_gone=is_gone,
    )


def _leave_if_it_stays(
    node: Node, directory: Directory, terms: Terms, done: Exchanged, peers: Sequence[Peer]
) -> None:
    """Leave what others lack; note what was left if the medium goes away or refuses."""
    try:
        going_on(node, lambda: _leave(node, directory, terms, done, peers))
    except MediumGoneError as error:
        if isinstance(error.done, Delivered):
            _note_delivered(node, directory.medium, error.done, done, peers)
        done.is_gone = True
        done.problems.append(f"{error}; what is still to be written goes onto the next one")
    except TransportError as error:
        done.problems.append(str(error))


def _leave(
    node: Node, directory: Directory, terms: Terms, done: Exchanged, peers: Sequence[Peer]
) -> None:
    """Make room, then write what the peers lack."""
    medium = directory.medium
    # Under the id of what one peer sent another one may have sent something else.
    spent = [*done.report.ids(Outcome.MERGED, Outcome.SEEN), *_ended(node, medium)]
    with suppress(MediumReadOnlyError, MediumFaultError):
        done.removed += medium.clear(spent, lambda name: whose(node, name) is Fate.SEEN)
        done.removed += medium.expire(terms.today_days)
    delivered = _deliver(node, directory, terms, done, peers)
    _note_delivered(node, medium, delivered, done, peers)
    if not (delivered.written or delivered.carried_written or done.removed):
        return
    when = time_text(node.clock())
    # Not by whom: whoever finds the stick learns no name from it.
    with node.spool.exchange(medium.id):  # another process of ours makes the same draft
        medium.note(f"Last exchange: {when} UTC.", mark=node.spool.mark)


def _due(node: Node, medium: Medium, done: Exchanged, peers: Sequence[Peer]) -> list[OutBundle]:
    """Return the bundles that are to lie on the medium, made now if need be."""
    due: list[OutBundle] = []
    # Who sends again what came has not heard that it did: the word got lost with the medium.
    # Notices wait for no word, and to answer those would go on for ever.
    unheard = node.db.owe_again(done.collected.repeated)
    try:
        with bugs_told():
            due += hellos(node, done.problems)
    except BugError as error:
        done.problems.append(f"no hello was made: {error}")
    try:
        with bugs_told():
            prepare_groups(node, peers)
    except (BundleError, BugError) as error:
        done.problems.append(f"nothing was made for several at once: {error}")
    for peer in peers:
        done.problems += [refusal(one, peer) for one in refusing(node, peer)]
        try:
            with bugs_told():
                due += prepare(node, peer, medium=None if peer.node_id in unheard else medium.id)
        except (BundleError, BugError) as error:
            done.problems.append(f"nothing was made for {peer.name}: {error}")
    return due


def _deliver(
    node: Node, directory: Directory, terms: Terms, done: Exchanged, peers: Sequence[Peer]
) -> Delivered:
    """Write what is due, then contents of files while there is room: first what no medium has."""
    medium = directory.medium
    due = _due(node, medium, done, peers)
    carried = {one for peer in peers for one in content_rows.queued(node.db, peer.node_id)}
    elsewhere = carried - node.db.bundles_on(medium.id)
    first = [one for one in due if one.bundle_id not in elsewhere]
    delivered = directory.deliver(
        sorted({one.peer for one in first}),
        terms._replace(bundles=frozenset(one.bundle_id for one in first)),
        _contents(node, medium, done, peers),
    )
    again = _fitting(node, medium, [one for one in due if one.bundle_id in elsewhere])
    if not again:
        return delivered
    queues = sorted({one.peer for one in again})
    chosen = terms._replace(bundles=frozenset(one.bundle_id for one in again))
    return delivered.and_then(directory.deliver(queues, chosen))


def _contents(
    node: Node, medium: Medium, done: Exchanged, peers: Sequence[Peer]
) -> Iterator[Fresh]:
    """Make bundles with contents of files, one after another as they are written."""
    if not any(store.file_entries.has_any() for store in node.ledgers()):
        return
    from pannier import files_sending  # noqa: PLC0415 -- only where there are files

    room = _room(medium)
    for peer in peers:
        room.is_cut = False
        try:
            for made in files_sending.make_files(node, peer, room):
                bundle, name = made.bundle, BundleName.from_text(made.bundle.name)
                chunks = sealed_fragments(node, bundle.peer, name, made.sealed)
                yield Fresh(bundle.peer, name, bundle.size_bytes, chunks, made.note)
        except BundleError as error:
            done.problems.append(f"no contents of files were made for {peer.name}: {error}")
        if room.is_cut:
            done.problems.append(
                f"{files_sending.unpacked_bytes(node, peer):,} bytes of files for {peer.name} "
                "found no room: they go onto the next medium"
            )


def _room(medium: Medium) -> Room:
    free_bytes = medium.free_bytes()
    return Room() if free_bytes is None else Room(free_bytes)


def _fitting(node: Node, medium: Medium, bundles: Sequence[OutBundle]) -> list[OutBundle]:
    """Return the first of *bundles*, as many as there is room for."""
    room = _room(medium)
    chosen: list[OutBundle] = []
    for one in bundles:
        rest = part(node, one.peer, BundleName.from_text(one.name))
        size_bytes = one.size_bytes if rest is None else rest.size_bytes
        if bytes_around(size_bytes) <= room.left_bytes:
            room.take(size_bytes)
            chosen.append(one)
    return chosen


def _ended(node: Node, medium: Medium) -> list[str]:
    """Return the bundles of ours on the medium that nobody waits for any more."""
    found = node.db.rows(
        "SELECT bundle FROM on_medium JOIN bundle ON bundle.id = on_medium.bundle "
        "WHERE medium = ? AND state != 'queued'",
        medium.id,
    )
    return [str(number) for (number,) in found]


def _note_delivered(
    node: Node, medium: Medium, delivered: Delivered, done: Exchanged, peers: Sequence[Peer]
) -> None:
    served_ids = [one.node_id for one in peers]
    for queue, name in delivered.written:
        node.db.note_written(name.bundle_id, medium.id, node.clock(), served_ids)
        for peer in _readers(node, queue, name):
            done.written[peer] = done.written.get(peer, 0) + 1
    for queue, name in delivered.already_there:
        for peer in _readers(node, queue, name):
            done.waiting[peer] = done.waiting.get(peer, 0) + 1
    done.carried_written = delivered.carried_written
    for peer, name, reason in delivered.left:
        readers = _readers(node, peer, name)
        who = ", ".join(node.peers[one].name for one in readers if one in node.peers) or peer
        size = node.spool.outbox.size_bytes(peer, name) or 0
        done.problems.append(f"a bundle of {size:,} bytes for {who} was left out: {reason}")


def _readers(node: Node, queue: str, name: BundleName) -> list[str]:
    """Return for whom a bundle is: all that wait for it if it is for a group.

    A hello waits for nobody in particular: it is for the group as such.
    """
    return [queue] if queue in node.peers else node.db.audience(name.bundle_id) or [queue]


def _name_problems(done: Exchanged) -> None:
    collected, report = done.collected, done.report
    done.problems += left_undone(report)
    if report.reasons:
        reasons = "; ".join(sorted(set(report.reasons.values())))
        done.problems.append(f"{len(report.reasons)} went to quarantine: {reasons}")
    if collected.bad:
        done.problems.append(f"nothing was genuine in {', '.join(collected.bad[:3])}")
    if collected.newer:
        done.problems.append(
            f"files of a later version stay on the medium ({collected.newer}): "
            "update pannier to read them"
        )
    if collected.unreadable:
        done.problems.append(f"cannot be read: {', '.join(collected.unreadable[:3])}")
    if collected.refused:
        done.problems.append(f"{len(collected.refused)} found no room here and stay on the medium")
    if collected.is_cut:
        done.problems.append("there is more on the medium than one pass looks at: exchange again")
