"""What must be so after a power cut, whatever it left."""

import os
import re
import shutil
from pathlib import Path

from ledger.errors import WrongPassphraseError
from pannier.cli.passphrase import PASSPHRASE
from pannier.config import parse_config
from pannier.home import Home, open_keys
from tests.cli.computers import Computer
from tests.proving.power_ground import NODE, Ground, leftovers, settle
from tests.proving.power_scene import FARM, FILES, HOME, MULE, OUT, STICK, Ruin

_SAFE = re.compile(rb"Wrote \d+ bundle(.|\n)*safe to remove|\d+ bundles? for home in \d+ file")
_TOOK_IN = re.compile(rb"^Took in (\d+) entr(?:y|ies) ", re.MULTILINE)
_SAID_PUT = re.compile(rb"^(\S+) is in \S+\.$", re.MULTILINE)


def things(computer: Computer) -> dict[str, int]:
    """How many entries there are of each thing in the ledgers of a computer."""
    counts: dict[str, int] = {}
    with computer.node() as node:
        for store in node.every_ledger():
            for log in store.logs():
                for entry in store.entries(log, 0, log.size):
                    counts[entry.thing] = counts.get(entry.thing, 0) + 1
    return counts


def promised(said: bytes) -> dict[str, int]:
    """How often each thing was put, as people were told."""
    counts: dict[str, int] = {}
    for name in _SAID_PUT.findall(said):
        counts[name.decode()] = counts.get(name.decode(), 0) + 1
    return counts


def check_kept(ruin: Ruin) -> None:
    """Everybody has what they had, and what they were told that they have."""
    for who, before in ruin.before.items():
        if not any(ruin.computer(who).home.glob("ledgers/*.db")):
            assert not before, f"{who} lost its ledger"
            continue
        computer = ruin.computer(who)
        computer.types("verify")
        now = things(computer)
        said = promised(ruin.said) if who == ruin.step.who else {}
        for thing in {*before, *said}:
            least = before.get(thing, 0) + said.get(thing, 0)
            assert now.get(thing, 0) >= least, f"{who} lost {thing}"
        if who == ruin.step.who:
            taken = sum(map(int, _TOOK_IN.findall(ruin.said)))
            assert sum(now.values()) >= sum(before.values()) + taken, "what was taken in is lost"


def check_medium(ruin: Ruin) -> None:
    """What was called safe to remove is on the medium: the next one finds it there."""
    if _SAFE.search(ruin.said):
        other = ruin.computer(HOME if ruin.step.who == FARM else FARM)
        words = ("unpack", f"{ruin.top}/stick/out") if ruin.step.words[0] == "pack" else ()
        said = other.types(*(words or ("exchange", f"{ruin.top}/stick"))).out
        assert "Took in" in said or "for review" in said, f"nothing was on the medium: {said}"


def go_on(ruin: Ruin) -> None:
    """Type the same again: it works."""
    step = ruin.step
    words = step.words if step.again is None else step.again
    if words and step.kind == "type":
        words = tuple(step.spelled(ruin.top, words))
        if words[0] == "put" and "--ndjson" in words:
            Computer(ruin.top / step.who / NODE).types(*words, stdin=step.stdin)
        else:
            ruin.types(*words)


def check_node(ruin: Ruin) -> None:
    """There is a node, and what it was told to keep; or none, and it can be made."""
    farm = ruin.computer(FARM)
    if not Home(farm.home).keys.exists():
        assert b"is node" not in ruin.said, "the keys are gone"
        ruin.types(*ruin.step.words)
    card = farm.types("card").out
    node = re.search(rb"is node (\S+),", ruin.said)
    assert node is None or open_keys(Home(farm.home), None).card.node_id == node[1].decode()
    farm.types("put", "well", "1")
    assert farm.types("card").out == card
    assert leftovers(farm.home) == []


def check_settings(ruin: Ruin) -> None:
    """The settings are those from before, or those from after; never none."""
    path = ruin.computer(FARM).home / "config.toml"
    if ruin.step.words[0] == "init":
        check_node(ruin)
        assert parse_config(path.read_bytes(), "").hide_names
        return
    config = parse_config(path.read_bytes(), "")
    assert config.ledger == FARM, "what the user set is gone"
    if b"is known" in ruin.said:
        assert config.peer(HOME).clear
        assert HOME in ruin.types("peer", "list").out
    go_on(ruin)
    assert parse_config(path.read_bytes(), "").peer(HOME).clear
    assert leftovers(ruin.computer(FARM).home) == []


def check_alone(ruin: Ruin) -> None:
    """A node without others goes on."""
    farm = ruin.computer(FARM)
    if not any(farm.home.glob("ledgers/*.db")):
        assert not promised(ruin.said), "the ledger is gone"
    else:
        farm.types("verify")
    now = things(farm)
    for thing, count in promised(ruin.said).items():
        assert now[thing] >= count + ruin.before[FARM].get(thing, 0), f"{thing} is lost"
    go_on(ruin)
    farm.types("put", "later", "1")
    farm.types("verify")
    assert leftovers(farm.home) == []


def check_repaired(ruin: Ruin) -> None:
    """The ledger is there, sound or to be repaired; all that was in it is in the repaired one."""
    farm = ruin.computer(FARM)
    farm.types("verify", "--repair")
    assert things(farm) == ruin.before[FARM]
    check_alone(ruin)
    assert not list(farm.home.rglob("*repair*"))


