import errno
import json
import os
from itertools import count
from pathlib import Path

import pytest

from spool.name import FragmentName
from tests.faults import Faults, MemoryFileSystem, counting_entropy
from tests.transports.toy import medium_in
from transports.errors import (
    MediumFaultError,
    MediumFullError,
    MediumGoneError,
    MediumReadOnlyError,
    NotAMediumError,
    TransportError,
)
from transports.medium import Medium, fragment_path

MARK = "0badcafe"


def name_of(number: int, *, expiry_days: int = 100, payload_id: int = 0) -> FragmentName:
    return FragmentName(3, expiry_days, "00000000", f"{number:016x}", payload_id)


def put(root: Path, name: FragmentName, data: bytes = b"x") -> Path:
    path = root / fragment_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def opened(root: Path) -> Medium:
    return Medium.open(root, entropy=counting_entropy())


def test_a_new_medium_gets_a_name_and_keeps_it(tmp_path: Path) -> None:
    medium = Medium.open(tmp_path, entropy=counting_entropy(), label="BLUE-2")
    fields = json.loads((tmp_path / "pannier/medium.json").read_text())
    assert fields == {"id": medium.id, "label": "BLUE-2", "version": 1}
    assert "pannier" in (tmp_path / "pannier/README.txt").read_text()
    again = Medium.open(tmp_path, entropy=lambda size: b"\xff" * size, label="RED")
    assert (again.id, again.label) == (medium.id, "BLUE-2")
    assert names_in(tmp_path / "pannier") == ["README.txt", "medium.json"]


def test_what_was_left_half_done_in_naming_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "pannier").mkdir()
    left = tmp_path / "pannier/.medium.json.tmp-0123abcd"
    left.write_bytes(bytes(10))
    Medium.open(tmp_path, entropy=counting_entropy(), mark="0123abcd")
    assert names_in(tmp_path / "pannier") == ["README.txt", "medium.json"]


@pytest.mark.parametrize("damage", [b"", b"\xff" * 99, b"{" * 9999])
def test_a_damaged_identity_is_replaced(tmp_path: Path, damage: bytes) -> None:
    opened(tmp_path)
    (tmp_path / "pannier/medium.json").write_bytes(damage)
    medium = Medium.open(tmp_path, entropy=lambda size: b"\xee" * size)
    assert medium.id == "ee" * 8
    assert opened(tmp_path).id == "ee" * 8


def test_an_identity_that_is_a_link_is_replaced_and_its_target_spared(tmp_path: Path) -> None:
    (tmp_path / "pannier").mkdir()
    (tmp_path / "secret").write_bytes(b'{"id": "0123456789abcdef", "version": 1}')
    (tmp_path / "pannier/medium.json").symlink_to(tmp_path / "secret")
    assert opened(tmp_path).id != "0123456789abcdef"
    assert not (tmp_path / "pannier/medium.json").is_symlink()
    assert (tmp_path / "secret").read_bytes().startswith(b'{"id": "0123')


def test_an_identity_that_cannot_be_replaced_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "pannier/medium.json").mkdir(parents=True)
    assert opened(tmp_path).survey().found == ()


def test_what_is_no_medium(tmp_path: Path) -> None:
    with pytest.raises(NotAMediumError):
        opened(tmp_path / "missing")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotAMediumError):
        opened(tmp_path / "file")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/pannier").symlink_to(tmp_path)
    with pytest.raises(NotAMediumError):
        opened(tmp_path / "linked")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/pannier").write_bytes(b"")
    with pytest.raises(NotAMediumError):
        opened(tmp_path / "taken")


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_medium_that_takes_nothing_can_still_be_opened(number: int) -> None:
    for fail_at in count():
        fs = MemoryFileSystem()
        fs.make_folder("pannier")
        fs.steps.clear()
        fs.faults = Faults(fail_at=fail_at, error=number, lasts=True)
        assert medium_in(fs).survey().found == ()
        if len(fs.steps) <= fail_at:
            break
    assert fail_at > 5


def test_only_files_with_exactly_a_fragments_name_are_found(tmp_path: Path) -> None:
    medium = opened(tmp_path)
    name = name_of(1)
    good = put(tmp_path, name)
    folder = good.parent
    for other in (
        f".syncthing.{name.to_text()}.tmp",
        f"~syncthing~{name.to_text()}.tmp",
        f"{name.to_text()}.part",
        f".{name.to_text()}.AbCdEf",
        f".{name.to_text()}.tmp-{MARK}",
        name.to_text().replace(".pnr", ".sync-conflict-20240101-000000-ABCDEFG.pnr"),
        name.to_text().replace(".pnr", " (conflicted copy).pnr"),
        name.to_text() + " ",
        "photo.jpg",
    ):
        (folder / other).write_bytes(b"half")
    (folder / name_of(2).to_text()).symlink_to(good)
    (folder / name_of(3).to_text()).mkdir()
    os.mkfifo(folder / name_of(4).to_text())
    with open(os.fsencode(folder) + b"/\xff\xfe", "wb"):  # noqa: PTH123 - no Path holds these bytes
        pass
    (tmp_path / "pannier/zz").mkdir()
    (tmp_path / "pannier" / name_of(5).to_text()).write_bytes(b"x")
    (tmp_path / "secret").mkdir()
    put(tmp_path, name_of(6)).rename(tmp_path / "secret" / name_of(6).to_text())
    (tmp_path / "pannier/aa").symlink_to(tmp_path / "secret")
    survey = medium.survey()
    assert [found.name for found in survey.found] == [name]
    assert survey.foreign_count == 9 + 4 + 2 + 1
    assert not survey.is_cut


