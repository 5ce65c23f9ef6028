from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transports.link.doubles import (
    HPKE_BYTES,
    HYBRID_BYTES,
    DoubleIdentity,
    identity,
    secret_of,
)
from tests.transports.link.wire import SECOND_US, Side, Wire, lossy
from transports.link.encode import encode_hello_part
from transports.link.errors import FrameTooSmallError
from transports.link.frame import Kind
from transports.link.handshake import ANSWER_INTERVAL_US, LONGEST_BACKOFF_US, MOST_OPENED
from transports.link.hello import CARRIES, HALF_DUPLEX, split

A, B, C = bytes([1] * 8), bytes([2] * 8), bytes([3] * 8)


def side(own: bytes, peer: bytes | None, *, seal_bytes: int = HPKE_BYTES) -> Side:
    known = frozenset({A, B, C}) - {own}
    return Side(identity(own, peer, *known, seal_bytes=seal_bytes))


def wire(*, seal_bytes: int = HPKE_BYTES) -> Wire:
    return Wire((side(A, B, seal_bytes=seal_bytes), side(B, A, seal_bytes=seal_bytes)))


def joined() -> Wire:
    """Return a wire whose sides have a session, and have said all that they have to say."""
    found = wire()
    found.start()
    assert found.run_until(found.is_joined, 5)
    found.run(5)
    return found


def hellos(found: Wire, to: int) -> list[bytes]:
    return [frame for index, frame in found.sent if index == to and frame[0] == Kind.HELLO]


def test_two_that_open_at_once_have_a_session_after_two_hellos_each() -> None:
    found = joined()
    assert [side.hellos_sent for side in found.sides] == [2, 2]
    assert [len(side.sessions) for side in found.sides] == [1, 1]
    one, two = (side.sessions[0] for side in found.sides)
    assert (one.peer, two.peer) == (B, A)
    assert one.keys.sending == two.keys.receiving != one.keys.receiving == two.keys.sending


def test_who_comes_late_makes_three_hellos_in_all() -> None:
    found = wire()
    found.sides[0].start(0)
    found.fate = list
    found.run(60)
    found.fate = lambda: [50_000]
    before = sum(side.hellos_sent for side in found.sides)
    found.sides[1].start(found.now_us)
    assert found.run_until(found.is_joined, 1)
    assert sum(side.hellos_sent for side in found.sides) - before == 3


def test_a_session_says_what_both_agreed_on() -> None:
    one = Side(identity(A, B), frame_bytes=2048, flags=CARRIES)
    two = Side(identity(B, A), frame_bytes=222, flags=HALF_DUPLEX | 64)
    found = Wire((one, two))
    found.start()
    assert found.run_until(found.is_joined, 5)
    assert [s.sessions[0].frame_bytes for s in (one, two)] == [222, 222]
    assert [s.sessions[0].flags for s in (one, two)] == [HALF_DUPLEX | 64, CARRIES]
    assert [s.sessions[0].version for s in (one, two)] == [1, 1]


def test_a_listener_waits_and_learns_who_speaks() -> None:
    listener, caller = side(A, None), side(C, A)
    found = Wire((listener, caller))
    listener.start(0)
    found.run(300)
    assert not found.sent
    caller.start(found.now_us)
    assert found.run_until(found.is_joined, 5)
    assert listener.sessions[0].peer == C


def test_a_listener_in_a_session_hears_no_other_peer() -> None:
    listener, caller = side(A, None), side(C, A)
    found = Wire((listener, caller))
    found.start()
    assert found.run_until(found.is_joined, 5)
    sent = listener.hellos_sent
    other = side(B, A)
    other.start(0)
    for frame in other.send(0):
        found.inject(0, frame)
    found.run(10)
    assert listener.hellos_sent == sent
    assert listener.handshake.refused == 1
    assert found.is_joined()


@settings(max_examples=60)
@example(2154, 0.5, HPKE_BYTES)
@given(
    st.integers(0, 10**9),
    st.sampled_from((0.0, 0.05, 0.2, 0.5)),
    st.sampled_from((HPKE_BYTES, HYBRID_BYTES)),
)
def test_over_a_channel_that_loses_repeats_and_reorders_there_is_a_session(
    seed: int, loss: float, seal_bytes: int
) -> None:
    found = wire(seal_bytes=seal_bytes)
    found.fate = lossy(seed, loss)
    found.start()

    def is_at_rest() -> bool:
        """Hellos that were under way when both were joined may have made another session."""
        hellos = [side.hellos_sent for side in found.sides]
        found.run(10)
        return found.is_joined() and [side.hellos_sent for side in found.sides] == hellos

    assert any(is_at_rest() for _ in range(360))
    counted = [len(side.sessions) for side in found.sides]
    found.run(120)
    assert found.is_joined()
    assert [len(side.sessions) for side in found.sides] == counted


