"""Errors that a user sees: one line each, and what to do.

The command line turns the roots of the other rooms (`LedgerError`, `BundleError`, `SpoolError`,
`TransportError`) into the same.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

# What is no error of a room: only a fault of this program brings it about.
_BUGS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError),
    *(ValueError, struct.error),
)


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


class BugError(PannierError):
    """This program is at fault; what it was about is to be left as it is, and all else done."""


@contextmanager
def bugs_told() -> Iterator[None]:
    """Turn what only a fault of this program raises into an error that is about one thing.

    Raises:
        BugError: in place of it.
    """
    try:
        yield
    except _BUGS as error:
        raise BugError(f"a bug in pannier ({type(error).__name__}: {error})") from error
