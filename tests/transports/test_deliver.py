import errno
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import count

import pytest

from spool.errors import MalformedNameError, SpoolError
from spool.file_system import Space
from spool.name import BundleName
from tests.faults import KEEPS, CrashError, Faults, MemoryFileSystem
from tests.transports.toy import TERMS, ToyNode, medium_in, node_id
from transports import deliver as deliver_module
from transports.directory import Directory
from transports.errors import MediumGoneError, MediumReadOnlyError, TransportError
from transports.medium import fragment_path
from transports.questions import Fresh
from transports.report import Delivered

PEERS = [node_id(2)]
BUNDLES = (b"one", b"two" * 999, b"three")


def anne_with(*bundles: bytes) -> ToyNode:
    anne = ToyNode(1, MemoryFileSystem())
    for data in bundles:
        anne.queue(2, data)
    return anne


def fragments_on(stick: MemoryFileSystem) -> set[str]:
    return {path for path in stick.files() if path.endswith(".pnr")}


def temps_on(stick: MemoryFileSystem) -> set[str]:
    return {path for path in stick.files() if ".tmp-" in path}


def test_a_crash_at_any_step_of_the_stick_leaves_whole_files_and_the_queue() -> None:
    for crash_at in count():
        anne, stick = anne_with(*BUNDLES), MemoryFileSystem()
        medium = medium_in(stick)
        stick.steps.clear()
        stick.faults.crash_at = crash_at
        delivered = None
        try:
            delivered = anne.at(medium).deliver(PEERS, TERMS)
        except CrashError:
            pass
        assert len(anne.spool.outbox.queued(PEERS[0])) == 3
        for keep in KEEPS:
            found = stick.after_power_cut(keep)
            bea = ToyNode(2, MemoryFileSystem())
            collected = bea.at(medium_in(found)).collect(TERMS)
            bea.merge()
            assert (collected.bad, collected.unfinished) == ((), 0)
            assert len(bea.merged) == len(collected.received)
            if delivered is not None:
                assert len(bea.merged) == 3
            anne.at(medium_in(found)).deliver(PEERS, TERMS)
            assert temps_on(found) == set()
            bea.at(medium_in(found)).collect(TERMS)
            bea.merge()
            assert sorted(bea.merged.values()) == sorted(BUNDLES)
        if delivered is not None:
            break
    assert crash_at > 15


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("lasts", [False, True])
def test_an_error_at_any_step_of_the_stick_is_reported_truly(number: int, lasts: bool) -> None:
    for fail_at in count():
        anne, stick = anne_with(*BUNDLES), MemoryFileSystem()
        medium = medium_in(stick)
        stick.steps.clear()
        stick.faults = Faults(fail_at=fail_at, error=number, lasts=lasts)
        try:
            delivered = anne.at(medium).deliver(PEERS, TERMS)
        except MediumReadOnlyError:
            assert number == errno.EROFS
        else:
            assert len(delivered.written) + len(delivered.left) == 3
            for peer, name in delivered.written:
                assert peer == PEERS[0]
                assert fragment_path(name.fragment(0)) in stick.files()
        if len(stick.steps) <= fail_at:
            break
        stick.faults = Faults()
        again = anne.at(medium).deliver(PEERS, TERMS)
        assert len(again.written) + len(again.already_there) == 3
        assert temps_on(stick) == set()
    assert fail_at > 15


def test_the_most_urgent_goes_first_and_smaller_things_fill_the_rest() -> None:
    anne, stick = ToyNode(1, MemoryFileSystem()), MemoryFileSystem(capacity_bytes=40 * 4096)
    urgent = anne.queue(2, bytes(15 * 4096), priority=0)
    large = anne.queue(2, bytes(30 * 4096), priority=1)
    small = anne.queue(2, b"small", priority=7)
    delivered = anne.at(medium_in(stick)).deliver(PEERS, TERMS)
    assert delivered.written == ((PEERS[0], urgent), (PEERS[0], small))
    assert delivered.left == ((PEERS[0], large, "no room on the medium"),)
    assert temps_on(stick) == set()
    # What cannot fit is not even begun.
    assert not [step for step in stick.steps if large.bundle_id in step]


def test_some_clusters_are_kept_for_folders() -> None:
    for clusters in range(1, 20):
        anne, stick = anne_with(b"x"), MemoryFileSystem(capacity_bytes=(clusters + 2) * 4096)
        delivered = anne.at(medium_in(stick)).deliver(PEERS, TERMS)
        assert len(delivered.written) == (clusters > 8)


