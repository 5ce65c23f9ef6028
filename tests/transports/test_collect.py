import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from spool.errors import BusyError, FullError, SpoolError
from spool.file_system import footprint_bytes
from spool.name import BundleName, FragmentName
from spool.quotas import Quotas
from tests.faults import KEEPS, CrashError, Faults, MemoryFileSystem, counting_entropy
from tests.transports.toy import NOW_NS, TERMS, ToyNode, medium_in, node_id, toy_file
from transports import collect as collect_module
from transports.errors import MediumGoneError
from transports.medium import Medium, fragment_path
from transports.questions import Offer, Sifted, Took
from transports.report import Collected


def stick_with(*bundles: bytes, recipient: int = 2) -> tuple[MemoryFileSystem, list[BundleName]]:
    """Return a stick that node 1 has written *bundles* to."""
    fs = MemoryFileSystem()
    anne = ToyNode(1, MemoryFileSystem())
    names = [anne.queue(recipient, data) for data in bundles]
    anne.at(medium_in(fs)).deliver([node_id(recipient)], TERMS)
    return fs, names


def damage(fs: MemoryFileSystem, name: BundleName, data: bytes, *, age_ns: int) -> str:
    path = fragment_path(name.fragment(0))
    fs.remove(path)
    fs.now_ns = NOW_NS - age_ns - 1
    fs.create(path, [data])
    return path


def test_a_crash_at_any_step_loses_nothing() -> None:
    bundles = (b"one", b"two" * 999, b"three")
    for crash_at in count():
        stick, _ = stick_with(*bundles)
        bea = ToyNode(2, MemoryFileSystem())
        bea.fs.steps.clear()  # type: ignore[attr-defined]
        bea.fs.faults.crash_at = crash_at  # type: ignore[attr-defined]
        try:
            bea.at(medium_in(stick)).collect(TERMS)
            bea.merge()
            bea.at(medium_in(stick)).collect(TERMS)
        except CrashError:
            pass
        dead = bea.fs
        assert isinstance(dead, MemoryFileSystem)
        for keep in KEEPS:
            again = ToyNode(2, dead.after_power_cut(keep))
            again.merged = dict(bea.merged)
            its_stick = medium_in(stick.after_kill())
            again.at(its_stick).collect(TERMS)
            again.merge()
            assert sorted(again.merged.values()) == sorted(bundles)
        if not dead.is_dead:
            break
    assert crash_at > 10


def test_what_is_merged_is_taken_off_unless_it_must_stay() -> None:
    stick, _ = stick_with(b"one")
    bea = ToyNode(2, MemoryFileSystem())
    bea.at(medium_in(stick)).collect(TERMS)
    bea.merge()
    assert bea.at(medium_in(stick)).collect(TERMS._replace(is_removable=False)).removed == 0
    assert bea.at(medium_in(stick)).collect(TERMS).removed == 1
    assert [path for path in stick.files() if path.endswith(".pnr")] == []


def test_whose_is_asked_once_for_each_bundle() -> None:
    stick, _ = stick_with(b"one")
    data = toy_file(b"one")
    name = FragmentName.from_text(next(p[-44:] for p in stick.files() if p.endswith(".pnr")))
    for payload_id in range(1, 9):
        stick.create(fragment_path(replace(name, payload_id=payload_id)), [data])
    bea = ToyNode(2, MemoryFileSystem())
    bea.at(medium_in(stick)).collect(TERMS)
    assert len(bea.asked) == 1


def test_a_file_for_others_without_anything_whole_goes_to_quarantine() -> None:
    stick, (bad, good) = stick_with(b"one", b"two")
    path = damage(stick, bad, b"rubbish", age_ns=3600 * 10**9)
    mule = ToyNode(3, MemoryFileSystem())
    collected = mule.at(medium_in(stick)).collect(TERMS)
    assert (collected.bad, collected.forged) == ((path,), 0)
    assert [each.bundle_id for each in mule.spool.carried.known()] == [good.bundle_id]
    (kept,) = mule.spool.quarantine.list()
    assert kept.bundle_id == bad.bundle_id
    assert "genuine" in kept.reason
    assert path in stick.files()


