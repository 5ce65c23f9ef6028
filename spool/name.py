"""Names of fragments and bundles, all that a spool and a courier may know of them.

A name is a hint: what it says is believed only as far as queues and quotas go, the header inside
decides. Format: docs/format.md sections 7.1 and 9.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from spool.errors import MalformedNameError

FRAGMENT_NAME_LENGTH: Final = 44
LAST_PRIORITY: Final = 7
UNKNOWN_PEER: Final = "unknown"

_NAME = re.compile(r"([0-7])([0-9a-f]{4})-([0-9a-f]{8})-([0-9a-f]{16})-([0-9a-f]{8})\.(pnr|bundle)")
_HINT = re.compile("[0-9a-f]{8}")
_ID = re.compile("[0-9a-f]{16}")
_SOURCE = re.compile("[0-9a-z]{1,32}")


@dataclass(frozen=True, slots=True, order=True)
class FragmentName:
    """Name of a file of fragments of one bundle; the most urgent sorts first.

    Attributes:
        priority: 0 (first) to 7.
        expiry_days: Last day on which it is of use, in days since 2020-01-01 UTC, 0..65535.
        hint: 8 hex digits by which its recipient finds it.
        bundle_id: 16 hex digits.
        payload_id: Of the first symbol in the file, 0..2**32-1, or what else tells it from other
            files of that bundle (`beside`). No reader goes by it.
    """

    priority: int
    expiry_days: int
    hint: str
    bundle_id: str
    payload_id: int

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            MalformedNameError: one of them is out of bounds.
        """
        _check_fields(self.priority, self.expiry_days, self.hint, self.bundle_id, self.payload_id)

    def to_text(self) -> str:
        """Return the name of the file, 44 characters; `from_text` is its inverse."""
        return (
            f"{self.priority}{self.expiry_days:04x}-{self.hint}-{self.bundle_id}"
            f"-{self.payload_id:08x}.pnr"
        )

    @classmethod
    def from_text(cls, text: str) -> "FragmentName":
        """Parse a file name; only the one form that `to_text` gives is accepted.

        Raises:
            MalformedNameError: *text* is not that form.
        """
        return cls(*_parse(text, "pnr"))

    def beside(self, digest: bytes) -> "FragmentName":
        """Return the name for other bytes than those that have this one.

        It follows from the bytes alone: whoever has the same has them under the same name, so that
        those who carry for each other make no more than two names of them.

        Args:
            digest: SHA-256 of all of them, at least its first 4 bytes.
        """
        return replace(self, payload_id=int.from_bytes(digest[:4], "big"))


@dataclass(frozen=True, slots=True, order=True)
class BundleName:
    """Name of a whole sealed bundle; the most urgent sorts first.

    Attributes:
        priority: 0 (first) to 7.
        expiry_days: Last day on which it is of use, in days since 2020-01-01 UTC, 0..65535.
        hint: 8 hex digits by which its recipient finds it.
        bundle_id: 16 hex digits.
        symbol_bytes: Size of its symbols, 0..2**32-1; means nothing to the spool.
    """

    priority: int
    expiry_days: int
    hint: str
    bundle_id: str
    symbol_bytes: int

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            MalformedNameError: one of them is out of bounds.
        """
        _check_fields(self.priority, self.expiry_days, self.hint, self.bundle_id, self.symbol_bytes)

    def to_text(self) -> str:
        """Return the name of the file, 47 characters; `from_text` is its inverse."""
        return (
            f"{self.priority}{self.expiry_days:04x}-{self.hint}-{self.bundle_id}"
            f"-{self.symbol_bytes:08x}.bundle"
        )

    @classmethod
    def from_text(cls, text: str) -> "BundleName":
        """Parse a file name; only the one form that `to_text` gives is accepted.

        Raises:
            MalformedNameError: *text* is not that form.
        """
        return cls(*_parse(text, "bundle"))

    def fragment(self, payload_id: int) -> FragmentName:
        """Return the name of this bundle's file of fragments that starts at *payload_id*.

        Raises:
            MalformedNameError: *payload_id* is out of bounds.
        """
        return FragmentName(self.priority, self.expiry_days, self.hint, self.bundle_id, payload_id)


def check_bundle_id(bundle_id: str) -> None:
    """Raise `MalformedNameError` unless *bundle_id* is 16 lower-case hex digits."""
    if not _ID.fullmatch(bundle_id):
        raise MalformedNameError(f"{bundle_id!r} is not a bundle id: 16 hex digits")


def is_bundle_id(text: str) -> bool:
    """Return whether *text* is 16 lower-case hex digits."""
    return _ID.fullmatch(text) is not None


def is_peer(text: str) -> bool:
    """Return whether *text* is a node id of 16 lower-case hex digits, or `UNKNOWN_PEER`."""
    return text == UNKNOWN_PEER or _ID.fullmatch(text) is not None


def check_peer(peer: str) -> None:
    """Raise `MalformedNameError` unless *peer* is a node id or `UNKNOWN_PEER`."""
    if not is_peer(peer):
        raise MalformedNameError(f"{peer!r} is not a node id: 16 hex digits")


def check_source(source: str) -> None:
    """Raise `MalformedNameError` unless *source* names a medium or link: 1..32 of 0-9 and a-z."""
    if not _SOURCE.fullmatch(source):
        raise MalformedNameError(f"{source!r} is not a source: 1 to 32 digits and small letters")


def _parse(text: str, ending: str) -> tuple[int, int, str, str, int]:
    found = _NAME.fullmatch(text)
    if found is None or found[6] != ending:
        raise MalformedNameError(f"{text[:64]!r} is not the name of a .{ending} file")
    return int(found[1]), int(found[2], 16), found[3], found[4], int(found[5], 16)


def _check_fields(priority: int, expiry_days: int, hint: str, bundle_id: str, number: int) -> None:
    if not 0 <= priority <= LAST_PRIORITY:
        raise MalformedNameError(f"priority {priority}; 0 to {LAST_PRIORITY} are allowed")
    if not 0 <= expiry_days <= 0xFFFF:
        raise MalformedNameError(f"expiry on day {expiry_days}; 0 to 65535 are allowed")
    if not _HINT.fullmatch(hint):
        raise MalformedNameError(f"{hint!r} is not a hint: 8 hex digits")
    check_bundle_id(bundle_id)
    if not 0 <= number <= 0xFFFFFFFF:
        raise MalformedNameError(f"{number} does not fit 8 hex digits")
