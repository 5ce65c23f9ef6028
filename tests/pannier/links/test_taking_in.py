"""What a peer may offer and send that no honest one does."""

from collections.abc import Callable, Iterator
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

import pytest

from bundler.fragment import mac_check
from bundler.sealed import bundle_id
from bundler.split import Cut, split
from ledger.errors import BusyError as LedgerBusyError
from ledger.errors import DamagedError
from pannier.errors import BusyError as PannierBusyError
from pannier.links import coming, taking_in, wholes
from pannier.links.answering import answer, keep_file, keep_whole
from pannier.links.cargo import digest_of
from pannier.links.taking_in import TakingIn
from spool.delivery import Arrival
from spool.errors import FullError, StorageError
from spool.inbox import Inbox
from spool.partial import PartName
from tests.pannier.links.wire import DeskInPlace
from tests.sim.world import World
from transports.link.events import WholeArrived
from transports.link.frame import Label
from transports.link.wares import FRAGMENTS, SEALED, Ware

Ranges = tuple[tuple[int, int], ...] | None
DATA = shake_256(b"data").digest(5000)


class Peer:
    """ada's taking in, told by hand; and what it answers."""

    def __init__(self, world: World) -> None:
        self.world, self.answers = world, list[tuple[int, Ranges]]()
        self.declined: list[int] = []
        self.came = 0
        self.start()

    def start(self) -> None:
        self.now_us = 0
        self.desk = DeskInPlace(lambda: self.world["ada"])
        node, bea = self.world["ada"], self.world["bea"].card.node_id
        self.taking = TakingIn(node, self, self.desk, f"link{bea}", came=self._came)
        self.step()

    def ask(self, handle: int, ranges: Ranges) -> None:
        self.answers.append((handle, ranges))

    def decline(self, number: int) -> None:
        self.declined.append(number)

    def _came(self) -> None:
        self.came += 1

    def step(self, times: int = 3) -> list[tuple[int, Ranges]]:
        """Let some time pass; return what was answered since the last time."""
        for _ in range(times):
            self.now_us += 2_000_000
            self.taking.step(self.now_us)
            self.desk.finish()
        answers, self.answers = self.answers, []
        return answers

    def offer(self, handle: int, ware: Ware) -> list[tuple[int, Ranges]]:
        self.taking.offered(handle, ware)
        return self.step()

    @property
    def node_id(self) -> str:
        return self.world["bea"].card.node_id


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with World(tmp_path) as world:
        yield Peer(world)


def sealed_ware(peer: Peer, data: bytes = DATA, **changes: object) -> Ware:
    """A bundle that bea sends to ada, as far as its name goes."""
    ada, bea = peer.world["ada"], peer.world["bea"]
    number = bundle_id(data)
    hint = bea.shared.hint_to(bea.peer_named(ada.card.name), number)
    return ware(
        kind=SEALED, hint=hint, bundle_id=number, size=len(data), symbol_bytes=400, **changes
    )


def file_ware(peer: Peer, data: bytes, **changes: object) -> Ware:
    """A file with fragments of it."""
    like = sealed_ware(peer)
    values = {"hint": like.hint, "bundle_id": like.bundle_id, "digest": digest_of(data)}
    return ware(kind=FRAGMENTS, size=len(data), **{**values, **changes})


def ware(**values: object) -> Ware:
    usual = {"key": None, "priority": 4, "expiry_days": 60_000}
    return Ware(**{**usual, **values})  # type: ignore[arg-type]


def genuine_file(peer: Peer) -> bytes:
    ada = peer.world["ada"].card.node_id
    key = peer.world["bea"].shared.fragment_key_to(ada)
    return b"".join(split(DATA, Cut(mtu_bytes=450, symbol_bytes=400, check=mac_check(key))))


def kept(peer: Peer) -> bytes:
    arrivals = peer.world["ada"].spool.inbox.read(bundle_id(DATA).hex())
    return b"".join(arrival.data for arrival in arrivals)


