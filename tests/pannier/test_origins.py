from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.entry import Action, Entry
from ledger.log import LogName
from ledger.views import Placed
from pannier import ledgers, origins
from pannier.node import Node
from pannier.origins import Origins, mark_of
from tests.cli.computers import new_computer
from tests.pannier.folders import store_of


def placed(author: bytes, number: int) -> Placed:
    entry = Entry("x", "", Action.PUT, 0, (), bytes([number]) * 32, None)
    return Placed(log=LogName(author, bytes(8)), number=number, entry=entry)


HEADS = [placed(bytes([number]) * 32, number) for number in range(3)]
MARKS = frozenset(map(mark_of, HEADS))
NONE = frozenset[bytes]()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


def new_origins(node: Node) -> Origins:
    return Origins(node, store_of(node))


def test_marks_differ_where_entries_do() -> None:
    one = HEADS[0]
    others = [*HEADS[1:], placed(one.log.author, 1), placed(bytes([9]) * 32, 0)]
    branch = Placed(log=one.log, number=0, entry=one.entry._replace(digest=bytes([7]) * 32))
    assert len({mark_of(each) for each in (one, *others, branch)}) == 6


def test_what_was_noted_is_known_at_once_and_later(node: Node, tmp_path: Path) -> None:
    first, path = new_origins(node), tmp_path / "x"
    first.note("d/x", path, HEADS, is_fresh=True)
    assert first.of("d/x", path).heads == MARKS
    assert new_origins(node).of("d/x", path).heads == NONE
    first.write()
    later = new_origins(node)
    assert (later.of("d/x", path).heads, later.is_fresh("d/x", path)) == (MARKS, True)
    later.note("d/x", path, HEADS[:1])
    later.write()
    last = new_origins(node)
    assert last.of("d/x", path).heads == {mark_of(HEADS[0])}
    assert not last.is_fresh("d/x", path)


def test_of_what_this_node_said_nothing_is_noted(node: Node, tmp_path: Path) -> None:
    known = new_origins(node)
    own = placed(node.author.public, 0)
    assert known.is_own(own)
    known.note("x", tmp_path / "x", [own])
    known.write()
    assert node.db.rows("SELECT * FROM origin") == []
    known.note("x", tmp_path / "x", [own, *HEADS])
    assert known.of("x", tmp_path / "x").heads == MARKS


def test_it_is_of_one_file_by_whatever_path(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = new_origins(node)
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    known.note("x", tmp_path / "d" / "x", HEADS)
    monkeypatch.chdir(tmp_path / "d")
    for path in (tmp_path / "link" / "x", Path("x"), Path("../d/x")):
        assert known.of("x", path).heads == MARKS
    for thing, path in (("y", tmp_path / "d" / "x"), ("x", tmp_path / "x"), ("x", Path("d/x"))):
        assert known.of(thing, path).heads == NONE


def test_many_are_written_in_between(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "_MAX_NOTED", 3)
    known = new_origins(node)
    for number in range(4):
        known.note("x", tmp_path / str(number), HEADS)
    found = [new_origins(node).of("x", tmp_path / str(number)).heads for number in range(4)]
    assert found == [MARKS, MARKS, MARKS, NONE]


def test_the_file_tells_neither_paths_nor_names(node: Node, tmp_path: Path) -> None:
    known = new_origins(node)
    known.note("d/secret thing", tmp_path / "secret place", HEADS)
    known.write()
    folder = node.home.node_db.parent
    for path in folder.glob("node.db*"):
        assert b"secret" not in path.read_bytes()


def test_what_the_disk_spoiled_fits_no_entry(node: Node, tmp_path: Path) -> None:
    known = new_origins(node)
    known.note("x", tmp_path / "x", HEADS)
    known.write()
    node.db.run("UPDATE origin SET heads = CAST(X'ff' || heads AS BLOB)")
    assert not new_origins(node).of("x", tmp_path / "x").heads & MARKS