class _Silent(MemoryFileSystem):
    """Does not tell its room, like some file systems in user space, and fills all the same."""

    is_asked_from_outside = False

    def space(self) -> Space:
        told = super().space()
        return told._replace(free_bytes=None) if self.is_asked_from_outside else told

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        self.is_asked_from_outside = False
        try:
            return super().create(path, chunks)
        finally:
            self.is_asked_from_outside = True


def test_a_medium_that_does_not_tell_its_room_fills_gracefully() -> None:
    anne, stick = ToyNode(1, MemoryFileSystem()), _Silent(capacity_bytes=10 * 4096)
    large = anne.queue(2, bytes(30 * 4096), priority=1)
    small = anne.queue(2, b"small", priority=7)
    delivered = anne.at(medium_in(stick)).deliver(PEERS, TERMS)
    assert delivered.left == ((PEERS[0], large, "no room on the medium"),)
    assert delivered.written == ((PEERS[0], small),)
    assert temps_on(stick) == set()


def test_fragments_that_outgrow_the_room_stop_before_the_medium_does() -> None:
    anne, stick = anne_with(b"x"), MemoryFileSystem(capacity_bytes=20 * 4096)
    medium = medium_in(stick)
    produced = []

    def endless(_peer: str, _name: BundleName) -> Iterator[bytes]:
        while True:
            produced.append(4096)
            yield bytes(4096)

    questions = anne.at(medium).questions._replace(fragments=endless)
    delivered = Directory(medium, anne.spool, questions).deliver(PEERS, TERMS)
    assert len(delivered.left) == 1
    assert len(produced) == 20 - 2 - 8 + 1
    assert temps_on(stick) == set()


def test_a_file_cut_short_is_written_anew() -> None:
    anne, stick = anne_with(b"hello"), MemoryFileSystem()
    anne.at(medium_in(stick)).deliver(PEERS, TERMS)
    (path,) = fragments_on(stick)
    whole = stick.files()[path]
    stick.remove(path)
    stick.create(path, [whole[:3]])
    assert len(anne.at(medium_in(stick)).deliver(PEERS, TERMS).written) == 1
    assert stick.files()[path] == whole


