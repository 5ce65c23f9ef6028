import os
import socket
from pathlib import Path

import pytest

from pannier.files import Skipped
from pannier.scan import Found, scan
from tests.pannier.folders import write


def things(*paths: Path | str, prefix: str = "", home: Path = Path("/nowhere")) -> list[str]:
    found = list(scan(paths, prefix, home=home))
    assert all(isinstance(one, Found) for one in found), found
    return [one.thing for one in found if isinstance(one, Found)]


def skipped(*paths: Path | str, home: Path = Path("/nowhere")) -> dict[str, str]:
    found = scan(paths, "", home=home)
    return {Path(one.path).name: one.why for one in found if isinstance(one, Skipped)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "photos"
    (folder / "b" / "deep").mkdir(parents=True)
    for name in ("b/2", "a", "b/deep/1", "c", ".hidden"):
        (folder / name).write_bytes(b"x")
    return folder


def test_files_are_called_as_they_lie_in_the_folder_that_was_named(photos: Path) -> None:
    names = [".hidden", "a", "b/2", "b/deep/1", "c"]
    assert things(photos) == [f"photos/{name}" for name in names]
    assert things(f"{photos}/") == [f"photos/{name}" for name in names]
    assert things(f"{photos}/.") == names
    assert things(f"{photos}/./") == names
    assert things(photos / "b" / "deep") == ["deep/1"]
    assert things(photos / "a", photos / "b" / "2") == ["a", "2"]


def test_here_and_above_have_no_name(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos / "b")
    assert things(".") == ["2", "deep/1"]
    assert things("..")[:2] == [".hidden", "a"]
    assert things("deep", "2") == ["deep/1", "2"]


def test_a_prefix_stands_before_all(photos: Path) -> None:
    assert things(photos / "a", prefix="x/y/") == ["x/y/a"]
    assert things(f"{photos}/b/.", prefix="x") == ["x/2", "x/deep/1"]


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder link").symlink_to("/")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        whys = skipped(tmp_path)
    assert whys.keys() == {"link", "folder link", "fifo", "socket"}
    assert ("FIFO" in whys["fifo"], "link" in whys["link"]) == (True, True)
    assert "device" in skipped("/dev/null")["null"]
    assert "No such file" in skipped(tmp_path / "gone")["gone"]


def test_what_no_thing_can_be_called_is_named(tmp_path: Path) -> None:
    for name in (b"not \xff text", b"two\nlines", b"\x1b[2J", b"l" * 250):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    whys = list(skipped(tmp_path).values())
    assert len(whys) == 4
    assert sum("Unicode" in why for why in whys) == 1
    assert sum("control character" in why for why in whys) == 2
    assert sum("bytes" in why for why in whys) == 1


def test_the_home_of_the_node_is_left_out_by_any_path(tmp_path: Path) -> None:
    home = tmp_path / "x" / "home"
    home.mkdir(parents=True)
    (home / "secret").write_bytes(b"")
    (tmp_path / "x" / "other").write_bytes(b"")
    (tmp_path / "way").symlink_to("x")
    assert skipped(tmp_path / "x", home=tmp_path / "way" / "home") == {
        "home": "this node's own folder"
    }


def test_files_being_written_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".pannier-0123456789abcdef").write_bytes(b"half")
    assert "checkout" in skipped(tmp_path)[".pannier-0123456789abcdef"]


def test_of_two_that_would_be_called_the_same_the_second_is_named(tmp_path: Path) -> None:
    one, two = write(tmp_path / "x" / "r.txt", b"1"), write(tmp_path / "y" / "r.txt", b"2")
    why = f"{one} is called r.txt, too: name one alone"
    for paths in ((one, two), (f"{tmp_path}/x/.", f"{tmp_path}/y/."), (f"{tmp_path}/x/.", two)):
        assert list(scan(paths, "", home=tmp_path / "home")) == [
            Found(one, "r.txt"),
            Skipped(str(two), why),
        ]


def test_what_is_named_twice_is_taken_once(tmp_path: Path) -> None:
    one = write(tmp_path / "x" / "r.txt", b"1")
    for paths in ((one, one), (f"{tmp_path}/x/.", one), (tmp_path / "x", tmp_path / "x")):
        assert len(things(*paths)) == 1


def test_what_nobody_could_check_out_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "top" / ".pannier-x" / "a", b"a")
    write(tmp_path / "top" / "b", b"b")
    assert Found(tmp_path / "top" / "b", "top/b") in scan([tmp_path / "top"], "", home=tmp_path)
    assert skipped(tmp_path / "top").keys() == {".pannier-x"}
