"""Recomputing everything that a ledger file claims (what `pannier verify` runs)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ledger import cbor
from ledger.contradiction import proof_from_bytes
from ledger.entries import Entries, payload_digests
from ledger.entry import check_entry, payload_digest
from ledger.errors import AlteredError, DiskError, LedgerError, MalformedError
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, LogState, LogStatus, log_origin
from ledger.members import members
from ledger.merkle import EMPTY_FRONTIER, Node, extend, leaf_hashes
from ledger.note import Checkpoint
from ledger.payload_check import PayloadCheck
from ledger.seeds import salts_given
from ledger.settle import contains, counts_of, ends_of, standing_of
from ledger.shown_check import disagreements
from ledger.signing import Verifier
from ledger.storage_errors import names_disk
from ledger.store import Store
from ledger.store_queries import entry_id

_STEP = 8192
_Ends = Mapping[LogName, Sequence[Checkpoint]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first thing wrong in a log, or in what lies beside the logs.

    Attributes:
        log: Which log; None for the file as a whole.
        number: The first bad entry; None if it is not an entry.
        reason: What is wrong with it.
    """

    log: LogName | None
    number: int | None
    reason: str

    def __str__(self) -> str:
        """Return the fault in one line."""
        where = "" if self.log is None else f"log {self.log}"
        which = "" if self.number is None else f", entry {self.number}"
        return f"{where}{which}: {self.reason}" if where else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What verifying one log found.

    Attributes:
        state: The log.
        entries: How many were recomputed.
        checkpoints: How many signatures were verified.
        on_behalf: How many entries speak for a device, by the word of the author alone; of those
            that are sealed none is known.
        faults: Empty if all is as it should be; only the first fault of the log.
    """

    state: LogState
    entries: int
    checkpoints: int
    on_behalf: int
    faults: tuple[Fault, ...]


def verify(store: Store) -> Iterator[LogReport]:
    """Recompute every log: payload digests, leaves, tree, signatures, membership, closes, forks.

    Yields:
        A report for each log, as it is done.

    Raises:
        DamagedError: the file cannot be read.
    """
    logs = store.logs()
    ends = _ends(store)
    for state in logs:
        report = _report(store, state, ends)
        if report.faults and store.log(state.name) != state:
            # Another process wrote meanwhile, perhaps what looked wrong; not so at one moment.
            with store.snapshot():
                report = _report(store, store.log(state.name), _ends(store))
        yield report


def _ends(store: Store) -> _Ends | None:
    """Return where authors end logs; None if a close cannot be read: its own log is at fault."""
    with suppress(AlteredError):
        return ends_of(store, members(store))
    return None


def _report(store: Store, state: LogState, ends: _Ends | None) -> LogReport:
    known = members(store)
    faults = []
    checked = _Checked(0, 0, 0)
    try:
        if state.counts != counts_of(known, state.name):
            right = min(known.counted(state.name), state.size)
            raise _FaultError(None, f"of its entries {right} should count, by its author's rights")
        verifier = known.verifier(state.name.author)
        for checked in _verify_log(store, state, verifier):  # noqa: B007 -- kept for the report
            pass
        if ends is not None:
            _verify_standing(store, state, ends.get(state.name, ()))
    except _FaultError as error:
        faults.append(Fault(log=state.name, number=error.number, reason=error.reason))
    return LogReport(state=state, **checked._asdict(), faults=tuple(faults))


def verify_file(store: Store) -> list[Fault]:
    """Check what lies beside the logs: the file's structure, its views, the forks kept as proof.

    Raises:
        DiskError: the disk does not let it be read.
        DamagedError: the file cannot be read.
    """
    said = [str(line) for (line,) in store.rows("PRAGMA integrity_check(10)")]
    if names_disk(said):
        raise DiskError(f"{store.path}: disk I/O error")
    faults = [
        Fault(log=None, number=None, reason=f"the file is damaged: {line}")
        for line in said
        if line != "ok"
    ]
    faults += [Fault(log=None, number=None, reason=what) for what in disagreements(store)]
    known = members(store)
    for state, data in (*store.evidence("fork"), *store.evidence("contradiction")):
        verifier = known.verifier(state.name.author)
        try:
            proof_from_bytes(data).verify(store.ledger_id, state.name, verifier)
        except LedgerError as error:
            faults.append(Fault(log=state.name, number=None, reason=f"a kept fork: {error}"))
    return faults


class _Checked(NamedTuple):
    """What was verified of a log so far; see `LogReport`."""

    entries: int
    checkpoints: int
    on_behalf: int


class _FaultError(Exception):
    def __init__(self, number: int | None, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason


def _verify_log(store: Store, state: LogState, verifier: Verifier) -> Iterator[_Checked]:
    """Yield what is verified so far; raise at the first fault."""
    frontier = EMPTY_FRONTIER
    check, wrong = PayloadCheck(), None
    last = store.last_checkpoint(state)
    if last is not None and last.size > store.log(state.name).size:
        raise _FaultError(None, f"entries are missing: its author signed {last.size}")
    # What somebody appended meanwhile is for the next time.
    checkpoints = store.checkpoints(state, 0, state.size)
    passed = on_behalf = 0
    while frontier.size < state.size:
        due = [one.size for one in checkpoints[passed : passed + 1]]
        end = min([frontier.size + _STEP, state.size, *due])
        leaves, spoken = _leaves(store, state, frontier.size, end, check)
        extension = extend(frontier, leaves)
        frontier = extension.frontier
        wrong = wrong or _wrong_tile(store, state, extension.nodes)
        on_behalf += spoken
        while passed < len(checkpoints) and checkpoints[passed].size == frontier.size:
            _verify_checkpoint(store, state, checkpoints[passed], frontier.root(), verifier)
            passed += 1
        yield _Checked(frontier.size, passed, on_behalf)
    if frontier != state.frontier:
        raise _FaultError(None, "the tree does not have the root that the log remembers")
    covered = checkpoints[-1].size if checkpoints else 0
    if covered != state.size:
        raise _FaultError(None, f"no checkpoint covers all of its {state.size} entries")
    if wrong:
        raise _FaultError(None, wrong)
    _verify_close(store, state)


def _verify_close(store: Store, state: LogState) -> None:
    """Check that nothing lies beyond the close; on another branch it waits for the right one."""
    close = state.close
    if (close is None) == (state.status in (LogStatus.CLOSED, LogStatus.HOSTILE)):
        raise _FaultError(None, "the log is closed without a close, or open with one")
    if close is not None and state.size > close.size and contains(store, state, close):
        raise _FaultError(close.size, "the entry lies beyond where the log was closed")


def _verify_standing(store: Store, state: LogState, ends: Sequence[Checkpoint]) -> None:
    """Check that the log is open, forked or closed by what is kept, as if it were settled now."""
    try:
        right = standing_of(store, state, ends)
    except MalformedError as error:
        raise _FaultError(None, f"a kept fork: {error}") from error
    if right != (state.status, state.close, state.fork_index):
        is_, should = state.status.name.lower(), right.status.name.lower()
        where = " at another entry" if is_ == should else ""
        raise _FaultError(None, f"it is {is_}, but should be {should}{where}, by what is kept")


def _verify_checkpoint(
    store: Store, state: LogState, checkpoint: Checkpoint, root: bytes, verifier: Verifier
) -> None:
    if checkpoint.root != root:
        raise _FaultError(
            None,
            f"entries up to {checkpoint.size} do not have the root that their author signed",
        )
    try:
        checkpoint.verify(log_origin(store.ledger_id, state.name), verifier)
    except LedgerError as error:
        raise _FaultError(None, f"checkpoint {checkpoint.size}: {error}") from error


def _wrong_tile(store: Store, state: LogState, nodes: Iterable[Node]) -> str | None:
    """Return what is wrong with the inner nodes kept for proofs; *nodes* are those of the tree."""
    for level, some in groupby(nodes, key=attrgetter("level")):
        wanted = list(some)
        found = store.rows(
            "SELECT position, hash FROM node WHERE log = ? AND level = ? "
            "AND position BETWEEN ? AND ?",
            state.row,
            level,
            wanted[0].position,
            wanted[-1].position,
        )
        kept = {cbor.as_uint(position): hashed for position, hashed in found}
        for node in wanted:
            if kept.get(node.position) != node.hash:
                return f"tree node {level}/{node.position} is wrong"
    return None


def _leaves(
    store: Store, state: LogState, first: int, end: int, check: PayloadCheck
) -> tuple[list[bytes], int]:
    """Return the leaves of some entries, and how many of them speak for a device."""
    try:
        entries = store.columns(state, first, end)
    except AlteredError as error:
        raise _FaultError(_first_altered(store, state, first), str(error)) from error
    if entries.count != end - first:
        there = set(store.numbers(state, first, end))
        missing = (number for number in range(first, end) if number not in there)
        raise _FaultError(next(missing, None), "the entry is missing")
    _check_fields(first, entries)
    payloads = enumerate(entries.payloads, first)
    on_behalf = sum(_is_on_behalf(check, number, payload) for number, payload in payloads)
    _verify_digests(state, first, entries)
    with store.snapshot():
        is_noted = store.file_entries.is_noted(entry_id(state, first), entries)
    if not is_noted:
        raise _FaultError(None, "which of its entries are files, or what they lack, is noted wrong")
    return leaf_hashes(entries.leaves()), on_behalf


def _is_on_behalf(check: PayloadCheck, number: int, payload: bytes | None) -> bool:
    try:
        return payload is not None and check.is_on_behalf(payload)
    except LedgerError as error:
        raise _FaultError(number, str(error)) from error


def _check_fields(first: int, entries: Entries) -> None:
    try:
        entries.check()
    except LedgerError:
        for number, entry in enumerate(entries.one_by_one(), first):
            try:
                check_entry(entry)
            except LedgerError as error:
                raise _FaultError(number, str(error)) from error
        raise


def _first_altered(store: Store, state: LogState, first: int) -> int:
    """Return the number of the first entry from *first* on that does not open; there is one."""
    for number in range(first, state.size):
        try:
            store.entries(state, number, number + 1)
        except AlteredError:
            return number
    return state.size


def _verify_digests(state: LogState, first: int, entries: Entries) -> None:
    payloads = [payload for payload in entries.payloads if payload is not None]
    known = salts_given(state.cover, first, entries.count)
    given = [one for one in known if one is not None]
    is_whole = len(payloads) == len(given) == entries.count
    if is_whole and payload_digests(given, payloads) == list(entries.digests):
        return
    rows = zip(entries.payloads, entries.digests, known, strict=True)
    for number, (payload, digest, one) in enumerate(rows, first):
        if payload is None:
            raise _FaultError(number, "its payload is missing")
        if one is None:
            raise _FaultError(number, "the seed of its payload is missing")
        if payload_digest(one, payload) != digest:
            raise _FaultError(number, "the payload is not the one that was signed")
