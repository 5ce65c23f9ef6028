"""What an exchange or an import did, as lines for people and as values for programs."""

from pannier.cli.session import plural
from pannier.exchange import Exchanged
from pannier.import_report import Outcome, Report
from pannier.node import Node


def all_lines(node: Node, done: Exchanged) -> list[str]:
    """Return what an exchange did, or that it did nothing, and what to do with the medium."""
    lines = exchange_lines(node, done)
    if not (lines or done.report.no_room_bytes):
        lines = ["Nothing to take and nothing to leave."]
    if not node.peers:
        lines.append("This node knows no other yet: `pannier peer add NAME CARD`.")
    medium = done.label or f"The medium {done.medium_id}"
    return [*lines, f"{medium} went away." if done.is_gone else f"{medium} is safe to remove."]


def news_lines(node: Node, done: Exchanged) -> list[str]:
    """Return what an exchange changed; what it found as it was before is no news."""
    is_news = done.written or done.carried_written or done.removed or import_news(done.report)
    return exchange_lines(node, done) if is_news else []


def exchange_lines(node: Node, done: Exchanged) -> list[str]:
    """Return what an exchange did, for people; empty if it changed nothing."""
    lines = report_lines(done.report)
    if done.collected.forged:
        lines.append(forged_line(done.collected.forged))
    if done.collected.others:
        lines.append(others_line(done.collected.others))
    if done.collected.carried:
        lines.append(f"Carrying {plural(done.collected.carried, 'file')} on for others.")
    for peer_id, count in done.written.items():
        lines.append(f"Wrote {plural(count, 'bundle')} for {_name(node, peer_id)}.")
    if done.carried_written:
        lines.append(f"Left {plural(done.carried_written, 'file')} that we carry for others.")
    for peer_id, count in done.waiting.items():
        verb = "lies" if count == 1 else "lie"
        lines.append(f"{plural(count, 'bundle')} for {_name(node, peer_id)} {verb} there already.")
    if done.removed:
        verb = "its" if done.removed == 1 else "their"
        lines.append(f"Removed {plural(done.removed, 'file')} that did {verb} work.")
    return lines


def import_news(report: Report) -> list[str]:
    """Return what an import changed; fragments are looked at again until they are whole."""
    is_news = set(report.outcomes.values()) - {Outcome.INCOMPLETE, Outcome.UNOPENED}
    return report_lines(report) if is_news else []


def report_lines(report: Report) -> list[str]:
    """Return what an import did, for people; empty if it did nothing."""
    lines = [
        f"Took in {plural(count, 'entry')} by {author} into {ledger}."
        for (ledger, author), count in report.entries.items()
    ]
    if report.content_bytes:
        lines.append(f"Took in {report.content_bytes:,} bytes of files.")
    merged = report.count(Outcome.MERGED)
    if merged and not lines:
        lines.append(f"Took in {plural(merged, 'bundle')}; no entry in it was new.")
    lines += [_sentence(note) for note in report.notes]
    for outcome, text in (
        (Outcome.HELD, "waiting for an earlier part, or for the right to write"),
        (Outcome.REVIEW, "waiting for your review: see `pannier review list`"),
        (Outcome.UNFOUNDED, "built on what is not here, and will come again in full"),
        (Outcome.UNREAD, "that this version cannot read, and keeps"),
        (Outcome.UNOPENED, "that may open when all ledger files can be read, and is kept"),
        (Outcome.INCOMPLETE, "not whole yet: more fragments must come"),
    ):
        count = report.count(outcome)
        if count:
            lines.append(f"{plural(count, 'bundle')} {text}.")
    return lines


def _sentence(note: str) -> str:
    """Return a note as a line; names of ledgers and peers, that it may begin with, stay as is."""
    first = note.split(" ", 1)[0]
    return (note[0].upper() + note[1:] if first in _FIRST_WORDS else note) + "."


# Those of the notes that begin with no name.
_FIRST_WORDS = {"bundle", "joined", "met", "this"}


def others_line(count: int) -> str:
    """Return what is said of files that are not for this node."""
    verb = "is" if count == 1 else "are"
    return f"{plural(count, 'file')} {verb} for others, or from someone whose card you lack."


def forged_line(count: int) -> str:
    """Return what is said of fragments that do not bear their sender's check."""
    verb = "was" if count == 1 else "were"
    return f"{plural(count, 'fragment')} for us {verb} damaged or forged, and thrown away."


def quarantine_line(report: Report) -> str:
    """Return why bundles were refused."""
    reasons = "; ".join(sorted(set(report.reasons.values())))
    return f"{plural(len(report.reasons), 'bundle')} went to quarantine: {reasons}"


def report_json(report: Report) -> dict[str, object]:
    """Return what an import did, for programs."""
    return {
        "bundles": {number: outcome.value for number, outcome in report.outcomes.items()},
        "entries": [
            {"ledger": ledger, "by": author, "count": count}
            for (ledger, author), count in report.entries.items()
        ],
        "file_bytes": report.content_bytes,
        "no_room_bytes": report.no_room_bytes,
        "notes": report.notes,
        "refused": report.reasons,
    }


def exchange_json(node: Node, done: Exchanged) -> dict[str, object]:
    """Return what an exchange did, for programs."""
    return {
        **report_json(done.report),
        "medium": done.medium_id,
        "label": done.label,
        "written": {_name(node, peer): count for peer, count in done.written.items()},
        "already_there": {_name(node, peer): count for peer, count in done.waiting.items()},
        "for_others": done.collected.others,
        "forged": done.collected.forged,
        "carried": done.collected.carried,
        "carried_written": done.carried_written,
        "removed": done.removed,
        "problems": done.problems,
        "safe_to_remove": not done.is_gone,
    }


def _name(node: Node, peer_id: str) -> str:
    peer = node.peers.get(peer_id)
    if peer is not None:
        return peer.name
    store = node.groups.ledger(bytes.fromhex(peer_id))
    return f"whoever has the passphrase of {store.genesis.name}" if store else peer_id
