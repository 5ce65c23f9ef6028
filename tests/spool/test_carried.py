import errno
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spool.errors import GoneError, MalformedNameError, StorageError
from spool.file_system import footprint_bytes
from spool.name import FragmentName
from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.spool.samples import STICK, every_crash, fragment, late_from, spool_in

OTHER = "6" * 16


def carried(count: int, **options: int) -> dict[FragmentName, bytes]:
    return {fragment(number, **options): bytes([number]) * 10 for number in range(count)}


def test_nothing_is_offered_back_to_where_it_came_from() -> None:
    tree = spool_in(MemoryFileSystem()).carried
    assert tree.take(carried(2), STICK, today_days=0) == set(carried(2))
    assert tree.offered(STICK) == []
    offers = tree.offered(OTHER)
    assert [offer.name for offer in offers] == list(carried(2))
    assert tree.read(offers[1].name) == b"\x01" * 10
    tree.add_source(offers[0], OTHER)
    tree.add_source(offers[0], OTHER)
    assert [offer.name for offer in tree.offered(OTHER)] == [offers[1].name]
    assert tree.offered(STICK) == []


def test_sources_survive_any_crash() -> None:
    def act(fs: MemoryFileSystem) -> None:
        tree = spool_in(fs).carried
        tree.take(carried(3), STICK, today_days=0)
        for offer in tree.offered(OTHER):
            tree.add_source(offer, OTHER)

    seen = set()
    for fs, finished in every_crash(MemoryFileSystem, act):
        tree = spool_in(fs).carried
        assert tree.offered(STICK) == []
        for name in tree.known():
            assert tree.read(name) == carried(3)[name]
        seen.add((len(tree.known()), len(tree.offered(OTHER))))
        if finished:
            assert (len(tree.known()), tree.offered(OTHER)) == (3, [])
    assert len(seen) > 3


def test_a_second_source_and_a_longer_file() -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    name = fragment(1)
    tree.take({name: b"long"}, STICK, today_days=0)
    assert tree.take({name: b"lon"}, OTHER, today_days=0) == {name}
    assert tree.read(name) == b"long"
    tree.take({name: b"long"}, OTHER, today_days=0)
    tree.take({name: b"longer"}, STICK, today_days=0)
    assert tree.read(name) == b"longer"
    (known,) = tree.known().values()
    assert known.sources == (STICK,), "who has but a beginning is not noted"
    assert len([path for path in fs.files() if path.startswith("carry/")]) == 1


@pytest.mark.parametrize("junk", [b"junk", b"more than is genuine"])
@pytest.mark.parametrize("is_first", [False, True])
def test_nothing_of_another_origin_replaces_what_is_carried(junk: bytes, is_first: bool) -> None:
    """Nobody here can tell which is genuine: each is carried, in the share of who brought it."""
    tree = spool_in(MemoryFileSystem()).carried
    name = fragment(1)
    brought = [(b"genuine", STICK), (junk, OTHER)]
    for _ in range(2):
        for data, source in reversed(brought) if is_first else brought:
            assert tree.take({name: data}, source, today_days=0) == {name}
    found = {tree.read(each.name): each.sources for each in tree.known().values()}
    assert found == {data: (source,) for data, source in brought}
    assert name in tree.known()


def test_what_another_origin_adds_to_the_end_is_in_its_own_share() -> None:
    tree = spool_in(MemoryFileSystem()).carried
    tree.take({fragment(1): b"genuine"}, STICK, today_days=0)
    tree.take({fragment(1): b"genuine and more"}, OTHER, today_days=0)
    found = {tree.read(each.name): each.sources for each in tree.known().values()}
    assert found == {b"genuine": (STICK,), b"genuine and more": (OTHER,)}


def test_under_both_of_its_names_nothing_is_replaced() -> None:
    tree = spool_in(MemoryFileSystem()).carried
    name = fragment(1)
    others = {name: b"one", name.beside(sha256(b"genuine").digest()): b"two"}
    tree.take(others, STICK, today_days=0)
    assert not tree.take({name: b"genuine"}, OTHER, today_days=0)
    assert {each: tree.read(each) for each in tree.known()} == others


