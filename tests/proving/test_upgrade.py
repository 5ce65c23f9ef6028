"""What an earlier version left is read; what a later one left is refused, and stays as it is."""

import json
import os
import sqlite3
from base64 import b32decode, b32encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from ledger import cbor
from ledger.card import TEXT_PREFIX
from pannier.answers import whose
from pannier.ticket_words import to_text
from spool.name import FragmentName
from tests.cli.computers import Computer, exchange, is_one_line, new_computer, type_command
from tests.proving.upgrade import (
    FOLDER,
    PART,
    PIECES,
    open_farm,
    secrets,
    unpack,
    versions,
)
from tests.sim.world import fragments, tree
from transports.questions import Mine

_MOST_BYTES = 300_000
Fixture = tuple[Path, Computer]


@pytest.fixture(autouse=True)
def _secrets() -> Iterator[None]:
    with secrets():
        yield


@pytest.fixture(params=versions())
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Fixture:
    folder = unpack(request.param, tmp_path)
    return folder, Computer(folder / "farm")


def expected(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "expected.json").read_text())
    return found


def accept(farm: Computer) -> None:
    (waiting,) = for_review(farm)
    farm.types("review", "accept", waiting)


def test_the_files_are_few_and_small() -> None:
    assert versions()[0] == 1
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < _MOST_BYTES * len(versions())


class TestEarlierVersions:
    def test_ledgers_say_what_they_said(self, kept: Fixture, tmp_path: Path) -> None:
        folder, farm = kept
        wanted = expected(folder)
        assert farm.types("things").lines == wanted["things"]
        assert farm.types("log").lines == wanted["log"]
        assert farm.asks("verify") == wanted["verify"]
        assert farm.types("get", "patient/17").out.count("9.1") == 1
        farm.types("checkout", str(tmp_path / "out"))
        assert (tmp_path / "out" / "photos" / "note.txt").read_text() == "all is well\n" * 50

    def test_what_waited_waits_on(self, kept: Fixture) -> None:
        folder, farm = kept
        then, now = expected(folder)["status"], farm.asks("status")
        assert isinstance(then, dict)
        assert isinstance(now, dict)
        for one in (then, now):
            one.pop("home", None)
            one.pop("links", None)
        assert {key: now[key] for key in then} == then
        assert "1 file" in "\n".join(farm.types("status").lines)

    def test_all_that_waited_gets_where_it_was_going(self, kept: Fixture, tmp_path: Path) -> None:
        folder, farm = kept
        home = Computer(folder / "home")
        accept(farm)
        ticket = (folder / "ticket.txt").read_text()
        home.types("ticket", "redeem", ticket, "--into", str(tmp_path / "new"), "--mtu", "222")
        farm.types("unpack", str(tmp_path / "new"))
        accept(farm)
        farm.configure('ledger = "farm"\n')
        exchange(folder / "unread", farm, home, farm, home)
        for computer in (farm, home):
            for thing in ("for/review", "half/come", "unread", "queued"):
                computer.types("get", thing, "--ledger", "farm")
        home.types("checkout", str(tmp_path / "at home"), "--ledger", "farm")
        assert (tmp_path / "at home" / "photos" / "8.jpg").stat().st_size == 1500
        assert farm.types("verify").status == home.types("verify").status == 0

    def test_papers_are_read(self, kept: Fixture, tmp_path: Path) -> None:
        folder, _ = kept
        barn = new_computer(tmp_path, "barn")
        barn.types("peer", "add", "farm", str(folder / "farm.card"))
        barn.types("ledger", "restore", str(folder / "greenhouse.backup"))
        assert "21.5" in barn.types("get", "bed/4").out
        assert type_command("check-proof", str(folder / "well.proof")).status == 0
        frames = type_command("link", "decode", str(folder / "link.sent")).out
        assert {"HELLO", "DATA"} <= set(frames.split())

    def test_what_a_link_brought_in_part_is_there(self, kept: Fixture) -> None:
        folder, _ = kept
        with open_farm(folder) as node:
            assert node.spool.partials.names() == [PART]
            assert node.spool.partials.read(PART) == PIECES


def _sqlite(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")


def _ledger(folder: Path, version: int) -> None:
    for path in (folder / "farm" / "ledgers").glob("*.db"):
        _sqlite(path, version)


def _node_db(folder: Path, version: int) -> None:
    _sqlite(folder / "farm" / "node.db", version)


def _key_file(folder: Path, version: int) -> None:
    path = folder / "farm" / "keys" / "node.key"
    path.write_bytes(_of_version(path.read_bytes(), version))


def _known_card(folder: Path, version: int) -> None:
    path = folder / "farm" / "cards" / "home.card"
    path.write_text(_card_of_version(path.read_text(), version))


def _medium(folder: Path, version: int) -> None:
    path = folder / "unread" / "pannier" / "medium.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": version}))


def _of_version(data: bytes, version: int) -> bytes:
    _, *fields = cbor.as_list(cbor.decode(data, limit_bytes=1 << 20))
    return cbor.encode([version, *fields])


