import os
import stat
from pathlib import Path

import pytest

from pannier.target_folder import Existing, TargetFolder
from tests.pannier.folders import TIME_US, tree, write

PLAIN = Existing(stat.S_IFREG, 0, TIME_US)


def write_draft(folder: TargetFolder, path: str, content: bytes, like: Existing = PLAIN) -> str:
    with folder.draft(path, like) as draft:
        draft.file.write(content)
    return draft.path


@pytest.fixture
def folder(tmp_path: Path) -> TargetFolder:
    (tmp_path / "in").mkdir()
    return TargetFolder(tmp_path / "in")


def test_a_draft_lies_beside_its_file_and_looks_as_it_is_to(
    folder: TargetFolder, tmp_path: Path
) -> None:
    draft = write_draft(folder, "a/b/c", b"onetwo")
    assert draft.startswith("a/b/.pannier-")
    assert tree(tmp_path / "in") == {draft: b"onetwo"}
    found = folder.look(draft)
    assert found is not None
    assert (found.is_file, found.size, found.time_us) == (True, 6, TIME_US)
    assert not found.is_executable
    folder.rename(draft, "a/b/c")
    assert tree(tmp_path / "in") == {"a/b/c": b"onetwo"}


def test_executable_is_as_the_user_lets_new_files_be(folder: TargetFolder, tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        draft = write_draft(folder, "x", b"", Existing(stat.S_IFREG | stat.S_IXUSR, 0, 0))
    finally:
        os.umask(mask)
    assert (tmp_path / "in" / draft).stat().st_mode & 0o777 == 0o750


def test_what_fails_on_the_way_leaves_nothing(folder: TargetFolder, tmp_path: Path) -> None:
    def fill_the_disk() -> None:
        with folder.draft("x", PLAIN) as draft:
            draft.file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fill_the_disk()
    assert tree(tmp_path / "in") == {}


def test_a_draft_that_is_a_link_is_replaced_and_not_followed(
    folder: TargetFolder, tmp_path: Path
) -> None:
    target = write(tmp_path / "outside", b"kept")
    draft = write_draft(folder, "x", b"one")
    (tmp_path / "in" / draft).unlink()
    (tmp_path / "in" / draft).symlink_to(target)
    assert write_draft(folder, "x", b"two") == draft
    assert tree(tmp_path / "in") == {draft: b"two"}
    assert target.read_bytes() == b"kept"


def test_only_drafts_are_swept(folder: TargetFolder, tmp_path: Path) -> None:
    name, outside = ".pannier-0123456789abcdef", write(tmp_path / "outside", b"kept")
    write(tmp_path / "in" / "a" / name, b"left")
    write(tmp_path / "in" / "b" / name / "file", b"in a folder")
    (tmp_path / "in" / "c").mkdir()
    (tmp_path / "in" / "c" / name).symlink_to(outside)
    for other in (name[:-1], f"{name}0", name.upper(), f"{name}.bak", name[1:], ".pannier-x"):
        write(tmp_path / "in" / "a" / other, b"not ours")
    before = dict(tree(tmp_path / "in"))
    folder.sweep("a", [])
    assert tree(tmp_path / "in") == before, "others may be writing there"
    with folder.held():
        for path in ("", "a", "b", "c", "nothing", "a/.pannier-x"):
            folder.sweep(path, [])
    assert before.pop(f"a/{name}") == b"left"
    assert tree(tmp_path / "in") == before
    assert outside.read_bytes() == b"kept"


def test_drafts_of_this_run_are_not_swept_whatever_their_folder_is_called(
    folder: TargetFolder, tmp_path: Path
) -> None:
    with folder.held():
        left, draft = write_draft(folder, "a/b", b"left"), write_draft(folder, "a/c", b"new")
        folder.sweep("a", [f"A/{draft.removeprefix('a/')}"])
    assert left != draft
    assert tree(tmp_path / "in") == {draft: b"new"}


def test_folders_that_are_links_are_not_entered(folder: TargetFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    write(tmp_path / "outside" / "secret", b"secret")
    (tmp_path / "in" / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"Not a directory|levels"):
        write_draft(folder, "a/b", b"x")
    with pytest.raises(OSError, match=r"Not a directory|levels"):
        folder.look("a/secret")
    with pytest.raises(OSError, match=r"Not a directory|levels"), folder.opened("a/secret"):
        pass
    assert tree(tmp_path / "outside") == {"secret": b"secret"}


def test_a_link_is_seen_as_a_link(folder: TargetFolder, tmp_path: Path) -> None:
    (tmp_path / "in" / "link").symlink_to(write(tmp_path / "in" / "file", b"x"))
    found = folder.look("link")
    assert found is not None
    assert not found.is_file
    with pytest.raises(OSError, match=r"Not a directory|levels"), folder.opened("link"):
        pass
    assert folder.look("nothing") is None