def test_junk_of_the_same_name_pushes_out_nothing_of_others() -> None:
    tree = spool_in(MemoryFileSystem(), Quotas(carried_bytes=6 * 4096)).carried
    honest = carried(3)
    tree.take(honest, STICK, today_days=0)
    junk = {name: bytes(2 * 4096) for name in honest}
    assert len(tree.take(junk, OTHER, today_days=0)) == 1
    assert {name: tree.read(name) for name in honest} == honest


def test_the_first_sources_are_noted_and_further_ones_by_this_process_alone() -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    sources = [f"{number}" * 32 for number in range(9)]
    for source in sources[:6]:
        tree.take({fragment(1): b"x"}, source, today_days=0)
    fs.steps.clear()
    for source in sources[6:]:
        tree.take({fragment(1): b"x"}, source, today_days=0)
    assert fs.steps == [], "each medium that is met would else cost two flushes for each file"
    (known,) = tree.known().values()
    assert known.sources == tuple(sources[:6])
    assert len(known.path.rpartition("/")[2]) <= 255
    assert [source for source in sources if tree.offered(source)] == []
    again = spool_in(fs).carried
    assert [source for source in sources if again.offered(source)] == sources[6:]


def test_what_this_process_alone_noted_is_of_that_very_file() -> None:
    tree = spool_in(MemoryFileSystem()).carried
    sources = [f"{number}" * 32 for number in range(7)]
    for source in sources:
        tree.take({fragment(1): b"x"}, source, today_days=0)
    tree.take({fragment(1): b"xy"}, sources[0], today_days=0)
    assert [source for source in sources if tree.offered(source)] == sources[1:]


def test_what_grows_at_its_origin_is_one_file_however_many_have_its_beginning() -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    for size in (1, 2, 3):
        tree.take({fragment(1): bytes(size)}, STICK, today_days=0)
        for number in range(9):
            tree.take({fragment(1): bytes(size)}, f"{number}" * 32, today_days=0)
    assert [len(data) for path, data in fs.files().items() if path.startswith("carry/")] == [3]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENAMETOOLONG])
