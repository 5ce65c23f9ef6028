"""Errors of the spool room; every one derives from `SpoolError`.

The class says what a caller can do: `MalformedNameError` is the fault of whoever made the name,
`BusyError` passes, `FullError` wants room, `StorageError` wants a person.
"""


class SpoolError(Exception):
    """Root of what this package raises. Anything else that escapes is a bug."""


class MalformedNameError(SpoolError):
    """A name does not follow docs/format.md section 7.1 or 9."""


class FullError(SpoolError):
    """The disk or the quota of a tree is full; nothing was written."""


class ConflictError(SpoolError):
    """A file of that name is there already, with other bytes."""


class GoneError(SpoolError):
    """The file is not there, or not any more: another process may have taken it."""


class BusyError(SpoolError):
    """Another exchange with the same medium or link is going on in this home."""


class StorageError(SpoolError):
    """The disk refused for another reason than room; the message carries its word."""


class UnreadableError(StorageError):
    """The disk cannot read this one file; another file may be as it should be."""


class WatchError(SpoolError):
    """The thread of a watcher came to an end because its callback failed."""
