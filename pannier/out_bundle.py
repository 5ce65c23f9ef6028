"""A bundle of ours, as ``node.db`` remembers it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.lazy_dataclass import dataclass
from pannier.nodedb_file import Value, as_id, as_int, as_optional
from spool.name import BundleName

if TYPE_CHECKING:
    from pannier.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class OutBundle:
    """A bundle of ours.

    Attributes:
        bundle_id: 16 hex digits.
        peer: Node id of the recipient.
        name: Its name in the spool.
        state: ``queued``, or how it ended: ``confirmed``, ``refused``, ``expired``, ``replaced``;
            ``sent``, to a peer that cannot answer, as often as it was to be; ``left out``, merged
            without bringing the peer anything (`pannier.left_out`).
        control: Whether it carries no entries.
        counter: The node's counter that it was made under.
        written: Onto how many media or links it went, whomever those serve.
        created_us: When it was sealed.
        expiry_days: When it may be dropped.
        size_bytes: Sealed.
        note: Why it was refused; what was the case when it was left out.
        key_id: Of the pairwise key that it is sealed under; None for a full bundle.
    """

    bundle_id: str
    peer: str
    name: str
    state: str
    control: bool
    counter: int
    written: int
    created_us: int
    expiry_days: int
    size_bytes: int
    note: str = ""
    key_id: bytes | None = None


def out_bundle_from_row(row: Sequence[Value]) -> OutBundle:
    """Return the bundle of a row of the table ``bundle``.

    Raises:
        PannierError: the row is damaged.
    """
    bundle_id, peer, name, state, control, counter, written, created, expiry, size, note, key = row
    return OutBundle(
        bundle_id=as_id(bundle_id),
        peer=as_id(peer),
        name=str(name),
        state=str(state),
        control=bool(control),
        counter=as_int(counter),
        written=as_int(written),
        created_us=as_int(created),
        expiry_days=as_int(expiry),
        size_bytes=as_int(size),
        note=str(note),
        key_id=as_optional(key),
    )


def withdraw(node: "Node", bundle: OutBundle, state: str, note: str = "") -> None:
    """End a bundle of ours: it leaves the queue."""
    node.db.end_bundle(bundle.bundle_id, state, note)
    node.spool.outbox.withdraw(bundle.peer, BundleName.from_text(bundle.name))
