import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.geometry import Geometry
from bundler.join import Complete, Joiner
from bundler.sealed import bundle_id
from bundler.split import Cut, Numbers, symbols_of
from bundler.whole import START as WHOLE_START
from pannier.errors import UsageError
from pannier.files_sending import Made, make_files
from pannier.home import Peer
from pannier.links.carousel import Carousel, Terms
from pannier.links.listening import Listener
from pannier.links.payload_ids import Supply
from pannier.loads import Room
from pannier.lock import exclusive
from pannier.node import Node
from pannier.out_bundle import OutBundle
from pannier.sending import prepare
from tests.cli.computers import Computer, acquaint, new_computer, new_pair
from transports.link.frame import OneWay

MTU = 222
Pair = tuple[Computer, Computer]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A farm with a ledger that home is a member of, and nothing in it that home lacks."""
    return new_pair(tmp_path)


def put(farm: Computer, thing: str, size: int, peer: str = "home") -> None:
    """Put *size* bytes that no packer makes smaller."""
    farm.types("put", thing, f'{{"noise": "{os.urandom(size // 2).hex()}"}}')
    farm.types("ledger", "share", peer)


@contextmanager
def carousel(farm: Computer, *peers: str, medium: str = "m", **terms: int) -> Iterator[Carousel]:
    with farm.node() as node:
        named = [node.peer_named(name) for name in peers or ("home",)]
        one = Carousel(node, named, Terms(**{"frame_bytes": MTU, **terms}), medium=medium)
        try:
            yield one
        finally:
            one.close()


def frames_of(one: Carousel, most: int = 100_000) -> list[OneWay]:
    """Return what goes until all rounds are over, or the first *most* of it."""
    found: list[OneWay] = []
    while len(found) < most and (frame := one.supply(0)) is not None:
        found.append(frame)
    return found


def all_of(one: Carousel) -> list[OneWay]:
    """Return what goes until there is nothing left, looking for more before each frame."""
    found: list[OneWay] = []
    while (frame := one.supply(one.due_us())) is not None or not one.is_idle:
        found += [frame] if frame is not None else []
    return found


def sent(farm: Computer, *peers: str, medium: str = "m", **terms: int) -> list[OneWay]:
    """Return what goes in so many rounds, one if nothing is said."""
    terms = {"rounds": 1, **terms}
    with carousel(farm, *peers, medium=medium, **terms) as one:
        return frames_of(one)


def fragments(frames: list[OneWay]) -> list[Fragment]:
    return [
        Fragment.from_bytes(frame.body, is_plausible)
        for frame in frames
        if not frame.body.startswith(WHOLE_START)
    ]


def source_symbols(fragment: Fragment) -> int:
    return Geometry.of(fragment.transfer_bytes, fragment.symbol_bytes).symbols


def hear(computer: Computer, frames: list[OneWay]) -> Counter[str]:
    """Hear all frames; return what became of the bundles."""
    with computer.node() as node:
        listener = Listener(node)
        for now_us, frame in enumerate(frames):
            listener.take(frame, now_us)
        listener.flush()
        return Counter(one.value for one in listener.report.outcomes.values())


def has(computer: Computer, thing: str) -> bool:
    return computer.types("things").out.find(thing) >= 0


def add(farm: Computer, path: Path) -> None:
    """Add a file whose contents go in another bundle than the entry that names it."""
    path.write_bytes(os.urandom(20_000))
    farm.types("add", str(path))
    farm.types("ledger", "share", "home")


def add_in_two_ledgers(farm: Computer, folder: Path) -> None:
    """Add two files whose contents go in two bundles: each is of one ledger."""
    add(farm, folder / "report.bin")
    (folder / "other.bin").write_bytes(os.urandom(20_000))
    farm.types("ledger", "new", "barn")
    farm.types("add", str(folder / "other.bin"), "--ledger", "barn")
    farm.types("ledger", "share", "home", "--ledger", "barn")


def contents_in(frames: list[OneWay]) -> set[bytes]:
    """Return the ids of the bundles with contents of files."""
    return {part.bundle_id for part in fragments(frames) if part.transfer_bytes > 20_000}


def has_file(computer: Computer, path: Path) -> bool:
    out = computer.home.with_suffix(".out")
    computer.types("checkout", str(out))
    return any(one.read_bytes() == path.read_bytes() for one in out.rglob(path.name))


def redeem(farm: Computer, part: Fragment, count: int) -> Numbers:
    """Ask for more symbols of a bundle, as a ticket does in another process."""
    with farm.node() as node:
        geometry = Geometry.of(part.transfer_bytes, part.symbol_bytes)
        return Supply(node.db, part.bundle_id.hex(), geometry).redeem(0, count)


class TestRounds:
    def test_the_first_is_the_bundle_and_its_overhead(self, pair: Pair) -> None:
        farm, home = pair
        put(farm, "field/3", 4000)
        frames = sent(farm, overhead_percent=10)
        parts = fragments(frames)
        count = source_symbols(parts[0])
        assert [one.payload_id for one in parts] == list(range(count + -(-count // 10) + 2))
        assert max(len(frame.body) + 12 for frame in frames) <= MTU
        assert hear(home, frames) == {"merged": 1}
        assert has(home, "field/3")

    def test_later_ones_are_new_symbols_only(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        parts = fragments(sent(farm, rounds=7))
        ids = [one.payload_id for one in parts]
        assert ids == list(range(len(ids)))
        assert len(ids) >= 7 * source_symbols(parts[0])

    def test_a_restart_goes_on_with_new_ones(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        ids: list[int] = []
        rng = random.Random(5)
        for _ in range(12):
            with carousel(farm) as one:
                ids += [part.payload_id for part in fragments(frames_of(one, rng.randrange(90)))]
        assert len(set(ids)) == len(ids) > 300

    def test_what_went_often_enough_goes_no_more_after_a_restart(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        assert sent(farm, rounds=2)
        assert not sent(farm, rounds=2)
        assert sent(farm, rounds=3)

    def test_each_link_has_its_own(self, pair: Pair) -> None:
        farm, home = pair
        put(farm, "field/3", 4000)
        first, second = (sent(farm, medium=medium) for medium in ("here", "there"))
        ids = [part.payload_id for part in fragments([*first, *second])]
        assert ids == list(range(2 * len(first)))
        assert sent(farm, medium="here") == sent(farm, medium="there") == []
        assert hear(home, second) == {"merged": 1}

    def test_each_link_has_its_own_of_small_bundles(self, pair: Pair) -> None:
        farm, home = pair
        farm.types("put", "field/3", "1")
        farm.types("ledger", "share", "home")
        frames = [sent(farm, medium=medium, frame_bytes=1400) for medium in ("here", "there")]
        assert frames[0] == frames[1] != []
        assert hear(home, frames[1]) == {"merged": 1}

    def test_no_symbols_are_missing_from_a_round_that_was_cut(self, pair: Pair) -> None:
        farm, home = pair
        put(farm, "field/3", 4000)
        with carousel(farm, rounds=1) as one:
            before = frames_of(one, 20)
        assert hear(home, before + sent(farm, overhead_percent=0)) == {"merged": 1}

    def test_small_bundles_go_whole_in_each_round(self, pair: Pair) -> None:
        farm, home = pair
        farm.types("put", "field/3", "1")
        farm.types("ledger", "share", "home")
        frames = sent(farm, rounds=3, frame_bytes=1400)
        assert [frame.body.startswith(WHOLE_START) for frame in frames] == [True] * 3
        assert len({frame.body for frame in frames}) == 1
        assert hear(home, frames) == {"merged": 1}

    @pytest.mark.parametrize("size", [100, 4000])
    def test_what_the_wire_did_not_take_goes_again(self, pair: Pair, size: int) -> None:
        """Whoever asks for the next frame says that the one before went."""
        farm, home = pair
        put(farm, "field/3", size)
        with carousel(farm, rounds=1) as one:
            assert one.supply(0) is not None
            while one._current is not None and not one._current.is_sent:
                assert one.supply(0) is not None
            one.break_off()
            assert one.progress() == (1, 0, 0)
            frames = frames_of(one)
            assert one.progress() == (1, 1, 1)
        assert hear(home, frames) == {"merged": 1}
        assert has(home, "field/3")

    def test_frames_without_room_are_refused(self) -> None:
        Terms(frame_bytes=64)
        with pytest.raises(UsageError, match="at least 64"):
            Terms(frame_bytes=63)


class TestBlocks:
    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bundler.geometry._MAX_BLOCK_SYMBOLS", 8)

    def test_they_take_turns(self, pair: Pair) -> None:
        farm, home = pair
        put(farm, "field/3", 4000)
        frames = sent(farm, rounds=2)
        blocks = [part.payload_id >> 24 for part in fragments(frames)]
        count = max(blocks) + 1
        assert count >= 3
        assert blocks[: 2 * count] == [*range(count)] * 2
        assert hear(home, frames[count:]) == {"merged": 1}

    def test_each_has_its_own_rounds(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        ids = [part.payload_id for part in fragments(sent(farm, rounds=3, overhead_percent=0))]
        numbers = [
            sorted(one & 0xFFFFFF for one in ids if one >> 24 == block)
            for block in range(max(ids) >> 24)
        ]
        assert all(one == list(range(len(one))) for one in numbers)
        assert {len(one) % 3 for one in numbers} == {0}


class TestOrder:
    def test_what_is_new_does_not_wait_for_the_round_to_end(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 20_000)
        with carousel(farm, rounds=2) as one:
            first = frames_of(one, 30)
            farm.types("put", "field/4", "1")
            rest = [one.supply(3_000_000) for _ in range(400)]
        bundles = [part.bundle_id for part in fragments([*first, *filter(None, rest)])]
        assert len(set(bundles)) == 2
        changed = next(place for place, one in enumerate(bundles) if one != bundles[0])
        assert changed >= 30
        # The old one had its first round to end: both have gone less than once.
        assert bundles[0] in bundles[changed:]

    def test_what_another_process_keeps_busy_is_looked_at_again(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 1000)
        with carousel(farm) as one:
            with farm.node() as node, exclusive(node.home.locks / "send", "preparing bundles"):
                assert one.supply(0) is None
            assert one.supply(one.due_us()) is not None

    def test_it_is_not_over_while_another_process_keeps_busy_what_waits(self, pair: Pair) -> None:
        farm, home = pair
        put(farm, "field/3", 1000)
        with carousel(farm, rounds=1) as one:
            with farm.node() as node, exclusive(node.home.locks / "send", "preparing bundles"):
                assert one.supply(0) is None
                assert one.supply(one.due_us()) is None
                assert not one.is_idle
            frames = all_of(one)
        assert hear(home, frames) == {"merged": 1}

    def test_urgent_peers_go_first(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        ranch = new_computer(tmp_path, "ranch")
        acquaint(farm, ranch)
        put(farm, "field/3", 4000)
        farm.types("ledger", "share", "ranch")
        farm.configure("[peer.home]\npriority = 6\n[peer.ranch]\npriority = 1\n")
        frames = sent(farm, "home", "ranch")
        assert [frame.label.priority for frame in frames] == sorted(
            frame.label.priority for frame in frames
        )
        assert hear(home, frames)["merged"] == 1
        assert hear(ranch, frames)["merged"] == 1


class TestWhatCannotBeMade:
    @pytest.mark.parametrize("error", [BundleError("no room for its head"), IndexError(3)])
    def test_for_one_peer_keeps_nothing_from_the_others(
        self, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        farm, home = pair
        acquaint(farm, new_computer(tmp_path, "mill"))
        put(farm, "field/3", 400)
        add(farm, tmp_path / "report.bin")

        def preparing(node: Node, peer: Peer, *, mtu: int) -> list[OutBundle]:
            return prepare(node, unless_mill(peer, error), mtu=mtu)

        def making(node: Node, peer: Peer, room: Room, *, mtu: int) -> Iterator[Made]:
            yield from make_files(node, unless_mill(peer, error), room, mtu=mtu)

        monkeypatch.setattr("pannier.links.carousel.prepare", preparing)
        monkeypatch.setattr("pannier.links.carousel.make_files", making)
        with carousel(farm, "mill", "home", rounds=1) as one:
            frames = all_of(one)
            told = one.problems
        assert hear(home, frames)["merged"] == 2
        assert has_file(home, tmp_path / "report.bin")
        assert [line.partition(":")[0] for line in told] == [
            "nothing was made for mill",
            "no contents of files were made for mill",
        ]
        assert all(str(error) in line for line in told)

    def test_for_several_at_once_goes_to_each(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, home = pair
        put(farm, "field/3", 400)

        def preparing(_: Node, __: list[Peer]) -> None:
            raise BundleError("no room for its head")

        monkeypatch.setattr("pannier.links.carousel.prepare_groups", preparing)
        with carousel(farm, rounds=1) as one:
            frames = all_of(one)
            assert one.problems == ["nothing was made for several at once: no room for its head"]
        assert hear(home, frames) == {"merged": 1}


def unless_mill(peer: Peer, error: Exception) -> Peer:
    if peer.name == "mill":
        raise error
    return peer


class TestTickets:
    @pytest.mark.parametrize(("rounds", "gone"), [(1, 3), (3, 43)])
    def test_what_is_asked_for_while_its_bundle_goes_is_sent(
        self, pair: Pair, rounds: int, gone: int
    ) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        with carousel(farm, rounds=rounds) as one:
            frames = frames_of(one, gone)
            asked = redeem(farm, fragments(frames)[0], 5)
            frames += all_of(one)
        ids = [part.payload_id for part in fragments(frames)]
        assert set(range(asked.first, asked.end)) <= set(ids)
        assert sorted(ids) == list(range(len(ids)))

    def test_what_is_asked_for_twice_is_sent_once_each(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        part = fragments(sent(farm))[0]
        before = redeem(farm, part, 5)
        with carousel(farm, rounds=1) as one:
            frames = frames_of(one, 2)
            after = redeem(farm, part, 4)
            frames += all_of(one)
        assert [part.payload_id for part in fragments(frames)] == list(
            range(before.first, after.end)
        )


class TestFiles:
    def test_contents_go_before_all_rounds_are_over(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        add(farm, tmp_path / "report.bin")
        with carousel(farm, rounds=1) as one:
            frames = all_of(one)
        assert hear(home, frames)["merged"] == 2
        assert has_file(home, tmp_path / "report.bin")

    def test_contents_that_wait_are_not_made_anew(
        self, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, _ = pair
        add_in_two_ledgers(farm, tmp_path)
        made: list[bytes] = []

        def making(node: Node, peer: Peer, room: Room, *, mtu: int) -> Iterator[Made]:
            for one in make_files(node, peer, room, mtu=mtu):
                made.append(bytes.fromhex(one.bundle.bundle_id))
                yield one

        monkeypatch.setattr("pannier.links.carousel.make_files", making)
        with carousel(farm, rounds=2) as one:
            assert contents_in(all_of(one)) == set(made)
        assert len(made) == 2


class TestPeersThatCannotAnswer:
    def test_a_link_counts_as_one_medium_however_many_rounds(self, pair: Pair) -> None:
        farm, home = pair
        put(farm, "field/3", 4000)
        farm.configure("[peer.home]\noneway = true\nrepeat = 2\n")
        frames = sent(farm, rounds=3)
        with farm.node() as node:
            (bundle,) = node.db.queued_bundles()
            assert bundle.written == 1
        assert hear(home, frames[len(frames) // 2 :]) == {"merged": 1}

    def test_no_more_links_send_than_media_are_asked_for(self, pair: Pair) -> None:
        farm, _ = pair
        put(farm, "field/3", 4000)
        farm.configure("[peer.home]\noneway = true\nrepeat = 2\n")
        counts = [len(sent(farm, medium=medium)) for medium in ("m", "m", "other", "third")]
        assert counts == [counts[0], 0, counts[0], 0]
        assert counts[0] > 0

    @pytest.mark.parametrize("frame_bytes", [MTU, 1400])
    def test_what_was_cut_in_its_first_round_goes_after_a_restart(
        self, pair: Pair, frame_bytes: int
    ) -> None:
        farm, home = pair
        put(farm, "field/3", 200)
        farm.configure("[peer.home]\noneway = true\nrepeat = 1\n")
        with carousel(farm, frame_bytes=frame_bytes) as one:
            assert one.supply(0) is not None
        assert hear(home, sent(farm, frame_bytes=frame_bytes)) == {"merged": 1}

    def test_contents_of_files_all_go(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        add_in_two_ledgers(farm, tmp_path)
        farm.configure("[peer.home]\noneway = true\nrepeat = 1\n")
        with carousel(farm, rounds=1) as one:
            frames = all_of(one)
        assert len(contents_in(frames)) == 2
        assert hear(home, frames) == {"merged": 3}


def needed(node: Node, frames: Iterator[OneWay]) -> tuple[int, int]:
    """Hear frames until a bundle is merged; return K, and how many symbols that took."""
    listener, count, symbols = Listener(node), 0, 0
    for now_us, frame in enumerate(frames):
        (part,) = fragments([frame])
        symbols = source_symbols(part)
        count += 1
        listener.take(frame, now_us)
        if any(one.value == "merged" for one in listener.report.outcomes.values()):
            return symbols, count
    pytest.fail(f"not whole after {count} of {symbols} symbols")


def most_needed(symbols: int) -> int:
    return symbols + (symbols * 3 // 100 if symbols >= 100 else 2)


def heard(one: Carousel, loss: float, rng: random.Random) -> Iterator[OneWay]:
    for _ in range(200_000):
        frame = one.supply(0)
        assert frame is not None
        if rng.random() >= loss:
            yield frame


@pytest.mark.parametrize(("size", "loss"), [(1500, 0.5), (18_000, 0.9), (80_000, 0.05)])
def test_any_symbols_of_any_rounds_make_it_whole(tmp_path: Path, size: int, loss: float) -> None:
    """A receiver that joins late and hears a share: K + 2 symbols, or 3 % more than it needs."""
    farm, home = new_pair(tmp_path)
    put(farm, "field/3", size)
    rng = random.Random(size)
    with carousel(farm) as one:
        frames_of(one, rng.randrange(size // 100))
        with home.node() as node:
            symbols, count = needed(node, heard(one, loss, rng))
    assert count <= most_needed(symbols)
    assert has(home, "field/3")


@pytest.mark.parametrize("symbols", [1, 9, 100, 1500, 9000])
@pytest.mark.parametrize("loss", [0.0, 0.2, 0.8])
def test_a_joiner_needs_few_symbols_more_than_there_are(symbols: int, loss: float) -> None:
    """The code alone, with as many rounds as the loss takes: blocks take turns in each."""
    rng = random.Random(symbols + int(100 * loss))
    sealed = rng.randbytes(16 * symbols)
    cut = Cut(mtu_bytes=48, symbol_bytes=16)
    geometry = Geometry.of(len(sealed), 16)
    ends = [geometry.block_symbols(block) * int(3 / (1 - loss)) for block in range(geometry.blocks)]
    made = [symbols_of(sealed, cut, [Numbers(block, 0, end)]) for block, end in enumerate(ends)]
    joiner, count = Joiner(bundle_id(sealed)), 0
    for frame in chain.from_iterable(zip(*made, strict=False)):
        if rng.random() < loss:
            continue
        count += 1
        outcome = joiner.receive(Fragment.from_bytes(frame))
        if isinstance(outcome, Complete):
            assert outcome.sealed == sealed
            break
    else:
        pytest.fail("not whole")
    assert count <= most_needed(symbols)