def test_a_source_that_the_disk_has_no_name_for_is_no_error(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    tree.take(carried(2), STICK, today_days=0)

    def refuse_names(old: str, new: str) -> None:
        raise OSError(number, os.strerror(number), new)

    monkeypatch.setattr(fs, "rename", refuse_names)
    assert tree.take(carried(2), OTHER, today_days=0) == set(carried(2))
    assert {known.sources for known in tree.known().values()} == {(STICK,)}
    assert tree.offered(OTHER) == [], "this process knows"


def test_the_expired_then_the_least_urgent_then_the_oldest_give_way() -> None:
    tree = spool_in(MemoryFileSystem(), Quotas(carried_bytes=4 * 4096)).carried
    first = [
        fragment(1, priority=0, expiry_days=4), fragment(2, priority=7), fragment(3, priority=6),
        fragment(4, priority=6),
    ]  # fmt: skip
    for name in first:
        assert tree.take({name: b"x"}, STICK, today_days=0)
    gone = []
    for number in range(5, 9):
        before = set(tree.known())
        assert tree.take({fragment(number, priority=5): b"x"}, STICK, today_days=5)
        gone += list(before - set(tree.known()))
    assert gone == first
    assert not tree.take({fragment(9, priority=5): b"x"}, STICK, today_days=5)
    assert len(tree.known()) == 4


def test_nothing_gives_way_for_what_does_not_fit_even_so() -> None:
    tree = spool_in(MemoryFileSystem(), Quotas(carried_bytes=2 * 4096)).carried
    tree.take(carried(2, priority=7), STICK, today_days=0)
    assert not tree.take({fragment(9, priority=0): bytes(9000)}, STICK, today_days=0)
    assert len(tree.known()) == 2


def test_a_full_disk_takes_nothing_and_fails_nothing() -> None:
    fs = MemoryFileSystem(capacity_bytes=3 * 4096)
    tree = spool_in(fs).carried
    assert tree.take(carried(1), STICK, today_days=0)
    assert tree.take(carried(9), OTHER, today_days=0) == {fragment(0)}
    assert list(tree.known()) == [fragment(0)]


def refuse(path: str, chunks: Iterable[bytes]) -> int:
    """Write nothing, as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_gives_way_stays_where_the_disk_refuses_the_newcomer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs, Quotas(carried_bytes=4 * 4096)).carried
    tree.take(carried(4), STICK, today_days=0)
    before = dict(tree.known())
    newcomers = {fragment(number): b"x" for number in range(10, 14)}
    with monkeypatch.context() as full:
        full.setattr(fs, "create", refuse)
        assert not tree.take(newcomers, OTHER, today_days=0)
    assert tree.known() == before
    assert len(tree.take(newcomers, OTHER, today_days=0)) == 2
    assert len(tree.known()) == 4


def test_on_a_full_disk_what_gives_way_makes_room() -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs, Quotas(carried_bytes=4 * 4096)).carried
    tree.take(carried(4), STICK, today_days=0)
    fs.capacity_bytes = len(fs.files()) * 4096
    newcomers = {fragment(number): b"x" for number in range(10, 14)}
    assert len(tree.take(newcomers, OTHER, today_days=0)) == 2
    assert len(tree.known()) == 4
    fs.capacity_bytes -= 3 * 4096
    before = dict(tree.known())
    assert not tree.take({fragment(20): b"x"}, "third", today_days=0)
    assert tree.known() == before


def test_where_no_more_files_may_be_made_what_gives_way_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A disk may have bytes and no inodes left, or none for this user."""
    fs = MemoryFileSystem(capacity_bytes=1 << 30)
    tree = spool_in(fs, Quotas(carried_bytes=4 * 4096)).carried
    tree.take(carried(4), STICK, today_days=0)
    most, create = len(fs.files()), fs.create

    def create_few(path: str, chunks: Iterable[bytes]) -> int:
        return refuse(path, chunks) if len(fs.files()) >= most else create(path, chunks)

    monkeypatch.setattr(fs, "create", create_few)
    for number in (10, 11):
        newcomer = {fragment(number): b"x"}
        assert tree.take(newcomer, OTHER, today_days=0) == set(newcomer)
    assert len(tree.known()) == 4


class FewFiles(MemoryFileSystem):
    """A disk that has bytes, and inodes for *most* files and folders."""

    most: int | None = None

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        self._count(path)
        return super().create(path, chunks)

    def make_folder(self, path: str) -> None:
        if path not in self.live:
            self._count(path)
        super().make_folder(path)

    def _count(self, path: str) -> None:
        if self.most is not None and len(self.live) >= self.most:
            raise OSError(errno.ENOSPC, "No space left on device", path)


@pytest.mark.parametrize("newcomers", [1, 2, 4])
@pytest.mark.parametrize("in_one_folder", [True, False])
def test_on_a_disk_without_inodes_nothing_gives_way_unless_the_newcomer_then_fits(
    newcomers: int, in_one_folder: bool
) -> None:
    """A new bundle needs a folder, too; a file that shares its own frees no more than itself."""
    fs = FewFiles(capacity_bytes=1 << 30)
    tree = spool_in(fs, Quotas(carried_bytes=8 * 4096)).carried
    numbers = [1] * 8 if in_one_folder else range(1, 9)
    old = {replace(fragment(one), payload_id=at): b"x" for at, one in enumerate(numbers)}
    tree.take(old, STICK, today_days=0)
    fs.most = len(fs.live)
    new = {fragment(100 + number): b"x" for number in range(newcomers)}
    taken = tree.take(new, OTHER, today_days=0)
    known = tree.known().keys()
    assert taken == known & new.keys() == (set() if in_one_folder else new.keys())
    assert len(known) == 8


def in_carry(fs: MemoryFileSystem) -> list[str]:
    return [path for path in fs.files() if path.startswith("carry/")]


def test_after_any_crash_what_its_origin_made_longer_is_read_and_soon_is_all_there_is() -> None:
    name, whole = fragment(1), b"beginning and end"

    def prepare() -> MemoryFileSystem:
        fs = MemoryFileSystem()
        tree = spool_in(fs).carried
        tree.take({name: whole[:9]}, STICK, today_days=0)
        tree.add_source(tree.known()[name], OTHER)
        return fs

    def act(fs: MemoryFileSystem) -> None:
        spool_in(fs).carried.take({name: whole}, STICK, today_days=0)

    found_both = 0
    for fs, _ in every_crash(prepare, act):
        tree = spool_in(fs).carried
        assert len(tree.read(name)) == tree.known()[name].size_bytes
        found_both += len(in_carry(fs)) == 2
        tree.take({name: whole}, STICK, today_days=0)
        assert (tree.read(name), len(in_carry(fs))) == (whole, 1)
    assert found_both > 1


class Meddling(MemoryFileSystem):
    """Lets another process act while what is to be carried is written and has no name yet."""

    meddle: Callable[[], object] | None = None

    def sync(self, paths: Collection[str]) -> None:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            meddle()
        super().sync(paths)


def test_two_processes_that_take_the_same_at_once_soon_have_it_once() -> None:
    fs, quotas = Meddling(), Quotas(carried_bytes=3 * 4096)
    one, two = spool_in(fs, quotas).carried, spool_in(fs, quotas).carried
    fs.meddle = lambda: two.take(carried(3), OTHER, today_days=0)
    one.take(carried(3), STICK, today_days=0)
    assert (len(in_carry(fs)), len(one.known())) == (6, 3)
    assert not one.shares(0).has_room(fragment(9), 1, STICK), "all of them take room"
    one.take({}, STICK, today_days=0)
    assert len(in_carry(fs)) == 3
    assert {frozenset(each.sources) for each in one.known().values()} == {frozenset((STICK, OTHER))}


def test_two_processes_that_take_different_files_of_one_name_at_once_lose_neither() -> None:
    fs = Meddling()
    one, two = spool_in(fs).carried, spool_in(fs).carried
    fs.meddle = lambda: two.take({fragment(1): b"junk, and longer"}, OTHER, today_days=0)
    one.take({fragment(1): b"genuine"}, STICK, today_days=0)
    one.take({}, STICK, today_days=0)
    found = {one.read(each.name): each.sources for each in one.known().values()}
    assert found == {b"genuine": (STICK,), b"junk, and longer": (OTHER,)}


def test_a_beginning_that_another_process_notes_a_source_of_meanwhile_is_not_handed_on() -> None:
    fs, name = Meddling(), fragment(1)
    one, two = spool_in(fs).carried, spool_in(fs).carried
    one.take({name: b"begin"}, STICK, today_days=0)
    fs.meddle = lambda: two.take({name: b"begin"}, OTHER, today_days=0)
    one.take({name: b"beginning"}, STICK, today_days=0)
    assert one.read(name) == b"beginning"
    assert [each.name for each in one.offered(OTHER)] == [name]
    one.take({}, STICK, today_days=0)
    assert len(in_carry(fs)) == 1


def test_what_another_process_settles_is_left_to_it() -> None:
    fs = Meddling()
    one, two = spool_in(fs), spool_in(fs)
    fs.meddle = lambda: two.carried.take(carried(1), OTHER, today_days=0)
    one.carried.take(carried(1), STICK, today_days=0)
    with fs.lock("locks/settling-copies"):
        one.carried.take({}, STICK, today_days=0)
        assert len(in_carry(fs)) == 2
    assert one.expire(late_from(200)).carried_count == 1
    assert in_carry(fs) == []


def test_a_folder_with_the_name_of_a_fragment_keeps_it_from_nobody() -> None:
    fs, name = MemoryFileSystem(), fragment(1)
    tree = spool_in(fs).carried
    tree.take({name: b"x"}, STICK, today_days=0)
    for ending in ("", ".", ".1", ".foreign-00000001"):
        fs.make_folder(f"carry/{name.bundle_id}/{name.to_text()}{ending}")
    assert tree.read(name) == b"x"
    tree.add_source(tree.known()[name], OTHER)
    assert tree.read(name) == b"x"


def test_what_the_disk_cannot_read_is_put_away_and_a_sound_copy_is_taken() -> None:
    fs = MemoryFileSystem()
    spool = spool_in(fs)
    tree = spool.carried
    tree.take(carried(2), STICK, today_days=0)
    bad = tree.known()[fragment(0)].path
    fs.faults.unreadable = {bad: errno.EIO}
    assert tree.take(carried(2), OTHER, today_days=0) == set(carried(2))
    assert {each.name: each.sources for each in tree.known().values()} == {
        fragment(0): (OTHER,),
        fragment(1): (STICK, OTHER),
    }
    assert {name: tree.read(name) for name in carried(2)} == carried(2)
    (kept,) = spool.quarantine.list()
    assert (kept.bundle_id, bad in kept.reason) == (fragment(0).bundle_id, True)
    assert fs.files()[f"bad/{kept.bundle_id}/{bad.rpartition('/')[2]}"] == carried(2)[fragment(0)]


def test_what_the_disk_cannot_read_is_carried_no_more() -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    tree.take(carried(1), STICK, today_days=0)
    fs.faults.unreadable = dict.fromkeys(in_carry(fs), errno.EIO)
    with pytest.raises(GoneError):
        tree.read(fragment(0))
    assert tree.offered(OTHER) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENODEV])