def check_bulk(ruin: Ruin) -> None:
    """As `check_alone`; all lines count once it says so."""
    if b"40 entries put" in ruin.said:
        assert sum(things(ruin.computer(FARM)).values()) >= 40
    check_alone(ruin)


def check_delivered(ruin: Ruin) -> None:
    """Whatever was interrupted: in the end all know all, and nothing is left over."""
    check_kept(ruin)
    check_medium(ruin)
    go_on(ruin)
    with Ground(ruin.top, (FARM, HOME), seed=ruin.number + 2) as ground:
        ground.clock.now_us += ruin.step.days * 86_400_000_000
        settle(ground, (FARM, HOME))
    for who in (FARM, HOME):
        now = things(ruin.computer(who))
        was = {**ruin.before[HOME], **ruin.before[FARM]}
        lost = {thing for thing in was if now.get(thing, 0) < was[thing]}
        assert not lost, f"{who} lacks {lost}"
        assert now["well"] == was["well"], f"{who} has {now['well']} of it"
        assert leftovers(ruin.top / who) == []
    assert leftovers(ruin.top / STICK) == []


def check_carried(ruin: Ruin) -> None:
    """What a mule said that it carries is there, even if the stick that brought it is lost."""
    mule, stick = ruin.computer(MULE), ruin.top / STICK
    mule.types("verify")
    if b"Carrying" in ruin.said:
        shutil.rmtree(stick)
        stick.mkdir()
    mule.types("exchange", str(stick))
    assert "Took in 2 entries" in ruin.computer(HOME).types("exchange", str(stick)).out
    with Ground(ruin.top, (FARM, HOME, MULE), seed=ruin.number + 2) as ground:
        settle(ground, (FARM, HOME))
    assert leftovers(mule.home) == []
    assert leftovers(stick) == []


def check_reviewed(ruin: Ruin) -> None:
    """As `check_delivered`, by somebody who lets in whatever waits."""
    home = ruin.computer(HOME)
    go_on(ruin)
    for _ in range(2):
        for line in home.types("review", "list").lines:
            if not line.startswith("Nothing"):
                home.types("review", "accept", line.split()[0])
        home.types("exchange", str(ruin.top / STICK))
    home.configure("")
    check_delivered(ruin)


def check_passphrase(ruin: Ruin) -> None:
    """The new one opens, or, before it was said, the old one; never none."""
    farm = Home(ruin.computer(FARM).home)
    opening = [one for one in ("old", "new") if _opens(farm, one)]
    assert len(opening) == 1, "no passphrase opens the keys"
    assert opening == ["new"] or b"new passphrase" not in ruin.said
    os.environ[PASSPHRASE] = opening[0]
    try:
        ruin.types("passwd", "--no-passphrase")
    finally:
        del os.environ[PASSPHRASE]
    assert leftovers(farm.path) == []
    ruin.types("verify")


def _opens(home: Home, passphrase: str) -> bool:
    try:
        open_keys(home, passphrase)
    except WrongPassphraseError:
        return False
    return True


def check_backup(ruin: Ruin) -> None:
    """There is a backup that opens, or none."""
    backup = ruin.top / OUT / "farm.backup"
    if not backup.exists():
        assert b"is in" not in ruin.said, "the backup is gone"
        ruin.types(*ruin.step.spelled(ruin.top, ruin.step.words))
    farm = ruin.computer(FARM)
    before = things(farm)
    for path in (farm.home / "ledgers").glob("*"):
        if path.is_file() and not path.name.startswith("."):
            path.unlink()
    farm.types("ledger", "restore", str(backup))
    now = things(farm)
    assert {thing: now.get(thing) for thing in before} == before
    farm.types("verify")


def check_files(ruin: Ruin) -> None:
    """What was added is whole once it was said so; what was not can be added again."""
    farm = ruin.computer(FARM)
    farm.types("verify")
    files = ruin.top / FILES / "maps"
    if b"put into" not in ruin.said and ruin.step.words[0] == "add":
        farm.types("add", str(files))
    assert {"maps/north", "maps/south", "maps/old/tool"} <= things(farm).keys()
    out = ruin.top / "again"
    farm.types("checkout", str(out))
    _assert_same(out / "maps", files)
    farm.types("verify")
    assert leftovers(farm.home) == []


def check_checkout(ruin: Ruin) -> None:
    """A file is there whole or not at all; when it is said that it is there, it is."""
    files, out = ruin.top / FILES / "maps", ruin.top / OUT / "copy" / "maps"
    for path in out.rglob("[!.]*"):
        if path.is_file():
            assert path.read_bytes() == (files / path.relative_to(out)).read_bytes(), "a half file"
    if b"3 files" in ruin.said:
        _assert_same(out, files)
    ruin.types(*ruin.step.spelled(ruin.top, ruin.step.words))
    _assert_same(out, files)
    assert leftovers(ruin.top / OUT) == []


def _assert_same(there: Path, files: Path) -> None:
    for path in files.rglob("*"):
        copy = there / path.relative_to(files)
        assert copy.exists(), f"{copy.name} is gone"
        assert path.is_dir() or copy.read_bytes() == path.read_bytes()


def check_delivered_files(ruin: Ruin) -> None:
    """As `check_delivered`, and the contents are here, too."""
    check_delivered(ruin)
    out = ruin.top / "again"
    ruin.computer(HOME).types("checkout", str(out))
    _assert_same(out / "maps", ruin.top / FILES / "maps")
