"""What stands in ``node.db`` of haves: what peers hold by their word, and what they were told.

One row a log, so that a difference costs what it says and not what there is.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from bundler.have_digest import Holding, bucket_of, item_of
from bundler.notices import (
    KEY_ID_BYTES,
    MAX_ASK_BITS,
    ROOT_START_BYTES,
    Ask,
    HeldLog,
    Seen,
)
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from pannier.errors import DamagedFileError
from pannier.nodedb_file import (
    MEND_NODE_DB,
    NodeDbFile,
    Value,
    as_blob,
    as_int,
    as_optional,
    as_size,
)

MAX_LOGS = 65_536
"""So many logs a peer is told of, and is believed to hold: some 6 MiB of ``node.db``."""

NEVER = 2**63 - 1
"""In place of the counter of a bundle that did not arrive: above all that a peer may confirm."""

_INCARNATION_BYTES = 8
_OLD_MARK_BYTES = 8
_MARK = Struct(f">Q{ROOT_START_BYTES}sQ")  # size, start of the root, up to where files are whole
LogKey = tuple[LedgerId, LogName]


class Told(NamedTuple):
    """What a peer was told last of one log.

    Attributes:
        mark: What was said (`mark_of`); empty: that it is held no more.
        counter: Under which of this node's counters.
    """

    mark: bytes
    counter: int

    @property
    def is_spelt_out(self) -> bool:
        """Whether the mark says it; older panniers kept but a digest."""
        return len(self.mark) == _MARK.size

    def says(self, holding: Holding) -> bool:
        """Return whether that is what was said."""
        return self.mark == (mark_of(holding) if self.is_spelt_out else _digest_of(holding))


def mark_of(holding: Holding) -> bytes:
    """Return what stands for a holding in ``node.db``; empty for one that is no more."""
    held = holding[1]
    return _MARK.pack(held.size, held.root, held.files) if held.size else b""


def told_of(key: LogKey, told: Told) -> Holding:
    """Return what was said of a log, which is held and spelt out."""
    (ledger_id, log), (size, root, files) = key, _MARK.unpack(told.mark)
    return ledger_id, HeldLog(*log, size, root, files if files < size else None)


def _digest_of(holding: Holding) -> bytes:
    return sha256(item_of(holding)).digest()[:_OLD_MARK_BYTES] if holding[1].size else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaveState:
    """The last have section that was believed, but for the logs in it.

    Attributes:
        counter: Under which counter of the peer it came.
        whole: Under which of them one came after which all was known that the peer held; None if
            none did.
        key_ids: The pairwise keys that the peer has.
        seen: What it has seen of this node.
        base: Under which of our counters it was last told so that it knows all that we held.
        ask: What it asks us to say again.
    """

    counter: int
    whole: int | None
    key_ids: frozenset[bytes]
    seen: Seen | None
    base: int | None
    ask: Ask | None


def have_state(db: NodeDbFile, peer: str) -> HaveState | None:
    """Return what *peer* said last besides logs; None before it said anything.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    found = db.rows(
        "SELECT have_counter, have_whole, have_keys, have_seen, have_base, have_ask FROM peer "
        "WHERE id = ? AND have_counter NOT NULL",
        peer,
    )
    if not found:
        return None
    counter, whole, keys, seen, base, ask = found[0]
    ids, known, asked = as_blob(keys), as_optional(seen), as_optional(ask)
    return HaveState(
        counter=as_int(counter),
        whole=None if whole is None else as_int(whole),
        key_ids=frozenset(ids[at : at + KEY_ID_BYTES] for at in range(0, len(ids), KEY_ID_BYTES)),
        seen=None if known is None else _seen(known),
        base=None if base is None else as_int(base),
        ask=_ask(asked) if asked else None,
    )


def set_have_state(db: NodeDbFile, peer: str, state: HaveState) -> None:
    """Keep what *peer*, which was heard before, said besides logs."""
    seen, ask = state.seen, state.ask
    db.run(
        "UPDATE peer SET have_counter = ?, have_whole = ?, have_keys = ?, have_seen = ?, "
        "have_base = ?, have_ask = ? WHERE id = ?",
        state.counter,
        state.whole,
        b"".join(sorted(state.key_ids)),
        seen and seen.incarnation + seen.counter.to_bytes(8, "big"),
        None if state.base is None else min(state.base, NEVER - 1),
        ask and bytes([ask.bits]) + ask.digests,
        peer,
    )


