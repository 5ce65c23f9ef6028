"""Reading tails: which log one is of, and what it says, with what is held of that log.

Nothing in a tail can be read, let alone verified, without the entries that it builds on
(docs/format.md section 5.5).
"""

from collections.abc import Iterable, Mapping

from bundler.errors import BundleError
from bundler.tail_section import MAX_CONTEXT_BYTES, TailSection, log_reference
from ledger.entries import Entries
from ledger.entry import Entry
from ledger.errors import MalformedError, UnverifiedError
from ledger.log import LogName, LogState, Range
from ledger.merge import signed_after
from ledger.seeds import salts_given
from ledger.store import Store

_MAX_LOGS = 4
"""Two logs hardly ever have one reference, unless a member made them so."""


def logs_of(stores: Iterable[Store], reference: bytes) -> list[tuple[Store, LogName]]:
    """Return the logs that *reference* may mean; none if that is none of those held.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    found = [
        (store, name)
        for store in stores
        for name in store.derived(_by_reference, store.newest_log()).get(reference, ())
    ]
    return found[:_MAX_LOGS]


def _by_reference(store: Store) -> Mapping[bytes, list[LogName]]:
    names: dict[bytes, list[LogName]] = {}
    for name in store.log_names():
        names.setdefault(log_reference(store.ledger_id, name), []).append(name)
    return names


def entries_in(store: Store, state: LogState, section: TailSection) -> list[Entry] | None:
    """Return the entries of a tail, of which nothing is proven; None if it cannot be read.

    Args:
        store: The ledger.
        state: The log; it reaches as far as the tail's first entry.
        section: The tail.

    Raises:
        DamagedError: the file cannot be read.
    """
    begin, end = section.context.span(section.first)
    if sum(store.costs(state, begin, end)) > MAX_CONTEXT_BYTES:
        return None
    context = store.entries(state, begin, end)
    if any(entry.payload is None for entry in context):
        return None
    from bundler.tail_model import decode_tail  # noqa: PLC0415 -- large, and few bundles hold tails

    known = salts_given(state.cover, section.first, section.count)
    try:
        return decode_tail(section.data, section.count, known, context)
    except BundleError:
        return None


def read_tail(store: Store, state: LogState, section: TailSection) -> Range | None:
    """Return what the author signed; None if that cannot be told from what is held of the log.

    Args:
        store: The ledger.
        state: The log; it reaches as far as the tail's first entry, and its author is known.
        section: The tail.

    Raises:
        DamagedError: the file cannot be read.
    """
    entries = entries_in(store, state, section)
    if entries is None:
        return None
    columns = Entries.of(entries)
    try:
        checkpoint = signed_after(store, state.name, section.first, columns, section.signature)
    except (MalformedError, UnverifiedError):
        return None
    return Range(
        log=state.name,
        first=section.first,
        entries=columns,
        cover=state.cover,
        checkpoint=checkpoint,
    )
