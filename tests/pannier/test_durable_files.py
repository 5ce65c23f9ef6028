import errno
import fcntl
import os
import stat
import threading
from pathlib import Path
from typing import IO

import pytest

from pannier.durable_files import make_folder, replace_file, sync_folder

PATIENCE_SECONDS = 60


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


def test_of_two_that_replace_a_file_at_once_one_waits_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fsync = tmp_path / "settings", os.fsync
    both: list[threading.Thread] = []

    def other() -> None:
        replace_file(path, b"the other's")

    def slow(descriptor: int) -> None:
        if not both:
            both.append(threading.Thread(target=other))
            both[0].start()
            waits_for_lock()
            assert not path.exists()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    is_waiting, flock = threading.Event(), fcntl.flock

    def locked(file: IO[bytes], how: int) -> None:
        if threading.current_thread() in both:
            is_waiting.set()
        flock(file, how)

    def waits_for_lock() -> None:
        assert is_waiting.wait(PATIENCE_SECONDS)

    monkeypatch.setattr("pannier.durable_files.fcntl.flock", locked)
    seen = list[bytes]()
    replace = Path.replace

    def replaced(old: Path, new: Path) -> Path:
        seen.append(old.read_bytes())
        return replace(old, new)

    monkeypatch.setattr(Path, "replace", replaced)
    replace_file(path, b"the one's")
    both[0].join(PATIENCE_SECONDS)
    assert seen == [b"the one's", b"the other's"]
    assert path.read_bytes() == b"the other's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("is_link", [False, True], ids=["file", "link"])
def test_what_lies_in_the_place_of_a_draft_is_no_hindrance(tmp_path: Path, is_link: bool) -> None:
    """Somebody was killed while he wrote it; or has linked it to what is not ours."""
    path, draft = tmp_path / "settings", tmp_path / ".settings.new"
    if is_link:
        draft.symlink_to("nowhere")
    else:
        draft.write_bytes(b"half of it, and longer than what is new")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_was_swept_before_it_was_held_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock, swept = tmp_path / "settings", fcntl.flock, list[Path]()

    def too_late(file: IO[bytes], how: int) -> None:
        if not swept:
            swept.append(tmp_path / ".settings.new")
            swept[0].unlink()
        flock(file, how)

    monkeypatch.setattr("pannier.durable_files.fcntl.flock", too_late)
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"


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
