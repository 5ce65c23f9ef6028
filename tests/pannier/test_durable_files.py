import errno
import os
import stat
from pathlib import Path

import pytest

from pannier.durable_files import make_folder, replace_file, sync_folder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was synced, in order."""
    paths: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return paths


def test_folders_are_made_with_their_names(tmp_path: Path, synced: list[Path]) -> None:
    make_folder(tmp_path / "a" / "b", 0o700)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert set(synced) == {tmp_path, tmp_path / "a"}


def test_the_name_of_a_folder_that_is_there_is_made_durable(
    tmp_path: Path, synced: list[Path]
) -> None:
    """Whoever made it may have been killed before he could."""
    (tmp_path / "a").mkdir()
    make_folder(tmp_path / "a")
    assert synced == [tmp_path]


def test_a_file_is_durable_before_its_name_is(tmp_path: Path, synced: list[Path]) -> None:
    path = tmp_path / "settings"
    path.write_bytes(b"old")
    replace_file(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert synced == [tmp_path / ".settings.new", tmp_path]
    assert list(tmp_path.iterdir()) == [path]


def test_where_folders_cannot_be_synced_they_need_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(numbers[0], "no")

    monkeypatch.setattr(os, "fsync", refuse)
    numbers = [errno.EINVAL]
    sync_folder(tmp_path)
    numbers = [errno.EIO]
    with pytest.raises(OSError, match="no"):
        sync_folder(tmp_path)