def test_a_disk_that_refuses_to_read_for_another_reason_moves_nothing(number: int) -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    tree.take(carried(1), STICK, today_days=0)
    fs.faults.unreadable = dict.fromkeys(in_carry(fs), number)
    with pytest.raises(StorageError):
        tree.take(carried(1), OTHER, today_days=0)
    assert list(tree.known()) == [fragment(0)]


def test_there_is_room_for_the_whole_where_there_is_none_for_its_beginning_beside_it() -> None:
    tree = spool_in(MemoryFileSystem(), Quotas(carried_bytes=3 * 4096)).carried
    tree.take({fragment(1): bytes(5000)}, STICK, today_days=0)
    assert tree.shares(0).has_room(fragment(1), 9000, STICK)
    assert not tree.shares(0).has_room(fragment(1), 9000, OTHER)
    assert not tree.shares(0).has_room(fragment(1), 5000, STICK)


def test_expiry() -> None:
    tree = spool_in(MemoryFileSystem()).carried
    tree.take(carried(2, expiry_days=9), STICK, today_days=0)
    assert tree.drop_expired(late_from(9)) == 0
    assert tree.drop_expired(late_from(10)) == 2
    assert tree.known() == {}
    with pytest.raises(GoneError):
        tree.read(fragment(1, expiry_days=9))


