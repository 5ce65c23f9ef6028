"""Making a ledger file anew from what a damaged one still proves (`pannier verify --repair`).

Everything goes through `ledger.merge`, as if somebody else had sent it: what is kept has the root
that its author signed. The rest is told of, and comes from whoever holds it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ledger.append import Author, Draft, append, open_incarnation
from ledger.blob_pack import BLOB_KEY, BLOB_KEY_LABEL, Span
from ledger.chain import Chain, Proven
from ledger.contradiction import proof_from_bytes
from ledger.errors import AlteredError, LedgerError, MalformedError, UnverifiedError
from ledger.fork import Fork
from ledger.genesis import Genesis, LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, log_origin
from ledger.members import may_write, members
from ledger.merge import Merged, merge, take_fork, unwanted
from ledger.note import Checkpoint
from ledger.pack_file import pack_names
from ledger.passphrase import NETWORK_KEY, NETWORK_KEY_LABEL
from ledger.records import dropped_from_row, read_back
from ledger.rest import RestKey
from ledger.store import Store
from ledger.store_salvage import Salvage
from ledger.stranded import said_again
from ledger.testimony import CONTRADICTION, WITNESS, hear, take_contradiction
from ledger.witness import witnessed_from_bytes

AUTHOR_BYTES, INCARNATION_BYTES = 32, 8
FORK, DROPPED = "fork", "dropped"
_SCRATCH = "scratch.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Entries that were in the damaged file, and are not in the new one.

    Attributes:
        log: Which log; None: one of which not even the name is left.
        first: Number of the first.
        end: Number after the last that is known of; there may have been more.
    """

    log: LogName | None
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Owner:
    """The node whose file it is.

    Attributes:
        author: Who writes there.
        key: What its files are under.
    """

    author: Author
    key: RestKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What became of a damaged ledger file.

    Attributes:
        genesis: Of the ledger.
        path: The new file.
        entries: How many are in it.
        lost: What is not.
        said_again: How many of the entries are what this node had said behind a gap, where nobody
            else has it: it stands in its new log.
    """

    genesis: Genesis
    path: Path
    entries: int
    lost: tuple[Lost, ...]
    said_again: int


def salvage(
    path: Path,
    folder: Path,
    ledger_id: LedgerId,
    owner: Owner,
    held: Callable[[LogName], int],
) -> Salvaged | None:
    """Make a ledger file of all that is proven in a damaged one.

    The author goes on in a new incarnation: numbers of lost entries are never used again.

    Args:
        path: The damaged file, which stays as it is; nobody writes to it meanwhile.
        folder: An empty one, for the new file and what is needed meanwhile.
        ledger_id: Of the ledger.
        owner: Of the file.
        held: How many entries of a log some other node is known to have.

    Returns:
        None: not even the genesis is left.

    Raises:
        DamagedError: the disk said no.
    """
    with Salvage.of(path, folder / _SCRATCH) as found:
        genesis = _genesis(found, ledger_id)
        if genesis is None:
            return None
        hides = bool(found.meta("names")) or found.has_hidden_names()
        with Store.create(folder, genesis, RestKey(owner.key.key, hides)) as store:
            rebuilding = _Rebuilding(store, found)
            lost = rebuilding.rebuild()
            open_incarnation(store, owner.author)
            again = rebuilding.say_again(owner.author, held)
            entries = sum(state.size for state in store.logs())
            store.finish()
    return Salvaged(genesis=genesis, path=store.path, entries=entries, lost=lost, said_again=again)


def _genesis(found: Salvage, ledger_id: LedgerId) -> Genesis | None:
    for data in found.geneses():
        try:
            genesis = Genesis.from_bytes(data)
        except LedgerError:
            continue
        if genesis.ledger_id == ledger_id:
            return genesis
    return None


class _Rebuilding:
    """A new file in the making."""

    def __init__(self, store: Store, found: Salvage) -> None:
        self._store = store
        self._found = found
        self._logs = [Chain(row, name, found, store.rest) for row, name in _named(found)]

    def rebuild(self) -> tuple[Lost, ...]:
        """Take in all that is proven, and return what is not."""
        self._take_sealed_keys()
        # What ends logs comes last, so that what it makes void is kept, as it was.
        while self._take_logs(is_ending=False) or self._take_logs(is_ending=True):
            pass
        self._take_evidence()
        self._take_chunks()
        return tuple(self._lost())

    def say_again(self, author: Author, held: Callable[[LogName], int]) -> int:
        """Append what the author said behind a gap and nobody else has; return how much."""
        if not may_write(members(self._store), author.public):
            return 0
        before = sum(state.size for state in self._store.logs())
        for chain in self._logs:
            known = self._store.log(chain.name)
            if chain.name.author == author.public and known.close is None and not known.counts:
                drafts = self._stranded(chain, max(known.size, held(chain.name)))
                for _ in append(self._store, author, drafts):
                    pass
        return sum(state.size for state in self._store.logs()) - before

    def _stranded(self, chain: Chain, first: int) -> Iterator[Draft]:
        signed = self._signed(chain)
        for frontier in self._found.frontiers(chain.row):
            if signed and (frontier.size, frontier.root()) == (signed.size, signed.root):
                return said_again(self._found, chain, frontier, first)
        return iter(())

    def _take_logs(self, *, is_ending: bool) -> bool:
        """Take what comes next of the logs; return whether anything did.

        Args:
            is_ending: Whether it may be what ends logs; no more than one such range is taken.
        """
        is_more = False
        for chain in self._logs:
            while self._take_next(chain, is_ending=is_ending):
                if is_ending:
                    return True
                is_more = True
        return is_more

    def _take_next(self, chain: Chain, *, is_ending: bool) -> bool:
        """Take as much of a log as is proven and goes into one range."""
        state = self._store.log(chain.name)
        proven = chain.proven(state, is_ending=is_ending)
        if proven is None:
            return False
        for checkpoint in reversed(proven.checkpoints):
            try:
                outcome = merge(self._store, proven.until(checkpoint))
            except (MalformedError, UnverifiedError):
                continue  # its signature was altered; that of an earlier one may be whole
            if isinstance(outcome, Merged) and outcome.count:
                self._keep_checkpoints(proven, checkpoint.size)
                return True
            return False
        return False

    def _keep_checkpoints(self, proven: Proven, size: int) -> None:
        """Keep those that came before the one that the entries were taken under."""
        state = self._store.log(proven.log)
        with self._store.transaction():
            for one in proven.checkpoints:
                if one.size < size and self._is_signed(proven.log, one):
                    self._store.add_checkpoint(state, one)

    def _is_signed(self, log: LogName, checkpoint: Checkpoint) -> bool:
        verifier = members(self._store).verifier(log.author)
        try:
            checkpoint.verify(log_origin(self._store.ledger_id, log), verifier)
        except LedgerError:
            return False
        return True

    # -- what lies beside the logs ------------------------------------------------------------

    def _take_sealed_keys(self) -> None:
        rest = self._store.rest
        for key, label in ((NETWORK_KEY, NETWORK_KEY_LABEL), (BLOB_KEY, BLOB_KEY_LABEL)):
            for sealed in self._found.meta(key):
                with suppress(AlteredError), self._store.transaction():
                    rest.open(label, sealed)
                    self._store.set_meta(key, sealed)

    def _take_evidence(self) -> None:
        for what, take in (
            (FORK, self._take_proof),
            (CONTRADICTION, self._take_proof),
            (WITNESS, self._take_witnessed),
            (DROPPED, self._take_dropped),
        ):
            for log, data in self._found.evidence(what):
                # Our own members and checkpoints may be among what is lost: then it comes again.
                with suppress(MalformedError, UnverifiedError, AlteredError):
                    take(log, data)

    def _take_proof(self, log: LogName, data: bytes) -> None:
        proof = proof_from_bytes(data)
        if isinstance(proof, Fork):
            take_fork(self._store, log, proof)
        else:
            take_contradiction(self._store, members(self._store), log, proof)

    def _take_witnessed(self, log: LogName, data: bytes) -> None:
        for heard in witnessed_from_bytes(data):
            hear(self._store, members(self._store), log, heard)

    def _take_dropped(self, log: LogName, data: bytes) -> None:
        with read_back():
            dropped_from_row(log, data, self._store.rest)
        with self._store.transaction():
            self._store.keep_evidence(self._store.ensure_log(log), DROPPED, data)

    def _take_chunks(self) -> None:
        """Take where contents of files lie; whoever reads them proves them."""
        folder = self._found.path.with_suffix(".blobs")
        there = pack_names(folder)
        for pack, rows in groupby(self._found.chunks(), key=itemgetter(0)):
            if pack in there:
                spans = [Span(*row) for _, row in rows]
                with self._store.transaction():
                    self._store.blobs.note_pack(pack, spans)

    # -- what is lost -------------------------------------------------------------------------

    def _lost(self) -> Iterator[Lost]:
        known = members(self._store)
        kept = {chain.row for chain in self._logs if self._store.log(chain.name).size}
        for chain in self._logs:
            state = self._store.log(chain.name)
            if chain.row in kept and not state.size:
                continue  # another version of its name was the right one
            end = self._end_of(chain)
            if state.close is not None:
                end = min(end, state.close.size)  # what came after it was not wanted
            is_over = state.size and unwanted(known, chain.name, state.size)
            if end > state.size and not is_over:
                yield Lost(log=chain.name, first=state.size, end=end)
        for row in self._found.unnamed_logs():
            sizes = [one.size for one in self._found.newest_checkpoints(row)]
            yield Lost(log=None, first=0, end=max(sizes, default=0))

    def _end_of(self, chain: Chain) -> int:
        """Return how many entries a log had, as far as its author or the file still says so."""
        signed, frontiers = self._signed(chain), self._found.frontiers(chain.row)
        return max(signed.size if signed else 0, frontiers[0].size if frontiers else 0)

    def _signed(self, chain: Chain) -> Checkpoint | None:
        """Return the checkpoint of the greatest size that the author signed."""
        for one in self._found.newest_checkpoints(chain.row):
            if self._is_signed(chain.name, one):
                return one
        return None


def _named(found: Salvage) -> Iterator[tuple[int, LogName]]:
    for row, name in found.logs():
        if len(name.author) == AUTHOR_BYTES and len(name.incarnation) == INCARNATION_BYTES:
            yield row, name
