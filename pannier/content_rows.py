"""Which contents of files travel to a peer, or have arrived there, as ``node.db`` knows it.

A chunk stands there by the name that the packs of its ledger give it (docs/format.md section 9.5):
whoever steals the file cannot compare that with files that everybody has.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_blob

QUEUED = "queued"
_STATES = f"('{QUEUED}', 'confirmed', 'sent')"
_STEP = 500


def note(db: NodeDb, bundle_id: str, names: Iterable[bytes]) -> None:
    """Note that a bundle of ours carries the chunks with *names*."""
    with db.transaction():
        for name in names:
            db.run("INSERT OR IGNORE INTO content VALUES (?, ?)", bundle_id, name)


def carriers(db: NodeDb, peer: str, names: Sequence[bytes]) -> dict[bytes, dict[str, str]]:
    """Return the bundles for *peer* that carry chunks, or have brought them there.

    Returns:
        By the name of the chunk, the state of each such bundle by its id.
    """
    found: dict[bytes, dict[str, str]] = {}
    rest = iter(names)
    while some := list(islice(rest, _STEP)):
        rows = db.rows(
            "SELECT content.name, content.bundle, state FROM content "  # noqa: S608 -- our words
            "JOIN bundle ON bundle.id = content.bundle "
            f"WHERE peer = ? AND state IN {_STATES} "
            f"AND content.name IN ({', '.join('?' * len(some))})",
            peer,
            *some,
        )
        for name, bundle, state in rows:
            found.setdefault(as_blob(name), {})[str(bundle)] = str(state)
    return found


def queued(db: NodeDb, peer: str) -> set[str]:
    """Return the bundles with contents that are on their way to *peer*."""
    rows = db.rows(
        "SELECT id FROM bundle WHERE peer = ? AND state = ? "
        "AND EXISTS (SELECT 1 FROM content WHERE bundle = bundle.id)",
        peer,
        QUEUED,
    )
    return {str(bundle) for (bundle,) in rows}