def test_files_that_are_none_of_ours_are_not_offered() -> None:
    fs = MemoryFileSystem()
    tree = spool_in(fs).carried
    tree.take(carried(1), STICK, today_days=0)
    folder = f"carry/{0:016x}"
    for name in ("note.txt", fragment(0).to_text(), fragment(1).to_text() + ".x",
                 fragment(0).to_text() + ".", fragment(0).to_text() + ".A"):  # fmt: skip
        fs.create(f"{folder}/{name}", [b"longer than the other"])
    assert [known.sources for known in tree.known().values()] == [(STICK,)]
    with pytest.raises(MalformedNameError):
        tree.take(carried(1), "../x", today_days=0)


def test_a_longer_file_takes_the_room_of_the_shorter() -> None:
    tree = spool_in(MemoryFileSystem(), Quotas(carried_bytes=4096)).carried
    for size in (1, 2):
        assert tree.take({fragment(1): bytes(size)}, STICK, today_days=5) == {fragment(1)}
    assert [each.size_bytes for each in tree.known().values()] == [2]


@example([(0, 0, 1, 5), (0, 0, 8193, 6), (0, 1, 1, 5), (0, 1, 2, 5)])
@example([(0, 0, 9000, 6), (1, 3, 1, 6), (1, 3, 9000, 6)])
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 7), st.integers(1, 9000), st.integers(0, 9)),
        max_size=12,
    )
)
def test_the_quota_is_kept_whatever_comes(arrivals: list[tuple[int, int, int, int]]) -> None:
    quotas = Quotas(carried_bytes=5 * 4096)
    tree = spool_in(MemoryFileSystem(), quotas).carried
    for number, priority, size, day in arrivals:
        name = fragment(number, priority=priority, expiry_days=day)
        taken = tree.take({name: bytes(size)}, STICK, today_days=5)
        known = tree.known().get(name)
        assert (name in taken) == (known is not None and known.size_bytes >= size)
        used = sum(footprint_bytes(each.size_bytes) for each in tree.known().values())
        assert used <= quotas.carried_bytes


def test_a_stick_of_junk_leaves_room_for_what_comes_from_others() -> None:
    """However urgent its names are; and at the next visit it does not push them out again."""
    quotas = Quotas(carried_bytes=6 * 4096)
    tree = spool_in(MemoryFileSystem(), quotas).carried
    junk = {fragment(number, priority=0, expiry_days=65_535): b"x" for number in range(9)}
    honest = {fragment(number, priority=7): b"y" for number in range(20, 23)}
    assert len(tree.take(junk, STICK, today_days=0)) == 6
    assert tree.take(honest, OTHER, today_days=0) == set(honest)
    tree.take(junk, STICK, today_days=0)
    assert set(honest) <= set(tree.known())
    assert len(tree.known()) == 6
