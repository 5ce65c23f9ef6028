"""Sections of one bundle, handed to a node that has opened it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from bundler.plan import Span
from bundler.sections import Section
from ledger.store import Store
from pannier.lacks import Piece, in_order
from pannier.load import log_section
from pannier.merging import Merging
from pannier.new_ledgers import NewLedgers
from tests.sim.world import World

if TYPE_CHECKING:
    from bundler.content import Opened


class _Brought:
    """A bundle of which only the sections count."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections

    def sections(self) -> Iterator[Section]:
        return iter(self._sections)


def bring(world: World, reader: str, sender: str, sections: Sequence[Section]) -> None:
    """Have *reader* merge *sections*, which come from *sender*."""
    node = world[reader]
    merging = Merging(node=node, peer=node.peer_named(sender), new=NewLedgers(node))
    merging.run(cast("Opened", _Brought(sections)))


def sections_of(store: Store) -> list[Section]:
    """Return a section of each log of a ledger, those of admins first."""
    return [
        log_section(Piece(store=store, state=log, span=Span(0, log.size), with_cover=True))
        for log in in_order(store)
    ]
