"""Errors that a user sees: one line each, and what to do.

The command line turns the roots of the other rooms (`LedgerError`, `BundleError`, `SpoolError`,
`TransportError`) into the same.
"""

from typing import ClassVar


class PannierError(Exception):
    """Root of what this package raises; the message is one line for a person."""

    exit_status: ClassVar[int] = 1


class UsageError(PannierError):
    """What was asked makes no sense here, or more must be said."""

    exit_status = 2


class PartlyDoneError(PannierError):
    """Something was done and something was left; the message says what."""

    exit_status = 3


class BusyError(PannierError):
    """Another pannier is at work on the same thing."""

    exit_status = 4


class DamagedFileError(PannierError):
    """A file of ours is not as it was written."""
