"""What a word means that shall name a ledger: its name, its id, or the first digits of that.

Whoever makes a ledger chooses its name, which may be that of another, or look like the id of one.
So nothing here guesses: a whole id means the ledger that has it, and what else fits several means
all of them. Whoever asks refuses that, or what a user writes for one ledger goes into another.
"""

import re
from collections.abc import Collection, Mapping

from ledger.genesis import LedgerId
from pannier.node import Node

_LEAST_DIGITS = 4
_SHOWN_DIGITS = 8
_WHOLE_ID = re.compile("[0-9a-f]{32}")

Names = Mapping[LedgerId, str | None]
"""The ledgers of a node, and the name of each; None: it cannot be read."""


def ledger_names(node: Node) -> dict[LedgerId, str | None]:
    """Return the ledgers of a node.

    Raises:
        PannierError: a file with another name lies among them.
        BusyError: another process held one for too long.
        DiskError: the disk, and not what stands on it, is at fault.
    """
    known: dict[LedgerId, str | None] = {
        store.ledger_id: store.genesis.name for store in node.ledgers()
    }
    return known | {one: None for one in node.ledger_ids() if one not in known}


def ledgers_meant(word: str, names: Names) -> list[LedgerId]:
    """Return the ledgers that *word* may mean; where nothing fits, all whose name is not known."""
    if _WHOLE_ID.fullmatch(word):
        return [one for one in names if one.hex() == word]
    is_start = len(word) >= _LEAST_DIGITS
    fitting = [
        one
        for one, name in names.items()
        if name == word or (is_start and one.hex().startswith(word))
    ]
    return fitting or [one for one, name in names.items() if name is None]


def digits_of(ledger_id: LedgerId, names: Names) -> str:
    """Return the first digits of an id, at least eight, that mean no other ledger among *names*."""
    whole = ledger_id.hex()
    starts = (whole[:count] for count in range(_SHOWN_DIGITS, len(whole)))
    return next((one for one in starts if ledgers_meant(one, names) == [ledger_id]), whole)


def choices_text(some: Collection[LedgerId], names: Names) -> str:
    """Return some ledgers for people; what comes first of each means it and no other."""
    return ", ".join(_choice(one, names) for one in some)


def note_on_name(ledger_id: LedgerId, names: Names) -> str | None:
    """Return what to tell of a ledger that is new here; None if its name means no other."""
    name = names.get(ledger_id)
    if name is None or ledgers_meant(name, names) == [ledger_id]:
        return None
    digits = digits_of(ledger_id, names)
    return f"{name}: this may mean another ledger, too; say --ledger {digits} for this one"


def _choice(ledger_id: LedgerId, names: Names) -> str:
    name, digits = names[ledger_id], digits_of(ledger_id, names)
    if name is None:
        return f"one that cannot be read ({digits})"
    if ledgers_meant(name, names) == [ledger_id]:
        return f"{name} ({digits})"
    return f"{digits} (called {name})"