@pytest.mark.parametrize("data", [b"rubbish", b"", toy_file(b"two"), toy_file(b"one")[:-1] + b"?"])
def test_a_forged_file_for_us_is_counted_and_written_nowhere(data: bytes) -> None:
    stick, (bad, good) = stick_with(b"one", b"two")
    if data.startswith(toy_file(b"one")[:40]):
        data = data[:24] + bytes(8) + data[32:]
    path = damage(stick, bad, data, age_ns=3600 * 10**9)
    bea = ToyNode(2, MemoryFileSystem())
    collected = bea.at(medium_in(stick)).collect(TERMS)
    assert (collected.bad, collected.forged) == ((), 1)
    assert collected.received == ((node_id(1), good.bundle_id),)
    assert bea.spool.quarantine.list() == []
    assert bea.spool.inbox.bundles() == [good.bundle_id]
    assert path in stick.files()


def test_only_what_is_genuine_of_a_file_is_received() -> None:
    stick, (name,) = stick_with(b"0123456789")
    whole = toy_file(b"0123456789")
    damage(stick, name, whole[:-1] + b"?", age_ns=0)
    bea = ToyNode(2, MemoryFileSystem())
    assert bea.at(medium_in(stick)).collect(TERMS).forged == 1
    (arrival,) = bea.spool.inbox.read(name.bundle_id)
    assert arrival.data == whole[: len(whole) // 2]


def test_an_old_bad_file_is_taken_off_so_that_its_sender_writes_it_again() -> None:
    fs = MemoryFileSystem()
    anne, bea = ToyNode(1, MemoryFileSystem()), ToyNode(2, MemoryFileSystem())
    name = anne.queue(2, b"hello")
    anne.at(medium_in(fs)).deliver([node_id(2)], TERMS)
    damage(fs, name, bytes(99), age_ns=2 * 86_400 * 10**9)
    assert bea.at(medium_in(fs)).collect(TERMS).removed == 1
    anne.at(medium_in(fs)).deliver([node_id(2)], TERMS)
    assert len(bea.at(medium_in(fs)).collect(TERMS).received) == 1


def test_a_stick_full_of_bad_files_fills_no_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_module, "_MOST_QUARANTINED", 2)
    stick, names = stick_with(b"one", b"two", b"three", b"four")
    paths = {damage(stick, name, b"rubbish", age_ns=3600 * 10**9) for name in names}
    mule = ToyNode(3, MemoryFileSystem())
    assert set(mule.at(medium_in(stick)).collect(TERMS).bad) == paths
    assert len(mule.spool.quarantine.list()) == 2


@pytest.mark.parametrize(("age_days", "removed"), [(0, 0), (2, 1), (-2, 1)])
def test_a_file_with_one_damaged_fragment_makes_room_for_a_sound_one(
    age_days: int, removed: int
) -> None:
    fs = MemoryFileSystem()
    anne, bea = ToyNode(1, MemoryFileSystem()), ToyNode(2, MemoryFileSystem())
    name = anne.queue(2, b"0123456789")
    anne.at(medium_in(fs)).deliver([node_id(2)], TERMS)
    damage(fs, name, toy_file(b"0123456789")[:-1] + b"?", age_ns=age_days * 86_400 * 10**9)
    assert bea.at(medium_in(fs)).collect(TERMS).removed == 0
    bea.merge()
    assert bea.merged == {}
    assert bea.at(medium_in(fs)).collect(TERMS).removed == removed
    anne.at(medium_in(fs)).deliver([node_id(2)], TERMS)
    bea.at(medium_in(fs)).collect(TERMS)
    bea.merge()
    assert list(bea.merged.values()) == [b"0123456789"], "its sender looks at what lies there"


@pytest.mark.parametrize("age_ns", [0, 59 * 10**9])
def test_a_young_file_without_anything_genuine_is_unfinished(age_ns: int) -> None:
    stick, (name,) = stick_with(b"one")
    path = damage(stick, name, b"", age_ns=age_ns)
    bea = ToyNode(2, MemoryFileSystem())
    collected = bea.at(medium_in(stick)).collect(TERMS)
    assert (collected.unfinished, collected.forged, collected.bad) == (1, 0, ())
    assert bea.spool.quarantine.list() == []
    assert path in stick.files()