def parts(peer: Peer) -> list[PartName]:
    return peer.world["ada"].spool.partials.names()


def test_a_bundle_is_kept_as_its_sender_would_cut_it(peer: Peer) -> None:
    assert peer.offer(1, sealed_ware(peer)) == [(1, ((0, 5000),))]
    peer.taking.arrived(1, 0, DATA[:3000])
    assert peer.step() == []
    assert kept(peer) == b""
    peer.taking.arrived(1, 3000, DATA[3000:])
    assert peer.step() == [(1, ())]
    assert peer.came
    assert parts(peer) == []
    key = peer.world["bea"].shared.fragment_key_to(peer.world["ada"].card.node_id)
    (whole,) = split(DATA, Cut(mtu_bytes=6000, symbol_bytes=400, check=mac_check(key)))
    assert kept(peer) == whole


def test_have_is_said_when_it_is_on_the_disk_and_not_before(peer: Peer) -> None:
    peer.offer(1, sealed_ware(peer))
    peer.taking.arrived(1, 0, DATA)
    assert peer.answers == []
    assert kept(peer)
    assert peer.step() == [(1, ())]


@pytest.mark.parametrize("kind", ["bundle", "file"])
def test_what_came_before_a_kill_is_not_asked_for_again(peer: Peer, kind: str) -> None:
    data = genuine_file(peer) if kind == "file" else DATA
    one = file_ware(peer, data) if kind == "file" else sealed_ware(peer)
    peer.offer(1, one)
    peer.taking.arrived(1, 100, data[100:1000])
    peer.taking.arrived(1, 2000, data[2000:3333])
    peer.taking.step(peer.now_us + 100_000)
    peer.world.reopen("ada")
    peer.start()
    assert peer.offer(7, one) == [(7, ((0, 100), (1000, 2000), (3333, len(data))))]
    for start, end in ((0, 100), (1000, 2000), (3333, len(data))):
        peer.taking.arrived(7, start, data[start:end])
    assert peer.step() == [(7, ())]
    assert parts(peer) == []


def test_a_session_that_ends_leaves_symbols_where_a_stick_would(peer: Peer) -> None:
    peer.offer(1, sealed_ware(peer))
    peer.taking.arrived(1, 0, DATA[:1000])
    peer.taking.end()
    assert len(kept(peer)) > 800
    assert [len(one.data) for one in peer.world["ada"].spool.partials.read(*parts(peer))] == [200]
    peer.start()
    assert peer.offer(2, sealed_ware(peer)) == [(2, ((1000, 5000),))]


