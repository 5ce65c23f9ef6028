"""What ``pannier verify --repair`` does, and says of it."""

from collections.abc import Iterator

from ledger.errors import LedgerError
from ledger.genesis import LedgerId
from ledger.repair import Lost
from pannier.cli.session import plural
from pannier.errors import PannierError
from pannier.file_check import check_contents
from pannier.held_check import ask_anew, misheld
from pannier.node import Node
from pannier.repairing import (
    Repaired,
    alone,
    ledger_faults,
    node_db_faults,
    repair_ledger,
    repair_node_db,
    take_up,
)


def repair_each(node: Node) -> Iterator[Repaired]:
    """Mend what is damaged of a node, and yield each file as it is mended.

    What cannot be mended keeps nobody from going on with the others.

    Raises:
        BusyError: another process is at work in this home.
        PannierError: something could not be mended, the first of all; it is as it was.
        LedgerError: likewise.
    """
    failed: list[PannierError | LedgerError] = []
    with alone(node):
        take_up(node)
        if node_db_faults(node):
            yield repair_node_db(node)
        for ledger_id in node.ledger_ids():
            try:
                if ledger_faults(node, ledger_id):
                    repaired = repair_ledger(node, ledger_id)
                    node.look_again()
                    yield repaired
                else:
                    node.try_again(ledger_id)
                _check_contents(node, ledger_id)
            except (PannierError, LedgerError) as error:
                failed.append(error)
    if failed:
        raise failed[0]


def ask_each_anew(node: Node) -> list[str]:
    """Have peers asked anew what they hold, where it cannot be as it is noted; return their ids.

    Raises:
        BusyError: another process is at work in this home.
        PannierError: ``node.db`` cannot be read or written to.
    """
    with alone(node):
        wrong = misheld(node)
        ask_anew(node, wrong)
    return sorted({one.peer for one in wrong})


def _check_contents(node: Node, ledger_id: LedgerId) -> None:
    store = node.ledger(ledger_id)
    if store is not None:
        for _ in check_contents(store):
            pass  # what is altered counts as missing from here on


def is_short(repaired: Repaired) -> bool:
    """Return whether entries were lost."""
    if repaired.salvaged is None:
        return repaired.is_ledger
    return bool(repaired.salvaged.lost)


def repair_lines(node: Node, repaired: Repaired) -> Iterator[str]:
    """Yield what to say of one file, in lines."""
    salvaged, name = repaired.salvaged, repaired.path.name
    if salvaged is not None:
        name = salvaged.genesis.name
        yield f"repaired: {name}, {plural(salvaged.entries, 'entry')} saved"
        for lost in salvaged.lost:
            yield f"lost: {name}, {_lost_text(node, lost)}"
        if salvaged.said_again:
            again = plural(salvaged.said_again, "entry")
            yield f"said again: {name}, {again} of those, which nobody else has, in a new log"
    elif repaired.is_ledger:
        yield f"lost: all of {name}; a peer who is in that ledger sends it again"
    else:
        yield f"repaired: {name} is made anew; what was on its way is planned again"
    yield f"kept: the damaged file, as {repaired.damaged}"


def repair_json(node: Node, repaired: Repaired) -> dict[str, object]:
    """Return the same for programs."""
    salvaged = repaired.salvaged
    return {
        "file": str(repaired.path),
        "damaged": str(repaired.damaged),
        "entries": salvaged.entries if salvaged else 0,
        "said_again": salvaged.said_again if salvaged else 0,
        "lost": [_lost_json(node, lost) for lost in (salvaged.lost if salvaged else ())],
    }


def _lost_text(node: Node, lost: Lost) -> str:
    which = plural(lost.end - lost.first, "entry")
    if lost.log is None:
        return f"{which} of a log whose name is lost, too"
    span = f"{lost.first:,} to {lost.end - 1:,}"
    incarnation = lost.log.incarnation.hex()[:8]
    return f"{which} by {node.who(lost.log.author)} ({incarnation}), numbers {span}, or more"


def _lost_json(node: Node, lost: Lost) -> dict[str, object]:
    log = lost.log
    return {
        "by": None if log is None else node.who(log.author),
        "incarnation": None if log is None else log.incarnation.hex(),
        "first": lost.first,
        "end": lost.end,
    }
