import pytest

from spool.file_system import footprint_bytes, parent_of
from tests.contracts.file_system import FileSystemContract
from tests.faults import MemoryFileSystem


class TestMemoryFileSystem(FileSystemContract):
    @pytest.fixture
    def fs(self) -> MemoryFileSystem:
        return MemoryFileSystem()


def test_parent_of() -> None:
    assert [parent_of(path) for path in ("a/b/c", "a", "")] == ["a/b", "", ""]


@pytest.mark.parametrize(("size", "blocks"), [(0, 1), (1, 1), (4096, 1), (4097, 2)])
def test_footprint_counts_whole_blocks(size: int, blocks: int) -> None:
    assert footprint_bytes(size) == blocks * 4096


def test_the_memory_forgets_what_was_not_synced() -> None:
    fs = MemoryFileSystem()
    fs.create("a", [b"whole"])
    assert fs.after_power_cut(lambda _: True).files() == {"a": b""}
    assert fs.after_power_cut(lambda _: False).files() == {}
    fs.sync(["a"])
    assert fs.after_power_cut(lambda _: False).files() == {}
    fs.sync([""])
    fs.rename("a", "b")
    assert fs.after_power_cut(lambda _: False).files() == {"a": b"whole"}
    assert fs.after_power_cut(lambda path: path == "b").files() == {"a": b"whole", "b": b"whole"}
    assert fs.after_power_cut(lambda path: path == "a").files() == {}
