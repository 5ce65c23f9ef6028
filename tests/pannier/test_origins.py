from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.entry import Follow
from pannier import ledgers, origins
from pannier.node import Node
from pannier.origins import UNKNOWN, Origin, Origins
from tests.cli.computers import new_computer
from tests.pannier.folders import store_of

FOLLOWS = frozenset(Follow(bytes([n]) * 32, bytes(8), n, bytes(16)) for n in range(3))
SOME = Origin(FOLLOWS, is_fresh=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


def new_origins(node: Node) -> Origins:
    return Origins(node.db, store_of(node))


def test_what_was_noted_is_known_at_once_and_later(node: Node, tmp_path: Path) -> None:
    first = new_origins(node)
    first.note("d/x", tmp_path / "x", SOME)
    assert first.of("d/x", tmp_path / "x") == SOME
    assert new_origins(node).of("d/x", tmp_path / "x") == UNKNOWN
    first.write()
    assert new_origins(node).of("d/x", tmp_path / "x") == SOME
    first.note("d/x", tmp_path / "x", UNKNOWN)
    first.write()
    assert new_origins(node).of("d/x", tmp_path / "x") == UNKNOWN


def test_it_is_of_one_file_by_whatever_path(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = new_origins(node)
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    known.note("x", tmp_path / "d" / "x", SOME)
    monkeypatch.chdir(tmp_path / "d")
    for path in (tmp_path / "link" / "x", Path("x"), Path("../d/x")):
        assert known.of("x", path) == SOME
    for thing, path in (("y", tmp_path / "d" / "x"), ("x", tmp_path / "x"), ("x", Path("d/x"))):
        assert known.of(thing, path) == UNKNOWN


def test_many_are_written_in_between(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "_MAX_NOTED", 3)
    known = new_origins(node)
    for number in range(4):
        known.note("x", tmp_path / str(number), SOME)
    found = [new_origins(node).of("x", tmp_path / str(number)) for number in range(4)]
    assert found == [SOME, SOME, SOME, UNKNOWN]


def test_the_file_tells_neither_paths_nor_names(node: Node, tmp_path: Path) -> None:
    known = new_origins(node)
    known.note("d/secret thing", tmp_path / "secret place", SOME)
    known.write()
    folder = node.home.node_db.parent
    for path in folder.glob("node.db*"):
        assert b"secret" not in path.read_bytes()


def test_what_the_disk_spoiled_is_not_known(node: Node, tmp_path: Path) -> None:
    known = new_origins(node)
    known.note("x", tmp_path / "x", SOME)
    known.write()
    node.db.run("UPDATE origin SET heads = X'ff'")
    assert known.of("x", tmp_path / "x").heads == frozenset()
