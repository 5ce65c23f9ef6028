"""One bundle from others: joined, opened, verified, merged; or held, or quarantined with a reason.

Every step may be killed and is done again: its fragments leave the inbox only after what they carry
is in the ledgers, or in `held/`, or in quarantine.
"""

from collections.abc import Sequence

from bundler.content import Opened, open_bundle
from bundler.errors import BundleError, UnencryptedError, UnopenableError
from bundler.notices import MAX_REASON_BYTES
from bundler.sealed import Header, parse_sealed
from ledger.errors import LedgerError
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier import decisions, gate
from pannier.have import forget_shared_keys
from pannier.held_owners import HeldOwners
from pannier.home import Peer
from pannier.import_report import Outcome, Report
from pannier.importing import MAX_COUNTER, keyring
from pannier.joining import Spoilt, join_arrived
from pannier.merging import Merging
from pannier.new_ledgers import NewLedgers
from pannier.node import Node
from pannier.nodedb_peers import KEY_LOST
from pannier.origin import Origin, origin_of
from pannier.statements import UNFOUNDED, believe, note_sender_holds
from pannier.unopened import may_open_later
from pannier.waits import Wait, this_day, worth_noting
from pannier.wanted_ledgers import as_wanted
from spool.errors import FullError, GoneError
from spool.name import BundleName

# A held bundle is found by its id and by what it waits for. Only that a person must look at it
# first stands in its name, too: losing ``node.db`` must not let it in.
_NO_HINT, _NO_SYMBOLS = "0" * 8, 0


def take(new: NewLedgers, number: str, report: Report) -> Outcome:
    """Join and import one bundle of the inbox.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: a ledger file cannot be read or written, or has no room.
        SpoolError: the spool cannot be read or written.
    """
    node = new.node
    if _is_seen(node, number):
        node.spool.inbox.discard(number)
        return Outcome.SEEN
    inbox = node.spool.inbox
    joined = join_arrived(
        bytes.fromhex(number), inbox.senders(number), lambda sender: inbox.read(number, sender)
    )
    if joined is None:
        return Outcome.INCOMPLETE
    if isinstance(joined, Spoilt):
        # What others sent stays: it may be the genuine one, and come to its end.
        reason = f"damaged: {joined.cause.value}"
        node.spool.reject_from(number, reason, joined.senders)
        report.reasons[number] = reason
        return Outcome.REFUSED
    return _import(new, number, joined, report)


def _is_seen(node: Node, number: str) -> bool:
    """Return whether nothing in the inbox of a bundle is needed any more."""
    if node.db.seen(number) is not None:
        return True
    sender = node.db.seen_from(number)  # of what was taken on its word (`pannier.nodedb.TAKEN`)
    return sender is not None and all(one.peer == sender for one in node.spool.inbox.read(number))


def _import(new: NewLedgers, number: str, sealed: bytes, report: Report) -> Outcome:
    """Open and merge one whole bundle that lies in the inbox."""
    node = new.node
    try:
        opened = open_bundle(sealed, keyring(node))
    except BundleError as error:
        if may_open_later(node, error, node.spool.inbox.senders(number)):
            return Outcome.UNOPENED
        _refuse_unopened(node, number, sealed, error)
        return _quarantine(node, number, str(error), report)
    peer = origin_of(node, opened)
    if peer is None or opened.stamp.counter > MAX_COUNTER:
        return _quarantine(node, number, "its sender is no peer, or counts too far", report)
    sources = node.spool.inbox.sources(number)
    must_ask = gate.is_asked(node, number) or gate.must_ask(node, peer, sources)
    merging = Merging(node=node, peer=peer, new=new)
    answer = _judge(merging, opened, report, must_ask=must_ask)
    return _conclude(merging, number, sealed, (opened, answer), report)


