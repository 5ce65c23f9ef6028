"""Which bundles a person must look at before they are merged.

By who sent them, and by what brought them: ``import = "review"`` in ``config.toml``. Only what
would change a ledger waits; what a sender says of itself (have, sent, receipts, keys) is believed
at once.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from bundler.log_section import LogSection
from bundler.notices import ForkSection, GenesisSection
from bundler.tail_section import TailSection
from pannier.config import ANY_MEDIUM, REVIEW
from pannier.node import Node
from pannier.origin import Origin, possible_senders

if TYPE_CHECKING:
    from bundler.content import Opened

REVIEW_HINT = "f" * 8
"""In place of a hint in the name of a held bundle: it says what ``node.db`` may forget."""

_CHANGES = (LogSection, TailSection, GenesisSection, ForkSection)


def must_ask(node: Node, origin: Origin, sources: Iterable[str]) -> bool:
    """Return whether what came from *origin* by *sources* waits for a person's word.

    Args:
        node: Whose rules.
        origin: Who sent it; of a group it may be any that is, or was, in it.
        sources: Ids of the media, or names of the links, that any part of it came by.

    Raises:
        PannierError: ``node.db`` cannot be read.
        LedgerError: a ledger cannot be read.
    """
    rules = {_medium_rule(node, source) for source in sources}
    rules |= {node.settings(one).import_ for one in possible_senders(node, origin)}
    return REVIEW in rules


def is_asked(node: Node, bundle: str) -> bool:
    """Return whether a person was asked about *bundle*, which is held since.

    Raises:
        SpoolError: the spool cannot be read.
    """
    return any(name.hint == REVIEW_HINT for name in node.spool.held.names_of(bundle))


def content_digest(opened: "Opened") -> bytes | None:
    """Return a digest of all in a bundle that changes a ledger, 32 bytes; None if nothing does.

    Raises:
        BundleError: a section does not follow the format.
    """
    digest, is_empty = sha256(), True
    for section in opened.sections():
        if isinstance(section, _CHANGES):
            body = section.to_body()
            digest.update(b"%d %d " % (section.TYPE, len(body)) + body)
            is_empty = False
    return None if is_empty else digest.digest()


def _medium_rule(node: Node, source: str) -> str:
    """Return the rule for a medium: by its id, else by its label, else for any."""
    media = node.config.media
    labels = node.db.rows("SELECT label FROM medium WHERE id = ?", source)
    for name in (source, *(str(label) for (label,) in labels), ANY_MEDIUM):
        if name in media:
            return media[name].import_
    return ""
