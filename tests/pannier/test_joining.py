"""What gets as far as the join is by the sender or a member of its group; one may still lie."""

import random

import pytest

from bundler.fragment import mac_check
from bundler.join import Cause
from bundler.sealed import bundle_id
from bundler.split import Cut, split
from bundler.whole import Whole
from pannier.joining import join

SEALED = random.Random(3).randbytes(900)
NUMBER = bundle_id(SEALED)
CUT = Cut(mtu_bytes=136, check=mac_check(bytes(32)))
PARTS = list(split(SEALED, CUT))
FALSE = [part.replace(bundle_id(bytes(900)), NUMBER) for part in split(bytes(900), CUT)]


def test_there_are_several_parts() -> None:
    assert len(PARTS) > 5


def test_the_parts_of_all_sources_add_up() -> None:
    assert join(NUMBER, lambda: [PARTS[0], b"".join(PARTS[1:])]) == SEALED
    assert join(NUMBER, lambda: [PARTS[0], b"".join(PARTS[2:])]) is None
    assert join(NUMBER, list) is None


def test_a_whole_bundle_needs_no_other_part() -> None:
    whole = Whole(hint=bytes(4), sealed=SEALED).to_bytes()
    assert join(NUMBER, lambda: [PARTS[0], whole]) == SEALED
    other = Whole(hint=bytes(4), sealed=SEALED[:-1]).to_bytes()
    assert join(NUMBER, lambda: [other]) is None


@pytest.mark.parametrize("place", range(3))
def test_a_source_that_lies_is_left_out(place: int) -> None:
    """Two have half each; what the third brings makes a whole, but not that of the id."""
    sources = [b"".join(PARTS[:5]), b"".join(PARTS[5:])]
    sources.insert(place, b"".join(FALSE))
    assert join(NUMBER, lambda: sources) == SEALED


def test_where_all_lie_there_is_no_bundle() -> None:
    assert join(NUMBER, lambda: [b"".join(FALSE)]) is Cause.WRONG_ID
