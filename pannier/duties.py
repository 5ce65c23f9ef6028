"""What a node does by itself in each of its ledgers at every import: none holds up the others."""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import DamagedError, LedgerError
from ledger.store import Store


@contextmanager
def put_off(store: Store, notes: list[str]) -> Iterator[None]:
    """Leave for the next import what a ledger does not let be done in the block.

    Another process may be writing to it, or have taken in a removal just now; what others said in
    it may not be answered in one entry. Nobody asked for it, and the other ledgers do not wait.
    What the disk says is not of that ledger alone, or a person must mend it: that is raised.

    Args:
        store: The ledger.
        notes: Takes a line for people.

    Raises:
        DamagedError: the disk said no, or the file is damaged.
    """
    try:
        yield
    except DamagedError:
        raise
    except LedgerError as error:
        notes.append(f"{store.genesis.name}: this was put off: {error}")
