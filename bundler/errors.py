"""Errors of the bundler room; every one derives from `BundleError`.

A leaf for each thing that a caller does differently: quarantine what is malformed or forged, keep
what cannot be opened (it may be for somebody else, or its key may still come), tell the user what
is beyond a bound.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import LedgerError


class BundleError(Exception):
    """Root of what this package raises. Anything else that escapes is a bug."""


class MalformedError(BundleError):
    """Bytes do not follow docs/format.md."""


class LimitError(BundleError):
    """A size or count is beyond a bound of `bundler.limits.Limits`."""


class UnopenableError(BundleError):
    """No key of ours opens this bundle; it is not for us, or its key has not come yet."""


class UnknownSenderError(BundleError):
    """The bundle opens, but was signed by a node that we have no card of."""

    def __init__(self, kid: bytes) -> None:
        """Keep the node id (8 bytes), so that a caller can ask for the card or wait for it."""
        super().__init__(f"signed by node {kid.hex()}, whose card is not here; get it and retry")
        self.kid = kid


class UnencryptedError(BundleError):
    """The bundle is in clear, and was made by a node with which that is not agreed."""

    def __init__(self) -> None:
        """Say so, for the user and for the sender."""
        super().__init__("it is not encrypted, and that is not agreed with its sender here")


class ForgedError(BundleError):
    """A signature, tag, commitment, check or id does not fit what it is said to cover."""


@contextmanager
def ledger_errors_converted() -> Iterator[None]:
    """Turn what the ledger room says of bytes from a bundle into this room's `MalformedError`.

    Raises:
        MalformedError: in place of any `LedgerError`.
    """
    try:
        yield
    except LedgerError as error:
        raise MalformedError(str(error)) from error