@pytest.mark.parametrize(("ahead_hours", "removed"), [(1, 0), (999 * 24, 1)])
def test_a_bad_file_that_is_dated_days_ahead_is_taken_off(ahead_hours: int, removed: int) -> None:
    stick, (name,) = stick_with(b"one")
    path = damage(stick, name, b"rubbish", age_ns=-ahead_hours * 3600 * 10**9)
    collected = ToyNode(2, MemoryFileSystem()).at(medium_in(stick)).collect(TERMS)
    assert (collected.forged, collected.removed) == (1, removed)
    assert (path in stick.files()) == (not removed)


def test_what_is_cut_off_is_kept_as_far_as_it_goes() -> None:
    stick, (name,) = stick_with(b"0123456789")
    whole = toy_file(b"0123456789")
    bea = ToyNode(2, MemoryFileSystem())
    for data in (whole[:50], whole):
        damage(stick, name, data, age_ns=0)
        assert len(bea.at(medium_in(stick)).collect(TERMS).received) == 1
    bea.merge()
    assert list(bea.merged.values()) == [b"0123456789"]


def test_a_name_with_anothers_content_is_not_received() -> None:
    stick, (name, _) = stick_with(b"one", b"two")
    damage(stick, name, toy_file(b"two"), age_ns=3600 * 10**9)
    bea = ToyNode(2, MemoryFileSystem())
    assert bea.at(medium_in(stick)).collect(TERMS).forged == 1
    assert len(bea.spool.inbox.bundles()) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.EACCES])
def test_one_file_that_cannot_be_read_does_not_stop_the_rest(number: int) -> None:
    stick, (bad, good) = stick_with(b"one", b"two")
    path = fragment_path(bad.fragment(0))
    stick.faults = Faults(unreadable={path: number})
    bea = ToyNode(2, MemoryFileSystem())
    collected = bea.at(medium_in(stick)).collect(TERMS)
    assert collected.unreadable == (path,)
    assert collected.received == ((node_id(1), good.bundle_id),)


def test_a_file_that_is_too_long_is_not_read() -> None:
    stick, (name,) = stick_with(bytes(5000))
    bea = ToyNode(2, MemoryFileSystem())
    collected = bea.at(medium_in(stick)).collect(TERMS._replace(file_bytes=5000))
    assert collected.unreadable == (fragment_path(name.fragment(0)),)


def test_pulling_the_medium_keeps_what_was_read() -> None:
    stick, names = stick_with(b"one", b"two", b"three")
    bea = ToyNode(2, MemoryFileSystem())
    directory = bea.at(medium_in(stick))
    judged = 0

    def pull_after_two(name: FragmentName, peer: str | None, data: bytes) -> Sifted:
        nonlocal judged
        judged += 1
        stick.is_gone = judged == 2
        return bea.sift(name, peer, data)

    questions = directory.questions._replace(sift=pull_after_two)
    with pytest.raises(MediumGoneError) as caught:
        directory._replace(questions=questions).collect(TERMS)
    assert isinstance(caught.value.done, Collected)
    assert len(caught.value.done.received) == 2
    assert len(bea.spool.inbox.bundles()) == 2
    assert len(names) == 3


def test_pulling_the_medium_before_damage_is_taken_off_keeps_what_was_read() -> None:
    stick, (bad, _) = stick_with(b"0123456789", b"two")
    damage(stick, bad, toy_file(b"0123456789")[:-1], age_ns=2 * 86_400 * 10**9)
    bea = ToyNode(2, MemoryFileSystem())
    directory = bea.at(medium_in(stick))
    assert len(directory.collect(TERMS).received) == 2

    def pull_after_two(name: FragmentName, peer: str | None, data: bytes) -> Sifted:
        stick.is_gone = len(bea.asked) == 4
        return bea.sift(name, peer, data)

    questions = directory.questions._replace(sift=pull_after_two)
    with pytest.raises(MediumGoneError) as caught:
        directory._replace(questions=questions).collect(TERMS)
    assert isinstance(caught.value.done, Collected)
    assert len(caught.value.done.received) == 2


def test_a_medium_that_cannot_be_written_can_be_collected_from() -> None:
    stick, _ = stick_with(b"one")
    bea = ToyNode(2, MemoryFileSystem())
    stick.faults = Faults(fail_at=0, error=errno.EROFS, lasts=True)
    assert len(bea.at(medium_in(stick)).collect(TERMS).received) == 1
    bea.merge()
    collected = bea.at(medium_in(stick)).collect(TERMS)
    assert (collected.seen, collected.removed) == (1, 0)