def _conclude(
    merging: Merging,
    number: str,
    sealed: bytes,
    found: tuple[Opened, list[Wait] | str | None],
    report: Report,
) -> Outcome:
    """Do with a bundle of the inbox what was found to be right (`_judge`)."""
    node, peer, (opened, answer) = merging.node, merging.peer, found
    if answer is None:
        _refuse_again(node, number, peer, opened)
        node.spool.inbox.discard(number)
        return Outcome.SEEN
    if merging.is_unfounded and not isinstance(answer, str):
        _send_back(merging, number, opened, report)
        node.spool.inbox.discard(number)
        return Outcome.UNFOUNDED
    if isinstance(answer, str):
        counter = opened.stamp.counter
        _refuse(node, number, peer.node_id, opened.header, reason=answer, counter=counter)
        return _quarantine(node, number, f"from {peer.name}: {answer}", report)
    if answer:
        return _hold(merging, number, sealed, (opened, answer), report)
    with node.db.transaction():
        has_data = isinstance(peer, Peer) and believe(node, peer, opened, report.notes)
        _finish(merging, number, opened, has_data=has_data)
    node.spool.inbox.discard(number)
    return Outcome.MERGED


def _refuse_unopened(node: Node, number: str, sealed: bytes, error: BundleError) -> None:
    """Tell whoever a bundle is from, by its hint, why it was not opened."""
    for sender in {arrival.peer for arrival in node.spool.inbox.read(number)}:
        if isinstance(error, UnopenableError):
            _refuse_unopenable(node, number, sender, parse_sealed(sealed).header)
        if isinstance(error, UnencryptedError) and sender in node.peers:
            header = parse_sealed(sealed).header
            _refuse(node, number, sender, header, reason=str(error))


def _refuse_unopenable(node: Node, number: str, sender: str, header: Header) -> None:
    """Tell the peer that a bundle is from, by its hint, that no key here opens it.

    The keys shared with that peer got lost; so it makes the bundle anew. It may have lost them as
    well: what it is told is sealed under none of them.
    """
    if sender in node.peers:
        forget_shared_keys(node, node.peers[sender])
        _refuse(node, number, sender, header, reason=KEY_LOST)


def _refuse_again(node: Node, number: str, peer: Origin, opened: Opened) -> None:
    """Refuse, without a word here, what a person refused before."""
    counter, reason = opened.stamp.counter, "it was refused before"
    _refuse(node, number, peer.node_id, opened.header, reason=reason, counter=counter)


def _send_back(merging: Merging, number: str, opened: Opened, report: Report) -> None:
    """Have a bundle made anew whose tails build on what is not here; no harm is in it.

    It is a peer's: whatever else it says is believed.
    """
    node, peer = merging.node, merging.peer
    counter = opened.stamp.counter
    with node.db.transaction():
        if isinstance(peer, Peer):
            believe(node, peer, opened, report.notes)
        _refuse(node, number, peer.node_id, opened.header, reason=UNFOUNDED, counter=counter)


def _judge(
    merging: Merging, opened: Opened, report: Report, *, must_ask: bool
) -> list[Wait] | str | None:
    """Merge a bundle unless a person must look at it first; None: he refused its content before."""
    if must_ask:
        try:
            content = gate.content_digest(opened)
        except BundleError as error:
            return _line(str(error))
        if content is not None:
            verdict = decisions.verdict(merging.node.db, content)
            if verdict is None:
                return [Wait("review", b"", content)]
            if verdict == decisions.REFUSED:
                return None
    return _merge(merging, opened, report)


def _merge(merging: Merging, opened: Opened, report: Report) -> list[Wait] | str:
    """Merge what a bundle says; return what it waits for, or why it is refused for good."""
    try:
        merging.run(opened)
    except (BundleError, LedgerError) as error:
        if not merging.is_their_fault(error):
            raise
        return _line(str(error))
    finally:
        for key, count in merging.entries.items():
            report.entries[key] = report.entries.get(key, 0) + count
        report.content_bytes += merging.content_bytes
        report.notes += merging.notes
    report.senders.add(merging.peer.name)
    return merging.waits


