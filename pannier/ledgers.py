"""What a person does with ledgers: make one, share it, write to it, keep a copy."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ledger.append import Draft, append, open_incarnation
from ledger.cbor import as_int64
from ledger.data import PayloadEncoder, parse_json
from ledger.entry import MEMBERS_THING, Action, check_kind, check_thing
from ledger.errors import LedgerError
from ledger.genesis import Genesis
from ledger.members import Role, grant_payload, members
from ledger.store import Store, put_in_place
from ledger.verify import verify, verify_file
from pannier.errors import PannierError, UsageError
from pannier.home import Peer
from pannier.node import Node

_MAX_LINE_BYTES = 32 << 20
_KEYS = frozenset({"thing", "data", "time", "kind"})


def new_ledger(node: Node, name: str) -> Store:
    """Make a ledger whose admin is this node.

    Raises:
        UsageError: this node has one called so.
        LedgerError: *name* is not a name, or the disk said no.
    """
    if any(store.genesis.name == name for store in node.ledgers()):
        raise UsageError(f"there is a ledger {name} already")
    genesis = Genesis(name=name, admins=(node.card,), time_us=node.clock(), nonce=node.entropy(16))
    Genesis.from_bytes(genesis.to_bytes())
    return node.make_ledger(genesis)


def share(node: Node, store: Store, peer: Peer, role: Role) -> bool:
    """Make *peer* a member; return False if it is one already, with that role or a higher one.

    Raises:
        UsageError: this node is not an admin of the ledger.
        LedgerError: it could not be written.
    """
    known = members(store)
    own = known.get(node.card.author)
    if own is None or own.role is not Role.ADMIN:
        admins = [one.card.name for one in known.values() if one.role is Role.ADMIN]
        raise UsageError(
            f"only an admin of {store.genesis.name} can share it: ask {', '.join(admins)}"
        )
    already = known.get(peer.card.author)
    if already is not None and already.role >= role:
        return False
    draft = Draft(
        thing=MEMBERS_THING,
        payload=grant_payload(peer.card, role),
        time_us=node.clock(),
        action=Action.GRANT,
    )
    put(node, store, [draft])
    return True


def put(node: Node, store: Store, drafts: Iterable[Draft]) -> int:
    """Append *drafts*; return how many.

    Raises:
        LedgerError: one is out of bounds, or it could not be written.
    """
    count = 0

    def counted() -> Iterator[Draft]:
        nonlocal count
        for draft in drafts:
            count += 1
            yield draft

    for _ in append(store, node.author, counted()):
        pass
    return count


def drafts_from_ndjson(lines: IO[bytes], *, now_us: int, first_line: int = 1) -> Iterator[Draft]:
    """Yield a draft for each line ``{"thing", "data", optional "time", "kind"}``.

    Args:
        lines: The open file, UTF-8; blank lines are passed over.
        now_us: The time of entries that have none.
        first_line: Number of the first line that counts, from 1.

    Raises:
        UsageError: a line is not that; the message says which and why.
    """
    number = 0
    encoder = PayloadEncoder()
    while line := lines.readline(_MAX_LINE_BYTES + 1):
        number += 1
        if number < first_line or not line.strip():
            continue
        try:
            yield _draft(line.decode(), now_us, encoder)
        except UnicodeDecodeError as error:
            raise UsageError(f"line {number}: not UTF-8 from byte {error.start + 1} on") from error
        except (LedgerError, UsageError) as error:
            raise UsageError(f"line {number}: {error}") from error


def _draft(line: str, now_us: int, encoder: PayloadEncoder) -> Draft:
    value = parse_json(line)
    if not isinstance(value, dict) or "thing" not in value or "data" not in value:
        raise UsageError('a line is {"thing": NAME, "data": VALUE}, "time" and "kind" may follow')
    if not _KEYS.issuperset(value):
        raise UsageError(f"unknown key {sorted(set(value) - _KEYS)[0]!r}")
    thing, time_us, kind = value["thing"], value.get("time", now_us), value.get("kind", "")
    if not isinstance(thing, str) or not isinstance(kind, str):
        raise UsageError("thing and kind are texts")
    if type(time_us) is not int:
        raise UsageError("time is an integer: microseconds since 1970 UTC")
    check_thing(thing)
    check_kind(kind)
    as_int64(time_us)
    return Draft(thing=thing, payload=encoder.encode(value["data"]), time_us=time_us, kind=kind)


def backup(node: Node, store: Store, path: Path) -> None:
    """Write a copy of a ledger to *path*, which must be new; others may go on writing meanwhile.

    Raises:
        UsageError: there is something at *path*.
        LedgerError: the disk said no.
    """
    if path.exists():
        raise UsageError(f"{path} exists already: choose a new name")
    draft = path.with_name(f".{path.name}.{node.entropy(4).hex()}.tmp")
    try:
        draft.touch(mode=0o600)
        store.copy_to(draft)
        put_in_place(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def restore(node: Node, path: Path) -> Store:
    """Take a ledger back from a backup, and write in a new incarnation from now on.

    Raises:
        UsageError: this node has the ledger already.
        PannierError: the backup does not verify.
        LedgerError: it is not a backup, or the disk said no.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not there")
    copy = node.home.ledgers / f".{node.entropy(8).hex()}.restore"
    try:
        shutil.copyfile(path, copy)
        with Store.open(copy) as candidate:
            ledger_id, genesis = candidate.ledger_id, candidate.genesis
            if node.ledger(ledger_id) is not None:
                raise UsageError(
                    f"this node has the ledger {genesis.name}; a backup is for a node that lost it"
                )
            faults = [fault for report in verify(candidate) for fault in report.faults]
            faults += verify_file(candidate)
            if faults:
                raise PannierError(f"the backup does not verify: {faults[0]}")
            open_incarnation(candidate, node.author)
        put_in_place(copy, node.home.ledgers / f"{ledger_id.hex()}.db")
    finally:
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    store = node.ledger(ledger_id)
    if store is None:
        raise PannierError(f"{genesis.name} could not be restored")
    return store
