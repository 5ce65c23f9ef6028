"""How every life ends: honest people meet until all is said, and then all must be as it must be."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ledger.genesis import LedgerId
from ledger.log import LogName, root_at
from ledger.members import members, passed_on
from ledger.store import Store
from ledger.views import conflicts
from pannier.node import Node
from pannier.trusted_time import MAX_LIFETIME_DAYS
from pannier.waits import Wait
from tests.proving.network_life import LEDGERS, PASSPHRASE_LEDGER, Life
from tests.proving.network_records import SECRET, THING, number_of, numbers_in
from tests.proving.network_troubles import retire
from tests.sim.world import DAY_US, data_queue, facts, faults, tree

_MONTHS = 4
_ROUNDS = 12
_MOST_HOME_BYTES = 8 << 20
# SQLite begins its log anew after a thousand pages; a home has as many as it has ledgers, and one.
_MOST_LOG_BYTES = 5 << 20
_STICK = "last"


def end(life: Life) -> None:
    """Exchange honestly until all is said, and prove that all is as it must be.

    Raises:
        AssertionError: it is not; the message says what.
    """
    _make_peace(life)
    found = ["nothing was looked at"]
    for _ in range(_MONTHS):
        life.world.clock.pass_days(max(31, life.plan.expiry_days + 1))
        _say_all(life)
        found = list(problems(life))
        if not found:
            break
    assert not found, "; ".join(found[:5])
    _outlive(life)
    life.seen["ended"] += 1
    life.seen["evidence"] += sum(len(list(store.dropped(0))) for store in _stores(life))


def _make_peace(life: Life) -> None:
    """Clocks are set right, and who was put out of a ledger by mistake remains so."""
    life.parted = False
    for name in life.plan.names:
        life.world.skew_us[name] = 0
        if "hostile" not in life.plan.features:
            retire(life, name, 0)
    life.world.skew_us[life.plan.names[-1]] = life.plan.skew_days * DAY_US


def _say_all(life: Life) -> None:
    """Carry one stick around until nobody has anything to say."""
    for _ in range(_ROUNDS):
        active = [life.visit(home, _STICK) for home in life.homes]
        asked = [life.accept_all(home) for home in life.homes]
        if not any(active) and not any(asked):
            return


def _outlive(life: Life) -> None:
    """Prove that what is held in vain goes when it has had its whole life, and stays away."""
    held = {home: set(life.world[home].spool.held.names()) for home in life.plan.names}
    if not any(held.values()):
        return
    life.world.clock.pass_days(MAX_LIFETIME_DAYS + 1)
    _say_all(life)
    for home, before in held.items():
        left = before.intersection(life.world[home].spool.held.names())
        assert not left, f"{home} holds {len(left)} bundles longer than they live"
    life.seen["outlived"] += sum(map(len, held.values()))


def _stores(life: Life) -> Iterator[Store]:
    for home in life.plan.names:
        yield from life.world[home].every_ledger()


# -- what must be ---------------------------------------------------------------------------------


def problems(life: Life) -> Iterator[str]:
    """Yield what is not as it must be."""
    for ledger in LEDGERS:
        yield from _ledger_problems(life, ledger)
    for home in life.plan.names:
        yield from (f"{home}: {one}" for one in faults(life.world[home]))
        yield from _queue_problems(life, home)
    yield from _carrier_problems(life)


def _ledger_problems(life: Life, ledger: str) -> Iterator[str]:
    holders = [name for name in life.plan.names if life.world.has(name, ledger)]
    if not holders:
        return
    inside = holders
    if ledger != PASSPHRASE_LEDGER:
        founder = life.plan.names[LEDGERS.index(ledger)]  # who alone puts anybody out
        inside = sorted(life.members_of(ledger, founder), key=life.plan.names.index)
    lacking = [name for name in inside if name not in holders]
    if lacking:
        yield f"{lacking} know nothing of {ledger}"
        return
    first = what_counts(life.world.store(inside[0], ledger))
    for name in inside[1:]:
        for what, value in what_counts(life.world.store(name, ledger)).items():
            if value != first[what]:
                yield f"{what} of {ledger} differ at {name} and {inside[0]}"
    for name in inside:
        yield from _entry_problems(life, ledger, name, inside)
        yield from _file_problems(life, life.world.store(name, ledger), name)
    life.seen["conflicts"] += len(conflicts(life.world.store(inside[0], ledger)))


def what_counts(store: Store) -> dict[str, object]:
    """Return all that nodes must agree on; not what is void, which only some hold."""
    found = facts(store)
    found["logs"] = {
        str(log.name): (log.counted, root_at(log, log.counted, store.nodes(log)))
        for log in store.logs()
        if log.counted
    }
    return found


def _entry_problems(life: Life, ledger: str, home: str, inside: list[str]) -> Iterator[str]:
    """Yield what was acknowledged and is not there, or is there twice."""
    store = life.world.store(home, ledger)
    shown = Counter(n for log in store.logs() for n in numbers_in(store, log, counted=True))
    # Who forgets that it appended something again appends it again.
    authors = {number: known.author for number, known in life.records.acknowledged.items()}
    most = {number: max(1, life.rollbacks[author]) for number, author in authors.items()}
    twice = [number for number, count in shown.items() if count > most[number]]
    if twice:
        yield f"{home} has {twice} of {ledger} more than once"
    kept = {n for name in inside for n in _evidence(life.world.store(name, ledger))}
    for number, known in life.records.acknowledged.items():
        if known.ledger != store.ledger_id or known.is_lost or number in shown:
            continue
        if known.author in life.removed[ledger] or known.author not in inside:
            continue
        if not (known.author in life.branched and number in kept):
            yield f"{home} lacks {number} of {known.author} in {ledger}"


def _evidence(store: Store) -> Iterator[int]:
    for _, _, entry in store.dropped(0):
        yield from number_of(entry)


def _file_problems(life: Life, store: Store, home: str) -> Iterator[str]:
    for log in store.logs():
        lacking = store.files_complete(log)
        if lacking >= log.counted:
            continue
        files = store.files(log, lacking, log.counted)
        wanted = [digest for _, file in files for digest in store.blobs.wanted(file.digests)]
        if not wanted or not all(_is_gone(life, log.name.author, digest) for digest in wanted):
            yield f"{home} lacks contents of {log.name.author.hex()[:4]} from {lacking} on"


def _is_gone(life: Life, author: bytes, digest: bytes) -> bool:
    """Return whether a content went with the home of its author, rolled back before it was sent."""
    names = life.plan.names
    is_forgotten = any(
        life.rollbacks[name] for name in names if life.world[name].card.author == author
    )
    stores = (store for name in names for store in life.world[name].every_ledger())
    return is_forgotten and not any(store.blobs.held([digest]) for store in stores)


def _queue_problems(life: Life, home: str) -> Iterator[str]:
    node = life.world[home]
    # Whom nobody answers any more, or whose double takes what is for it off the stick.
    is_unheard = home in life.clones or any(home in some for some in life.removed.values())
    if data_queue(node) and not is_unheard:
        yield f"{home} still sends {data_queue(node)}"
    if waits := [wait for wait in _waits(life, home) if not _is_in_vain(life, home, wait)]:
        yield f"{home} still holds what waits for {waits[0]}"
    if node.spool.inbox.bundles():
        yield f"{home} still has something in its inbox"
    if left := list((node.home.spool / "tmp").glob("*")):
        yield f"{home} left {left} behind"
    yield from _size_problems(home, tree(node.home.path))


def _size_problems(home: str, files: dict[str, bytes]) -> Iterator[str]:
    logs = {path: len(data) for path, data in files.items() if path.endswith("-wal")}
    if sum(map(len, files.values())) - sum(logs.values()) > _MOST_HOME_BYTES:
        yield f"the home of {home} grew"
    yield from (f"{path} of {home} grew" for path, size in logs.items() if size > _MOST_LOG_BYTES)


def _waits(life: Life, home: str) -> list[Wait]:
    """Return what held bundles wait for."""
    held = {one.bundle_id for one in life.world[home].spool.held.names()}
    found = life.world[home].db.rows("SELECT * FROM waiting")
    return [Wait.from_row(row[2:]) for row in found if row[0] in held]


def _is_in_vain(life: Life, home: str, wait: Wait) -> bool:
    """Return whether a home waits for what all have lost, or nobody passes on to it.

    Whoever was put out goes on to send contents of files, and the rest do not hear which entry
    names them: it is void, and stays where it was merged before anybody knew that. Nor does
    whoever was put out hear more of that ledger: what it held then waits until it expires.
    """
    if wait.kind == "blob":
        outside = set().union(*life.removed.values())
        inside = [name for name in life.plan.names if name not in outside]
        return not any(_passes_on(life.world[name], wait.author) for name in inside)
    log = LogName(wait.author, wait.incarnation)
    stores = [life.world[name].ledger(LedgerId(wait.ledger_id)) for name in life.plan.names]
    having = [store for store in stores if store and store.log(log).size >= wait.number]
    author = life.world[home].card.author
    return wait.kind == "range" and not any(author in members(store) for store in having)


def _passes_on(node: Node, digest: bytes) -> bool:
    """Return whether an entry that names a content goes from a node to others."""
    return any(
        digest in file.digests
        for store in node.every_ledger()
        for log in store.logs()
        for _, file in store.files(log, 0, passed_on(store, log))
    )


# -- what carriers see ----------------------------------------------------------------------------


def _carrier_problems(life: Life) -> Iterator[str]:
    """Yield what somebody could read who has all sticks and all that mules carry."""
    secrets = [SECRET.encode(), THING.encode()]
    for name in life.plan.names:
        card = life.world[name].card
        secrets += [card.author, card.author.hex().encode()]
    folders = [life.world.folder / "media"]
    folders += [life.world.home(mule).spool for mule in life.plan.mules]
    for folder in folders:
        yield from (f"{path} can be read" for path in _readable(folder, secrets))


def _readable(folder: Path, secrets: list[bytes]) -> Iterator[str]:
    for path, data in tree(folder).items():
        seen = path.encode() + b"\n" + data
        if any(secret in seen for secret in secrets):
            yield path
