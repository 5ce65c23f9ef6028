from hypothesis import given
from hypothesis import strategies as st

from spool.carry import Carry
from spool.name import FragmentName
from spool.shares import Shares
from tests.spool.samples import fragment

BLOCK = 4096
QUOTA = 8 * BLOCK
CARRIES = st.lists(
    st.builds(
        lambda number, priority, day, sources, size: Carry(
            fragment(number, priority=priority, expiry_days=day), tuple(sources), size, number
        ),
        st.integers(0, 99),
        st.integers(0, 7),
        st.integers(0, 9),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=2),
        st.integers(1, 2 * BLOCK),
    ),
    max_size=8,
    unique_by=lambda carry: carry.name,
)
NEWCOMERS = st.lists(
    st.tuples(
        st.integers(0, 99), st.integers(0, 7), st.integers(1, 4 * BLOCK), st.sampled_from("abc")
    ),
    max_size=12,
)


def carried(
    count: int, source: str, *more: str, priority: int = 3, first: int = 0, day: int = 100
) -> list[Carry]:
    """Files of a block each; the first is the oldest."""
    return [
        Carry(fragment(number, priority=priority, expiry_days=day), (source, *more), 1, number)
        for number in range(first, first + count)
    ]


def taken(shares: Shares, count: int, source: str, *, priority: int = 3) -> int:
    """How many of *count* newcomers of a block each are taken."""
    names = [fragment(1000 + number, priority=priority) for number in range(count)]
    return sum(shares.add(name, 1, source) for name in names)


def test_junk_that_fills_the_room_gives_way_to_what_comes_from_elsewhere() -> None:
    """However urgent it says that it is, and however long it wants to stay."""
    junk = carried(8, "junk", priority=0, day=65_535)
    shares = Shares(junk, QUOTA, today_days=5)
    assert taken(shares, 20, "honest", priority=7) == 4, "half of the room"
    assert shares.victims == junk[:4], "the oldest of it first"


def test_junk_does_not_displace_what_came_from_elsewhere() -> None:
    honest = carried(4, "honest", priority=7) + carried(4, "other", priority=7, first=4)
    assert taken(Shares(honest, QUOTA, today_days=5), 20, "junk", priority=0) == 2
    assert taken(Shares(honest[:2] + honest[4:6], QUOTA, today_days=5), 20, "junk", priority=0) == 4


def test_two_that_have_the_same_do_not_push_each_other_out() -> None:
    """What gave way once comes again with the next visit: it must not go on for ever."""
    known = carried(4, "a") + carried(4, "b", first=4)
    for source in "ab":
        assert taken(Shares(known, QUOTA, today_days=5), 9, source) == 0


def test_from_one_place_the_less_urgent_gives_way() -> None:
    known = carried(7, "a", priority=3) + carried(1, "a", priority=5, first=7)
    shares = Shares(known, QUOTA, today_days=5)
    assert taken(shares, 3, "a", priority=3) == 1
    assert shares.victims == known[7:]


def test_what_is_elsewhere_gives_way_to_its_equals() -> None:
    known = carried(6, "a") + carried(2, "a", "stick", first=6)
    shares = Shares(known, QUOTA, today_days=5)
    assert taken(shares, 5, "a") == 2
    assert shares.victims == known[6:]
    assert taken(Shares(known, QUOTA, today_days=5), 5, "a", priority=4) == 0


def test_what_has_expired_goes_first_wherever_it_is_from() -> None:
    known = carried(7, "a") + carried(1, "b", priority=0, first=7, day=4)
    shares = Shares(known, QUOTA, today_days=5)
    assert taken(shares, 2, "a") == 1
    assert shares.victims == known[7:]


def test_a_newcomer_for_which_not_enough_gives_way_leaves_all_as_it_was() -> None:
    known = carried(4, "a") + carried(4, "b", first=4)
    shares = Shares(known, QUOTA, today_days=5)
    assert not shares.add(fragment(99), QUOTA, "c")
    assert not shares.add(known[0].name, 6 * BLOCK, "a")
    assert (shares.victims, shares.find(known[0].name)) == ([], known[0])
    assert taken(shares, 9, "c") == 2


@given(CARRIES, NEWCOMERS)
def test_the_quota_is_kept_and_nobody_loses_what_is_less_than_the_others_gain(
    known: list[Carry], newcomers: list[tuple[int, int, int, str]]
) -> None:
    known = [each for each in known if sum(one.footprint_bytes for one in known) <= QUOTA]
    shares = Shares(known, QUOTA, today_days=5)
    held = {each.name: (each.origin, each.footprint_bytes) for each in known}
    for number, priority, size, source in newcomers:
        name: FragmentName = fragment(number, priority=priority, expiry_days=9)
        if name in held and shares.find(name) is None:
            continue  # taken just now: within one pass it comes once
        before, lost = dict(held), len(shares.victims)
        is_taken = shares.add(name, size, source)
        for victim in shares.victims[lost:]:
            del held[victim.name]
        if is_taken:
            origin = before[name][0] if name in before else source
            held[name] = origin, -(-size // BLOCK) * BLOCK
        assert sum(used for _, used in held.values()) <= QUOTA
        assert is_taken or held == before
        for victim in shares.victims[lost:]:
            is_late = victim.name.expiry_days < 5
            if not is_late and victim.origin != source:
                assert used_by(before, victim.origin) > used_by(held, source) or name in before


def used_by(held: dict[FragmentName, tuple[str, int]], origin: str) -> int:
    return sum(used for one, used in held.values() if one == origin)
