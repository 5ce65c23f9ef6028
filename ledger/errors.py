"""Errors of the ledger room; every one derives from `LedgerError`.

The class says who is at fault: `MalformedError` and `UnverifiedError` are the fault of whoever made
the bytes, `RefusedError` of whoever asked, `DamagedError` of the disk.
"""

from pathlib import Path


class LedgerError(Exception):
    """Root of what this package raises. Anything else that escapes is a bug."""


class MalformedError(LedgerError):
    """Bytes do not follow docs/format.md, or are beyond its bounds."""


class NewerError(MalformedError):
    """It is of a version that came after this program; a later one reads it."""


class UnverifiedError(LedgerError):
    """A signature, hash or proof does not fit what it is said to cover."""


class OtherCardError(UnverifiedError):
    """Its author signed it, but with no second key that a card of its that counts here promises.

    Which cards count depends on what was heard of the ledger: nobody need be to blame.
    """


class RefusedError(LedgerError):
    """What was asked cannot be done; the message says what to do instead."""


class OtherKeysError(RefusedError):
    """A file of a ledger is under other keys than those of this node."""


class DamagedError(LedgerError):
    """A file of ours is not as we wrote it.

    Attributes:
        path: The ledger file that was read when it showed; None where that is not known.
    """

    path: Path | None = None


class DiskError(DamagedError):
    """The disk did not let a file be opened, read or written; what stands in it may be whole."""


class FullError(DiskError):
    """The disk is full; what was to be written is not kept."""


class AlteredError(DamagedError):
    """Something in a file of ours does not open under its key: its bytes were changed."""


class WrongPassphraseError(LedgerError):
    """The passphrase does not open the keys."""


class StaleError(LedgerError):
    """The log changed between checking and writing: read it again and try again."""


class BusyError(LedgerError):
    """Another process held the ledger file for too long."""


class MissingError(LedgerError):
    """The content of a file that is not here; others may have it."""
