import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ledger.blob import CHUNK_BYTES, Chunk, chunk_of
from ledger.errors import DamagedError
from ledger.file_payload import MAX_FILE_BYTES
from ledger.views import heads
from pannier import adding, ledgers
from pannier.adding import Adding
from pannier.errors import UsageError
from pannier.files import version_of
from pannier.node import Node
from pannier.scan import Found
from tests.cli.computers import Computer, exchange, new_computer, new_pair, new_sharers
from tests.pannier.folders import (
    TIME_US,
    add,
    check_out,
    delete,
    files_in,
    put_file,
    store_of,
    without_privileges,
    write,
)

LATER_US = TIME_US + 10_000_000
NOISE = os.urandom(2 * CHUNK_BYTES + 5000)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write(folder / "a", b"one")
    write(folder / "b" / "noise", NOISE)
    write(folder / "run", b"#!/bin/sh\n" * 30_000, mode=0o755)
    write(folder / "empty", b"")
    return folder


def content_of(node: Node, thing: str) -> bytes:
    store = store_of(node)
    file = files_in(store)[thing]
    return b"".join(store.blobs.read(digest).content() for digest in file.digests)


def count(node: Node) -> int:
    return sum(log.size for log in store_of(node).logs())


class TestAdd:
    def test_puts_names_contents_times_and_flags(self, node: Node, photos: Path) -> None:
        added, skipped = add(node, photos)
        assert (added.files, added.unchanged, skipped) == (4, 0, {})
        assert added.size_bytes == sum(
            path.stat().st_size for path in photos.rglob("*") if path.is_file()
        )
        files = files_in(store_of(node))
        assert files.keys() == {"photos/a", "photos/b/noise", "photos/run", "photos/empty"}
        assert [one for one, file in files.items() if file.is_executable] == ["photos/run"]
        for thing in files:
            assert content_of(node, thing) == (photos.parent / thing).read_bytes()
            (head,) = heads(store_of(node), thing)
            assert (head.entry.time_us, head.entry.kind) == (TIME_US, "file")
        (log,) = store_of(node).logs()
        assert store_of(node).files_complete(log) == 4

    def test_of_what_is_unchanged_puts_nothing_and_reads_nothing(
        self, node: Node, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(node, photos)
        monkeypatch.setattr(adding, "chunk_of", _refuse)
        added, _ = add(node, photos)
        assert (added.files, added.unchanged) == (0, 4)
        assert count(node) == 4

    def test_of_what_has_another_time_but_the_same_content_puts_nothing(
        self, node: Node, photos: Path
    ) -> None:
        add(node, photos)
        write(photos / "a", b"one", time_us=TIME_US + 5)
        added, _ = add(node, photos)
        assert (added.files, added.unchanged, count(node)) == (0, 4, 4)

    def test_of_what_changed_puts_the_new_content(self, node: Node, photos: Path) -> None:
        add(node, photos)
        write(photos / "a", b"two", time_us=TIME_US + 5)
        (photos / "run").chmod(0o644)
        assert add(node, photos)[0].files == 2
        assert content_of(node, "photos/a") == b"two"
        assert not files_in(store_of(node))["photos/run"].is_executable

    def test_looks_into_files_that_only_look_unchanged_where_it_is_told_to(
        self, node: Node, photos: Path
    ) -> None:
        add(node, photos)
        write(photos / "a", b"eno")
        assert add(node, photos)[0].files == 0
        assert add(node, photos, reread=True)[0].files == 1
        assert content_of(node, "photos/a") == b"eno"

    def test_reads_where_two_versions_have_one_size_and_time(
        self, node: Node, tmp_path: Path
    ) -> None:
        """As what is built again has, or what is unpacked."""
        path = write(tmp_path / "tool", b"build 1")
        add(node, path)
        put_file(node, "tool", b"build 2")
        assert "older version" in add(node, path)[1][str(path)]
        assert add(node, write(path, b"build 2"))[0].unchanged == 1
        assert add(node, write(path, b"build 3"))[0].files == 1
        assert content_of(node, "tool") == b"build 3"

    def test_reads_again_what_was_read_as_soon_as_it_had_changed(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The clock of its file system may not have moved on: FAT counts by 2 s."""
        now_us = node.clock() // 2_000_000 * 2_000_000
        monkeypatch.setattr(node, "clock", lambda: now_us + 1_000_000)
        paths = [write(tmp_path / name, b"one", time_us=now_us) for name in "ab"]
        assert add(node, *paths)[0].files == 2
        write(paths[0], b"two", time_us=now_us)
        monkeypatch.setattr(node, "clock", lambda: now_us + 3_000_000)
        added, _ = add(node, *paths)
        assert (added.files, added.unchanged) == (1, 1)
        assert content_of(node, "a") == b"two"
        monkeypatch.setattr(adding, "chunk_of", _refuse)
        assert add(node, paths[1])[0].unchanged == 1

    def test_does_not_take_an_older_version_for_news(self, node: Node, photos: Path) -> None:
        add(node, photos)
        put_file(node, "photos/a", b"newer, from elsewhere", time_us=TIME_US + 9)
        delete(node, "photos/empty")
        added, skipped = add(node, photos)
        assert (added.files, added.unchanged) == (0, 2)
        assert skipped.keys() == {str(photos / "a"), str(photos / "empty")}
        assert "older version" in skipped[str(photos / "a")]
        assert content_of(node, "photos/a") == b"newer, from elsewhere"

    def test_keeps_contents_that_were_lost_here(self, node: Node, photos: Path) -> None:
        add(node, photos)
        for pack in store_of(node).blobs.folder.iterdir():
            pack.unlink()
        added, _ = add(node, photos)
        assert (added.files, added.unchanged, count(node)) == (0, 4, 4)
        assert content_of(node, "photos/b/noise") == NOISE

    def test_many_small_files_are_many_transactions(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adding, "_MAX_DRAFTS", 10)
        for number in range(35):
            write(tmp_path / "many" / str(number), b"%d" % number)
        assert add(node, tmp_path / "many")[0].files == 35
        assert len(list(store_of(node).blobs.folder.iterdir())) == 4
        assert content_of(node, "many/34") == b"34"

    def test_who_may_only_read_is_told_before_anything_is_read(self, tmp_path: Path) -> None:
        farm, home = new_pair(tmp_path)
        farm.types("put", "x", "1")
        farm.types("ledger", "share", "home", "--role", "reader")
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node, pytest.raises(UsageError, match="read the ledger"):
            add(node, write(tmp_path / "x", b"x"))


@pytest.fixture
def sharers(tmp_path: Path) -> tuple[Computer, Computer]:
    """The farm has put f/x, and home has checked it out."""
    farm, home = new_sharers(tmp_path)
    with farm.node() as node:
        add(node, write(tmp_path / "at farm" / "f" / "x", b"first").parent)
    exchange(tmp_path / "stick", farm, home, farm, home)
    with home.node() as node:
        check_out(node, tmp_path / "at home")
    return farm, home


class TestSeveral:
    """Who change a file at once do not take each other's version away."""

    def test_what_a_file_was_not_made_from_stays_beside_it(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = sharers
        with farm.node() as node:
            added = add(node, write(tmp_path / "at farm/f/x", b"ours", time_us=LATER_US).parent)[0]
            assert (added.files, added.conflicts) == (1, 0)
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node:
            added = add(node, write(tmp_path / "at home/f/x", b"its", time_us=LATER_US).parent)[0]
            assert (added.files, added.conflicts, added.settled) == (1, 1, 0)
            assert texts(node) == {b"ours", b"its"}
            again = write(tmp_path / "at home/f/x", b"its own", time_us=LATER_US + 1)
            assert add(node, again, prefix="f")[0].conflicts == 1
            assert texts(node) == {b"ours", b"its own"}

    def test_what_it_was_made_from_is_over(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        _, home = sharers
        with home.node() as node:
            path = tmp_path / "at home" / "f" / "x"
            for number, text in enumerate((b"second", b"third")):
                write(path, text, time_us=LATER_US + number)
                assert add(node, path, prefix="f")[0].conflicts == 0
                assert texts(node) == {text}

    def test_what_comes_while_it_is_read_stays_beside_it(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = sharers
        with home.node() as node:
            path = write(tmp_path / "at home" / "f" / "x", b"its", time_us=LATER_US)
            steps = Adding(node, store_of(node)).run([path], "f")
            next(steps)
            with farm.node() as other:
                add(other, write(tmp_path / "at farm/f/x", b"ours", time_us=LATER_US).parent)
            exchange(tmp_path / "stick", farm, home)
            list(steps)
            assert texts(node) == {b"ours", b"its"}

    def test_another_copy_here_says_nothing_of_this_one(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = sharers
        with farm.node() as node:
            add(node, write(tmp_path / "at farm/f/x", b"ours", time_us=LATER_US).parent)
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node:
            check_out(node, tmp_path / "to look at")
            add(node, write(tmp_path / "at home/f/x", b"its", time_us=LATER_US).parent)
            assert texts(node) == {b"ours", b"its"}

    def test_where_nothing_is_known_nothing_of_others_is_over(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        _, home = sharers
        (home.home / "node.db").unlink()
        with home.node() as node:
            add(node, write(tmp_path / "at home/f/x", b"its", time_us=LATER_US).parent)
            assert texts(node) == {b"first", b"its"}

    def test_what_is_the_same_as_what_another_put_was_made_from_that(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        _, home = sharers
        with home.node() as node:
            path = write(tmp_path / "copy" / "f" / "x", b"first")
            assert add(node, path.parent)[0].unchanged == 1
            assert add(node, write(path, b"second", time_us=LATER_US).parent)[0].conflicts == 0
            assert texts(node) == {b"second"}

    def test_a_conflict_that_was_shown_is_settled_by_what_is_new(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = sharers
        for computer, text in ((farm, b"ours"), (home, b"its")):
            with computer.node() as node:
                where = tmp_path / f"at {computer.home.name}" / "f"
                add(node, write(where / "x", text, time_us=LATER_US).parent)
        exchange(tmp_path / "stick", farm, home, farm)
        with farm.node() as node:
            folder = tmp_path / "at farm"
            assert add(node, folder / "f")[0].unchanged == 1
            assert check_out(node, folder)[0].conflicts == 1
            assert add(node, folder / "f")[0].unchanged == 1
            assert texts(node) == {b"ours", b"its"}
            write(folder / "f" / "x", b"both", time_us=LATER_US + 1)
            added, _ = add(node, folder / "f")
            assert (added.settled, added.conflicts) == (1, 0)
            assert texts(node) == {b"both"}

    def test_who_says_so_settles_it_at_once(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = sharers
        for computer, text in ((farm, b"ours"), (home, b"its")):
            with computer.node() as node:
                where = tmp_path / f"at {computer.home.name}" / "f"
                add(node, write(where / "x", text, time_us=LATER_US).parent)
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node:
            added, _ = add(node, tmp_path / "at home" / "f", settle=True)
            assert (added.files, added.settled) == (1, 1)
            assert texts(node) == {b"its"}
            assert add(node, tmp_path / "at home" / "f", settle=True)[0].unchanged == 1

    def test_an_edit_of_what_another_deleted_is_put(
        self, sharers: tuple[Computer, Computer], tmp_path: Path
    ) -> None:
        farm, home = sharers
        with farm.node() as node:
            delete(node, "f/x")
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node:
            path = tmp_path / "at home" / "f" / "x"
            assert "deleted" in add(node, path.parent)[1][str(path)]
            add(node, write(path, b"its", time_us=LATER_US).parent)
            assert texts(node) == {b"its"}

    @pytest.mark.parametrize("late_us", [-3_600_000_000, -1, 1, 2_000_000])
    @pytest.mark.parametrize("reread", [False, True])
    def test_an_old_copy_whose_time_was_rounded_is_no_news(
        self, sharers: tuple[Computer, Computer], tmp_path: Path, late_us: int, reread: bool
    ) -> None:
        farm, home = sharers
        with farm.node() as node:
            add(node, write(tmp_path / "at farm/f/x", b"ours", time_us=LATER_US).parent)
        exchange(tmp_path / "stick", farm, home)
        with home.node() as node:
            path = write(tmp_path / "at home" / "f" / "x", b"first", time_us=TIME_US + late_us)
            path.chmod(0o755)  # as all files of FAT are
            added, skipped = add(node, path.parent, reread=reread)
            assert (added.files, list(skipped)) == (0, [str(path)])
            assert "older version" in skipped[str(path)]
            assert texts(node) == {b"ours"}

    def test_an_old_version_that_was_put_back_since_is_news(
        self, node: Node, tmp_path: Path
    ) -> None:
        path = tmp_path / "x"
        for number, text in enumerate((b"one", b"two", b"one")):
            assert add(node, write(path, text, time_us=TIME_US + number * 1_100_000))[0].files == 1
        assert content_of(node, "x") == b"one"


def texts(node: Node) -> set[bytes]:
    """What the heads of f/x say."""
    store = store_of(node)
    found = [version_of(head) for head in heads(store, "f/x")]
    return {
        b"".join(store.blobs.read(one).content() for one in version.file.digests)
        for version in found
        if version is not None
    }


class TestNames:
    @pytest.mark.parametrize("prefix", ["../up", "/abs", "a//b", ".", "a/.pannier-x"])
    def test_a_prefix_that_could_not_be_checked_out_is_refused(
        self, node: Node, photos: Path, prefix: str
    ) -> None:
        with pytest.raises(UsageError, match="checked out"):
            add(node, photos, prefix=prefix)
        assert count(node) == 0

    def test_one_name_is_put_once(self, node: Node, tmp_path: Path) -> None:
        one, two = write(tmp_path / "x" / "r", b"one"), write(tmp_path / "y" / "r", b"two")
        added, skipped = add(node, one, one, two)
        assert (added.files, list(skipped)) == (1, [str(two)])
        assert content_of(node, "r") == b"one"

    def test_what_was_deleted_is_said_to_be(self, node: Node, tmp_path: Path) -> None:
        path = write(tmp_path / "r", b"one")
        add(node, path)
        delete(node, "r")
        assert "--reread puts it again" in add(node, path)[1][str(path)]
        assert add(node, path, reread=True)[0].files == 1
        assert add(node, path)[0].unchanged == 1

    def test_unchanged_files_move_the_progress_on(self, node: Node, photos: Path) -> None:
        files = add(node, photos)[0].files
        assert list(Adding(node, store_of(node)).run([photos])) == [0] * files


class TestBadFiles:
    def test_what_cannot_be_read_is_named_and_the_rest_is_added(self) -> None:
        with without_privileges(), tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with new_computer(folder, "farm").node() as node:
                ledgers.new_ledger(node, "weather")
                write(folder / "in" / "good", b"good")
                write(folder / "in" / "secret", b"secret", mode=0)
                write(folder / "in" / "closed" / "x", b"x").parent.chmod(0)
                added, skipped = add(node, folder / "in")
            (folder / "in" / "closed").chmod(0o700)
        assert added.files == 1
        assert {Path(one).name: why for one, why in skipped.items()} == {
            "secret": "Permission denied",
            "closed": "Permission denied",
        }

    @pytest.mark.parametrize("times", [1, 2])
    def test_what_changes_while_it_is_read_is_read_again(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
    ) -> None:
        path = write(tmp_path / "log", NOISE)
        _change_while_reading(monkeypatch, lambda: _append(path, b"more"), times)
        added, skipped = add(node, path)
        assert (added.files, skipped) == (1, {})
        assert content_of(node, "log") == NOISE + b"more" * times

    @pytest.mark.parametrize("how", ["append", "truncate", "rewrite"])
    def test_what_never_stays_the_same_is_named(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        path = write(tmp_path / "log", NOISE)
        change = {
            "append": lambda: _append(path, b"more"),
            "truncate": lambda: os.truncate(path, path.stat().st_size - 1),
            "rewrite": lambda: _rewrite(path),
        }[how]
        _change_while_reading(monkeypatch, change, 1000)
        write(tmp_path / "other", b"stays")
        added, skipped = add(node, path, tmp_path / "other")
        assert "changed while it was read" in skipped[str(path)]
        assert (added.files, list(files_in(store_of(node)))) == (1, ["other"])

    def test_what_becomes_a_fifo_holds_up_nothing(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "file"
        os.mkfifo(path)
        monkeypatch.setattr(adding, "scan", lambda *_, **__: iter([Found(path, "file")]))
        assert add(node, path)[1] == {str(path): "no regular file"}

    def test_what_becomes_a_link_is_not_followed(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "file"
        path.symlink_to(write(tmp_path / "secret", b"secret"))
        monkeypatch.setattr(adding, "scan", lambda *_, **__: iter([Found(path, "file")]))
        assert add(node, path)[1].keys() == {str(path)}
        assert count(node) == 0

    def test_what_is_too_large_for_an_entry_is_named_unread(
        self, node: Node, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "huge", b"")
        os.truncate(path, MAX_FILE_BYTES + 1)
        assert "split it" in add(node, path)[1][str(path)]

    @pytest.mark.parametrize("said", [0, 6, 4096, 2 * CHUNK_BYTES])
    def test_what_is_not_as_long_as_the_system_says_is_named(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int
    ) -> None:
        """As files of sysfs, /proc and some network file systems are: nobody could check it out."""
        path = write(tmp_path / "enabled", b"always\n")
        fstat = os.fstat

        def wrong(descriptor: int) -> object:
            found = fstat(descriptor)
            if found.st_ino != path.stat().st_ino:
                return found
            return SimpleNamespace(
                st_mode=found.st_mode, st_mtime_ns=found.st_mtime_ns, st_size=said
            )

        monkeypatch.setattr(os, "fstat", wrong)
        added, skipped = add(node, path, write(tmp_path / "other", b"stays"))
        assert "than the system says" in skipped[str(path)]
        assert (added.files, list(files_in(store_of(node)))) == (1, ["other"])

    def test_of_what_is_never_at_rest_nothing_stays(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / "database", b"")
        _change_while_reading(monkeypatch, lambda: _write_anew(path), 1000)
        _write_anew(path)
        assert add(node, path)[1].keys() == {str(path)}
        blobs = store_of(node).blobs
        assert list(blobs.folder.iterdir()) == []
        write(tmp_path / "other", NOISE)
        add(node, path, tmp_path / "other")
        assert len(list(blobs.places())) == 3
        assert content_of(node, "other") == NOISE

    def test_of_what_came_to_rest_only_that_stays(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / "log", NOISE)
        _change_while_reading(monkeypatch, lambda: _append(path, b"more"), 1)
        copy = write(tmp_path / "tail", NOISE[-5000:])
        assert add(node, copy, path)[0].files == 2
        assert content_of(node, "tail") == NOISE[-5000:]
        assert content_of(node, "log") == NOISE + b"more"
        assert len(list(store_of(node).blobs.places())) == 4


class TestCrashes:
    def test_a_full_disk_puts_nothing_half(
        self, node: Node, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fsync = os.fsync

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DamagedError, match="No space"):
            add(node, photos)
        monkeypatch.setattr(os, "fsync", fsync)
        assert count(node) == 0
        assert not list(store_of(node).blobs.folder.iterdir())
        assert add(node, photos)[0].files == 4

    def test_stopping_between_batches_keeps_what_was_put(
        self, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adding, "_MAX_DRAFTS", 5)
        for number in range(30):
            write(tmp_path / "many" / f"{number:02}", b"%d" % number)
        steps = adding.Adding(node, store_of(node)).run([tmp_path / "many"])
        for _ in range(12):
            next(steps)
        steps.close()  # type: ignore[attr-defined]
        assert len(files_in(store_of(node))) == 10
        assert add(node, tmp_path / "many")[0].files == 20
        assert content_of(node, "many/29") == b"29"


def test_memory_does_not_grow_with_the_file(node: Node, tmp_path: Path) -> None:
    waiting: list[int] = []
    alive = 0

    class Counted(bytes):
        def __new__(cls, data: bytes) -> "Counted":
            nonlocal alive
            alive += 1
            waiting.append(alive)
            return super().__new__(cls, data)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counted(content: bytes) -> Chunk:
        chunk = chunk_of(content)
        return Chunk(chunk.digest, chunk.size, chunk.codec, Counted(bytes(chunk.body)))

    path = write(tmp_path / "big", b"")
    os.truncate(path, 64 * CHUNK_BYTES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adding, "chunk_of", counted)
        assert add(node, path)[0].files == 1
    assert len(waiting) == 64
    assert max(waiting) <= 12


def _refuse(_: bytes) -> Chunk:
    raise AssertionError("a file was read that need not be")


def _append(path: Path, more: bytes) -> None:
    with path.open("ab") as file:
        file.write(more)


def _write_anew(path: Path) -> None:
    path.write_bytes(os.urandom(90_000))


def _rewrite(path: Path) -> None:
    """Write other bytes of the same size; the time moves on, as with any clock."""
    found = path.stat()
    with path.open("r+b") as file:
        file.write(os.urandom(10))
    os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns + 1000))


def _change_while_reading(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[], None], times: int
) -> None:
    """Do *change* while a file is read, in each of the first *times* readings."""
    chunks = adding._chunks
    left = times

    def changing(*args: object) -> Generator[object, None, int]:
        nonlocal left
        steps = chunks(*args)  # type: ignore[arg-type]
        yield next(steps)
        if left:
            left -= 1
            change()
        return (yield from steps)

    monkeypatch.setattr(adding, "_chunks", changing)