def test_names_in_capitals_are_found(tmp_path: Path) -> None:
    medium = opened(tmp_path)
    put(tmp_path, name_of(0xAB)).rename(tmp_path / "pannier/00" / name_of(0xAB).to_text().upper())
    (tmp_path / "pannier/00").rename(tmp_path / "pannier/0A")
    (found,) = medium.survey().found
    assert found.name == name_of(0xAB)
    assert medium.files.read(found.path, limit_bytes=1) == b"x"


def test_rubbish_in_one_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    medium = opened(tmp_path)
    for number in range(100):
        put(tmp_path, name_of(number)).rename(tmp_path / f"pannier/00/{number}.jpg")
    put(tmp_path, name_of(0xFF << 56))
    survey = medium.survey(limit=20)
    assert survey.is_cut
    assert [found.name for found in survey.found] == [name_of(0xFF << 56)]
    assert survey.foreign_count == 19


def test_a_folder_with_more_than_its_share_gets_what_others_leave(tmp_path: Path) -> None:
    medium = opened(tmp_path)
    names = [name_of(number) for number in range(15)] + [name_of(0xFF << 56)]
    for name in names:
        put(tmp_path, name)
    survey = medium.survey(limit=16)
    assert [found.name for found in survey.found] == names
    assert not survey.is_cut
    assert len(medium.survey(limit=15).found) == 15
    assert medium.survey(limit=15).is_cut


def test_a_hundred_thousand_foreign_files_cost_one_pass() -> None:
    class Counting(MemoryFileSystem):
        looks = 0

        def inspect(self, path: str):  # type: ignore[no-untyped-def]
            self.looks += 1
            return super().inspect(path)

    fs = Counting()
    medium = medium_in(fs)
    fs.make_folder("pannier/00")
    for number in range(110_000):
        fs.live[f"pannier/00/{number}"] = fs.live["pannier/medium.json"]
    fs.looks = 0
    survey = medium.survey()
    assert survey.foreign_count == 100_000
    assert survey.is_cut
    assert fs.looks == 0


def test_clearing_and_expiring_remove_files_and_empty_folders(tmp_path: Path) -> None:
    medium = opened(tmp_path)
    ids = [1 << 56, 2 << 56, 3 << 56]
    for number in ids:
        put(tmp_path, name_of(number))
        put(tmp_path, name_of(number, payload_id=7, expiry_days=9))
    (tmp_path / "pannier/02/photo.jpg").write_bytes(b"x")
    assert medium.clear([f"{number:016x}" for number in ids[:2]]) == 4
    assert medium.clear([f"{ids[0]:016x}"]) == 0
    assert medium.clear([f"{ids[2]:016x}"], lambda name: name.bundle_id == "none") == 0
    assert names_in(tmp_path / "pannier") == ["02", "03", "README.txt", "medium.json"]
    assert names_in(tmp_path / "pannier/02") == ["photo.jpg"]
    assert medium.expire(9) == 0
    assert medium.expire(10) == 1
    assert len(medium.survey().found) == 1


def test_a_note_is_for_people(tmp_path: Path) -> None:
    medium = opened(tmp_path)
    medium.note("Last exchange: Anne, 3 messages \ud800", mark=MARK)
    text = (tmp_path / "pannier/README.txt").read_text()
    assert "belongs to pannier" in text
    assert "Last exchange: Anne, 3 messages ?" in text


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, MediumFullError),
        (errno.EFBIG, MediumFullError),
        (errno.EROFS, MediumReadOnlyError),
        (errno.EIO, MediumFaultError),
    ],
)
def test_an_error_at_any_step_of_a_note_leaves_the_old_or_the_new(
    number: int, kind: type[TransportError]
) -> None:
    failures = 0
    for fail_at in count():
        fs = MemoryFileSystem()
        medium = medium_in(fs)
        before = fs.files()["pannier/README.txt"]
        fs.steps.clear()
        fs.faults = Faults(fail_at=fail_at, error=number)
        try:
            medium.note("new", mark=MARK)
        except TransportError as error:
            failures += 1
            # A rename that fails is the fault of one file, whatever the reason.
            assert type(error) in (kind, MediumFaultError)  # noqa: PT017 - any step may fail
        found = fs.files()["pannier/README.txt"]
        assert found == before or found.endswith(b"new\n")
        if len(fs.steps) <= fail_at:
            break
        assert [path for path in fs.files() if ".tmp-" in path] == []
    assert failures >= 5


def test_a_medium_that_is_gone_says_so() -> None:
    fs = MemoryFileSystem()
    medium = medium_in(fs)
    fs.is_gone = True
    for call in (
        medium.survey,
        medium.files.space,
        lambda: medium.note("x", mark=MARK),
        lambda: medium.files.sweep(mark=MARK, now_ns=0),
    ):
        with pytest.raises(MediumGoneError):
            call()
