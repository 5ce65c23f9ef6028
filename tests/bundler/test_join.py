from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256, shake_128

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bundler.errors import BundleError, LimitError, MalformedError
from bundler.fragment import Fragment
from bundler.geometry import Geometry
from bundler.join import Cause, Complete, Gap, Joiner, Need, NeedMore, Spoiled
from bundler.limits import DEFAULT_LIMITS
from bundler.sealed import bundle_id
from bundler.sequence import parse_sequence
from bundler.split import Cut, Numbers, split, symbols_of
from tests.vectors import load

VECTORS = load("join")


def feed(joiner: Joiner, fragments: Iterable[Fragment]) -> object:
    """Feed all; return the last outcome, or the first that shows a forgery."""
    outcome: object = None
    for fragment in fragments:
        outcome = joiner.receive(fragment)
        if isinstance(outcome, Spoiled):
            return outcome
    return outcome


def fragments_of(sealed: bytes, cut: Cut, *, repair_percent: int = 0) -> list[Fragment]:
    return [
        Fragment.from_bytes(frame) for frame in split(sealed, cut, repair_percent=repair_percent)
    ]


def noise(size: int, seed: int = 0) -> bytes:
    return shake_128(b"%d" % seed).digest(size)


def shuffled(numbers: Iterable[int], seed: int) -> list[int]:
    return sorted(numbers, key=lambda number: sha256(b"%d/%d" % (seed, number)).digest())


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    sealed = bytes.fromhex(case["sealed"])
    fragments = [Fragment.from_bytes(bytes.fromhex(data)) for data in case["fragments"]]
    joiner = Joiner(bundle_id(sealed))
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            feed(joiner, fragments)
    elif case["expect"] == "unverified":
        assert feed(joiner, fragments) == Spoiled(Cause.WRONG_ID, 7)
    else:
        assert feed(joiner, fragments) == Complete(sealed)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(300, 500))