def _finish(merging: Merging, number: str, opened: Opened, *, has_data: bool) -> None:
    """Note that a bundle is merged for good; a notice alone, or a group, gets no receipt."""
    node, peer = merging.node, merging.peer
    with node.db.transaction():
        if isinstance(peer, Peer):
            note_sender_holds(node, peer, opened, merging.taken)
        node.db.note_seen(number, peer.node_id, opened.header.expiry_days, "merged")
        if has_data and isinstance(peer, Peer):
            node.db.owe_receipt(peer.node_id, number, "", opened.stamp.counter)
        node.db.run("DELETE FROM waiting WHERE bundle = ?", number)


def _refuse(
    node: Node, number: str, sender: str, header: Header, *, reason: str, counter: int = -1
) -> None:
    """Note that a bundle is refused for good, and that its sender (a node id) must be told."""
    with node.db.transaction():
        if sender in node.peers:
            node.db.owe_receipt(sender, number, reason, counter)
        outcome = "unfounded" if reason == UNFOUNDED else "refused"
        node.db.note_seen(number, sender, header.expiry_days, outcome)
        node.db.run("DELETE FROM waiting WHERE bundle = ?", number)


def _hold(
    merging: Merging,
    number: str,
    sealed: bytes,
    found: tuple[Opened, Sequence[Wait]],
    report: Report,
) -> Outcome:
    """Put a whole bundle where what waits is; its fragments have done their work.

    What its sender says of itself is believed now: that waits for nothing.
    """
    node, peer, (opened, waits) = merging.node, merging.peer, found
    is_review = waits[0].kind == "review"
    name = BundleName(
        opened.header.priority,
        opened.header.expiry_days,
        gate.REVIEW_HINT if is_review else _NO_HINT,
        number,
        _NO_SYMBOLS,
    )
    try:
        node.spool.held.hold(name, sealed, HeldOwners(node, number, peer.node_id))
    except FullError as error:
        report.notes.append(f"bundle {number} waits in the inbox: {error}")
        if isinstance(peer, Peer) and _is_news(node, peer, opened):
            _hear(merging, peer, opened, report)
        return Outcome.INCOMPLETE
    with node.db.transaction():
        if isinstance(peer, Peer):
            _hear(merging, peer, opened, report)
        _note_waits(node, number, peer, waits)
    node.spool.inbox.discard(number)
    return Outcome.REVIEW if is_review else Outcome.HELD


def _is_news(node: Node, peer: Peer, opened: Opened) -> bool:
    """Return whether *peer* has said nothing newer, nor the same: each import finds it again."""
    said, stamp = node.db.peer(peer.node_id), opened.stamp
    return (stamp.incarnation, stamp.counter) > (said.incarnation or b"", said.counter)


def _hear(merging: Merging, peer: Peer, opened: Opened, report: Report) -> None:
    """Believe what the sender of a bundle that waits says of itself."""
    node = merging.node
    with node.db.transaction():
        believe(node, peer, opened, report.notes)
        if merging.is_behind:
            node.db.tell_again(peer.node_id)


def _note_waits(node: Node, number: str, peer: Origin, waits: Sequence[Wait]) -> None:
    """Note what a bundle waits for from now on; what is new of that is to be brought together."""
    with node.db.transaction():
        noted = as_wanted(worth_noting(waits, this_day(node)), known_waits(node, number))
        node.db.run("DELETE FROM waiting WHERE bundle = ?", number)
        for wait in noted:
            node.db.run(
                "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)",
                number,
                peer.node_id,
                *wait,
            )