def test_a_full_home_disk_loses_nothing() -> None:
    stick, _ = stick_with(b"one", bytes(9000))
    home = MemoryFileSystem(capacity_bytes=2 * 4096)
    bea = ToyNode(2, home)
    with pytest.raises(FullError):
        bea.at(medium_in(stick)).collect(TERMS)
    home.capacity_bytes = None
    bea.at(medium_in(stick)).collect(TERMS)
    bea.merge()
    assert len(bea.merged) == 2


def test_an_error_at_any_step_at_home_is_of_the_spool_and_loses_nothing() -> None:
    for fail_at in count():
        stick, _ = stick_with(b"one", b"two")
        home = MemoryFileSystem()
        bea = ToyNode(2, home)
        home.steps.clear()
        home.faults = Faults(fail_at=fail_at, error=errno.EIO)
        try:
            bea.at(medium_in(stick)).collect(TERMS)
        except SpoolError:
            pass
        if len(home.steps) <= fail_at:
            break
        home.faults = Faults()
        bea.restart(home)
        bea.at(medium_in(stick)).collect(TERMS)
        bea.merge()
        assert len(bea.merged) == 2
    assert fail_at > 6


def test_what_is_for_others_is_bounded_and_the_rest_still_comes() -> None:
    stick, _ = stick_with(*(bytes([number]) * 99 for number in range(9)), recipient=7)
    mule = ToyNode(9, MemoryFileSystem(), Quotas(carried_bytes=3 * 4096))
    collected = mule.at(medium_in(stick)).collect(TERMS)
    assert (collected.others, collected.carried) == (9, 3)


def test_a_fragment_on_two_media_goes_back_to_neither() -> None:
    first, _ = stick_with(b"one", recipient=7)
    second = MemoryFileSystem()
    second_medium = Medium.attach(second, entropy=lambda size: b"\x22" * size)
    for path, data in first.files().items():
        if path.endswith(".pnr"):
            second.make_folder(path.rpartition("/")[0])
            second.create(path, [data])
    mule = ToyNode(9, MemoryFileSystem())
    for medium in (medium_in(first), second_medium):
        mule.at(medium).collect(TERMS)
    (known,) = mule.spool.carried.known().values()
    assert len(known.sources) == 2
    for medium in (medium_in(first), second_medium):
        medium.clear([known.name.bundle_id])
        assert mule.at(medium).deliver([], TERMS).carried_written == 0


