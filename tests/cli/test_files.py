"""Whole files through the commands, as people use them."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.computers import Computer, exchange, new_computer, spawn
from tests.cli.terminal import at_terminal
from tests.pannier.folders import TIME_US, tree, write

NOISE = os.urandom(1_500_000)


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    write(tmp_path / "maps" / "north", NOISE)
    write(tmp_path / "maps" / "old" / "tool", b"#!/bin/sh\n", mode=0o755)
    return tmp_path / "maps"


class TestAdd:
    def test_the_first_files_make_a_ledger(self, farm: Computer, maps: Path) -> None:
        assert farm.types("add", str(maps)).lines == [
            "Made the ledger farm.",
            "2 files, 1,500,010 bytes, put into farm.",
        ]
        assert farm.types("add", str(maps)).lines == [
            "0 files, 0 bytes, put into farm, 2 unchanged."
        ]
        assert farm.types("things").lines == ["maps/north", "maps/old/tool"]

    def test_names_follow_the_prefix(self, farm: Computer, maps: Path) -> None:
        farm.types("add", f"{maps}/.", "--as", "2026/maps")
        assert farm.types("things").lines == ["2026/maps/north", "2026/maps/old/tool"]

    def test_what_is_left_out_is_named_and_the_rest_put(self, farm: Computer, maps: Path) -> None:
        os.mkfifo(maps / "fifo")
        (maps / "link").symlink_to("/etc/passwd")
        (maps / os.fsdecode(b"\xff\x1b[2J")).write_bytes(b"")
        done = farm.home.parent / "nothing"
        result = spawn("--home", str(farm.home), "add", str(maps), str(done))
        assert result.returncode == 3
        said = result.stderr.decode().splitlines()
        assert len(said) == 5
        assert said[-1] == "pannier: 4 paths left out, as said above"
        assert b"\x1b" not in result.stderr
        assert b"2 files" in result.stdout

    def test_says_what_to_name(self, farm: Computer) -> None:
        assert "Missing argument 'PATH...'" in farm.types("add", status=2).err

    def test_shows_progress_at_a_terminal(self, farm: Computer, maps: Path) -> None:
        with at_terminal(["--home", str(farm.home), "add", str(maps)]) as terminal:
            terminal.wait_for("2 files")
            assert terminal.finish() == 0


class TestCheckout:
    def test_brings_files_back(self, farm: Computer, maps: Path, tmp_path: Path) -> None:
        farm.types("add", str(maps))
        out = tmp_path / "out"
        assert farm.types("checkout", str(out)).lines == [f"2 files, 1,500,010 bytes, in {out}."]
        assert tree(out / "maps") == tree(maps)
        assert farm.types("checkout", str(out), "maps/old").lines == [
            f"0 files, 0 bytes, in {out}, 1 there already."
        ]

    def test_what_is_left_is_named_with_how_to_go_on(
        self, farm: Computer, maps: Path, tmp_path: Path
    ) -> None:
        farm.types("add", str(maps))
        write(tmp_path / "out" / "maps" / "north", b"mine")
        result = spawn("--home", str(farm.home), "checkout", str(tmp_path / "out"))
        assert result.returncode == 3
        first, last = result.stderr.decode().splitlines()
        assert first.startswith("maps/north: ")
        assert "--force" in first
        assert last == "pannier: 1 file left as before, as said above"
        farm.types("checkout", str(tmp_path / "out"), "--force")
        assert tree(tmp_path / "out" / "maps") == tree(maps)

    def test_deleted_files_go_where_it_is_asked_for(
        self, farm: Computer, maps: Path, tmp_path: Path
    ) -> None:
        farm.types("add", str(maps))
        out = tmp_path / "out"
        farm.types("checkout", str(out))
        farm.types("delete", "maps/old/tool")
        done = farm.types("checkout", str(out), "--delete")
        assert done.lines == [f"0 files, 0 bytes, in {out}, 1 there already, 1 removed."]
        assert list(tree(out)) == ["maps/north"]

    def test_says_where_no_name_begins_so(self, farm: Computer, maps: Path, tmp_path: Path) -> None:
        farm.types("add", str(maps))
        none = farm.types("checkout", str(tmp_path / "out"), "maps/x")
        assert (none.out, none.err) == ("", "No file begins with maps/x.\n")
        some = farm.types("checkout", str(tmp_path / "out"), "maps/o")
        assert some.out.startswith("1 file, ")

    def test_without_a_ledger_says_how_to_make_one(self, farm: Computer, tmp_path: Path) -> None:
        assert "no ledger yet" in farm.types("checkout", str(tmp_path / "out"), status=2).err


class TestShown:
    def test_files_read_as_files(self, farm: Computer, maps: Path) -> None:
        farm.types("add", str(maps))
        assert farm.types("get", "maps/north").out == "file, 1,500,000 bytes\n"
        assert farm.types("get", "maps/old/tool").out == "file, 10 bytes, executable\n"
        assert farm.types("log", "maps/old/tool").lines == [
            "2023-11-14 22:13:20  farm: file, 10 bytes, executable"
        ]
        asked = farm.asks("get", "maps/north")
        assert isinstance(asked, dict)
        (head,) = asked["heads"]
        assert (head["data"], head["readable"], head["time"]) == (None, True, TIME_US)
        assert (head["file"]["size"], head["file"]["executable"]) == (1_500_000, False)
        assert len(head["file"]["chunks"]) == 2
        assert "2 entries, 2 files" in farm.types("status").out

    def test_a_conflict_of_files_is_said_and_how_to_settle_it(
        self, pair: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = pair
        plan = write(tmp_path / "d" / "plan", b"first")
        farm.types("add", str(plan.parent))
        farm.types("ledger", "share", "home")
        exchange(tmp_path / "stick", farm, home, farm)
        write(plan, b"ours", time_us=TIME_US + 9_000_000)
        farm.types("add", str(plan.parent))
        its = write(tmp_path / "e" / "d" / "plan", b"its own", time_us=TIME_US + 10_000_000)
        exchange(tmp_path / "stick", farm, home)
        assert home.types("add", str(its.parent)).lines == [
            "1 file, 7 bytes, put into farm, 1 in conflict with what others put, "
            "see `pannier things --conflicts`."
        ]
        said = home.types("get", "d/plan").lines[0]
        how = "`pannier add --settle` or `pannier delete` settles it:"
        assert said == f"d/plan has 2 versions in conflict; {how}"
        assert home.types("add", str(its.parent), "--settle").lines == [
            "1 file, 7 bytes, put into farm, 1 conflict settled."
        ]
        assert home.types("get", "d/plan").lines == ["file, 7 bytes"]

    @pytest.mark.parametrize("words", [["delete", "d/plan"], ["put", "d/plan", '"a remark"']])
    @pytest.mark.parametrize("settles", ["add", "delete"])
    def test_a_file_that_others_say_is_none_comes_out_and_what_settles_it_is_said(
        self, pair: tuple[Computer, Computer], tmp_path: Path, words: list[str], settles: str
    ) -> None:
        farm, home = pair
        farm.types("add", str(write(tmp_path / "d" / "plan", b"first").parent))
        farm.types("ledger", "share", "home")
        exchange(tmp_path / "stick", farm, home, farm)
        at_home, out = tmp_path / "home-files", tmp_path / "out"
        home.types("checkout", str(at_home))
        write(at_home / "d" / "plan", b"a day's work", time_us=TIME_US + 9_000_000)
        home.types("add", str(at_home / "d"))
        farm.types(*words)
        exchange(tmp_path / "stick", farm, home, farm, home)
        what = "a deletion" if words[0] == "delete" else "data"
        for folder, came, rest in (
            (at_home, "0 files, 0 bytes", ", 1 there already"),
            (out, "1 file, 12 bytes", ""),
        ):
            done = home.types("checkout", str(folder), "--delete")
            assert done.err == f"d/plan: in conflict with {what} by farm\n"
            assert done.lines == [
                f"{came}, in {folder}{rest}, 1 of several versions in conflict, "
                "see `pannier things --conflicts`."
            ]
            assert (folder / "d" / "plan").read_bytes() == b"a day's work"
        asked = home.asks("get", "d/plan")
        assert isinstance(asked, dict)
        assert [head["file"] is None for head in asked["heads"]] == [True, False]
        said = home.types("get", "d/plan").lines[0]
        assert "`pannier add --settle` or `pannier delete` settles it:" in said
        assert "4 entries, 1 file, 1 conflict\n" in home.types("status").out
        if settles == "add":
            add = home.types("add", str(at_home / "d"), "--settle")
            assert add.lines == ["1 file, 12 bytes, put into farm, 1 conflict settled."]
            assert home.types("get", "d/plan").lines == ["file, 12 bytes"]
            assert home.types("checkout", str(out)).err == ""
        else:
            home.types("delete", "d/plan")
            assert home.types("checkout", str(out), "--delete").lines[0].endswith("1 removed.")
        assert "conflict" not in home.types("status").out.partition("ledger")[2]

    def test_status_counts_files_and_not_their_versions(
        self, pair: tuple[Computer, Computer], maps: Path, tmp_path: Path
    ) -> None:
        farm, _ = pair
        farm.types("add", str(maps))
        write(maps / "old" / "tool", b"#!/bin/sh\nexit\n", time_us=TIME_US + 1)
        farm.types("add", str(maps))
        farm.types("ledger", "share", "home")
        said = farm.types("status").out
        assert "4 entries, 2 files" in said
        assert "peer home: 4 entries and 1,500," in said
        seen = farm.asks("status")
        assert isinstance(seen, dict)
        assert seen["peers"][0]["unpacked_bytes"] > 1_500_000
        checked = farm.asks("verify")
        assert isinstance(checked, list)
        (verified,) = checked
        assert (verified["files"], verified["lacking_versions"]) == (2, 0)
        assert "2 files: 4 chunks" in farm.types("verify").out
        assert (
            "its 2 files"
            in farm.types("ledger", "backup", str(tmp_path / "b"), "--ledger", "farm").out
        )

    def test_what_has_not_arrived_is_said(self, farm: Computer, maps: Path) -> None:
        farm.types("add", str(maps))
        (pack,) = (farm.home / "ledgers").glob("*.blobs/*")
        pack.rename(maps.parent / "elsewhere")
        verified = farm.types("verify")
        assert "2 versions of files not whole: 3 chunks of contents are not here" in verified.out
        got = farm.types("get", "maps/north")
        assert got.err == "(1,500,000 bytes of its content have not arrived)\n"
        assert farm.asks("get", "maps/north") != farm.asks("get", "maps/old/tool")
        assert "2 versions of files not whole yet: 3 chunks" in farm.types("status").out
        (maps.parent / "elsewhere").rename(pack)
        assert "3 chunks of contents are here, 1,500,010 bytes, good" in farm.types("verify").out

    def test_contents_that_were_altered_are_bad_once_and_then_missing(
        self, farm: Computer, maps: Path
    ) -> None:
        farm.types("add", str(maps))
        (pack,) = (farm.home / "ledgers").glob("*.blobs/*")
        data = bytearray(pack.read_bytes())
        data[1000] ^= 1
        pack.write_bytes(data)
        done = farm.types("verify", status=1)
        assert "1 of them BAD" in done.out
        assert "altered" in done.err
        assert "1 version of files not whole: 1 chunk" in farm.types("verify").out
        farm.types("add", str(maps))
        assert "not whole" not in farm.types("verify").out


class TestBackup:
    def test_says_where_contents_are_and_takes_them_back(
        self, farm: Computer, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PANNIER_BACKUP_PASSPHRASE", "correct horse")
        farm.types("add", str(maps))
        (folder,) = (farm.home / "ledgers").glob("*.blobs")
        said = farm.types("ledger", "backup", str(tmp_path / "kept")).out
        assert f"keep a copy of {folder}" in said
        other, third = new_computer(tmp_path, "other"), new_computer(tmp_path, "third")
        target = other.home / "ledgers" / folder.name
        subprocess.run(["cp", "-r", folder, target], check=True)
        restored = other.types("ledger", "restore", str(tmp_path / "kept"))
        assert "are not here" not in restored.out
        other.types("checkout", str(tmp_path / "out"))
        assert tree(tmp_path / "out" / "maps") == tree(maps)
        assert "contents of 2 versions of files are not here" in third.types(
            "ledger", "restore", str(tmp_path / "kept")
        ).out  # fmt: skip

    def test_says_nothing_of_files_where_there_are_none(
        self, farm: Computer, tmp_path: Path
    ) -> None:
        farm.types("put", "x", "1")
        assert "contents" not in farm.types("ledger", "backup", str(tmp_path / "kept")).out
