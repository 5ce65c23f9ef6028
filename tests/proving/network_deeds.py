"""What happens in any life: people write, and carry sticks, which get lost, torn, copied, late."""

import os
import shutil
from collections.abc import Callable

from ledger.keys import KeyStretch
from ledger.members import Role, may_write, members
from pannier.adding import Adding
from pannier.membership import revoke, share
from pannier.passphrase_ledgers import join
from tests.proving.network_life import LEDGERS, OPEN_LEDGERS, PASSPHRASE_LEDGER, STICKS, Life
from tests.proving.network_records import SECRET, THING
from tests.sim.world import fragments

THINGS = 4
_FILE_BYTES = 3000
_CHEAP = KeyStretch(passes=1, lanes=1, memory_kib=64)

Happening = Callable[[Life, str, int], None]
"""Done by one home, with a number that says how."""


def visit(life: Life, home: str, what: int) -> None:
    """A home has a stick; now and then it is a mule that has one."""
    mules = life.plan.mules
    if mules and what % 3 == 0:
        mule = mules[what % len(mules)]
        life.visit(mule, life.sticks[what % STICKS])
        life.seen["mules"] += 1
    life.visit(home, life.stick_for(home, what))


def put(life: Life, home: str, what: int) -> None:
    """Somebody writes an entry."""
    ledger = _writable(life, home, what)
    if ledger is not None:
        life.put(home, ledger, f"{THING} {what % THINGS}")


def delete(life: Life, home: str, what: int) -> None:
    """Somebody deletes a thing."""
    ledger = _writable(life, home, what)
    if ledger is not None:
        life.world.delete(home, f"{THING} {what % THINGS}", ledger)
        life.look(home)


def add(life: Life, home: str, what: int) -> None:
    """Somebody adds a file."""
    ledger = _writable(life, home, what)
    if ledger is None:
        return
    number = life.seen["files"] + 1
    path = life.world.folder / "files" / f"file{number}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(SECRET.encode() + life.draw.randbytes(_FILE_BYTES * (1 + what % 3)))
    life.world.clock.now_us += 1_000_000
    adding = Adding(life.world[home], life.world.store(home, ledger))
    assert list(adding.run([path])) is not None
    life.seen["files"] += adding.added.files
    life.look(home)


def share_ledger(life: Life, _: str, what: int) -> None:
    """The founder of a ledger lets somebody in."""
    place = int(what % 5 > 0)
    founder, ledger = life.plan.names[place], OPEN_LEDGERS[place]
    known = {peer.name for peer in life.world[founder].peers.values()} - {founder}
    other = life.plan.names[what % len(life.plan.names)]
    if other in known:
        peer = life.world[founder].peer_named(other)
        role = Role(what // 7 % 3)
        life.seen["shares"] += share(
            life.world[founder], life.world.store(founder, ledger), peer, role
        )
        life.look(founder)


def remove(life: Life, _: str, what: int) -> None:
    """The founder of a ledger puts somebody out of it."""
    place = what % 2
    founder, ledger = life.plan.names[place], OPEN_LEDGERS[place]
    other = life.plan.names[what % len(life.plan.names)]
    store = life.world.store(founder, ledger)
    author = life.world[other].card.author
    if other == founder or author not in members(store):
        return
    revoke(life.world[founder], store, [author])
    life.removed[ledger].add(other)
    life.look(founder)
    life.gone(life.records.holds(other, store.ledger_id))
    life.seen["removed"] += 1


def join_common(life: Life, home: str, what: int) -> None:
    """Somebody learns the passphrase of a ledger."""
    if what % 2 or life.node_of(home) != home:
        put_common(life, home, what)
        return
    join(life.world[home], PASSPHRASE_LEDGER, "open sesame", stretch=_CHEAP)
    life.seen["joined"] += 1
    life.look(home)


def put_common(life: Life, home: str, what: int) -> None:
    """Somebody writes into the ledger of a passphrase."""
    if life.world.has(home, PASSPHRASE_LEDGER):
        life.put(home, PASSPHRASE_LEDGER, f"{THING} {what % THINGS}")


def review(life: Life, home: str, _: int) -> None:
    """Somebody accepts what waits."""
    life.accept_all(home)


# -- what happens to sticks -----------------------------------------------------------------------


def lose(life: Life, _: str, what: int) -> None:
    """A stick is lost, and another one is bought."""
    life.new_stick(what)
    life.seen["lost"] += 1


def copy(life: Life, _: str, what: int) -> None:
    """A copy of a stick takes the place of the next, as if somebody had cloned it."""
    source = life.world.stick(life.sticks[what % STICKS])
    copied = life.world.stick(life.new_stick(what + 1))
    shutil.copytree(source, copied, dirs_exist_ok=True)
    life.seen["copied"] += 1


def tear(life: Life, home: str, what: int) -> None:
    """Of two bundles that a node leaves on a stick one after the other, the first is lost."""
    stick = life.stick_for(home, what)
    life.visit(home, stick)
    before = set(fragments(life.world.stick(stick)))
    put(life, home, 1)
    life.visit(home, stick)
    first = set(fragments(life.world.stick(stick))) - before
    put(life, home, 1)
    life.visit(home, stick)
    for path in first:
        path.unlink(missing_ok=True)
    life.seen["torn"] += len(first)


def spoil(life: Life, _: str, what: int) -> None:
    """A file on a stick rots, or is cut off."""
    found = fragments(life.world.stick(life.sticks[what % STICKS]))
    for path in life.draw.sample(found, min(len(found), 1 + what % 2)):
        times, data = path.stat(), bytearray(path.read_bytes())
        if not data or what % 3 == 0:
            path.write_bytes(data[: len(data) // 2])
        else:
            data[life.draw.randrange(len(data))] ^= 1 << life.draw.randrange(8)
            path.write_bytes(data)
            life.seen["spoilt"] += 1
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # nobody wrote it


def part(life: Life, _: str, __: int) -> None:
    """Nodes of even and of odd number share no stick any more."""
    life.parted = True
    life.seen["parted"] += 1


def heal(life: Life, _: str, __: int) -> None:
    """They do again."""
    life.parted = False


def days(life: Life, _: str, what: int) -> None:
    """Weeks go by."""
    life.world.clock.pass_days(1 + what % 40)


def years(life: Life, _: str, what: int) -> None:
    """Years go by."""
    life.world.clock.pass_days(365 * (1 + what % 4))
    life.seen["years"] += 1 + what % 4


def _writable(life: Life, home: str, what: int) -> str | None:
    """Return the ledger that *home* is to write into, if it has it and may."""
    ledger = LEDGERS[what % 5 == 0]
    if not life.world.has(home, ledger):
        return None
    store = life.world.store(home, ledger)
    return ledger if may_write(members(store), life.world[home].card.author) else None


DEEDS: dict[str, Happening] = {
    "visit": visit,
    "put": put,
    "delete": delete,
    "add": add,
    "share": share_ledger,
    "revoke": remove,
    "join": join_common,
    "review": review,
    "lose": lose,
    "copy": copy,
    "tear": tear,
    "spoil": spoil,
    "part": part,
    "heal": heal,
    "days": days,
    "years": years,
}
"""By the name by which a deed is typed."""
