"""How many logs may be known by name alone (docs/format.md sections 3.5 and 3.8).

An author can sign checkpoints, and proofs of two histories, of any number of logs that nobody ever
saw an entry of.
"""

from ledger.log import LogName
from ledger.store import Store

MAX_UNSEEN_LOGS = 64
"""Logs of one author of which no entry is here."""


def may_begin(store: Store, log: LogName) -> bool:
    """Return whether something may be kept about *log*: it is here, or few of its author are not.

    Raises:
        DamagedError: the file cannot be read.
    """
    if store.log(log).row is not None:
        return True
    return store.count_unseen(log.author) < MAX_UNSEEN_LOGS