def retry(
    new: NewLedgers, name: BundleName, report: Report
) -> Sequence[tuple[LedgerId, LogName, int]]:
    """Import a held bundle again.

    Returns:
        Which logs it verified for, up to which size; of what they brought some may be new.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: a ledger file cannot be read or written.
        SpoolError: the spool cannot be read or written.
    """
    node, number = new.node, name.bundle_id
    try:
        sealed = node.spool.held.read(name)
    except GoneError:
        _drop(node, name)  # no file, whatever has its name
        return ()
    found = _reopened(node, number, sealed, report)
    if found is None:
        _drop(node, name)
    if found is None or isinstance(found, BundleError):
        return ()
    opened, peer = found
    must_ask = name.hint == gate.REVIEW_HINT or gate.must_ask(node, peer, ())
    merging = Merging(node=node, peer=peer, new=new)
    answer = _judge(merging, opened, report, must_ask=must_ask)
    decided = decisions.reason(node.db, number) if answer is None else None
    if decided is not None:
        # No problem of this import, though an earlier one was cut short before it came to this.
        report.notes.append(f"bundle {number} went to quarantine, as you decided: {decided}")
        _put_away(node, name, sealed, (peer, opened, decided))
        report.outcomes[number] = Outcome.REFUSED
    elif answer is None:
        _refuse_again(node, number, peer, opened)
    elif merging.is_unfounded and not isinstance(answer, str):
        _send_back(merging, number, opened, report)
        report.outcomes[number] = Outcome.UNFOUNDED
    elif isinstance(answer, str):
        report.reasons[number] = _put_away(node, name, sealed, (peer, opened, answer))
        report.outcomes[number] = Outcome.REFUSED
    elif answer:
        _note_waits(node, number, peer, answer)
        return merging.taken
    else:
        _finish(merging, number, opened, has_data=True)
        report.outcomes[number] = Outcome.MERGED
    node.spool.held.release(name)
    return merging.taken


def _put_away(
    node: Node, name: BundleName, sealed: bytes, refused: tuple[Origin, Opened, str]
) -> str:
    """Quarantine a held bundle, whose sender must be told why; return what is said of it here."""
    (peer, opened, why), number = refused, name.bundle_id
    reason, counter = f"from {peer.name}: {why}", opened.stamp.counter
    node.spool.quarantine.put(number, reason, {name.to_text(): sealed})
    _refuse(node, number, peer.node_id, opened.header, reason=why, counter=counter)
    return reason


def _reopened(
    node: Node, number: str, sealed: bytes, report: Report
) -> tuple[Opened, Origin] | BundleError | None:
    """Return what is in a held bundle, and who sent it; None if it is of no use any more.

    An error: it does not open now, and may when all ledgers can be read.
    """
    try:
        opened = open_bundle(sealed, keyring(node))
    except BundleError as error:
        if may_open_later(node, error, [sender(node, number)]):
            return error
        # It opened once: a peer's card or a key is gone. Whoever sent it still has it.
        report.notes.append(f"bundle {number} no longer opens and is dropped: {error}")
        return None
    peer = origin_of(node, opened)
    return None if peer is None else (opened, peer)


def _drop(node: Node, name: BundleName) -> None:
    """Forget a held bundle; it may come again."""
    node.spool.held.release(name)
    node.db.run("DELETE FROM waiting WHERE bundle = ?", name.bundle_id)


def known_waits(node: Node, number: str) -> list[Wait]:
    """Return what a held bundle waits for.

    Raises:
        PannierError: ``node.db`` cannot be read.
    """
    found = node.db.rows(
        "SELECT kind, ledger, author, incarnation, number FROM waiting WHERE bundle = ?", number
    )
    return [Wait.from_row(row) for row in found]


def sender(node: Node, number: str) -> str:
    """Return who sent a held bundle that waits: a node id, or the epoch id of a group; or nothing.

    Raises:
        PannierError: ``node.db`` cannot be read.
    """
    found = node.db.rows("SELECT peer FROM waiting WHERE bundle = ? LIMIT 1", number)
    return str(found[0][0]) if found else ""


def _quarantine(node: Node, number: str, reason: str, report: Report) -> Outcome:
    node.spool.reject(number, reason)
    report.reasons[number] = reason
    return Outcome.REFUSED


def _line(text: str) -> str:
    """Return *text* as a line that a receipt may carry."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
