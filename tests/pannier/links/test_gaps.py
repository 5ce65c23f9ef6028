from hashlib import shake_256

import pytest

from bundler.fragment import mac_check
from bundler.geometry import Geometry
from bundler.join import Cause
from bundler.sealed import bundle_id
from bundler.split import Cut, Numbers, split, symbols_of
from bundler.whole import Whole
from pannier.links.gaps import ByteRanges, lacking
from pannier.links.pieces import Shape, fragment_of
from spool.partial import Piece

SEALED = shake_256(b"sealed").digest(10_000)
NUMBER = bundle_id(SEALED)
GEOMETRY = Geometry.of(len(SEALED), 400)
CUT = Cut(mtu_bytes=450, symbol_bytes=400, check=mac_check(bytes(32)))
FRAGMENTS = list(split(SEALED, CUT))


def ask(*came: bytes) -> ByteRanges | Cause:
    return lacking(NUMBER, GEOMETRY, lambda: came)


def test_all_is_lacking_at_first_and_nothing_at_last() -> None:
    assert ask() == ((0, 10_000),)
    assert ask(*FRAGMENTS) == ()
    assert ask(Whole(hint=bytes(4), sealed=SEALED).to_bytes()) == ()


def test_gaps_are_ranges_of_bytes() -> None:
    assert ask(*FRAGMENTS[:3], *FRAGMENTS[5:24]) == ((1200, 2000), (9600, 10_000))


@pytest.mark.parametrize("extra", [1, 2, 4])
def test_symbols_that_came_one_way_count(extra: int) -> None:
    more = list(symbols_of(SEALED, CUT, [Numbers(0, 25, 25 + extra)]))
    found = ask(*FRAGMENTS[:10], *more)
    assert found == ((4000, 10_000 - 400 * extra),)
    rest = Piece(4000, SEALED[4000 : 10_000 - 400 * extra])
    left = ask(*FRAGMENTS[:10], *more, fragment_of(Shape(NUMBER, GEOMETRY, bytes(32)), rest))
    assert isinstance(left, tuple)
    assert sum(end - start for start, end in left) <= 800


def test_what_came_under_other_parameters_does_not_count() -> None:
    other = list(split(SEALED, Cut(mtu_bytes=850, symbol_bytes=800)))
    assert ask(*other[:3]) == ((0, 10_000),)
    assert ask(*other[:3], b"junk", *FRAGMENTS[:1]) == ((400, 10_000),)
    elsewhere = list(split(SEALED + b"x", CUT))
    assert ask(*elsewhere) == ((0, 10_000),)


def test_a_forged_symbol_shows() -> None:
    forged = fragment_of(Shape(NUMBER, GEOMETRY, bytes(32)), Piece(0, bytes(400)))
    assert ask(forged, *FRAGMENTS[1:]) is Cause.WRONG_ID
