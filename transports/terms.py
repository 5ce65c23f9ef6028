"""Conditions of an exchange, which the node sets: time, and what may be done."""

from typing import Final, NamedTuple

FILE_BYTES: Final = 17 << 20
"""Longest file of fragments that is read: a bundle of 16 MiB and what is around its symbols."""


class Terms(NamedTuple):
    """Conditions of a pass.

    Attributes:
        today_days: A day that the node believes in, in days since 2020-01-01 UTC.
        now_ns: The clock, in nanoseconds since 1970; only for the age of files.
        is_removable: Whether files that have done their service may be taken off the medium.
        file_bytes: Longest file that is read.
        bundles: Ids of the queued bundles that a delivery writes; None for all.
    """

    today_days: int
    now_ns: int
    is_removable: bool = True
    file_bytes: int = FILE_BYTES
    bundles: frozenset[str] | None = None
