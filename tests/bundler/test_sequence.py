from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import ForgedError, LimitError, MalformedError
from bundler.fragment import START, Fragment, fits, fragment_head, is_plausible, mac_check
from bundler.items import bytes_head, uint
from bundler.limits import DEFAULT_LIMITS
from bundler.sealed import bundle_id
from bundler.sequence import BadFragment, parse_sequence, sift
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


KEY = bytes(range(32))
SEALED = bytes(range(200))
NUMBER = bundle_id(SEALED)
GENUINE = list(split(SEALED, Cut(mtu_bytes=76, check=mac_check(KEY))))
FORGED = [one[:-1] + bytes([one[-1] ^ 1]) for one in GENUINE]
VERIFY = fits(mac_check(KEY))


@given(st.lists(st.sampled_from(GENUINE + FORGED + FRAMES) | st.binary(max_size=30), max_size=9))
def test_sifting_leaves_the_genuine_as_they_stood(parts: list[bytes]) -> None:
    """The checksum of one who has no key does not make a fragment genuine."""
    genuine = [one for one in parts if one in GENUINE]
    sifted = sift(b"".join(parts), NUMBER, VERIFY)
    assert sifted.genuine == b"".join(genuine)
    assert sifted.forged_count == sum(one in FORGED + FRAMES for one in parts)


def test_what_is_all_genuine_is_not_copied() -> None:
    assert sift(GENUINE[0], NUMBER, VERIFY).genuine is GENUINE[0]
    assert sift(b"".join(GENUINE), NUMBER, VERIFY) == (b"".join(GENUINE), 0)
    assert sift(b"", NUMBER, VERIFY) == (b"", 0)


def test_what_is_of_another_bundle_is_not_genuine() -> None:
    assert sift(GENUINE[0] + GENUINE[1], bytes(8), VERIFY) == (b"", 2)


def test_a_carrier_keeps_what_may_be_genuine() -> None:
    """It has no key for what is not its own: only a checksum can be wrong for it."""
    damaged = FRAMES[1][:-1] + bytes([FRAMES[1][-1] ^ 1])
    data = GENUINE[0] + FORGED[1] + FRAMES[0] + damaged
    kept = GENUINE[0] + FORGED[1] + FRAMES[0]
    assert sift(data, NUMBER, is_plausible) == (kept, 1)


def test_sifting_a_file_full_of_beginnings_ends() -> None:
    """When as much has been looked at as the file is worth, the rest is given up."""
    looks = 0

    def count(body: memoryview, check: bytes) -> bool:
        nonlocal looks
        looks += len(body)
        return False

    head = fragment_head(NUMBER, 200, 40) + uint(0)
    size = len(head) + 3
    # So long that the id in the beginning of another stands where its check belongs.
    data = (head + bytes_head(1000 * size + 2)) * 20_000
    assert sift(data, NUMBER, count).genuine == b""
    assert 4 * len(data) < looks < 8 * len(data) + (1 << 20) + (1 << 17)


def test_the_shortest_genuine_fragment_after_a_thousand_forged_ones_is_found() -> None:
    genuine = min(split(SEALED, Cut(mtu_bytes=48, check=mac_check(KEY))), key=len)
    forged = genuine[:-1] + bytes([genuine[-1] ^ 1])
    assert sift(forged * 1000 + genuine + forged * 500, NUMBER, VERIFY) == (genuine, 1500)


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
    size = 1 << 20
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
