"""How much each tree of the spool may hold. Files count in whole blocks of 4 KiB."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Bounds of one spool; reaching one refuses or drops, and never fails the rest.

    Attributes:
        file_bytes: Longest file of any tree: a bundle of 16 MiB and what is around its symbols.
        inbox_bytes: What one known peer may have waiting: 64 of the largest bundles.
        inbox_unknown_bytes: The same for all unknown peers together.
        held_bytes: Whole bundles that wait for something else.
        held_bundles: How many of those at most: each import lists them.
        carried_bytes: Fragments for others; a courier's kindness, bounded.
        partial_bytes: What links have brought in part.
        quarantine_bytes: What failed, kept for a person to look at.
        quarantine_bundles: How many of those at most.
    """

    file_bytes: int = 17 << 20
    inbox_bytes: int = 1 << 30
    inbox_unknown_bytes: int = 64 << 20
    held_bytes: int = 1 << 30
    held_bundles: int = 16_384
    carried_bytes: int = 64 << 20
    partial_bytes: int = 64 << 20
    quarantine_bytes: int = 64 << 20
    quarantine_bundles: int = 1000