def _card_of_version(text: str, version: int) -> str:
    digits = "".join(text.split()).removeprefix(TEXT_PREFIX)
    data = _of_version(b32decode(digits + "=" * (-len(digits) % 8)), version)
    return TEXT_PREFIX + b32encode(data).decode().rstrip("=")


SHOWN = (["things"], ["put", "a", "1"], ["verify"], ["status"], ["exchange", "unread"])
STATUS, EXCHANGE = (["status"],), (["exchange", "unread"],)


class TestLaterVersions:
    def test_ledgers_are_told_of_beside_all_else(self, kept: Fixture) -> None:
        folder, farm = kept
        before = expected(folder)["status"]
        assert isinstance(before, dict)
        _ledger(folder, 2)
        assert "update " in farm.types("status", status=3).err
        status = farm.asks("status", status=3)
        assert isinstance(status, dict)
        assert status["peers"] == before["peers"]
        assert len(status["unreadable"]) == len(before["ledgers"])

    def test_of_ledgers_nothing_is_lost_by_an_exchange(
        self, kept: Fixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, farm = kept
        monkeypatch.chdir(folder)
        _ledger(folder, 2)
        before = tree(farm.home / "ledgers")
        for _ in range(2):
            assert "update " in farm.types("exchange", "unread", status=3).err
        assert {name: tree(farm.home / "ledgers")[name] for name in before} == before
        _ledger(folder, 1)
        assert farm.asks("verify") == expected(folder)["verify"]
        farm.types("exchange", "unread")
        assert len(for_review(farm)) == 3

    @pytest.mark.parametrize(
        ("raise_to", "commands"),
        [
            (_ledger, [words for words in SHOWN if words not in STATUS + EXCHANGE]),
            (_key_file, SHOWN),
            (_known_card, STATUS + EXCHANGE),
            (_node_db, STATUS + EXCHANGE),
            (_medium, EXCHANGE),
        ],
    )
    def test_are_refused_in_one_line_and_nothing_is_lost(
        self,
        kept: Fixture,
        raise_to: Callable[[Path, int], None],
        commands: Sequence[list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folder, farm = kept
        monkeypatch.chdir(folder)
        raise_to(folder, 2)
        before = tree(folder)
        for words in commands:
            assert "update " in farm.types(*words, status=1).err, words
        after = tree(folder)
        assert {name for name in before if after.get(name) != before[name]} <= {"farm/node.db"}
        raise_to(folder, 1)
        assert farm.asks("verify") == expected(folder)["verify"]
        farm.types("exchange", str(folder / "unread"))
        assert len(for_review(farm)) == 3

    def test_papers_are_refused_in_one_line(self, kept: Fixture, tmp_path: Path) -> None:
        folder, _ = kept
        card = folder / "later.card"
        card.write_text(_card_of_version((folder / "home" / "cards" / "ranch.card").read_text(), 2))
        proof = folder / "well.proof"
        proof.write_bytes(_of_version(proof.read_bytes(), 2))
        backup = folder / "greenhouse.backup"
        backup.write_bytes(backup.read_bytes().replace(b"backup 1\n", b"backup 2\n", 1))
        ticket = to_text(b"\2" + bytes(11))
        barn = new_computer(tmp_path, "barn")
        for words in (
            ("peer", "add", "ranch", str(card)),
            ("ledger", "restore", str(backup)),
            ("check-proof", str(proof)),
            ("ticket", "redeem", ticket, "--into", str(tmp_path / "new")),
        ):
            done = type_command("--home", str(barn.home), *words)
            assert done.status in {1, 2}, done
            assert is_one_line(done.err), done
            assert "update pannier" in done.err

    def test_files_of_fragments_stay_on_the_medium_until_the_update(self, kept: Fixture) -> None:
        folder, farm = kept
        stick = folder / "unread"
        one, *_ = files_for_farm(folder)
        good = one.read_bytes()
        one.write_bytes(b"\x84\2" + bytes(byte ^ 255 for byte in good))
        os.utime(one, (1, 1))
        for _ in range(2):
            done = farm.types("exchange", str(stick), status=3)
            assert "files of a later version stay on the medium (1): update pannier" in done.err
        assert one.exists()
        assert farm.types("unpack", str(one), status=3).err.count("1 file of a later version") == 1
        one.write_bytes(good)
        farm.types("exchange", str(stick))
        assert len(for_review(farm)) == 3

    def test_one_of_which_the_version_alone_is_spoilt_is_damaged(self, kept: Fixture) -> None:
        folder, farm = kept
        one, *_ = files_for_farm(folder)
        data = one.read_bytes()
        one.write_bytes(data[:1] + b"\3" + data[2:])
        os.utime(one, (1, 1))
        done = farm.types("exchange", str(folder / "unread"))
        assert "1 fragment for us was damaged or forged, and thrown away." in done.lines
        assert not one.exists()


def files_for_farm(folder: Path) -> list[Path]:
    """Return the files on the stick that are for the farm."""
    with open_farm(folder) as node:
        return [
            path
            for path in fragments(folder / "unread")
            if isinstance(whose(node, FragmentName.from_text(path.name)), Mine)
        ]


def for_review(farm: Computer) -> list[str]:
    found = farm.types("review", "list", "--json").json
    assert isinstance(found, list)
    return [one["bundle"] for one in found]