@settings(max_examples=60)
@given(
    st.integers(0, 10**9),
    st.lists(
        st.tuples(st.integers(0, 1), st.floats(0, 20, allow_nan=False)), min_size=1, max_size=5
    ),
)
def test_whoever_starts_anew_at_any_moment_there_is_a_session_again(
    seed: int, restarts: list[tuple[int, float]]
) -> None:
    found = wire()
    found.fate = lossy(seed, 0.2)
    found.start()
    for index, seconds in restarts:
        found.run(seconds)
        found.sides[index].start(found.now_us)
    assert found.run_until(found.is_joined, 1800)


def test_the_old_session_stays_until_the_new_one_is_made() -> None:
    found = joined()
    before = found.sides[0].handshake.session
    found.sides[1].start(found.now_us)
    opening = found.sides[1].send(found.now_us)
    found.sides[0].receive(found.now_us, opening[0])
    assert found.sides[0].handshake.session is before
    assert found.sides[0].handshake.is_confirmed
    found.inject(0, opening[0])
    assert found.run_until(found.is_joined, 30)
    assert found.sides[0].handshake.session is not before


@settings(max_examples=60)
@given(st.integers(1, 3), st.data())
def test_a_replay_of_all_there_was_changes_no_session(runs: int, data: st.DataObject) -> None:
    found = wire()
    for _ in range(runs):
        found.start()
        assert found.run_until(found.is_joined, 30)
        found.run(3)
    sessions = [side.handshake.session for side in found.sides]
    hellos_before = [side.hellos_sent for side in found.sides]
    recorded = found.sent.copy()
    for _ in range(30):
        to, frame = data.draw(st.sampled_from(recorded))
        found.inject(data.draw(st.sampled_from((to, 1 - to))), frame)
        found.run(data.draw(st.sampled_from((0, 0.1, 1))))
    found.run(5)
    assert [side.handshake.session for side in found.sides] == sessions
    assert found.is_joined()
    seconds = 36
    assert all(
        side.hellos_sent - before <= seconds
        for side, before in zip(found.sides, hellos_before, strict=True)
    )


def test_a_replayed_opening_costs_one_answer_a_second_and_nothing_else() -> None:
    found = joined()
    opening = hellos(found, 1)[0]
    found.sides[0].start(found.now_us)
    assert found.run_until(found.is_joined, 30)
    found.run(2)
    sessions, sent = found.sides[1].sessions.copy(), found.sides[1].hellos_sent
    for _ in range(100):
        found.inject(1, opening)
        found.run(0.05)
    assert 4 <= found.sides[1].hellos_sent - sent <= 5 * SECOND_US // ANSWER_INTERVAL_US + 1
    assert found.sides[1].sessions == sessions
    assert found.is_joined()


@pytest.mark.parametrize("every_seconds", [0.02, 0.3])
def test_a_replay_keeps_nobody_else_from_an_answer(every_seconds: float) -> None:
    listener, caller = side(A, None), side(C, A)
    found = Wire((listener, caller))
    found.start()
    assert found.run_until(found.is_joined, 5)
    opening = hellos(found, 0)[0]
    listener.start(found.now_us)
    for _ in range(10):
        found.inject(0, opening)
        found.run(every_seconds)
    caller.start(found.now_us)
    for _ in range(int(2 / every_seconds)):
        found.inject(0, opening)
        found.run(every_seconds)
    assert found.is_joined()
    assert len(listener.sessions) == 2


def test_many_recorded_hellos_cost_no_more_than_two_answers_a_second() -> None:
    found = joined()
    recorded: list[bytes] = []
    for _ in range(20):
        found.run(3)
        found.sides[0].start(found.now_us)
        assert found.run_until(found.is_joined, 30)
        recorded = hellos(found, 1)
    found.sides[1].start(found.now_us)
    assert found.run_until(found.is_joined, 30)
    sent, heard = found.sides[1].hellos_sent, found.sides[1].handshake.heard
    for frame in recorded * 5:
        found.inject(1, frame)
        found.run(0.02)
    seconds = len(recorded) / 10
    assert found.sides[1].handshake.heard - heard == 5 * len(recorded)
    assert found.sides[1].hellos_sent - sent <= 2 * (seconds + 1)
    assert found.is_joined()


def test_hellos_of_the_session_itself_get_no_answer_once_it_is_confirmed() -> None:
    found = joined()
    sent = [side.hellos_sent for side in found.sides]
    for to, frame in found.sent.copy():
        found.inject(to, frame)
        found.run(2)
    assert [side.hellos_sent for side in found.sides] == sent
    assert found.is_joined()


def test_hellos_of_the_session_itself_make_no_other() -> None:
    found = joined()
    sessions = [side.sessions.copy() for side in found.sides]
    for to, frame in found.sent.copy():
        found.inject(to, frame)
        found.run(2)
    assert [side.sessions for side in found.sides] == sessions


