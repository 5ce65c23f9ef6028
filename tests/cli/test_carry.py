import json
import os
import re
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import cbor2
import pytest

from bundler.fragment import START
from pannier.loads import Room
from tests.cli.computers import Computer, Typed, acquaint, exchange, new_computer

Pair = tuple[Computer, Computer]
MTUS = (48, 222, 1400, 65_536)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def fragments(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pnr"))


def said(done: Typed) -> list[str]:
    """Return what a command said, without the id of an unlabelled medium."""
    return [re.sub(r"^The medium [0-9a-f]{16} ", "It ", line) for line in done.lines]


def put_many(computer: Computer, count: int) -> None:
    """Put entries that do not compress well."""
    lines = ({"thing": f"t{number}", "data": os.urandom(40).hex()} for number in range(count))
    computer.types("put", "--ndjson", "-", stdin="\n".join(map(json.dumps, lines)).encode())


class TestExchange:
    def test_both_ways_says_each_thing_once(self, sharers: Pair, stick: Path) -> None:
        farm, home = sharers
        assert said(farm.types("exchange", str(stick))) == [
            "Wrote 1 bundle for home.",
            "It is safe to remove.",
        ]
        assert said(farm.types("exchange", str(stick))) == [
            "1 bundle for home lies there already.",
            "It is safe to remove.",
        ]
        assert said(home.types("exchange", str(stick))) == [
            "Took in 2 entries by farm into farm.",
            "Joined the ledger farm, shared by farm; you may read and write it.",
            "Wrote 1 bundle for farm.",
            "Removed 1 file that did its work.",
            "It is safe to remove.",
        ]
        assert home.types("get", "field/3").out == '{"moisture": 0.31}\n'

    def test_as_json(self, sharers: Pair, stick: Path) -> None:
        farm, home = sharers
        written = _dict(farm.asks("exchange", str(stick), "--label", "BLUE-2"))
        assert (written["label"], written["written"]) == ("BLUE-2", {"home": 1})
        assert written["safe_to_remove"] is True
        there = _dict(farm.asks("exchange", str(stick)))
        assert (there["written"], there["already_there"]) == ({}, {"home": 1})
        taken = _dict(home.asks("exchange", str(stick)))
        assert taken["entries"] == [{"ledger": "farm", "by": "farm", "count": 2}]
        assert taken["medium"] == written["medium"]
        assert list(_dict(taken["bundles"]).values()) == ["merged"]
        assert (taken["problems"], taken["refused"], taken["removed"]) == ([], {}, 1)

    def test_nothing_to_do_is_said(self, farm: Computer, stick: Path) -> None:
        assert said(farm.types("exchange", str(stick))) == [
            "Nothing to take and nothing to leave.",
            "This node knows no other yet: `pannier peer add NAME CARD`.",
            "It is safe to remove.",
        ]

    def test_a_label_is_for_life(self, farm: Computer, stick: Path) -> None:
        assert farm.types("exchange", str(stick), "--label", "BLUE-2").lines[-1] == (
            "BLUE-2 is safe to remove."
        )
        farm.types("exchange", str(stick), "--label", "BLUE-2")
        done = farm.types("exchange", str(stick), "--label", "RED-1", status=3)
        assert "the medium keeps the name it has, BLUE-2" in done.err

    @pytest.mark.parametrize("label", ["l\x1b[2J", "\udcff", "x" * 65])
    def test_what_cannot_be_a_label_is_refused_before_anything_is_made(
        self, farm: Computer, stick: Path, label: str
    ) -> None:
        done = farm.types("exchange", str(stick), "--label", label, status=2)
        said = "pannier: a label is at most 64 characters that can be printed\n"
        assert (done.out, done.err) == ("", said)
        assert not list(stick.iterdir())

    def test_a_place_that_is_no_medium(self, farm: Computer, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for name in ("nix", "file"):
            done = farm.types("exchange", str(tmp_path / name), status=1)
            assert f"{tmp_path / name} cannot be used as a medium" in done.err
        assert not (tmp_path / "nix").exists()

    def test_for_some_peers_only(self, sharers: Pair, stick: Path, tmp_path: Path) -> None:
        farm, _ = sharers
        third = new_computer(tmp_path, "third")
        acquaint(farm, third)
        farm.types("ledger", "share", "third")
        done = _dict(farm.asks("exchange", str(stick), "--for", "third"))
        assert done["written"] == {"third": 1}
        done = _dict(farm.asks("exchange", str(stick), "--for", "home", "--for", "third"))
        assert (done["written"], done["already_there"]) == ({"home": 1}, {"third": 1})
        assert (
            "no peer is called x" in farm.types("exchange", str(stick), "--for", "x", status=2).err
        )

    def test_a_peer_that_media_do_not_serve_is_left_out(self, sharers: Pair, stick: Path) -> None:
        farm, _ = sharers
        farm.configure('[peer.home]\ntransports = ["serial"]\n')
        assert (
            said(farm.types("exchange", str(stick)))[0] == "Nothing to take and nothing to leave."
        )
        assert not fragments(stick)
        farm.configure('[peer.home]\ntransports = ["serial", "directory"]\n')
        assert said(farm.types("exchange", str(stick)))[0] == "Wrote 1 bundle for home."

    def test_a_mule_learns_nothing_and_says_what_it_carries(
        self, sharers: Pair, stick: Path, tmp_path: Path
    ) -> None:
        farm, home = sharers
        mule = new_computer(tmp_path, "mule")
        exchange(stick, farm)
        assert said(mule.types("exchange", str(stick)))[:2] == [
            "1 file is for others, or from someone whose card you lack.",
            "Carrying 1 file on for others.",
        ]
        other = tmp_path / "other"
        other.mkdir()
        assert "Left 1 file that we carry for others." in mule.types("exchange", str(other)).lines
        assert "Took in 2 entries by farm into farm." in home.types("exchange", str(other)).lines
        assert mule.asks("ledger", "list") == []

    def test_damage_is_told_of_and_does_not_stop_the_rest(self, sharers: Pair, stick: Path) -> None:
        farm, home = sharers
        exchange(stick, farm)
        (good,) = fragments(stick)
        bad = good.with_name(good.name.replace("-00000000.pnr", "-00000001.pnr"))
        bad.write_bytes(bytes(100))
        os.utime(bad, (1, 1))
        done = home.types("exchange", str(stick))
        assert "Took in 2 entries by farm into farm." in done.lines
        assert "1 fragment for us was damaged or forged, and thrown away." in done.lines
        status = home.types("status").lines
        assert "  thrown away: 1 fragment damaged or forged on the way" in status
        assert done.lines[-1].endswith("is safe to remove.")

    def test_a_medium_in_use_is_busy(
        self, sharers: Pair, stick: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, _ = sharers
        monkeypatch.setattr("pannier.cli.session.PATIENCE_SECONDS", 0.0)
        exchange(stick, farm)
        medium = json.loads((stick / "pannier" / "medium.json").read_text())["id"]
        with farm.node() as node, node.spool.exchange(medium):
            done = farm.types("exchange", str(stick), status=4)
        assert "is going on; wait for its end" in done.err
        farm.types("exchange", str(stick))

    def test_bundles_in_the_making_are_busy(
        self, sharers: Pair, stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from pannier.lock import exclusive  # noqa: PLC0415

        farm, _ = sharers
        monkeypatch.setattr("pannier.cli.session.PATIENCE_SECONDS", 0.0)
        with exclusive(farm.home / "locks" / "send", "preparing bundles"):
            for words in (["exchange", str(stick)], ["pack", "home", "--into", str(tmp_path)]):
                done = farm.types(*words, status=4)
                assert "another pannier is preparing bundles; wait for it" in done.err
        assert not fragments(tmp_path)
        farm.types("exchange", str(stick))


class TestPack:
    @pytest.mark.parametrize("repair", ["0%", "30"])
    @pytest.mark.parametrize("mtu", MTUS)
    def test_every_file_is_one_item_no_larger_than_the_mtu(
        self, sharers: Pair, tmp_path: Path, mtu: int, repair: str
    ) -> None:
        farm, home = sharers
        put_many(farm, 40)
        out = tmp_path / "out"
        done = farm.types("pack", "home", "--into", str(out), "--mtu", str(mtu), "--repair", repair)
        files = fragments(out)
        counted = re.fullmatch(
            r"1 bundle for home in ([\d,]+) files?, ([\d,]+) bytes, in (.+)\n", done.out
        )
        assert counted is not None
        assert int(counted[1].replace(",", "")) == len(files) == len(list(out.iterdir()))
        assert int(counted[2].replace(",", "")) == sum(path.stat().st_size for path in files)
        for path in files:
            data = path.read_bytes()
            assert len(data) <= mtu
            assert cbor2.dumps(cbor2.loads(data), canonical=True) == data
        if repair != "0%":
            keep = files[len(files) // 5 :] if len(files) > 4 else files[1:]
            _remove(set(files) - set(keep))
        taken = home.types("unpack", str(out))
        assert taken.lines[0] == "Took in 42 entries by farm into farm."

    def test_nothing_to_pack_is_said(self, pair: Pair, tmp_path: Path) -> None:
        farm, _ = pair
        done = farm.types("pack", "home", "--into", str(tmp_path / "out"))
        assert done.out == "home lacks nothing that it may have; nothing to pack.\n"
        assert "no peer is called x" in farm.types("pack", "x", status=2).err

    def test_into_a_place_that_is_no_folder(self, sharers: Pair, tmp_path: Path) -> None:
        farm, _ = sharers
        (tmp_path / "file").touch()
        farm.types("pack", "home", "--into", str(tmp_path / "file"), status=2)
        done = farm.types("pack", "home", "--into", str(tmp_path / "file" / "x"), status=1)
        assert "cannot write to" in done.err
        assert (
            "2 entries to go" in farm.types("status").out or "1 bundle" in farm.types("status").out
        )

    def test_the_mtu_of_the_peer_counts_where_none_is_named(
        self, sharers: Pair, tmp_path: Path
    ) -> None:
        farm, _ = sharers
        farm.configure("[peer.home]\nmtu = 64\n")
        farm.types("pack", "home", "--into", str(tmp_path / "out"))
        sizes = [path.stat().st_size for path in fragments(tmp_path / "out")]
        assert len(sizes) > 5
        assert max(sizes) <= 64

    def test_in_clear_names_the_ledger_that_stays(self, sharers: Pair, tmp_path: Path) -> None:
        farm, home = sharers
        for one, other in ((farm, "home"), (home, "farm")):
            one.configure(f"[peer.{other}]\nclear = true\n")
        done = farm.types("pack", "home", "--into", str(tmp_path / "out"), status=3)
        assert "farm does not travel to home: it is confidential" in done.err
        assert "nothing to pack" in done.out
        farm.types("ledger", "new", "open", "--clear")
        farm.types("ledger", "share", "home", "--ledger", "open")
        farm.types("put", "--ledger", "open", "well", '"for all to see"')
        farm.types("pack", "home", "--into", str(tmp_path / "out"), status=3)
        assert b"for all to see" in b"".join(
            path.read_bytes() for path in fragments(tmp_path / "out")
        )
        assert home.types("unpack", str(tmp_path / "out")).lines != []
        assert home.types("get", "well", "--ledger", "open").out == '"for all to see"\n'

    def test_what_is_too_much_at_once_is_said(
        self, sharers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, home = sharers
        exchange(tmp_path / "stick", farm, home, farm)
        for number in range(3):
            (tmp_path / f"file {number}").write_bytes(os.urandom(1 << 20))
        farm.types("add", *(str(tmp_path / f"file {number}") for number in range(3)))
        monkeypatch.setattr("pannier.oneway.Room", lambda: Room(2_500_000))
        words = ("pack", "home", "--into", str(tmp_path / "out"), "--mtu", "222")
        done = farm.types(*words, status=3)
        assert "more files wait for home than go at once" in done.err
        assert done.out.startswith("3 bundles for home in ")


class TestUnpack:
    @pytest.fixture
    def packed(self, sharers: Pair, tmp_path: Path) -> Path:
        sharers[0].types("pack", "home", "--into", str(tmp_path / "out"), "--mtu", "100")
        return tmp_path / "out"

    def test_in_pieces_in_any_order_with_repeats(self, sharers: Pair, packed: Path) -> None:
        _, home = sharers
        files = [str(path) for path in reversed(fragments(packed))]
        done = home.types("unpack", *files[:3])
        assert done.out == "1 bundle not whole yet: more fragments must come.\n"
        home.types("unpack", *files[:3], *files[2:5])
        done = home.types("unpack", *files[4:], files[0])
        assert done.lines[0] == "Took in 2 entries by farm into farm."
        again = home.types("unpack", str(packed))
        assert again.out == (
            f"Nothing new: {len(files)} files of bundles that were taken in before.\n"
        )
        assert len(fragments(packed)) == len(files)

    def test_as_json(self, sharers: Pair, packed: Path) -> None:
        _, home = sharers
        (packed / "notes.txt").touch()
        asked = _dict(home.asks("unpack", str(packed)))
        assert asked["entries"] == [{"ledger": "farm", "by": "farm", "count": 2}]
        left = dict.fromkeys(
            ("others", "seen", "foreign", "damaged", "forged", "newer", "refused"), 0
        )
        assert asked["left"] == {**left, "foreign": 1}

    def test_of_others(self, sharers: Pair, packed: Path, tmp_path: Path) -> None:
        third = new_computer(tmp_path, "third")
        count = len(fragments(packed))
        assert third.types("unpack", str(packed)).out == (
            f"{count} files are for others, or from someone whose card you lack.\n"
        )
        farm, _ = sharers
        assert "taken in before" in farm.types("unpack", str(packed)).out

    def test_of_nothing(self, farm: Computer, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        assert "none of 0 files is a fragment" in farm.types("unpack", str(tmp_path / "in")).out
        (tmp_path / "in" / "a.pnr").touch()
        assert "none of 1 file is a fragment" in farm.types("unpack", str(tmp_path / "in")).out
        assert (
            f"{tmp_path}/nix is not there" in farm.types("unpack", f"{tmp_path}/nix", status=2).err
        )

    def test_damage_is_told_of_and_does_not_stop_the_rest(
        self, sharers: Pair, tmp_path: Path
    ) -> None:
        farm, home = sharers
        out = tmp_path / "out"
        farm.types("pack", "home", "--into", str(out), "--mtu", "100", "--repair", "50%")
        files = fragments(out)
        for path in files[1:4]:
            path.write_bytes(path.read_bytes()[:-1] + b"\x00")
        files[4].write_bytes(START)
        files[5].unlink()
        files[5].symlink_to(files[6])
        done = home.types("unpack", str(out), status=3)
        assert "Took in 2 entries by farm into farm." in done.lines
        assert "4 fragments for us were damaged or forged, and thrown away." in done.lines
        assert "1 file could not be read" in done.err

    def test_what_finds_no_room_is_told_of(self, sharers: Pair, packed: Path) -> None:
        _, home = sharers
        home.configure("[spool]\npeer_bytes = 0\n")
        done = home.types("unpack", str(packed), status=3)
        assert "1 bundle found no room: see peer_bytes" in done.err
        home.configure("")
        assert "Took in 2 entries" in home.types("unpack", str(packed)).out

    def test_what_was_altered_on_its_way_is_thrown_away(
        self, sharers: Pair, tmp_path: Path, stick: Path
    ) -> None:
        """Its checksum is right: that does not help a forger."""
        farm, home = sharers
        noise = "".join(sha256(b"%d" % number).hexdigest() for number in range(50))
        farm.types("put", "noise", f'"{noise}"')  # too much for one frame
        exchange(stick, farm)
        (path,) = fragments(stick)
        item = cbor2.loads(path.read_bytes())
        assert isinstance(item, list)
        symbols = bytearray(item[5])
        symbols[-1] ^= 1
        _rewrite(path, item, bytes(symbols))
        done = home.types("unpack", str(path))
        assert done.out == "1 fragment for us was damaged or forged, and thrown away.\n"
        assert "quarantine" not in home.types("status").out
        shutil.rmtree(stick / "pannier")
        exchange(stick, farm, home)
        assert home.types("get", "field/3").out == '{"moisture": 0.31}\n'


class TestRun:
    def test_needs_something_to_serve(self, farm: Computer) -> None:
        done = farm.types("run", status=2)
        assert f"nothing to serve: name a folder in {farm.home}/config.toml" in done.err
        assert "[transport.sticks]" in done.err

    def test_once_exchanges_with_what_is_there(self, sharers: Pair, tmp_path: Path) -> None:
        farm, _ = sharers
        drop, mounts = tmp_path / "drop", tmp_path / "media"
        drop.mkdir()
        (mounts / "BLUE" / "pannier").mkdir(parents=True)
        (mounts / "somebody's").mkdir()
        farm.configure(_transports(drop=drop, mounts=mounts))
        lines = farm.types("run", "--once").lines
        assert f"{drop}: Wrote 1 bundle for home." in lines
        assert f"{mounts}/BLUE: Wrote 1 bundle for home." in lines
        assert any(
            line.startswith(f"{mounts}/BLUE: ") and line.endswith("is safe to remove.")
            for line in lines
        )
        assert not list((mounts / "somebody's").iterdir())

    def test_once_with_nothing_there_is_said(self, farm: Computer, tmp_path: Path) -> None:
        farm.configure(_transports(mounts=tmp_path / "media"))
        assert farm.types("run", "--once").out == "No medium is there; nothing to do.\n"

    def test_once_with_a_problem_is_partly_done(self, sharers: Pair, tmp_path: Path) -> None:
        farm, _ = sharers
        drop = tmp_path / "drop"
        farm.configure(_transports(drop=drop, mounts=tmp_path))
        done = farm.types("run", "--once", status=3)
        assert f"{drop}: {drop} cannot be used as a medium" in done.out
        assert "see the lines above" in done.err


def _transports(*, drop: Path | None = None, mounts: Path | None = None) -> str:
    """Return a configuration that serves these folders."""
    text = ""
    for name, kind, path in (("drop", "directory", drop), ("sticks", "mounts", mounts)):
        if path is not None:
            text += f'[transport.{name}]\nkind = "{kind}"\npath = "{path}"\n'
    return text


def _rewrite(path: Path, item: list[object], symbols: bytes) -> None:
    """Write a fragment with other symbols, and a check that fits them."""
    from bundler.fragment import Fragment, crc_check, is_plausible  # noqa: PLC0415

    fragment = Fragment.from_bytes(path.read_bytes(), is_plausible)
    draft = Fragment(
        bundle_id=fragment.bundle_id,
        transfer_bytes=fragment.transfer_bytes,
        symbol_bytes=fragment.symbol_bytes,
        payload_id=fragment.payload_id,
        symbols=symbols,
        check=b"",
    )
    body = draft.to_bytes()[:-1]
    path.write_bytes(body + cbor2.dumps(crc_check(body)))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink()


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