def test_a_tenth_of_repair_makes_good_a_twentieth_of_loss(seed: int, symbols: int) -> None:
    sealed = noise(symbols * 24, seed)
    fragments = fragments_of(sealed, Cut(mtu_bytes=64), repair_percent=10)
    order = shuffled(range(len(fragments)), seed)
    arrived = [fragments[index] for index in order[len(fragments) // 20 :]]
    assert feed(Joiner(bundle_id(sealed)), arrived) == Complete(sealed)


def test_symbols_of_a_radio_and_of_a_stick_add_up() -> None:
    sealed = noise(400_000)
    radio = fragments_of(sealed, Cut(mtu_bytes=222))
    stick = fragments_of(sealed, Cut(mtu_bytes=1 << 17, symbol_bytes=184))
    assert len(radio) > 2000
    assert 3 <= len(stick) <= 5
    joiner = Joiner(bundle_id(sealed))
    outcome = feed(joiner, [*radio[100:1500:2], *stick[1:]])
    assert isinstance(outcome, NeedMore)
    missing = {gap.payload_id + n for gap in joiner.gaps() for n in range(gap.count)}
    assert outcome.symbols == len(missing) < len(radio) // 2
    wanted = [one for one in radio if one.payload_id in missing]
    assert feed(joiner, wanted) == Complete(sealed)


def test_several_blocks_each_with_repair() -> None:
    """Three blocks of 8 MB at most; a tenth of each is lost."""
    sealed = noise(16 << 20)
    cut = Cut(mtu_bytes=50_000, symbol_bytes=1360)
    geometry = Geometry.of(len(sealed), 1360)
    assert geometry.blocks == 3
    fragments = fragments_of(sealed, cut, repair_percent=10)
    lost = {0, 1, 2, 3, 150, 151, 240, 241}
    arrived = [one for index, one in enumerate(fragments) if index not in lost]
    assert feed(Joiner(bundle_id(sealed)), arrived) == Complete(sealed)


def test_needs_count_what_has_not_come() -> None:
    sealed = noise(8 * 8192 + 8)
    cut = Cut(mtu_bytes=48, symbol_bytes=8)
    joiner = Joiner(bundle_id(sealed))
    assert list(joiner.needs()) == []
    feed(joiner, map(Fragment.from_bytes, symbols_of(sealed, cut, [Numbers(0, 0, 4000)])))
    assert list(joiner.needs()) == [Need(0, 97), Need(1, 4096)]
    feed(joiner, map(Fragment.from_bytes, symbols_of(sealed, cut, [Numbers(1, 5000, 5090)])))
    assert list(joiner.needs()) == [Need(0, 97), Need(1, 4006)]
    feed(joiner, fragments_of(sealed, cut))
    assert list(joiner.needs()) == []


def test_two_symbols_more_than_a_block_has_are_tried() -> None:
    """Each of the first three attempts may fail; the code all but never fails the third."""
    fails = 0

    def failing(*_args: object, **_kwargs: object) -> None:
        nonlocal fails
        fails += 1

    sealed = noise(1000)
    frames = list(symbols_of(sealed, Cut(mtu_bytes=76), [Numbers(0, 25, 60)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bundler.join.raptor.recover", failing)
        joiner = Joiner(bundle_id(sealed))
        outcome = feed(joiner, map(Fragment.from_bytes, frames[:26]))
        assert outcome == NeedMore(1)
        assert fails == 2
    assert feed(joiner, map(Fragment.from_bytes, frames[26:27])) == Complete(sealed)


def test_gaps_name_what_has_not_come() -> None:
    sealed = noise(160)
    fragments = fragments_of(sealed, Cut(mtu_bytes=52, symbol_bytes=16))
    joiner = Joiner(bundle_id(sealed))
    assert list(joiner.gaps()) == []
    feed(joiner, [fragments[n] for n in (1, 2, 5, 9)])
    assert list(joiner.gaps()) == [Gap(0, 1), Gap(3, 2), Gap(6, 3)]
    feed(joiner, fragments)
    assert list(joiner.gaps()) == []


def test_gaps_name_blocks_of_which_nothing_has_come() -> None:
    sealed = bytes(8 * 8192 * 2 + 1)
    joiner = Joiner(bundle_id(sealed))
    frames = fragments_of(sealed, Cut(mtu_bytes=1 << 17, symbol_bytes=8))
    assert joiner.receive(frames[1]) == NeedMore(16385 - 5462)
    assert list(joiner.gaps()) == [Gap(0, 5462), Gap(2 << 24, 5461)]


def test_fragments_of_two_bundles_do_not_mix() -> None:
    one, other = noise(500, 1), noise(500, 2)
    cut = Cut(mtu_bytes=76)
    joiner = Joiner(bundle_id(one))
    for mine, alien in zip(fragments_of(one, cut), fragments_of(other, cut), strict=True):
        with pytest.raises(MalformedError, match="another bundle"):
            joiner.receive(alien)
        outcome = joiner.receive(mine)
    assert outcome == Complete(one)


def test_after_the_end_it_stays_complete() -> None:
    sealed = noise(100)
    fragments = fragments_of(sealed, Cut(mtu_bytes=76))
    joiner = Joiner(bundle_id(sealed))
    feed(joiner, fragments)
    forged = replace(fragments[0], symbols=bytes(len(fragments[0].symbols)))
    assert joiner.receive(forged) == Complete(sealed)


def test_a_forged_symbol_is_noticed_when_the_genuine_one_comes() -> None:
    sealed = noise(100)
    fragments = fragments_of(sealed, Cut(mtu_bytes=76))
    joiner = Joiner(bundle_id(sealed))
    forged = replace(fragments[0], symbols=bytes(len(fragments[0].symbols)))
    assert isinstance(joiner.receive(forged), NeedMore)
    assert joiner.receive(fragments[0]) == Spoiled(Cause.DISAGREEMENT, len(fragments) - 1)


def test_a_forged_repair_symbol_is_noticed_when_the_genuine_one_comes() -> None:
    sealed = noise(100)
    frames = symbols_of(sealed, Cut(mtu_bytes=76), [Numbers(0, 3, 4)])
    (genuine,) = map(Fragment.from_bytes, frames)
    joiner = Joiner(bundle_id(sealed))
    joiner.receive(replace(genuine, symbols=bytes(len(genuine.symbols))))
    outcome = joiner.receive(genuine)
    assert isinstance(outcome, Spoiled)
    assert outcome.cause is Cause.DISAGREEMENT


def test_after_a_failed_join_it_begins_again() -> None:
    sealed = noise(100)
    fragments = fragments_of(sealed, Cut(mtu_bytes=76))
    forged = replace(fragments[0], symbols=bytes(len(fragments[0].symbols)))
    joiner = Joiner(bundle_id(sealed))
    outcome = feed(joiner, [forged, *fragments[1:]])
    assert outcome == Spoiled(Cause.WRONG_ID, len(fragments))
    assert feed(joiner, fragments) == Complete(sealed)


def test_forged_parameters_do_not_stand_in_the_way() -> None:
    sealed = noise(1000)
    fragments = fragments_of(sealed, Cut(mtu_bytes=76))
    joiner = Joiner(bundle_id(sealed))
    for index, fragment in enumerate(fragments):
        joiner.receive(
            Fragment(
                bundle_id=fragment.bundle_id,
                transfer_bytes=2000 + index,
                symbol_bytes=16,
                payload_id=0,
                symbols=bytes(16),
                check=b"",
            )
        )
        outcome = joiner.receive(fragment)
    assert outcome == Complete(sealed)


def test_memory_is_not_taken_for_what_forged_fragments_promise() -> None:
    limits = replace(DEFAULT_LIMITS, pools=2)
    joiner = Joiner(bytes(8), limits=limits)
    for transfer_bytes in range(1 << 23, (1 << 23) + 50):
        joiner.receive(
            Fragment(
                bundle_id=bytes(8),
                transfer_bytes=transfer_bytes,
                symbol_bytes=1360,
                payload_id=0,
                symbols=bytes(1360),
                check=b"",
            )
        )
    assert len(joiner._pools) == 2
    with pytest.raises(LimitError):
        joiner.receive(
            Fragment(
                bundle_id=bytes(8),
                transfer_bytes=1 << 40,
                symbol_bytes=1360,
                payload_id=0,
                symbols=bytes(1360),
                check=b"",
            )
        )


def test_symbols_that_do_not_suffice_are_not_tried_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def insufficient(*_args: object, **_kwargs: object) -> None:
        nonlocal tries
        tries += 1

    monkeypatch.setattr("bundler.join.raptor.recover", insufficient)
    sealed = noise(1000)
    frames = symbols_of(sealed, Cut(mtu_bytes=76), [Numbers(0, 25, 225)])
    joiner = Joiner(bundle_id(sealed))
    outcome = feed(joiner, [Fragment.from_bytes(frame) for frame in frames])
    assert isinstance(outcome, NeedMore)
    assert outcome.symbols >= 1
    assert 2 <= tries <= 8


def test_every_flipped_bit_of_a_file_is_refused_or_harmless() -> None:
    sealed = noise(60)
    cut = Cut(mtu_bytes=60)
    data = b"".join(split(sealed, cut, repair_percent=1))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        joiner = Joiner(bundle_id(sealed))
        found = [one for one in parse_sequence(bytes(damaged)) if isinstance(one, Fragment)]
        assert feed(joiner, found) == Complete(sealed)
    for length in range(len(data)):
        joiner = Joiner(bundle_id(sealed))
        found = [one for one in parse_sequence(data[:length]) if isinstance(one, Fragment)]
        assert isinstance(feed(joiner, found), NeedMore | Complete | None)


@given(
    st.integers(-1, 300),
    st.integers(0, 64) | st.just(8),
    st.integers(0, 40) | st.integers(0, 2**32 - 1),
    st.binary(min_size=1, max_size=64),
)
def test_any_fragment_only_raises_bundle_errors(
    transfer_bytes: int, symbol_bytes: int, payload_id: int, symbols: bytes
) -> None:
    fragment = Fragment(
        bundle_id=bytes(8),
        transfer_bytes=transfer_bytes,
        symbol_bytes=symbol_bytes,
        payload_id=payload_id,
        symbols=symbols,
        check=b"",
    )
    try:
        Joiner(bytes(8)).receive(fragment)
    except BundleError:
        pass


class LossyLink(RuleBasedStateMachine):
    """Any order, loss, repetition, damage and forgery; it ends whole or waiting, never wrong."""

    @initialize(size=st.integers(40, 200), repair_percent=st.integers(0, 60))
    def cut(self, size: int, repair_percent: int) -> None:
        self.sealed = noise(size, size)
        self.source = -(-size // 16)
        cut = Cut(mtu_bytes=52)
        self.frames = list(split(self.sealed, cut, repair_percent=repair_percent))
        self.frames += split(self.sealed, Cut(mtu_bytes=84, symbol_bytes=16))
        self.restart()

    def restart(self) -> None:
        self.joiner = Joiner(bundle_id(self.sealed))
        self.delivered: set[int] = set()
        self.is_forged = False
        self.outcome: object = None

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        fragment = Fragment.from_bytes(data.draw(st.sampled_from(self.frames)))
        count = -(-len(fragment.symbols) // 16)
        self.take(fragment, set(range(fragment.payload_id, fragment.payload_id + count)))

    @rule(data=st.data())
    def deliver_most(self, data: st.DataObject) -> None:
        lost = data.draw(st.sets(st.integers(0, len(self.frames) - 1), max_size=3))
        for index, frame in enumerate(self.frames):
            if index not in lost:
                fragment = Fragment.from_bytes(frame)
                count = -(-len(fragment.symbols) // 16)
                self.take(fragment, set(range(fragment.payload_id, fragment.payload_id + count)))

    @precondition(lambda self: not isinstance(self.outcome, Complete))
    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        good = Fragment.from_bytes(data.draw(st.sampled_from(self.frames)))
        forged = bytes(byte ^ 0x55 for byte in bytes(good.symbols))
        count = -(-len(forged) // 16)
        self.is_forged = True
        symbols = set(range(good.payload_id, good.payload_id + count))
        self.take(replace(good, symbols=forged), symbols)

    def take(self, fragment: Fragment, symbols: set[int]) -> None:
        self.outcome = self.joiner.receive(fragment)
        self.delivered |= symbols
        if self.outcome == Spoiled(Cause.WRONG_ID, self.source):
            assert self.is_forged
            self.delivered, self.is_forged = set(), False

    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        frame = bytearray(data.draw(st.sampled_from(self.frames)))
        frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
        with pytest.raises(BundleError):
            Fragment.from_bytes(bytes(frame))

    @rule()
    def reboot(self) -> None:
        self.restart()

    @invariant()
    def whole_when_enough_arrived(self) -> None:
        if not hasattr(self, "outcome"):
            return
        if isinstance(self.outcome, Complete):
            assert self.outcome.sealed == self.sealed
        elif self.delivered:
            assert isinstance(self.outcome, NeedMore | Spoiled)
            assert not set(range(self.source)) <= self.delivered
            assert len(self.delivered) < self.source + 3
        if isinstance(self.outcome, NeedMore) and not self.is_forged:
            assert self.outcome.symbols >= self.source - len(self.delivered)


def test_lossy_link_gets_somewhere() -> None:
    """Guards the guard: a machine that never gets anywhere proves nothing."""
    seen: Counter[str] = Counter()

    class Counting(LossyLink):
        def take(self, fragment: Fragment, symbols: set[int]) -> None:
            super().take(fragment, symbols)
            seen[type(self.outcome).__name__] += 1
            seen["several"] += self.source > 3
            if isinstance(self.outcome, Spoiled):
                seen[self.outcome.cause.name] += 1
            if isinstance(self.outcome, Complete):
                seen["rebuilt"] += not set(range(self.source)) <= self.delivered

    settled = settings(max_examples=150, derandomize=True)
    run_state_machine_as_test(Counting, settings=settled)
    for name, least in (
        ("NeedMore", 100),
        ("Complete", 100),
        ("several", 100),
        ("DISAGREEMENT", 5),
        ("WRONG_ID", 1),
        ("rebuilt", 1),
    ):
        assert seen[name] >= least, seen


TestLossyLink = LossyLink.TestCase
TestLossyLink.settings = settings(max_examples=50)
