"""How files are checked out, and what came of it: the values of `pannier.checkout`."""

from ledger.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutOptions:
    """How to check out.

    Attributes:
        force: Whether to replace files whose content the ledger does not know.
        delete: Whether to remove files of which all that the ledger says is that they are deleted.
        reread: Whether to read files, too, that have the right size and time.
        windows: Whether names are for that system, which takes fewer.
    """

    force: bool = False
    delete: bool = False
    reread: bool = False
    windows: bool = False


@dataclass(slots=True)
class CheckedOut:
    """What came of checking out so far.

    Attributes:
        found: How many there were to look at.
        files: How many were written.
        size_bytes: All of those together.
        same: How many were there already.
        removed: How many were removed.
        skipped: How many are not as the ledger says.
        conflicts: Of how many there are several versions, of which one was taken.
    """

    found: int = 0
    files: int = 0
    size_bytes: int = 0
    same: int = 0
    removed: int = 0
    skipped: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Disputed:
    """A file that is there now, while somebody says that it is none.

    Attributes:
        path: Which, as the ledger calls it.
        why: Who says what, for a person.
    """

    path: str
    why: str