def test_of_a_file_that_is_written_in_place_the_rest_is_taken_by_a_mule_that_is_full() -> None:
    stick, (name,) = stick_with(bytes(range(256)) * 80, recipient=7)
    path = fragment_path(name.fragment(0))
    whole = stick.files()[path]
    mule = ToyNode(9, MemoryFileSystem(), Quotas(carried_bytes=footprint_bytes(len(whole)) + 4096))
    for data in (whole[: len(whole) // 2], whole):
        damage(stick, name, data, age_ns=0)
        assert mule.at(medium_in(stick)).collect(TERMS).carried == 1
    assert [known.size_bytes for known in mule.spool.carried.known().values()] == [len(whole)]


def _repeated(number: int, size: int) -> bytes:
    return bytes([number]) * size


def sticks_with(data: bytes, path: str, numbers: Iterable[int]) -> list[Medium]:
    """Return media, told apart by their number, that have *data* at *path*."""
    sticks = []
    for number in numbers:
        fs = MemoryFileSystem()
        sticks.append(Medium.attach(fs, entropy=partial(_repeated, number)))
        fs.make_folder(path.rpartition("/")[0])
        fs.create(path, [data])
    return sticks


def test_what_more_media_have_than_are_noted_is_neither_read_nor_noted_at_each_visit() -> None:
    first, (name,) = stick_with(b"one", recipient=7)
    path = fragment_path(name.fragment(0))
    sticks = sticks_with(first.files()[path], path, range(9))
    home = MemoryFileSystem()
    mule, read = ToyNode(9, home), []

    def note(name: FragmentName, peer: str | None, data: bytes) -> Sifted:
        read.append(name)
        return mule.sift(name, peer, data)

    def visit_all() -> int:
        read.clear()
        home.steps.clear()
        for stick in sticks:
            directory = mule.at(stick)
            questions = directory.questions._replace(sift=note)
            assert directory._replace(questions=questions).collect(TERMS).carried == 1
            assert mule.spool.carried.offered(stick.id) == []
        return len(read)

    assert visit_all() == 9
    assert (visit_all(), home.steps) == (0, [])
    mule.restart(home)
    assert (visit_all(), home.steps) == (3, []), "by another process these are looked at once more"
    assert visit_all() == 0


def test_junk_from_many_media_keeps_no_genuine_file_of_its_name_and_length_out() -> None:
    """Whoever has a medium may draw its id anew: what was met often proves nothing of others."""
    first, (name,) = stick_with(b"one", recipient=7)
    path = fragment_path(name.fragment(0))
    genuine = first.files()[path]
    junk = genuine[:-1] + bytes([genuine[-1] ^ 1])
    mule, others = ToyNode(9, MemoryFileSystem()), sticks_with(junk, path, range(7))
    mule_takes_all = mule.at(others[0]).questions._replace(sift=lambda *asked: Sifted(asked[2], 0))
    for stick in others:
        mule.at(stick)._replace(questions=mule_takes_all).collect(TERMS)
    (honest,) = sticks_with(genuine, path, [9])
    mule.at(honest).collect(TERMS)
    known = mule.spool.carried.known().values()
    assert {mule.spool.carried.read(each.name): honest.id in each.sources for each in known} == {
        junk: False,
        genuine: True,
    }


def test_two_exchanges_with_one_medium_exclude_each_other() -> None:
    stick, _ = stick_with(b"one")
    bea = ToyNode(2, MemoryFileSystem())
    medium = medium_in(stick)
    with bea.spool.exchange(medium.id), pytest.raises(BusyError):
        bea.at(medium).collect(TERMS)
    with bea.spool.exchange(medium.id), pytest.raises(BusyError):
        bea.at(medium).deliver([], TERMS)
    assert len(bea.at(medium).collect(TERMS).received) == 1


def test_many_files_come_in_groups() -> None:
    stick, _ = stick_with(*(number.to_bytes(2, "big") for number in range(600)))
    home = MemoryFileSystem()
    bea = ToyNode(2, home)
    home.steps.clear()
    assert len(bea.at(medium_in(stick)).collect(TERMS).received) == 600
    assert sum(step.startswith("sync") for step in home.steps) == 2 * 3


def test_a_hostile_stick_does_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(toy_file(b"secret"))
    root = tmp_path / "stick"
    root.mkdir()
    medium = Medium.open(root, entropy=counting_entropy())
    anne, bea = ToyNode(1, MemoryFileSystem()), ToyNode(2, MemoryFileSystem())
    names = [anne.queue(2, data).fragment(0) for data in (b"secret", b"two", b"three", b"four")]
    anne.at(medium).deliver([node_id(2)], TERMS)
    link, fifo, folder, good = (root / fragment_path(name) for name in names)
    for path in (link, fifo, folder):
        path.unlink()
    link.symlink_to(secret)
    os.mkfifo(fifo)
    folder.mkdir()
    (root / "pannier/..x").mkdir()
    collected = bea.at(medium).collect(TERMS)
    assert len(collected.received) == 1
    assert collected.received[0][1] in good.name
    assert secret.exists()
    # Delivering again repairs what can be replaced, and leaves what cannot.
    delivered = anne.at(medium).deliver([node_id(2)], TERMS)
    assert len(delivered.written) == 2
    assert [bundle.bundle_id in folder.name for _, bundle, _ in delivered.left] == [True]
    assert not link.is_symlink()
    assert secret.read_bytes() == toy_file(b"secret")


def test_what_a_mules_disk_cannot_read_is_taken_again_from_another_medium() -> None:
    first, (name,) = stick_with(b"one", recipient=7)
    path = fragment_path(name.fragment(0))
    home = MemoryFileSystem()
    mule = ToyNode(9, home)
    one, two, three = sticks_with(first.files()[path], path, range(3))
    mule.at(one).collect(TERMS)
    home.faults = Faults(
        unreadable={known.path: errno.EIO for known in mule.spool.carried.known().values()}
    )
    assert mule.at(two).collect(TERMS).carried == 1
    three.files.remove(path)
    assert mule.at(three).deliver([], TERMS).carried_written == 1


def test_what_there_is_no_room_for_is_not_read() -> None:
    """A mule that is full must not read a stick of junk from end to end at every visit."""
    stick, names = stick_with(*(bytes([number]) * 3000 for number in range(6)))
    mule = ToyNode(3, MemoryFileSystem(), Quotas(carried_bytes=2 * 4096))
    read: list[FragmentName] = []

    def note(name: FragmentName, peer: str | None, data: bytes) -> Sifted:
        read.append(name)
        return mule.sift(name, peer, data)

    for visit in (2, 0):
        read.clear()
        directory = mule.at(medium_in(stick))
        questions = directory.questions._replace(sift=note)
        collected = directory._replace(questions=questions).collect(TERMS)
        assert (collected.others, collected.carried, len(read)) == (len(names), 2, visit)


def test_of_what_has_the_name_of_something_carried_no_more_is_read_than_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collect_module, "_MOST_COMPARED_BYTES", 9000)
    stick, names = stick_with(*(bytes([number]) * 3000 for number in range(6)), recipient=7)
    other = medium_in(MemoryFileSystem())
    mule, read = ToyNode(3, MemoryFileSystem()), []
    mule.at(medium_in(stick)).collect(TERMS)
    for name in names:
        other.files.stage(fragment_path(name.fragment(0)), [bytes(4000)], mark="0" * 8)
        other.files.publish([fragment_path(name.fragment(0))], mark="0" * 8)
    other.id = "0" * 16

    def note(name: FragmentName, peer: str | None, data: bytes) -> Sifted:
        read.append(name)
        return mule.sift(name, peer, data)

    directory = mule.at(other)
    directory._replace(questions=directory.questions._replace(sift=note)).collect(TERMS)
    assert len(read) == 2


def long_stick() -> tuple[MemoryFileSystem, list[BundleName]]:
    return stick_with(b"one" * 500_000, b"two" * 600_000, b"short")


def offering(
    bea: ToyNode, stick: MemoryFileSystem, takes: Callable[[Offer], bool], leaves: str = ""
) -> Collected:
    """Let *bea* collect, taking straight what *takes* says; for the bundle *leaves* is no room."""

    def take(offers: Sequence[Offer]) -> Took:
        assert len(bea.spool.inbox.bundles()) == 1, "what is short is there before"
        left = frozenset(one.name for one in offers if one.name.bundle_id == leaves)
        return Took(frozenset(one.name for one in offers if takes(one)), left)

    directory = bea.at(medium_in(stick))
    return directory._replace(questions=directory.questions._replace(take=take)).collect(TERMS)


def test_long_files_are_offered_where_they_lie() -> None:
    stick, names = long_stick()
    bea = ToyNode(2, MemoryFileSystem())
    one, two, _ = (name.bundle_id for name in names)
    collected = offering(bea, stick, lambda offer: offer.name.bundle_id == one)
    assert collected.taken == ((node_id(1), one),)
    assert {bundle_id for _, bundle_id in collected.received} == {two, names[2].bundle_id}
    assert one not in bea.spool.inbox.bundles()
    assert toy_file(b"one" * 500_000) in [stick.read(p, limit_bytes=1 << 30) for p in stick.files()]


def test_what_there_is_no_room_for_stays_and_comes_next_time() -> None:
    stick, names = long_stick()
    bea = ToyNode(2, MemoryFileSystem())
    one, two, short = names
    collected = offering(bea, stick, lambda _: False, one.bundle_id)
    assert collected.taken == ()
    assert {bundle_id for _, bundle_id in collected.received} == {two.bundle_id, short.bundle_id}
    assert {bundle_id for _, bundle_id in bea.at(medium_in(stick)).collect(TERMS).received} >= {
        one.bundle_id
    }


def test_an_offer_gives_the_file_and_none_of_what_cannot_be_read() -> None:
    stick, _ = long_stick()
    seen: list[int | None] = []
    room = memoryview(bytearray(2 << 20))
    bea = ToyNode(2, MemoryFileSystem())

    def look(offer: Offer) -> bool:
        seen.append(offer.read(room))
        return False

    offering(bea, stick, look)
    assert sorted(one or 0 for one in seen) == [1_500_064, 1_800_064]
    unreadable = {path: errno.EIO for path in stick.files() if path.endswith(".pnr")}
    again = ToyNode(2, MemoryFileSystem())
    seen.clear()

    def spoil(offer: Offer) -> bool:
        stick.faults.unreadable = unreadable
        return look(offer)

    collected = offering(again, stick, spoil)
    assert seen == [None, None]
    assert len(collected.unreadable) == 2