def test_what_an_import_takes_out_of_the_inbox_meanwhile_is_not_asked_for(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link broke before it could say that all had come, and it is offered once more."""
    one, read = sealed_ware(peer), Inbox.read
    peer.offer(1, one)
    peer.taking.arrived(1, 0, DATA)
    peer.taking.end()
    peer.start()

    def imported(inbox: Inbox, number: str, sender: str | None = None) -> Iterator[Arrival]:
        peer.world["ada"].db.note_seen(number, peer.node_id, one.expiry_days, "merged")
        inbox.discard(number)
        return read(inbox, number, sender)

    monkeypatch.setattr(Inbox, "read", imported)
    assert peer.offer(2, one) == [(2, ())]


def test_a_file_that_is_not_what_was_offered_is_asked_for_again_a_few_times(peer: Peer) -> None:
    data = genuine_file(peer)
    answers = peer.offer(1, file_ware(peer, data))
    asked = 0
    while answers == [(1, ((0, len(data)),))]:
        asked += 1
        peer.taking.arrived(1, 0, bytes(len(data)))
        answers = peer.step()
    assert answers == [(1, None)]
    assert asked == 3
    assert kept(peer) == b""
    assert parts(peer) == []
    assert len(peer.taking.notes()) == 1


def test_of_a_file_only_what_its_sender_made_is_kept(peer: Peer) -> None:
    forged = b"".join(split(DATA, Cut(mtu_bytes=450, symbol_bytes=400, check=mac_check(bytes(32)))))
    genuine = genuine_file(peer)
    mixed = forged + genuine[: len(genuine) // 2] + b"junk"
    for handle, data, said in ((1, forged, None), (2, mixed, ())):
        peer.offer(handle, file_ware(peer, data))
        peer.taking.arrived(handle, 0, data)
        assert peer.step() == [(handle, said)]
    assert kept(peer)
    assert kept(peer) in genuine
    assert peer.world["ada"].db.forged() > 10


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": 8},
        {"symbol_bytes": 8, "size": 1 << 24},
        {"hint": b"\0\0\0\0"},
    ],
)
def test_what_cannot_be_or_is_for_nobody_is_refused(peer: Peer, changes: dict[str, object]) -> None:
    like = sealed_ware(peer)
    fields = {name: getattr(like, name) for name in Ware.__slots__}
    assert peer.offer(1, Ware(**{**fields, **changes})) == [(1, None)]


def test_who_carries_nothing_says_so_without_a_word_to_its_people(peer: Peer) -> None:
    peer.world.configure("ada", "[spool]\ncarry_bytes = 0\n")
    peer.start()
    one = file_ware(peer, genuine_file(peer), hint=bytes(4))
    assert peer.offer(1, one) == [(1, None)]
    assert peer.taking.notes() == []


def test_junk_for_others_is_refused_if_it_only_looks_like_something(peer: Peer) -> None:
    data = b"\x87\x01\x48 no fragment"
    one = file_ware(peer, data, hint=bytes(4))
    assert peer.offer(1, one) == [(1, ((0, len(data)),))]
    peer.taking.arrived(1, 0, data)
    assert peer.step() == [(1, None)]
    assert peer.world["ada"].spool.carried.known() == {}


def test_under_a_name_that_is_taken_only_the_same_is_taken_for_it(peer: Peer) -> None:
    data = genuine_file(peer)
    for handle, one in enumerate((data, data, bytes(len(data)))):
        answers = peer.offer(handle, file_ware(peer, one, hint=bytes(4)))
        if answers == [(handle, ((0, len(data)),))]:
            peer.taking.arrived(handle, 0, one)
            answers = peer.step()
        assert answers == [(handle, None if handle == 2 else ())]


def test_longer_junk_takes_the_place_of_nothing(peer: Peer) -> None:
    data = genuine_file(peer)
    junk = b"".join(split(DATA, Cut(mtu_bytes=450, symbol_bytes=400, check=mac_check(bytes(32)))))
    carried = peer.world["ada"].spool.carried
    for handle, one in enumerate((data[: len(data) // 2], junk, data)):
        peer.offer(handle, file_ware(peer, one, hint=bytes(4)))
        peer.taking.arrived(handle, 0, one)
        assert peer.step() == [(handle, ())]
    assert {carried.read(one) for one in carried.known()} == {data, junk}
    for handle, one in enumerate((junk, data)):
        assert peer.offer(handle, file_ware(peer, one, hint=bytes(4))) == [(handle, ())]


def test_what_may_find_no_room_when_it_is_here_is_not_asked_for(peer: Peer) -> None:
    """Else it went over the air at each session, and was dropped each time."""
    peer.world.configure("ada", "[spool]\ncarry_bytes = 8192\n")
    peer.start()
    data = genuine_file(peer)
    for handle, one in enumerate((data[: len(data) // 2], bytes(len(data)))):
        answers = peer.offer(handle, file_ware(peer, one, hint=bytes(4)))
        assert answers == [(handle, None if handle else ((0, len(one)),))]
        peer.taking.arrived(handle, 0, one)
        peer.step()
    assert len(peer.world["ada"].spool.carried.known()) == 1


def test_a_flood_of_offers_costs_one_look_each_and_no_more_room_than_there_is(peer: Peer) -> None:
    peer.desk.done.clear()
    for handle in range(1000):
        one = ware(
            kind=FRAGMENTS,
            hint=bytes(4),
            bundle_id=sha256(b"%d" % handle).digest()[:8],
            size=1 << 24,
            digest=bytes(8),
        )
        peer.taking.offered(handle, one)
        if handle >= 128:
            peer.taking.withdrawn(handle - 128)
    answers = peer.step()
    assert len(peer.desk.done) <= 2
    asked = [handle for handle, ranges in answers if ranges]
    assert 1 <= len(asked) <= 4
    assert peer.taking.to_come <= 64 << 20


def test_what_waits_for_room_is_asked_for_when_others_are_withdrawn(peer: Peer) -> None:
    asked: set[int] = set()
    for handle in range(10):
        one = ware(
            kind=FRAGMENTS,
            hint=bytes(4),
            bundle_id=sha256(b"%d" % handle).digest()[:8],
            size=1 << 24,
            digest=bytes(8),
        )
        asked |= {number for number, _ in peer.offer(handle, one)}
    assert 0 < len(asked) < 5
    for handle in sorted(asked):
        peer.taking.withdrawn(handle)
    later = {number for number, ranges in peer.step() if ranges}
    assert len(later) == len(asked)
    assert not later & asked


def test_crumbs_that_make_no_symbols_are_bounded(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming, "_MOST_LOOSE_BYTES", 20_000)
    monkeypatch.setattr(coming, "_KEEP_BYTES", 10_000)
    data = shake_256(b"crumbs").digest(400_000)
    peer.offer(1, sealed_ware(peer, data))
    answers: list[tuple[int, Ranges]] = []
    for start in range(0, len(data), 400):
        peer.taking.arrived(1, start, data[start : start + 100])
        answers += peer.step(1) if start % 4000 == 0 else []
    assert answers[:1] == [(1, None)]
    assert parts(peer) == []


def test_a_small_bundle_is_durable_when_it_was_taken(peer: Peer) -> None:
    one = sealed_ware(peer)
    label = Label(one.priority, one.expiry_days, one.hint)
    peer.taking.whole(WholeArrived(1, label, DATA))
    assert DATA in kept(peer)
    assert peer.declined == []
    before = peer.came
    peer.taking.whole(WholeArrived(2, Label(4, 60_000, bytes(4)), DATA))
    assert peer.came == before
    peer.taking.whole(WholeArrived(3, Label(9, 60_000, one.hint), DATA))
    assert len(peer.taking.notes()) == 1
    assert peer.declined == [2, 3]


def test_a_small_bundle_that_finds_no_room_does_not_count_as_delivered(peer: Peer) -> None:
    peer.world.configure("ada", "[spool]\npeer_bytes = 4096\n")
    peer.start()
    one = sealed_ware(peer)
    peer.taking.whole(WholeArrived(7, Label(one.priority, one.expiry_days, one.hint), DATA))
    assert not kept(peer)
    assert peer.declined == [7]
    assert "no room" in peer.taking.notes()[0]


FAILURES = [
    PannierBusyError("busy"),
    LedgerBusyError("busy"),
    DamagedError("disk I/O error"),
    StorageError("disk I/O error"),
    OSError(5, "Input/output error"),
]


def failing(times: int, error: Exception, act: Callable[..., Any]) -> Callable[..., Any]:
    """Return what fails so often before it is *act*."""
    left = [error] * times

    def failed(*given: Any, **named: Any) -> Any:
        if left:
            raise left.pop()
        return act(*given, **named)

    return failed


@pytest.mark.parametrize("error", FAILURES, ids=lambda one: type(one).__module__)
def test_a_look_that_fails_is_tried_again_soon_and_is_no_refusal(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(taking_in, "answer", failing(3, error, answer))
    assert peer.offer(1, sealed_ware(peer)) == []
    assert not peer.taking.is_settled
    assert peer.taking.due_us is not None
    assert peer.step() == [(1, ((0, 5000),))]
    is_busy = "busy" in str(error)
    assert peer.taking.notes() == ([] if is_busy else [str(error)] * 3)


def test_a_node_that_cannot_be_opened_or_looked_at_refuses_nothing(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer.taking, "_mark", failing(1, OSError("no"), peer.taking._mark))
    monkeypatch.setattr(peer.desk, "_node", failing(1, PannierBusyError("no"), peer.desk._node))
    peer.taking.offered(1, sealed_ware(peer))
    assert peer.step(2) == []
    assert not peer.taking.is_settled
    assert peer.step() == [(1, ((0, 5000),))]


def test_what_a_disk_does_not_take_is_asked_for_again(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.offer(1, sealed_ware(peer))
    peer.taking.arrived(1, 0, DATA[:1000])
    peer.step()
    partials = peer.world["ada"].spool.partials
    append = failing(2, StorageError("disk I/O error"), partials.append)
    monkeypatch.setattr(partials, "append", append)
    peer.taking.arrived(1, 1000, DATA[1000:1900])
    assert peer.step(1) == []
    assert not peer.taking.is_settled
    ((handle, ranges),) = peer.step()
    assert handle == 1
    assert ranges in [((1000, 5000),), ((1900, 5000),)]
    peer.taking.arrived(1, ranges[0][0], DATA[ranges[0][0] :])
    assert peer.step() == [(1, ())]
    assert peer.taking.is_settled


def test_a_file_that_cannot_be_kept_now_is_kept_later_and_not_asked_for_again(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "keep_file", failing(2, OSError("no"), keep_file))
    data = genuine_file(peer)
    peer.offer(1, file_ware(peer, data))
    peer.taking.arrived(1, 0, data)
    assert peer.step() == []
    assert not peer.taking.is_settled
    assert peer.step(6) == [(1, ())]
    assert kept(peer) == data


def test_a_look_that_fails_while_bytes_come_lets_them_come(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.offer(1, sealed_ware(peer))
    peer.taking._offered[1].mark = "something came by another way"
    monkeypatch.setattr(taking_in, "answer", failing(1, OSError("no"), answer))
    peer.taking.look_again()
    assert peer.step(1) == []
    peer.taking.arrived(1, 0, DATA)
    assert peer.step() == [(1, ())]


def test_what_is_withdrawn_is_not_looked_at_again(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "answer", failing(1, OSError("no"), answer))
    peer.taking.offered(1, sealed_ware(peer))
    peer.step(1)
    peer.taking.withdrawn(1)
    assert peer.taking.is_settled
    assert peer.step() == []


def test_a_small_bundle_that_cannot_be_kept_now_is_kept_later(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wholes, "keep_whole", failing(2, OSError("no"), keep_whole))
    one = sealed_ware(peer)
    before = peer.came
    peer.taking.whole(WholeArrived(7, Label(one.priority, one.expiry_days, one.hint), DATA))
    assert peer.declined == [7]
    assert not peer.taking.is_settled
    assert peer.step() == []
    assert DATA in kept(peer)
    assert (peer.came, peer.declined) == (before + 1, [7])
    assert peer.taking.due_us is None


def test_small_bundles_that_wait_to_be_kept_are_bounded(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wholes, "keep_whole", failing(1000, OSError("no"), keep_whole))
    for number in range(1000):
        peer.taking.whole(WholeArrived(number, Label(4, 60_000, bytes(4)), DATA))
    assert len(peer.declined) == 1000
    assert len(peer.taking._wholes._later) == 128


def test_what_could_not_be_begun_claims_no_room(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    partials = peer.world["ada"].spool.partials
    for refused in (StorageError("disk I/O error"), FullError("the disk is full")):
        read = failing(1, refused, partials.read)
        monkeypatch.setattr(partials, "read", read)
        peer.taking.offered(1, sealed_ware(peer))
        peer.step(1)
        peer.taking.withdrawn(1)
        assert partials._claims == {}
