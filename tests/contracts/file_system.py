"""What every `FileSystem` must do; a test class gives the fixture `fs`, an empty one."""

from itertools import count

import pytest

from spool.file_system import FileSystem, Kind


class FileSystemContract:
    def test_what_was_created_can_be_read_and_listed(self, fs: FileSystem) -> None:
        fs.make_folder("in")
        assert fs.create("in/a", [b"one", b"", b"two"]) == 6
        assert fs.read("in/a", limit_bytes=6) == b"onetwo"
        assert list(fs.names("in")) == ["a"]
        assert list(fs.names("")) == ["in"]
        found, folder = fs.inspect("in/a"), fs.inspect("in")
        assert found is not None
        assert (found.kind, found.size_bytes) == (Kind.FILE, 6)
        assert folder is not None
        assert folder.kind is Kind.FOLDER

    def test_create_refuses_what_exists(self, fs: FileSystem) -> None:
        fs.create("a", [b"old"])
        with pytest.raises(FileExistsError):
            fs.create("a", [b"new"])
        assert fs.read("a", limit_bytes=9) == b"old"

    def test_append_makes_a_file_and_adds_to_it(self, fs: FileSystem) -> None:
        fs.append("a", b"one")
        fs.append("a", b"")
        fs.append("a", b"two")
        assert fs.read("a", limit_bytes=6) == b"onetwo"
        fs.make_folder("in")
        for path in ("in", "no/a"):
            with pytest.raises(OSError, match=r"(?i)directory"):
                fs.append(path, b"x")

    def test_a_failing_source_passes_through(self, fs: FileSystem) -> None:
        with pytest.raises(ZeroDivisionError):
            fs.create("a", (b"x" * (1 // number) for number in (1, 0)))
        fs.remove("a")
        assert fs.inspect("a") is None

    def test_rename_replaces(self, fs: FileSystem) -> None:
        fs.make_folder("to")
        fs.create("a", [b"new"])
        fs.create("to/b", [b"old"])
        fs.rename("a", "to/b")
        assert fs.read("to/b", limit_bytes=9) == b"new"
        assert fs.inspect("a") is None

    def test_rename_new_does_not_replace(self, fs: FileSystem) -> None:
        fs.create("a", [b"new"])
        fs.create("b", [b"old"])
        with pytest.raises(FileExistsError):
            fs.rename_new("a", "b")
        assert fs.read("b", limit_bytes=9) == b"old"
        fs.rename_new("a", "c")
        assert sorted(fs.names("")) == ["b", "c"]

    def test_missing_things(self, fs: FileSystem) -> None:
        assert fs.inspect("a") is None
        assert fs.inspect("no/folder") is None
        fs.remove("a")
        fs.remove("no/folder")
        fs.remove_folder("no")
        fs.sync(["a", "no/folder"])
        for call in (
            lambda: fs.read("a", limit_bytes=9),
            lambda: list(fs.names("no")),
            lambda: fs.rename("a", "b"),
            lambda: fs.rename_new("a", "b"),
            lambda: fs.create("no/a", [b""]),
            lambda: fs.make_folder("no/a"),
        ):
            with pytest.raises(FileNotFoundError):
                call()

    def test_folders_may_exist_and_are_removed_only_when_empty(self, fs: FileSystem) -> None:
        fs.make_folder("in")
        fs.make_folder("in")
        fs.create("in/a", [b""])
        fs.remove_folder("in")
        assert fs.read("in/a", limit_bytes=0) == b""
        fs.remove("in/a")
        fs.remove_folder("in")
        assert fs.inspect("in") is None

    def test_a_file_beyond_the_limit_is_not_read(self, fs: FileSystem) -> None:
        fs.create("a", [b"1234"])
        assert fs.read("a", limit_bytes=4) == b"1234"
        with pytest.raises(OSError, match=r"longer|too large"):
            fs.read("a", limit_bytes=3)

    def test_a_folder_is_not_read(self, fs: FileSystem) -> None:
        fs.make_folder("in")
        with pytest.raises(OSError, match=r"regular|directory"):
            fs.read("in", limit_bytes=9)

    def test_a_file_is_not_listed(self, fs: FileSystem) -> None:
        fs.create("a", [b""])
        with pytest.raises(NotADirectoryError):
            list(fs.names("a"))

    def test_sync_takes_files_and_folders_few_or_many(self, fs: FileSystem) -> None:
        fs.make_folder("in")
        paths = [f"in/{number}" for number, _ in zip(count(), range(9), strict=False)]
        for path in paths:
            fs.create(path, [b"x"])
        fs.sync([paths[0], "in", ""])
        fs.sync(paths)

    def test_a_lock_is_held_once(self, fs: FileSystem) -> None:
        with fs.lock("lock"):
            with pytest.raises(BlockingIOError), fs.lock("lock"):
                pass
            with fs.lock("other"):
                pass
        with fs.lock("lock"):
            pass

    def test_space(self, fs: FileSystem) -> None:
        space = fs.space()
        assert space.cluster_bytes >= 512
        assert space.free_bytes is None or space.free_bytes >= 0