def held_by(db: NodeDbFile, peer: str) -> list[Holding]:
    """Return what *peer* holds, by its word.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    found = db.rows(
        "SELECT ledger, author, incarnation, size, root, lacking FROM held WHERE peer = ?", peer
    )
    return [_holding(row) for row in found]


def forget_held(db: NodeDbFile, peer: str) -> None:
    """Forget all that *peer* holds."""
    db.run("DELETE FROM held WHERE peer = ?", peer)


def forget_buckets(db: NodeDbFile, peer: str, bits: int, buckets: Iterable[int]) -> None:
    """Forget what *peer* holds of the logs that fall into *buckets*."""
    known = frozenset(buckets)
    inside = [one for one in held_by(db, peer) if bucket_of(one, bits) in known]
    note_held(db, peer, ((ledger, held._replace(size=0)) for ledger, held in inside))


def note_held(db: NodeDbFile, peer: str, holdings: Iterable[Holding]) -> None:
    """Note what *peer* says that it holds of some logs; of size 0: nothing."""
    said = list(holdings)
    db.run_many(
        "DELETE FROM held WHERE peer = ? AND ledger = ? AND author = ? AND incarnation = ?",
        ((peer, ledger, held.author, held.incarnation) for ledger, held in said if not held.size),
    )
    db.run_many(
        "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((peer, ledger, *held) for ledger, held in said if held.size),
    )


def doubt(db: NodeDbFile, peer: str) -> None:
    """Take it that not all is known that *peer* holds, so that it is asked."""
    db.run("UPDATE peer SET have_whole = NULL WHERE id = ?", peer)


def told(db: NodeDbFile, peer: str) -> dict[LogKey, Told]:
    """Return what *peer* was told last of each log."""
    found = db.rows(
        "SELECT ledger, author, incarnation, mark, counter FROM told WHERE peer = ?", peer
    )
    return {
        (LedgerId(as_blob(ledger)), LogName(as_blob(author), as_blob(incarnation))): Told(
            as_blob(mark), as_int(counter)
        )
        for ledger, author, incarnation, mark, counter in found
    }


def is_told_of(db: NodeDbFile, ledger_id: LedgerId) -> bool:
    """Return whether any peer was told that logs of a ledger are held here."""
    sql = "SELECT 1 FROM told WHERE ledger = ? AND mark != x'' LIMIT 1"
    return bool(db.rows(sql, ledger_id))


def note_told(db: NodeDbFile, peer: str, marks: Mapping[LogKey, bytes], counter: int) -> None:
    """Note what *peer* is told, by log, in the bundle under our *counter*."""
    db.run_many(
        "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)",
        (
            (peer, ledger, log.author, log.incarnation, mark, counter)
            for (ledger, log), mark in marks.items()
        ),
    )


def spell_out(db: NodeDbFile, peer: str, marks: Mapping[LogKey, bytes]) -> None:
    """Keep what *peer* was told of some logs instead of a digest of that; only in a transaction."""
    db.run_many(
        "UPDATE told SET mark = ? WHERE peer = ? AND ledger = ? AND author = ? AND incarnation = ?",
        (
            (mark, peer, ledger, log.author, log.incarnation)
            for (ledger, log), mark in marks.items()
        ),
    )


def forget_told(db: NodeDbFile, peer: str) -> None:
    """Forget what *peer* was told."""
    db.run("DELETE FROM told WHERE peer = ?", peer)


def forget_gone(db: NodeDbFile, peer: str, base: int) -> None:
    """Forget what *peer* knows under our counter *base* to be held no more."""
    db.run("DELETE FROM told WHERE peer = ? AND mark = x'' AND counter <= ?", peer, base)


def _seen(data: bytes) -> Seen:
    at = _INCARNATION_BYTES
    return Seen(data[:at], int.from_bytes(data[at:], "big"))


def _ask(data: bytes) -> Ask:
    bits = data[0]
    if bits > MAX_ASK_BITS:
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return Ask(bits, data[1:])


def _holding(row: tuple[Value, ...]) -> Holding:
    ledger, author, incarnation, size, root, lacking = row
    return LedgerId(as_blob(ledger)), HeldLog(
        as_blob(author),
        as_blob(incarnation),
        as_size(size),
        as_blob(root),
        None if lacking is None else as_size(lacking),
    )
