"""Going on where a ledger file cannot be read: with all others, and with nothing of that one.

What it says is not known for now: who is in it, who was removed, what is held. So nothing made from
it goes out and nothing of it is said but what was said before; what comes for it waits. None of
that is undone or thrown away: a repair, or a later version, brings it all back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from bundler.tail_section import log_reference
from ledger.errors import DamagedError
from ledger.genesis import LedgerId
from pannier.home import Peer
from pannier.node import Node
from pannier.out_bundle import OutBundle

_T = TypeVar("_T")


def going_on(node: Node, act: Callable[[], _T]) -> _T:
    """Do something, and again without a ledger that turns out to be damaged only meanwhile.

    Without those in which such damage was found before, here or by another process, it is begun.
    What shows once may have been no damage: another process may have cut a log off while it was
    read, or the log of SQLite begun anew. So a ledger is left when it shows again.

    Args:
        node: Whose ledgers.
        act: May be cut short anywhere and done again, as where a process is killed.

    Raises:
        DamagedError: it is not known of which ledger, or the disk is at fault.
        PannierError: ``node.db`` cannot be read.
    """
    node.look_again()
    node.leave_known()
    suspected: set[Path | None] = set()
    for _ in range(2 * len(node.ledger_ids())):
        try:
            return act()
        except DamagedError as error:
            act_without = node.leave if error.path in suspected else node.close_ledger
            if not act_without(error):
                raise
            suspected.add(error.path)
    return act()


def problems(node: Node) -> list[str]:
    """Return what to tell people of the ledgers that cannot be read: a line for each.

    Raises:
        PannierError: a file with another name lies among them.
        BusyError: another process held one for too long.
        DiskError: the disk, and not what stands on it, is at fault.
    """
    return [f"{why}; until then all that is of it waits" for why in node.unreadable.values()]


def held_back(node: Node) -> frozenset[str]:
    """Return the ids of the bundles of ours that stay where they are, queued, and go nowhere.

    Something in them is of a ledger that cannot be read: whether those whom they are for are still
    in it is not known, and they could not be made anew.

    Raises:
        PannierError: ``node.db`` cannot be read, or as `problems`.
        BusyError: as `problems`.
        DiskError: as `problems`.
    """
    return node.db.bundles_about(node.unreadable)


def kept_from(node: Node, peer: Peer) -> frozenset[str]:
    """Return the ids of the bundles for *peer* that are `held_back` and were still to go to it.

    So what is in them is not on its way. What it was sent as often as it is to be it has, as far as
    anybody can tell, be it queued still or ended.

    Raises:
        PannierError: as `held_back`.
        BusyError: as `held_back`.
        DiskError: as `held_back`.
    """
    queued = (*node.db.bundles(peer.node_id), *node.db.group_bundles(peer.node_id))
    return frozenset(
        one.bundle_id
        for one in stuck(node, queued)
        if not node.is_sent_enough(peer.node_id, one.bundle_id)
    )


class UnreadLogs:
    """The logs of ledgers that cannot be read of which something is known nevertheless.

    Peers choose how many they say they hold, and how often a bundle of theirs asks for one: so all
    are looked up once, when the first is asked for.
    """

    def __init__(self, node: Node) -> None:
        """Look up nothing yet; *node* is whose ledgers they are."""
        self._node = node

    def ledgers_of(self, reference: bytes) -> Collection[LedgerId]:
        """Return the ledgers of which a tail's *reference* means a log.

        Raises:
            PannierError: as `held_back`.
            BusyError: as `held_back`.
            DiskError: as `held_back`.
        """
        return self._by_reference.get(reference, ())

    @cached_property
    def _by_reference(self) -> Mapping[bytes, Collection[LedgerId]]:
        found: dict[bytes, set[LedgerId]] = {}
        for ledger_id in self._node.unreadable:
            for log in self._node.db.logs_of(ledger_id):
                found.setdefault(log_reference(ledger_id, log), set()).add(ledger_id)
        return found


def free(node: Node, bundles: Sequence[OutBundle]) -> list[OutBundle]:
    """Return those of *bundles* that are not `held_back`.

    Raises:
        PannierError: as `held_back`.
        BusyError: as `held_back`.
        DiskError: as `held_back`.
    """
    held = _held_among(node, bundles)
    return [one for one in bundles if one.bundle_id not in held]


def stuck(node: Node, bundles: Sequence[OutBundle]) -> list[OutBundle]:
    """Return the others, which are `held_back`.

    Raises:
        PannierError: as `held_back`.
        BusyError: as `held_back`.
        DiskError: as `held_back`.
    """
    held = _held_among(node, bundles)
    return [one for one in bundles if one.bundle_id in held]


def _held_among(node: Node, bundles: Sequence[OutBundle]) -> frozenset[str]:
    """Return all that are held back; none where there are none: asking looks at all files."""
    return held_back(node) if bundles else frozenset()
