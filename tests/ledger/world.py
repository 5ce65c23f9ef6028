"""Nodes of one ledger, made of nothing but names: the same names give the same bytes."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from ledger.append import Author, Draft, append, deletion, own_log
from ledger.data import payload_from_value, value_from_payload
from ledger.entries import Entries
from ledger.entry import MEMBERS_THING, Action, Entry, leaf_bytes
from ledger.facts import Grant, Revocation
from ledger.fork import Branch, Fork
from ledger.genesis import Genesis, LedgerId
from ledger.keys import NodeKeys
from ledger.log import MAX_BATCH_BYTES, LogName, LogState, LogStatus, Range, log_origin, root_at
from ledger.members import Role, members, sizes_to_keep
from ledger.merge import Outcome, merge, take_fork
from ledger.note import Checkpoint, sign_checkpoint
from ledger.records import SqlValue
from ledger.recover import take_back
from ledger.rest import RestKey
from ledger.seeds import Cover, covers, salts
from ledger.store import Store
from ledger.verify import Fault, verify, verify_file
from ledger.views import conflicts, heads, history, things

NOW = 1_700_000_000_000_000
REST_KEY = RestKey(b"all of these nodes share one key")


class Drbg:
    """Entropy that is the same in every run, and another for every label."""

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._count = 0

    def __call__(self, count: int) -> bytes:
        self._count += 1
        seed = sha256(self._label + self._count.to_bytes(8, "big")).digest()
        return b"".join(sha256(seed + bytes([i])).digest() for i in range(count // 32 + 1))[:count]


def keys_of(name: str) -> NodeKeys:
    """Return the keys of *name*; whose name begins with pq has those against quantum computers."""
    return NodeKeys.generate(name, Drbg(f"keys of {name}"), post_quantum=name.startswith("pq"))


def genesis_of(*admins: str, name: str = "harbour") -> Genesis:
    return Genesis(
        name=name,
        admins=tuple(keys_of(admin).card for admin in admins),
        time_us=NOW,
        nonce=Drbg(f"nonce of {name}")(16),
    )


def payload(value: object) -> bytes:
    return payload_from_value(value)


def draft(thing: str, value: object, *, time_us: int = NOW, kind: str = "") -> Draft:
    return Draft(thing=thing, payload=payload(value), time_us=time_us, kind=kind)


def revocation_draft(author: bytes, sizes: Mapping[bytes, int], time_us: int = NOW) -> Draft:
    data = Revocation(author=author, sizes=sizes).to_payload()
    return Draft(thing=MEMBERS_THING, payload=data, time_us=time_us, action=Action.REVOKE)


@dataclass
class Site:
    """One node: its keys, its ledger file, and a clock that moves when somebody writes."""

    keys: NodeKeys
    store: Store
    author: Author
    now_us: int = NOW

    @classmethod
    def make(cls, folder: Path, name: str, genesis: Genesis, key: RestKey = REST_KEY) -> "Site":
        folder.mkdir(parents=True, exist_ok=True)
        keys = keys_of(name)
        author = Author(signer=keys.signer, entropy=Drbg(f"{name} in {folder.name}"))
        return cls(keys=keys, store=Store.create(folder, genesis, key), author=author)

    @property
    def log(self) -> LogName:
        return own_log(self.store, self.author).name

    def write(self, *drafts: Draft) -> LogState:
        *_, state = append(self.store, self.author, drafts)
        return state

    def put(self, thing: str, value: object, *, time_us: int | None = None) -> LogState:
        self.now_us += 1
        return self.write(draft(thing, value, time_us=time_us or self.now_us))

    def delete(self, thing: str) -> LogState:
        self.now_us += 1
        return self.write(deletion(thing, self.now_us))

    def grant(self, name: str, role: Role = Role.WRITER) -> LogState:
        card = keys_of(name).card
        after = tuple(sorted(members(self.store).removals_of(card.author)))
        return self.grant_payload(Grant(card=card, role=role, after=after).to_payload())

    def revoke(self, *names: str) -> LogState:
        """Remove them, keeping of what they wrote what is here."""
        self.now_us += 1
        drafts = []
        for author in (keys_of(name).author for name in names):
            sizes = sizes_to_keep(self.store, author, self.author.public)
            drafts.append(revocation_draft(author, sizes, self.now_us))
        return self.write(*drafts)

    def grant_payload(self, data: bytes) -> LogState:
        self.now_us += 1
        return self.write(
            Draft(thing=MEMBERS_THING, payload=data, time_us=self.now_us, action=Action.GRANT)
        )

    def take(self, received: Range) -> Outcome:
        """Merge as a node does: its own entries come back another way."""
        if received.log.author == self.author.public:
            self.now_us += 1
            return take_back(self.store, self.author, received, time_us=self.now_us)
        return merge(self.store, received)

    def values(self, thing: str) -> list[object]:
        return [value_of(one.entry) for one in heads(self.store, thing)]

    def backup(self, path: Path) -> Path:
        """Copy the ledger file; nobody writes to it meanwhile."""
        self.store.copy_to(path)
        return path

    def restore(self, path: Path) -> None:
        """Put an older copy of the file in place, as somebody who knows nothing of ledgers."""
        where = self.store.path
        self.store.close()
        for suffix in ("-wal", "-shm"):
            where.with_name(where.name + suffix).unlink(missing_ok=True)
        shutil.copy(path, where)
        self.store = Store.open(where, REST_KEY)


@dataclass
class World:
    """A ledger with several nodes, each in a folder of its own; close it."""

    folder: Path
    genesis: Genesis
    sites: list[Site]
    key: RestKey = REST_KEY

    @classmethod
    def of(
        cls,
        folder: Path,
        *names: str,
        admins: Sequence[str] = (),
        key: RestKey = REST_KEY,
    ) -> "World":
        """Make the nodes *names*; unless *admins* are given, each of them is one."""
        genesis = genesis_of(*(admins or names))
        world = cls(folder=folder, genesis=genesis, sites=[], key=key)
        for name in names:
            world.join(name)
        return world

    def join(self, name: str, *, folder: str = "") -> Site:
        site = Site.make(self.folder / (folder or name), name, self.genesis, self.key)
        self.sites.append(site)
        return site

    def close(self) -> None:
        for site in self.sites:
            site.store.close()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# -- ranges as a bundle carries them ------------------------------------------------------------


def carried(store: Store, log: LogName, first: int = 0, end: int | None = None) -> Range:
    """Return the entries *first* up to *end*, where a checkpoint is, as a peer decodes them."""
    state = store.log(log)
    stop = state.size if end is None else end
    (checkpoint,) = store.checkpoints(state, stop - 1, stop)
    return decoded(log, first, store.entries(state, first, stop), state.cover, checkpoint)


def decoded(
    log: LogName, first: int, entries: Sequence[Entry], cover: Cover, checkpoint: Checkpoint
) -> Range:
    """Return a range whose digests were derived from its payloads, as rows are decoded."""
    return Range(
        log=log,
        first=first,
        entries=Entries.of(redigested(first, entries, cover)),
        cover=cover,
        checkpoint=checkpoint,
    )


def redigested(first: int, entries: Sequence[Entry], cover: Cover) -> list[Entry]:
    found = []
    for number, entry in enumerate(entries, first):
        if entry.payload is None or not covers(cover, number, 1):
            found.append(entry)
            continue
        (salt,) = salts(cover, number, 1)
        found.append(entry._replace(digest=sha256(salt + entry.payload).digest()))
    return found


def lacked(source: Store, target: Store, *, most: int = 65_536) -> Iterator[Range]:
    """Yield what *target* needs of *source*: after what both hold, or else from the beginning."""
    for state in source.logs():
        if not state.size:
            continue
        held = target.log(state.name)
        first = 0
        if held.size <= state.size:
            same = root_at(state, held.size, source.nodes(state)) == held.frontier.root()
            first = held.size if same else 0
        sizes = [one.size for one in source.checkpoints(state, first, state.size)]
        for size, after in pairwise([*sizes, 2**32]):
            costs = source.costs(state, first, min(after, state.size))
            if after - first > most or sum(costs) > MAX_BATCH_BYTES:
                yield carried(source, state.name, first, size)
                first = size


def send(source: Site, target: Site, *, most: int = 65_536) -> list[Outcome]:
    """Carry what *target* lacks, and the proofs that *source* has, as one bundle does."""
    for state, data in source.store.evidence("fork"):
        if state.status in (LogStatus.FORKED, LogStatus.HOSTILE):
            take_fork(target.store, state.name, Fork.from_bytes(data))
    return [target.take(one) for one in list(lacked(source.store, target.store, most=most))]


def settle(*sites: Site, rounds: int = 12) -> None:
    """Let everybody tell everybody everything, until nothing is new."""
    for _ in range(rounds):
        before = [facts(site.store) for site in sites]
        for source in sites:
            for target in sites:
                if source is not target:
                    send(source, target)
        if [facts(site.store) for site in sites] == before:
            return
    raise AssertionError(f"{len(sites)} nodes still have news after {rounds} rounds")


def forged_fork(keys: NodeKeys, ledger_id: LedgerId, log: LogName) -> Fork:
    """Prove two histories of a log of which nobody ever saw an entry: its author can, of any."""
    branches = []
    for leaf in (b"\1" * 32, b"\2" * 32):
        last = sign_checkpoint(keys.signer, log_origin(ledger_id, log), 1, leaf)
        branches.append(Branch(checkpoint=last, leaf=leaf, proof=()))
    return Fork.of(0, branches[0], branches[1])


def numbered_log(author: bytes, number: int) -> LogName:
    return LogName(author, number.to_bytes(8, "big"))


# -- what a store says -----------------------------------------------------------------------


def value_of(entry: Entry) -> object:
    assert entry.payload is not None
    return value_from_payload(entry.payload)


def size_bytes(entry: Entry) -> int:
    """Return what an entry counts towards the 8 MiB between two checkpoints."""
    return len(leaf_bytes(entry)) + len(entry.payload or b"")


def facts(store: Store) -> dict[LogName, tuple[int, bytes, int, object]]:
    """Return the logs, as far as all nodes must agree on them."""
    return {
        state.name: (state.size, state.frontier.root(), int(state.status), state.close)
        for state in store.logs()
        if state.size or state.close
    }


def counted(store: Store) -> dict[LogName, tuple[int, bytes]]:
    """Return what counts of each log: what all nodes must agree on that know the same.

    What is void beyond that only those have who had it before they heard of a removal.
    """
    return {
        state.name: (state.counted, root_at(state, state.counted, store.nodes(state)))
        for state in store.logs()
        if state.counted
    }


def picture(store: Store) -> dict[str, object]:
    """Return all that people are shown."""
    names = list(things(store))
    return {
        "things": names,
        "heads": {name: heads(store, name) for name in names},
        "history": {name: list(history(store, name)) for name in names},
        "conflicts": conflicts(store),
        "members": members(store),
    }


def faults(store: Store) -> list[Fault]:
    found = [fault for report in verify(store) for fault in report.faults]
    return [*found, *verify_file(store)]


@contextmanager
def rows_counted(store: Store, what: str = "") -> Iterator[Counter[str]]:
    """Count the rows that *store* reads meanwhile, by queries with *what* in them."""
    counts: Counter[str] = Counter()
    read = store.rows

    def counted_rows(sql: str, *values: SqlValue) -> list[tuple[SqlValue, ...]]:
        found = read(sql, *values)
        counts[sql] += len(found) if what in sql else 0
        return found

    with patch.object(store, "rows", counted_rows):
        yield counts


def dump(store: Store) -> list[str]:
    """Return the whole content of the file as text."""
    with closing(sqlite3.connect(store.path)) as db:
        return list(db.iterdump())


def change(store: Store, sql: str, *values: int | str | bytes | None) -> int:
    """Do to the file what no code of ours does; return how many rows it hit."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        return db.execute(sql, values).rowcount
