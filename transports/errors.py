"""Errors of the transports; every one derives from `TransportError`.

The class says what a person at the medium does: plug it in again, make room, take another one.
"""

from transports.report import Collected, Delivered


class TransportError(Exception):
    """Root of what this package raises. Anything else that escapes is a bug."""


class NotAMediumError(TransportError):
    """The folder cannot be used for an exchange; the message says why."""


class MediumGoneError(TransportError):
    """The medium was pulled or unmounted; what had been taken over or written before is safe.

    Attributes:
        done: What that is.
    """

    def __init__(self, message: str, done: Collected | Delivered | None = None) -> None:
        """Keep what was done before."""
        super().__init__(message)
        self.done = done


class MediumFullError(TransportError):
    """No room on the medium for this file."""


class MediumReadOnlyError(TransportError):
    """The medium cannot be written to."""


class MediumFaultError(TransportError):
    """The medium refused one file; others may still work."""