class _Reading(MemoryFileSystem):
    """Notes how much is asked for of each fragment file."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        if path.endswith(".pnr"):
            self.limits.append(limit_bytes)
        return super().read(path, limit_bytes=limit_bytes)


def test_how_much_is_read_of_what_is_there_is_not_for_the_medium_to_say() -> None:
    """A sparse file takes no room on a medium, and all memory of whoever reads it."""
    anne, stick = anne_with(b"hello"), _Reading()
    anne.at(medium_in(stick)).deliver(PEERS, TERMS)
    (path,) = fragments_on(stick)
    whole = stick.files()[path]
    assert len(anne.at(medium_in(stick)).deliver(PEERS, TERMS).already_there) == 1
    stick.remove(path)
    stick.create(path, [whole, bytes(1 << 20)])
    assert len(anne.at(medium_in(stick)).deliver(PEERS, TERMS).written) == 1
    assert stick.files()[path] == whole
    assert stick.limits == [len(whole)]


def test_a_bundle_that_is_withdrawn_meanwhile_is_left() -> None:
    anne, stick = anne_with(b"one", b"two"), MemoryFileSystem()
    medium = medium_in(stick)

    def withdrawn(peer: str, name: BundleName) -> Iterator[bytes]:
        for other in anne.spool.outbox.queued(peer):
            anne.spool.outbox.withdraw(peer, other)
        return anne.fragments(peer, name)

    questions = anne.at(medium).questions._replace(fragments=withdrawn)
    delivered = Directory(medium, anne.spool, questions).deliver(PEERS, TERMS)
    assert (len(delivered.written), len(delivered.left)) == (0, 2)
    assert temps_on(stick) == set()


class _Pulled(MemoryFileSystem):
    """Is pulled when the fifth fragment file is begun."""

    def create(self, path: str, chunks: Iterable[bytes | memoryview]) -> int:
        self.is_gone = len(fragments_on(self)) == 4
        return super().create(path, chunks)


def test_pulling_the_medium_keeps_the_groups_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver_module, "_GROUP_COUNT", 2)
    anne, stick = anne_with(*(bytes([number]) for number in range(5))), _Pulled()
    with pytest.raises(MediumGoneError) as caught:
        anne.at(medium_in(stick)).deliver(PEERS, TERMS)
    assert isinstance(caught.value.done, Delivered)
    assert len(caught.value.done.written) == 4
    assert len(fragments_on(stick.after_power_cut(lambda _: False))) == 4


def test_carried_files_go_on_once_and_to_others_only() -> None:
    first, second = MemoryFileSystem(), MemoryFileSystem()
    anne, mule = anne_with(*BUNDLES), ToyNode(9, MemoryFileSystem())
    anne.at(medium_in(first)).deliver(PEERS, TERMS)
    mule.at(medium_in(first)).collect(TERMS)
    other = medium_in(second)
    other.id = "e" * 16
    assert mule.at(other).deliver([], TERMS).carried_written == 3
    assert {path: second.files()[path] for path in fragments_on(second)} == {
        path: first.files()[path] for path in fragments_on(first)
    }
    for path in fragments_on(second):
        second.remove(path)
    assert mule.at(other).deliver([], TERMS).carried_written == 0


def test_what_is_carried_and_does_not_fit_is_counted() -> None:
    first, second = MemoryFileSystem(), MemoryFileSystem(capacity_bytes=4 * 4096)
    anne, mule = anne_with(b"one"), ToyNode(9, MemoryFileSystem())
    anne.at(medium_in(first)).deliver(PEERS, TERMS)
    mule.at(medium_in(first)).collect(TERMS)
    other = medium_in(second)
    other.id = "e" * 16
    delivered = mule.at(other).deliver([], TERMS)
    assert (delivered.carried_written, delivered.carried_left) == (0, 1)
    second.capacity_bytes = None
    assert mule.at(other).deliver([], TERMS).carried_written == 1


def test_only_the_bundles_chosen_go() -> None:
    anne, stick = anne_with(*BUNDLES), MemoryFileSystem()
    chosen = anne.spool.outbox.queued(PEERS[0])[1]
    terms = TERMS._replace(bundles=frozenset({chosen.bundle_id}))
    delivered = anne.at(medium_in(stick)).deliver(PEERS, terms)
    assert (delivered.written, delivered.left) == (((PEERS[0], chosen),), ())


def test_peers_that_are_none_are_refused() -> None:
    anne = anne_with(b"one")
    with pytest.raises(MalformedNameError):
        anne.at(medium_in(MemoryFileSystem())).deliver(["../x"], TERMS)


def test_an_error_at_any_step_at_home_is_of_a_room_and_keeps_the_queue() -> None:
    failures = 0
    for fail_at in count():
        anne, stick = anne_with(*BUNDLES), MemoryFileSystem()
        home = anne.fs
        assert isinstance(home, MemoryFileSystem)
        first = MemoryFileSystem()
        other = ToyNode(7, MemoryFileSystem())
        other.queue(8, b"for others")
        other.at(medium_in(first)).deliver([node_id(8)], TERMS)
        anne.at(medium_in(first)).collect(TERMS)
        medium = medium_in(stick)
        medium.id = "e" * 16
        home.steps.clear()
        home.faults = Faults(fail_at=fail_at, error=errno.EIO)
        try:
            anne.at(medium).deliver(PEERS, TERMS)
        except (SpoolError, TransportError):
            failures += 1
        if len(home.steps) <= fail_at:
            break
        home.faults = Faults()
        assert len(anne.spool.outbox.queued(PEERS[0])) == 3
        anne.at(medium).deliver(PEERS, TERMS)
        assert len(fragments_on(stick)) == 4
    assert failures > 0


def fresh_from(anne: ToyNode, *bundles: bytes) -> Iterator[Fresh]:
    """Bundles that are made as they are asked for."""
    for data in bundles:
        name = anne.queue(2, data)
        chunks = anne.fragments(PEERS[0], name)
        yield Fresh(PEERS[0], name, len(data), chunks, lambda: None)


def test_what_is_made_meanwhile_goes_last() -> None:
    anne, stick = anne_with(b"one"), MemoryFileSystem()
    delivered = anne.at(medium_in(stick)).deliver(PEERS, TERMS, fresh_from(anne, b"two", b"three"))
    assert len(delivered.written) == 3
    creates = [step for step in stick.steps if step.startswith("create") and ".pnr" in step]
    assert delivered.written[0][1].bundle_id in creates[0]
    bea = ToyNode(2, MemoryFileSystem())
    bea.at(medium_in(stick)).collect(TERMS)
    bea.merge()
    assert sorted(bea.merged.values()) == [b"one", b"three", b"two"]


def test_what_is_made_meanwhile_is_noted_before_anybody_can_find_it() -> None:
    anne, stick = ToyNode(1, MemoryFileSystem()), MemoryFileSystem()
    found: list[int] = []
    fresh = fresh_from(anne, b"two", b"three")
    noting = (one._replace(note=lambda: found.append(len(fragments_on(stick)))) for one in fresh)
    anne.at(medium_in(stick)).deliver(PEERS, TERMS, noting)
    assert found == [0]
    assert len(fragments_on(stick)) == 2


def test_what_cannot_be_noted_leaves_nothing_behind() -> None:
    def refuse() -> None:
        raise KeyError("the node")

    anne, stick = ToyNode(1, MemoryFileSystem()), MemoryFileSystem()
    fresh = (one._replace(note=refuse) for one in fresh_from(anne, b"two"))
    with pytest.raises(KeyError):
        anne.at(medium_in(stick)).deliver(PEERS, TERMS, fresh)
    assert (fragments_on(stick), temps_on(stick)) == (set(), set())


def test_what_making_raises_passes_through_and_leaves_nothing_half_done() -> None:
    def failing(anne: ToyNode) -> Iterator[Fresh]:
        yield from fresh_from(anne, b"two")
        raise KeyError("the node")

    anne, stick = anne_with(b"one"), MemoryFileSystem()
    with pytest.raises(KeyError):
        anne.at(medium_in(stick)).deliver(PEERS, TERMS, failing(anne))
    assert temps_on(stick) == set()
    assert len(anne.spool.outbox.queued(PEERS[0])) == 2


def test_the_next_bundle_is_asked_for_before_the_one_before_is_written() -> None:
    anne, stick = anne_with(*BUNDLES), MemoryFileSystem()
    asked: list[int] = []
    directory = anne.at(medium_in(stick))
    real = directory.questions.fragments

    def fragments(peer: str, name: BundleName) -> Iterable[bytes | memoryview]:
        asked.append(sum(step.startswith("create") and ".pnr" in step for step in stick.steps))
        return real(peer, name)

    questions = directory.questions._replace(fragments=fragments)
    directory._replace(questions=questions).deliver(PEERS, TERMS)
    assert asked == [0, 0, 1]


def test_two_deliveries_add_up() -> None:
    anne, stick = anne_with(b"one"), MemoryFileSystem()
    one = anne.at(medium_in(stick)).deliver(PEERS, TERMS)
    anne.queue(2, b"two")
    both = one.and_then(anne.at(medium_in(stick)).deliver(PEERS, TERMS))
    assert (len(both.written), len(both.already_there), both.carried_written) == (2, 1, 0)


@pytest.mark.parametrize("junk", [b"short", b"longer than what is genuine"])
def test_what_is_carried_lies_beside_what_else_has_its_name(junk: bytes) -> None:
    """And replaces it not: either of them may be the genuine one."""
    data, name = b"what is genuine", BundleName(3, 9000, "00000000", "a" * 16, 1360).fragment(0)
    mule, stick = ToyNode(3, MemoryFileSystem()), MemoryFileSystem()
    mule.spool.carried.take({name: data}, "1", today_days=0)
    medium = medium_in(stick)
    stick.make_folder("pannier/aa")
    stick.create(fragment_path(name), [junk])
    assert mule.at(medium).deliver([], TERMS).carried_written == 1
    found = {path: stick.read(path, limit_bytes=99) for path in fragments_on(stick)}
    beside = fragment_path(name.beside(sha256(data).digest()))
    assert found == {fragment_path(name): junk, beside: data}
    assert mule.at(medium).deliver([], TERMS).carried_written == 0


def test_a_beginning_of_what_is_carried_is_made_whole() -> None:
    data, name = b"what is genuine", BundleName(3, 9000, "00000000", "a" * 16, 1360).fragment(0)
    mule, stick = ToyNode(3, MemoryFileSystem()), MemoryFileSystem()
    mule.spool.carried.take({name: data}, "1", today_days=0)
    medium = medium_in(stick)
    stick.make_folder("pannier/aa")
    stick.create(fragment_path(name), [data[:4]])
    assert mule.at(medium).deliver([], TERMS).carried_written == 1
    assert fragments_on(stick) == {fragment_path(name)}
    assert stick.read(fragment_path(name), limit_bytes=99) == data
