from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import ForgedError, LimitError, MalformedError
from bundler.fragment import START, Fragment
from bundler.limits import DEFAULT_LIMITS
from bundler.sequence import BadFragment, parse_sequence
from bundler.split import Cut, split

FRAMES = list(split(bytes(range(200)), Cut(mtu_bytes=76)))


def test_there_are_several_frames() -> None:
    assert len(FRAMES) >= 4


def test_whole_fragments_come_back() -> None:
    found = list(parse_sequence(b"".join(FRAMES)))
    assert [one.to_bytes() for one in found if isinstance(one, Fragment)] == FRAMES
    assert list(parse_sequence(b"")) == []


@given(st.data())
def test_damage_costs_only_the_fragments_it_is_in(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(FRAMES) - 1))
    frame = bytearray(FRAMES[index])
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    frames = [*FRAMES[:index], bytes(frame), *FRAMES[index + 1 :]]
    found = list(parse_sequence(b"".join(frames)))
    bad = [one for one in found if isinstance(one, BadFragment)]
    good = [one.to_bytes() for one in found if isinstance(one, Fragment)]
    assert good == [*FRAMES[:index], *FRAMES[index + 1 :]]
    assert [(one.offset, one.length) for one in bad] == [
        (sum(map(len, FRAMES[:index])), len(FRAMES[index]))
    ]
    assert isinstance(bad[0].reason, MalformedError | LimitError | ForgedError)


def test_a_cut_file_gives_all_but_the_last() -> None:
    found = list(parse_sequence(b"".join(FRAMES)[:-1]))
    assert [type(one) for one in found] == [Fragment] * (len(FRAMES) - 1) + [BadFragment]


def test_bytes_before_and_between_are_skipped() -> None:
    found = list(parse_sequence(b"junk" + FRAMES[0] + START + b"more junk" + FRAMES[1]))
    assert [type(one) for one in found] == [BadFragment, Fragment, BadFragment, Fragment]


@given(st.lists(st.sampled_from(FRAMES) | st.binary(max_size=30), max_size=5).map(b"".join))
def test_all_bytes_are_accounted_for(data: bytes) -> None:
    at = 0
    for one in parse_sequence(data):
        if isinstance(one, BadFragment):
            assert one.offset == at
            at += one.length
        else:
            at += len(one.to_bytes())
    assert at == len(data)


def test_a_forgers_many_beginnings_cost_a_bounded_number_of_checks() -> None:
    """Each beginning claims the rest of the file: checking all of them would be quadratic."""
    size = 1 << 18
    head = START + bytes(8) + b"\x18\x64\x10\x00\x5a"
    unit = head + (size // 2).to_bytes(4, "big")
    data = (unit * (size // len(unit) + 1))[:size]
    checked = 0

    def verify(body: memoryview, _check: bytes) -> bool:
        nonlocal checked
        checked += len(body)
        return False

    # A check after the symbols of each, so that it is looked at.
    data = data[: size // 2] + b"\x44" * (size // 2)
    limits = replace(DEFAULT_LIMITS, scan_factor=2)
    (bad,) = parse_sequence(data, verify, limits=limits)
    assert isinstance(bad, BadFragment)
    assert bad.length == size
    assert size < checked <= 4 * size