def test_an_old_echo_makes_no_session() -> None:
    found = joined()
    found.sides[1].start(found.now_us)  # so that its fresh nonce is another one
    for frame in hellos(found, 1):
        found.sides[1].receive(found.now_us, frame)
    assert len(found.sides[1].sessions) == 1
    assert found.sides[1].handshake.session is None


@pytest.mark.parametrize("impostor", [A, C])
def test_an_impostor_gets_silence(impostor: bytes) -> None:
    victim = side(B, A)
    false = Side(replace(identity(impostor, B, A), secret=b"of somebody else"))
    found = Wire((false, victim))
    victim.start(0)
    victim.send(0)
    sent = victim.hellos_sent
    false.start(0)
    for frame in false.send(0):
        victim.receive(0, frame)
    assert victim.handshake.send(0) is None
    assert victim.hellos_sent == sent
    assert victim.handshake.refused == 1
    found.run(100)
    assert not victim.sessions
    assert not false.sessions


def test_a_stranger_with_keys_of_their_own_gets_silence() -> None:
    victim = side(B, A)
    victim.start(0)
    victim.send(0)
    stranger = Side(identity(C, B))
    stranger.start(0)
    for frame in stranger.send(0):
        victim.receive(0, frame)
    assert victim.handshake.refused == 1
    assert victim.handshake.send(0) is None


def test_ones_own_hello_thrown_back_is_nothing() -> None:
    one = Side(identity(A, A, A))
    one.start(0)
    for frame in one.send(0):
        one.receive(0, frame)
    assert one.handshake.refused == 1
    assert one.handshake.send(0) is None


def test_hellos_are_said_ever_more_seldom() -> None:
    alone = side(A, B)
    alone.start(0)
    times: list[int] = []
    while len(times) < 12:
        due_us = alone.due_us()
        assert due_us is not None
        assert alone.send(due_us - 1) == []
        assert alone.send(due_us)
        times.append(due_us)
    gaps = [after - before for before, after in pairwise(times)]
    for index, gap in enumerate(gaps):
        foreseen = min(SECOND_US << index, LONGEST_BACKOFF_US)
        assert foreseen * 3 // 4 <= gap <= foreseen * 5 // 4
    assert len({gap % 1000 for gap in gaps[-4:]}) > 1


def test_a_session_that_the_other_side_has_not_is_not_kept_for_ever() -> None:
    caller, listener = side(A, B), side(B, None)
    found = Wire((caller, listener))
    found.start()
    assert found.run_until(lambda: bool(caller.sessions), 5)
    assert not caller.handshake.is_confirmed
    listener.start(found.now_us)  # it forgets the nonce that the caller echoes, and waits
    assert found.run_until(found.is_joined, 30)
    assert len(caller.sessions) == 2


def test_frames_too_small_for_a_hello_are_a_mistake_of_the_caller() -> None:
    small = Side(identity(A, B, seal_bytes=HYBRID_BYTES), frame_bytes=86)
    small.start(0)
    with pytest.raises(FrameTooSmallError, match="87 bytes"):
        small.send(0)
    large = Side(identity(A, B, seal_bytes=HYBRID_BYTES), frame_bytes=87)
    large.start(0)
    assert len(large.send(0)) == 16


@settings(max_examples=100)
@given(st.integers(0, 10**9), st.data())
def test_after_any_mischief_of_whoever_holds_the_wire_there_is_a_session(
    seed: int, data: st.DataObject
) -> None:
    """Who withholds, swaps and repeats frames, and has sides start anew, stops at some time."""
    found = wire()
    found.fate = list
    found.start()
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(("deliver", "deliver", "deliver", "start", "wait")))
        found.run(0.01)
        if action == "deliver" and found.sent:
            to, frame = data.draw(st.sampled_from(found.sent[-12:]))
            found.inject(to, frame)
        elif action == "start":
            found.sides[data.draw(st.integers(0, 1))].start(found.now_us)
        else:
            found.run(data.draw(st.sampled_from((1, 3, 20))))
    found.fate = lossy(seed, 0.05)
    assert found.run_until(found.is_joined, 600)


def test_a_flood_of_hellos_costs_few_openings() -> None:
    opened = 0

    class Counting(DoubleIdentity):
        def open(self, sealed: bytes) -> bytes | None:
            nonlocal opened
            opened += 1
            return super().open(sealed)

    listener = Side(Counting(A, None, frozenset({B}), secret_of(A)))
    for number in range(10_000):
        (part,) = split(number.to_bytes(2, "big") * 70, 222)
        listener.receive(number * 200, encode_hello_part(part))
    assert opened == 2 * MOST_OPENED
    wire = Wire((listener, side(B, A)), now_us=3_000_000)
    wire.start()
    assert wire.run_until(wire.is_joined, 10)
