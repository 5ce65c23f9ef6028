import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from ledger.adopt import adopt
from ledger.append import Draft, deletion
from ledger.blob import CHUNK_BYTES, chunk_of
from ledger.file_payload import file_of
from ledger.views import conflicts
from pannier import checkout, ledgers, target_folder
from pannier.checked_out import CheckoutOptions, Disputed
from pannier.checkout import Checkout
from pannier.errors import BusyError, PannierError, UsageError
from pannier.node import Node
from pannier.target_folder import TargetFolder
from tests.cli.computers import Computer, acquaint, exchange, new_computer, new_sharers
from tests.pannier.folders import (
    TIME_US,
    add,
    check_out,
    delete,
    put_file,
    skipped_of,
    store_of,
    tree,
    write,
)

NOISE = os.urandom(2 * CHUNK_BYTES + 5000)
FORCE = CheckoutOptions(force=True)
DELETE = CheckoutOptions(delete=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


class TestCheckout:
    def test_brings_what_was_added(self, node: Node, tmp_path: Path, out: Path) -> None:
        photos = tmp_path / "photos"
        write(photos / "b" / "noise", NOISE)
        write(photos / "run", b"#!/bin/sh\n" * 30_000, mode=0o755)
        write(photos / "empty", b"")
        add(node, photos)
        done, skipped = check_out(node, out)
        assert (done.files, done.same, skipped) == (3, 0, {})
        assert tree(out) == {f"photos/{path}": data for path, data in tree(photos).items()}
        for path in (out / "photos" / "run", out / "photos" / "b" / "noise"):
            found = path.stat()
            assert found.st_mtime_ns == TIME_US * 1000
            assert bool(found.st_mode & 0o100) == (path.name == "run")

    def test_leaves_what_is_there_already(self, node: Node, out: Path) -> None:
        put_file(node, "a", b"same")
        check_out(node, out)
        before = (out / "a").stat()
        done, _ = check_out(node, out)
        assert (done.files, done.same) == (0, 1)
        write(out / "a", b"same", time_us=TIME_US + 77)
        assert check_out(node, out)[0].same == 1
        assert (out / "a").stat().st_ino == before.st_ino

    def test_looks_into_what_only_looks_right_where_it_is_told_to(
        self, node: Node, out: Path
    ) -> None:
        put_file(node, "a", b"same")
        write(out / "a", b"mesa")
        assert check_out(node, out)[0].same == 1
        assert check_out(node, out, options=CheckoutOptions(reread=True))[1].keys() == {"a"}

    def test_where_no_file_can_be_run_it_is_not_written_anew_each_time(
        self, node: Node, out: Path
    ) -> None:
        put_file(node, "run", b"#!/bin/sh", executable=True)
        put_file(node, "text", b"text")
        mask = os.umask(0o111)
        try:
            check_out(node, out)
            done, skipped = check_out(node, out)
        finally:
            os.umask(mask)
        assert (done.files, done.same, skipped) == (0, 2, {})
        assert tree(out) == {"run": b"#!/bin/sh", "text": b"text"}
        assert check_out(node, out)[0].files == 1
        assert (out / "run").stat().st_mode & 0o100

    def test_versions_of_one_size_and_time_are_told_apart_by_what_is_in_them(
        self, node: Node, out: Path
    ) -> None:
        for content in (b"build-1", b"build-2"):
            put_file(node, "a", content)
            put_file(node, "b", content, time_us=TIME_US + content[-1])
            done, skipped = check_out(node, out)
            assert (done.files, skipped) == (2, {})
            assert tree(out) == {"a": content, "b": content}
        done, _ = check_out(node, out)
        assert (done.files, done.same) == (0, 2)

    def test_replaces_older_versions(self, node: Node, out: Path) -> None:
        put_file(node, "a", b"first")
        check_out(node, out)
        put_file(node, "a", b"second", time_us=TIME_US + 1)
        write(out / "a", b"first", time_us=5)
        done, skipped = check_out(node, out)
        assert (done.files, skipped, tree(out)) == (1, {}, {"a": b"second"})
        put_file(node, "a", b"second", time_us=TIME_US + 2, executable=True)
        assert check_out(node, out)[0].files == 1
        assert (out / "a").stat().st_mode & 0o100

    @pytest.mark.parametrize("content", [b"mine!", b"first", b"longer than all others"])
    def test_leaves_alone_what_the_ledger_never_knew(
        self, node: Node, out: Path, content: bytes
    ) -> None:
        put_file(node, "a", b"theirs")
        put_file(node, "b", b"fine")
        write(out / "a", content, time_us=1)
        done, skipped = check_out(node, out)
        assert (done.files, set(skipped)) == (1, {"a"})
        assert tree(out) == {"a": content, "b": b"fine"}
        assert check_out(node, out, options=FORCE)[0].files == 1
        assert tree(out) == {"a": b"theirs", "b": b"fine"}

    def test_brings_only_what_a_prefix_names(self, node: Node, out: Path) -> None:
        for thing in ("a/1", "a/b/2", "ab/3", "a.txt", "a"):
            if thing != "a":
                put_file(node, thing, thing.encode())
        assert tree_of(node, out / "1", "a/") == ["a/1", "a/b/2"]
        assert "a.txt" in tree_of(node, out / "5", "a"), "as `things` has it"
        assert tree_of(node, out / "2", "a/b/") == ["a/b/2"]
        assert tree_of(node, out / "3", "a.txt") == ["a.txt"]
        assert tree_of(node, out / "4", "x") == []

    def test_takes_no_notice_of_what_is_no_file(self, node: Node, out: Path) -> None:
        computer_put(node, "note", b"\xa1\x61\x61\x01")
        assert check_out(node, out)[1] == {}
        assert tree(out) == {}

    def test_names_what_has_not_arrived(self, tmp_path: Path, out: Path) -> None:
        farm, home = new_sharers(tmp_path)
        with farm.node() as node:
            put_file(node, "a", NOISE)
            put_file(node, "b", b"small")
        exchange(tmp_path / "stick", farm, home, farm)
        with home.node() as node:
            blobs = store_of(node).blobs
            for pack in blobs.folder.glob("*.pack"):
                pack.unlink()
            adopt(store_of(node))
            blobs.add([chunk_of(NOISE[:CHUNK_BYTES]), chunk_of(b"small")], os.urandom)
            done, skipped = check_out(node, out)
        assert done.files == 1
        lacking, size = len(NOISE) - CHUNK_BYTES, len(NOISE)
        assert skipped == {"a": f"{lacking:,} of its {size:,} bytes are not here yet"}
        assert tree(out) == {"b": b"small"}

    def test_takes_the_winner_of_a_conflict_and_says_so(self, tmp_path: Path, out: Path) -> None:
        farm, home = new_sharers(tmp_path)
        exchange(tmp_path / "stick", farm, home, farm)
        for computer, text, time in ((farm, b"ours", 1), (home, b"theirs", 2)):
            with computer.node() as node:
                put_file(node, "x", text, time_us=TIME_US + time)
        exchange(tmp_path / "stick", farm, home, farm)
        with farm.node() as node:
            store_of(node).blobs.add([chunk_of(b"theirs")], os.urandom)
            done, _ = check_out(node, out)
        assert (done.conflicts, tree(out)) == (1, {"x": b"theirs"})


class TestDisputed:
    """Where a file is beside a deletion or data, neither of which knows of the other."""

    @pytest.mark.parametrize("later", [True, False])
    @pytest.mark.parametrize("is_data", [True, False])
    def test_the_file_comes_whatever_the_clocks_say_and_is_never_removed(
        self, tmp_path: Path, out: Path, later: bool, is_data: bool
    ) -> None:
        farm, home = disputing(tmp_path, 5 if later else -5, is_data=is_data)
        for computer, folder in ((farm, out), (home, tmp_path / "at home")):
            with computer.node() as node:
                run = Checkout(node, store_of(node), folder, DELETE)
                who = "data" if is_data else "a deletion"
                (told,) = (step for step in run.run() if not isinstance(step, int))
                assert told == Disputed("x", f"in conflict with {who} by farm")
                done = run.done
                assert (done.found, done.conflicts, done.removed) == (1, 1, 0)
                assert tree(folder) == {"x": b"edited"}
                write(folder / "x", b"first")
                assert check_out(node, folder, options=DELETE)[0].files == 1, "it was older"
                write(folder / "x", b"mine!", time_us=1)
                assert check_out(node, folder, options=DELETE)[1].keys() == {"x"}
                assert tree(folder) == {"x": b"mine!"}

    def test_the_first_of_several_files_comes(self, tmp_path: Path, out: Path) -> None:
        farm, _ = disputing(tmp_path, 5)
        mill = new_computer(tmp_path, "mill")
        acquaint(farm, mill)
        farm.types("ledger", "share", "mill")
        exchange(tmp_path / "other stick", farm, mill, farm)
        with mill.node() as node:
            text, store = b"of the mill", store_of(node)
            store.blobs.add([chunk_of(text)], os.urandom)
            payload = file_of(len(text), [chunk_of(text).digest], executable=False).to_payload()
            ledgers.put(node, store, [Draft("x", payload, TIME_US + 2, "file", follows=())])
        exchange(tmp_path / "other stick", mill, farm, mill, farm)
        with farm.node() as node:
            assert check_out(node, out)[0].conflicts == 1
        assert tree(out) == {"x": b"of the mill"}

    def test_adding_what_came_settles_nothing_until_it_is_changed(
        self, tmp_path: Path, out: Path
    ) -> None:
        farm, _ = disputing(tmp_path, 5, is_data=True)
        with farm.node() as node:
            check_out(node, out)
            assert add(node, out / "x")[0].unchanged == 1
            assert conflicts(store_of(node)) == ["x"]
            added, _ = add(node, write(out / "x", b"again", time_us=TIME_US + 20_000_000))
            assert (added.settled, added.conflicts) == (1, 0)
            assert conflicts(store_of(node)) == []

    def test_an_older_copy_is_not_put_again_over_it(self, tmp_path: Path) -> None:
        farm, _ = disputing(tmp_path, 5)
        with farm.node() as node:
            old = write(tmp_path / "old" / "x", b"first")
            for reread in (False, True):
                added, skipped = add(node, old, reread=reread)
                assert (added.files, added.conflicts) == (0, 0)
                assert "which `pannier checkout` brings" in skipped[str(old)]

    def test_what_two_deleted_goes(self, tmp_path: Path, out: Path) -> None:
        farm, home = new_sharers(tmp_path)
        with farm.node() as node:
            put_file(node, "x", b"first")
            check_out(node, out)
        exchange(tmp_path / "stick", farm, home, farm)
        for computer in (farm, home):
            with computer.node() as node:
                delete(node, "x")
        exchange(tmp_path / "stick", farm, home, farm)
        with farm.node() as node:
            done, _ = check_out(node, out, options=DELETE)
            assert (done.removed, done.conflicts) == (1, 0)
            old = write(out / "x", b"new", time_us=TIME_US + 20_000_000)
            added, _ = add(node, old)
            assert (added.files, added.settled, added.conflicts) == (1, 0, 0)


class TestDeleted:
    def test_files_go_only_where_it_is_asked_for(self, node: Node, out: Path) -> None:
        for thing in ("a/b/1", "a/2"):
            put_file(node, thing, thing.encode())
        check_out(node, out)
        delete(node, "a/b/1")
        assert check_out(node, out)[1] == {}
        assert len(tree(out)) == 2
        assert check_out(node, out, options=DELETE)[0].removed == 1
        assert tree(out) == {"a/2": b"a/2"}
        assert not (out / "a" / "b").exists()
        assert (out / "a").is_dir()

    def test_files_that_somebody_changed_stay(self, node: Node, out: Path) -> None:
        put_file(node, "a", b"known")
        check_out(node, out)
        delete(node, "a")
        write(out / "a", b"mine!", time_us=1)
        done, skipped = check_out(node, out, options=DELETE)
        assert (done.removed, set(skipped)) == (0, {"a"})
        assert tree(out) == {"a": b"mine!"}

    def test_what_is_spelled_alike_does_not_keep_them(self, node: Node, out: Path) -> None:
        """Where case counts both are there; where it does not see test_checkout_on_sticks.py."""
        for thing in ("d/a.txt", "D/A.TXT", "d/A.txt"):
            put_file(node, thing, b"same")
        assert check_out(node, out)[0].files == 3
        delete(node, "d/a.txt")
        assert check_out(node, out, options=DELETE)[0].removed == 1
        assert tree(out).keys() == {"D/A.TXT", "d/A.txt"}

    def test_a_file_in_place_of_their_folder_stays(self, node: Node, out: Path) -> None:
        put_file(node, "notes/a", b"a")
        put_file(node, "notes/b/c", b"c")
        check_out(node, out)
        for thing in ("notes/a", "notes/b/c"):
            delete(node, thing)
        put_file(node, "notes", b"a file now")
        check_out(node, out, options=DELETE)
        for _ in range(2):
            assert check_out(node, out, options=DELETE)[1] == {}
            assert tree(out) == {"notes": b"a file now"}

    def test_a_folder_in_their_place_stays(self, node: Node, out: Path) -> None:
        put_file(node, "keep", b"a file once")
        check_out(node, out)
        delete(node, "keep")
        put_file(node, "keep/a", b"a folder now")
        for _ in range(2):
            assert check_out(node, out, options=DELETE)[1] == {}
            assert tree(out) == {"keep/a": b"a folder now"}

    def test_a_link_in_place_of_their_folder_stays(
        self, node: Node, tmp_path: Path, out: Path
    ) -> None:
        put_file(node, "notes/a", b"a")
        delete(node, "notes/a")
        write(tmp_path / "outside" / "a", b"a")
        out.mkdir()
        (out / "notes").symlink_to(tmp_path / "outside")
        assert check_out(node, out, options=DELETE)[1] == {}
        assert (out / "notes" / "a").read_bytes() == b"a"

    def test_what_was_never_a_file_is_not_looked_at(self, node: Node, out: Path) -> None:
        computer_put(node, "note", b"\x01")
        delete(node, "note")
        write(out / "note", b"mine")
        assert check_out(node, out, options=DELETE)[1] == {}
        assert tree(out) == {"note": b"mine"}


class TestHostile:
    @pytest.mark.parametrize(
        "thing", ["../escaped", "/home/escaped", "a/../../escaped", "..", ".", "a//b", "x/", "/"]
    )
    def test_names_never_lead_out_of_the_folder(
        self, node: Node, tmp_path: Path, thing: str
    ) -> None:
        out = tmp_path / "deep" / "out"
        put_file(node, thing, b"hostile")
        put_file(node, "good", b"good")
        done, skipped = check_out(node, out, options=FORCE)
        assert (done.files, set(skipped)) == (1, {thing})
        assert tree(tmp_path / "deep") == {"out/good": b"good"}
        delete(node, thing)
        assert check_out(node, out, options=DELETE)[1].keys() == {thing}

    @pytest.mark.parametrize("options", [CheckoutOptions(), FORCE])
    def test_links_are_not_followed(
        self, node: Node, tmp_path: Path, out: Path, options: CheckoutOptions
    ) -> None:
        outside = tmp_path / "outside"
        write(outside / "kept", b"kept")
        out.mkdir()
        (out / "folder").symlink_to(outside)
        (out / "file").symlink_to(outside / "kept")
        for thing in ("folder/kept", "folder/new", "file"):
            put_file(node, thing, b"hostile")
        done, skipped = check_out(node, out, options=options)
        assert tree(outside) == {"kept": b"kept"}
        assert skipped.keys() >= {"folder/kept", "folder/new"}
        # By force the link itself is replaced, and nothing behind it.
        assert (done.files, "file" in skipped) == ((1, False) if options.force else (0, True))
        assert (out / "file").is_symlink() == (not options.force)

    def test_what_lies_in_the_way_is_named(self, node: Node, out: Path) -> None:
        write(out / "folder" / "x", b"x")
        write(out / "file", b"x")
        out.joinpath("half").mkdir()
        os.mkfifo(out / "fifo")
        for thing in ("folder", "file/below", "fifo"):
            put_file(node, thing, b"y")
        assert check_out(node, out, options=FORCE)[1].keys() == {"folder", "file/below", "fifo"}
        assert (out / "folder" / "x").read_bytes() == b"x"

    def test_a_thing_and_one_below_it_are_not_both_files(self, node: Node, out: Path) -> None:
        put_file(node, "a", b"file")
        put_file(node, "a/b", b"below")
        done, skipped = check_out(node, out)
        assert (done.files, len(skipped)) == (1, 1)
        assert not [name for name in tree(out) if ".pannier-" in name]

    def test_contents_that_do_not_have_the_size_are_no_file(self, node: Node, out: Path) -> None:
        put_file(node, "short", b"abc", size=4)
        put_file(node, "long", b"abc", size=2)
        put_file(node, "part", NOISE[: CHUNK_BYTES + 9], size=CHUNK_BYTES + 8)
        done, skipped = check_out(node, out)
        assert (done.files, set(skipped)) == (0, {"short", "long", "part"})
        assert tree(out) == {}

    @pytest.mark.parametrize("time_us", [-(2**63), 2**63 - 1, -1, 2**60])
    def test_times_beyond_all_file_systems_are_left_out(
        self, node: Node, out: Path, time_us: int
    ) -> None:
        put_file(node, "a", b"x", time_us=time_us)
        assert check_out(node, out)[1] == {}
        assert tree(out) == {"a": b"x"}

    def test_altered_contents_are_named_and_nothing_is_left(self, node: Node, out: Path) -> None:
        put_file(node, "a", NOISE)
        put_file(node, "b", b"fine")
        largest = max(store_of(node).blobs.folder.iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(largest.read_bytes())
        data[-100] ^= 1
        largest.write_bytes(data)
        done, skipped = check_out(node, out)
        assert (done.files, set(skipped)) == (1, {"a"})
        assert "altered" in skipped["a"]
        assert tree(out) == {"b": b"fine"}


class TestCrashes:
    def test_no_file_is_seen_half(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_file(node, "a", NOISE)
        seen: list[dict[str, bytes]] = []
        piece = checkout.Checkout._piece

        def looking(self: checkout.Checkout, *args: object) -> bytes:
            seen.append({name: data for name, data in tree(out).items() if name == "a"})
            return piece(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(checkout.Checkout, "_piece", looking)
        check_out(node, out)
        assert seen == [{}] * 3
        assert tree(out) == {"a": NOISE}

    def test_what_an_interrupted_run_left_is_replaced(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_file(node, "d/a", b"whole")
        _be_killed(node, out, monkeypatch)
        assert len(tree(out)) == 1
        assert "d/a" not in tree(out)
        assert check_out(node, out)[0].files == 1
        assert tree(out) == {"d/a": b"whole"}

    def test_stopping_leaves_no_unfinished_file(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_file(node, "a", b"whole")
        monkeypatch.setattr(TargetFolder, "sync", _stop)
        with pytest.raises(KeyboardInterrupt):
            check_out(node, out)
        assert tree(out) == {}

    def test_what_is_changed_meanwhile_stays(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_file(node, "a", b"theirs")
        sync = TargetFolder.sync

        def writing(self: TargetFolder, paths: list[str]) -> None:
            write(out / "a", b"mine, just now")
            sync(self, paths)

        monkeypatch.setattr(TargetFolder, "sync", writing)
        assert check_out(node, out)[1].keys() == {"a"}
        assert tree(out) == {"a": b"mine, just now"}

    def test_names_are_durable_when_it_ends(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[str] = []
        sync, rename = TargetFolder.sync, TargetFolder.rename

        def note_sync(folder: TargetFolder, paths: Collection[str]) -> None:
            steps.append(f"sync {sorted(paths)}")
            sync(folder, paths)

        def note_rename(folder: TargetFolder, old: str, new: str) -> None:
            steps.append(f"rename to {new}")
            rename(folder, old, new)

        put_file(node, "a/b", b"one")
        monkeypatch.setattr(TargetFolder, "sync", note_sync)
        monkeypatch.setattr(TargetFolder, "rename", note_rename)
        check_out(node, out)
        assert steps[-2:] == ["rename to a/b", "sync ['', 'a']"]

    def test_many_files_are_made_durable_together(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checkout, "_MAX_PENDING_FILES", 10)
        for number in range(25):
            put_file(node, str(number), b"%d" % number)
        synced: list[int] = []
        sync = TargetFolder.sync

        def counting(self: TargetFolder, paths: list[str]) -> None:
            synced.append(len(paths))
            sync(self, paths)

        monkeypatch.setattr(TargetFolder, "sync", counting)
        assert check_out(node, out)[0].files == 25
        assert synced == [10, 1, 10, 1, 5, 1], "the files, then the folder"

    def test_a_folder_that_cannot_be_made_is_said(self, node: Node, tmp_path: Path) -> None:
        with pytest.raises(PannierError, match="cannot use"):
            check_out(node, write(tmp_path / "file", b"x"))

    def test_links_that_lead_in_a_circle_are_said(self, node: Node, tmp_path: Path) -> None:
        (tmp_path / "circle").symlink_to("circle")
        with pytest.raises(PannierError, match=r"cannot use .*levels of symbolic links"):
            check_out(node, tmp_path / "circle" / "out")


class TestTwoAtOnce:
    def test_the_second_run_into_a_folder_is_refused(self, node: Node, out: Path) -> None:
        put_file(node, "a", NOISE)
        first = Checkout(node, store_of(node), out, CheckoutOptions()).run()
        next(first)
        with pytest.raises(BusyError, match=f"another pannier is checking out into {out}; wait"):
            check_out(node, out)
        assert check_out(node, out.parent / "elsewhere")[0].files == 1
        assert skipped_of(first) == {}
        assert tree(out) == {"a": NOISE}
        assert check_out(node, out)[0].same == 1

    def test_where_folders_cannot_be_locked_no_half_file_gets_its_name(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(target_folder, "_lock", _refusing(errno.EBADF))
        put_file(node, "a", NOISE)
        put_file(node, "b", b"more")
        one, two = (Checkout(node, store_of(node), out, CheckoutOptions()).run() for _ in range(2))
        assert [next(one) for _ in range(3)][-1] == len(NOISE) - 2 * CHUNK_BYTES
        next(two)
        assert skipped_of(one).keys() == {"a"}
        assert "a" not in tree(out)
        assert skipped_of(two) == {}
        assert tree(out) == {"a": NOISE, "b": b"more"}


class TestWhatAKillLeaves:
    @pytest.mark.parametrize("is_lockable", [True, False])
    def test_it_takes_no_room_from_the_next_run(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch, *, is_lockable: bool
    ) -> None:
        """On a disk with room for one and a half of it."""

        def usage(_: Path) -> shutil._ntuple_diskusage:
            total, used = len(NOISE) * 3 // 2, sum(map(len, tree(out).values()))
            return shutil._ntuple_diskusage(total, used, total - used)

        if not is_lockable:
            monkeypatch.setattr(target_folder, "_lock", _refusing(errno.EBADF))
        monkeypatch.setattr(checkout, "disk_usage", usage)
        put_file(node, "d/a", NOISE)
        _be_killed(node, out, monkeypatch)
        assert [len(content) for content in tree(out).values()] == [len(NOISE)]
        assert check_out(node, out)[1] == {}
        assert tree(out) == {"d/a": NOISE}

    def test_it_goes_although_nothing_of_that_name_is_checked_out_any_more(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for thing in ("a", "d/a", "d/e/a"):
            put_file(node, thing, b"whole")
        _be_killed(node, out, monkeypatch)
        assert len(tree(out)) == 3
        for thing in ("a", "d/a", "d/e/a"):
            delete(node, thing)
        put_file(node, "d/e/b", b"another")
        assert check_out(node, out)[1] == {}
        assert tree(out) == {"d/e/b": b"another"}

    def test_what_a_run_into_a_folder_below_is_writing_stays(self, node: Node, out: Path) -> None:
        put_file(node, "a", NOISE)
        put_file(node, "d/b", b"another")
        inner = Checkout(node, store_of(node), out / "d", CheckoutOptions()).run()
        next(inner)
        assert check_out(node, out)[1] == {}
        assert skipped_of(inner) == {}
        assert tree(out) == {"a": NOISE, "d/a": NOISE, "d/b": b"another", "d/d/b": b"another"}


def _be_killed(node: Node, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check out, and end when all is written: nothing tidies up."""
    with monkeypatch.context() as patch:
        patch.setattr(TargetFolder, "remove", lambda *_: None)
        patch.setattr(TargetFolder, "sync", _stop)
        with pytest.raises(KeyboardInterrupt):
            check_out(node, out)


class TestRefusingDisks:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
    def test_a_disk_that_takes_nothing_is_told_of_once(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        for name in ("a", "b", "c"):
            put_file(node, name, b"whole")
        with monkeypatch.context() as patch:
            patch.setattr(TargetFolder, "draft", _refusing(number))
            with pytest.raises(PannierError, match=f"cannot write a: {os.strerror(number)}"):
                check_out(node, out)
        assert tree(out) == {}
        assert check_out(node, out)[0].files == 3

    def test_a_file_for_which_there_is_no_room_keeps_no_other_back(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of one chunk thirty thousand times: a kilobyte can stand for a gigabyte."""

        def usage(_: Path) -> shutil._ntuple_diskusage:
            return shutil._ntuple_diskusage(10 * CHUNK_BYTES, 8 * CHUNK_BYTES, 2 * CHUNK_BYTES)

        put_file(node, "a", bytes(3 * CHUNK_BYTES))
        put_file(node, "b", bytes(2 * CHUNK_BYTES))
        with monkeypatch.context() as patch:
            patch.setattr(checkout, "disk_usage", usage)
            done, skipped = check_out(node, out)
        assert done.files == 1
        assert list(tree(out)) == ["b"]
        assert "no room" in skipped["a"]
        assert check_out(node, out)[0].files == 1

    def test_what_goes_wrong_with_one_file_is_about_that_file(
        self, node: Node, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("a", "b"):
            put_file(node, name, b"whole")
        monkeypatch.setattr(TargetFolder, "draft", _refusing(errno.EIO))
        assert check_out(node, out)[1].keys() == {"a", "b"}


def _refusing(number: int) -> Callable[..., object]:
    def draft(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    return draft


class TestOwnFolder:
    @pytest.mark.parametrize("case", [str, str.upper])
    def test_nothing_is_written_below_the_node_itself(
        self, node: Node, tmp_path: Path, case: Callable[[str], str]
    ) -> None:
        own = node.home.path
        put_file(node, f"{case(own.name)}/config.toml", b"[peer.eve]")
        put_file(node, f"{own.name}.txt", b"no harm")
        done, skipped = check_out(node, tmp_path)
        assert skipped == {f"{case(own.name)}/config.toml": "this node's own folder"}
        assert done.files == 1
        assert not (own / "config.toml").exists()
        assert not (tmp_path / case(own.name) / "config.toml").exists()

    def test_by_a_link_neither(self, node: Node, tmp_path: Path) -> None:
        own = node.home.path
        (tmp_path / "link").symlink_to(own.parent)
        put_file(node, f"{own.name}/cards/eve.card", b"eve")
        assert check_out(node, tmp_path / "link")[1].keys() == {f"{own.name}/cards/eve.card"}
        assert not (own / "cards" / "eve.card").exists()

    @pytest.mark.parametrize("below", ["", "spool/new"])
    def test_it_is_no_target(self, node: Node, below: str) -> None:
        put_file(node, "config.toml", b"[peer.eve]")
        with pytest.raises(UsageError, match="own folder"):
            check_out(node, node.home.path / below)
        assert not (node.home.path / "spool" / "new").exists()


class TestFileAndFolder:
    def test_says_what_to_delete(self, node: Node, out: Path) -> None:
        put_file(node, "keep", b"a file once")
        put_file(node, "keep/a", b"a folder now")
        _, skipped = check_out(node, out)
        (why,) = skipped.values()
        assert "`pannier delete keep`" in why
        assert "`pannier delete keep`" in check_out(node, out)[1].popitem()[1]
        delete(node, "keep")
        done, skipped = check_out(node, out / "anew")
        assert (done.files, skipped) == (1, {})

    def test_a_folder_comes_too_late_for_a_file(self, node: Node, out: Path) -> None:
        put_file(node, "keep", b"a file")
        check_out(node, out)
        put_file(node, "keep/a", b"below it")
        _, skipped = check_out(node, out)
        assert "`pannier delete keep`" in skipped["keep/a"]


def tree_of(node: Node, out: Path, prefix: str) -> list[str]:
    assert check_out(node, out, prefix)[1] == {}
    return list(tree(out))


def disputing(tmp_path: Path, later_us: int, *, is_data: bool = False) -> tuple[Computer, Computer]:
    """The farm deleted x, or put data in its place, and home edited it, *later_us* before."""
    farm, home = new_sharers(tmp_path)
    with farm.node() as node:
        put_file(node, "x", b"first")
    exchange(tmp_path / "stick", farm, home, farm, home)
    with home.node() as node:
        put_file(node, "x", b"edited", time_us=TIME_US + 1)
    with farm.node() as node:
        when = TIME_US + 1 + later_us
        said = Draft("x", b"\xa1\x61\x61\x01", when) if is_data else deletion("x", when)
        ledgers.put(node, store_of(node), [said])
    exchange(tmp_path / "stick", farm, home, farm, home)
    return farm, home


def computer_put(node: Node, thing: str, payload: bytes) -> None:
    ledgers.put(node, store_of(node), [Draft(thing, payload, TIME_US)])


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
