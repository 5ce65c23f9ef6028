"""Whether this process may open more files; with `ledger.store_file` all I/O of this room."""

import os
from contextlib import ExitStack

_FILES_OF_A_LEDGER = 4  # with its WAL, the index of that, and for a moment the folder


def refusal() -> OSError | None:
    """Return what the system says to whoever opens a ledger now; None if it may be opened."""
    try:
        with ExitStack() as opened:
            for _ in range(_FILES_OF_A_LEDGER):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None
