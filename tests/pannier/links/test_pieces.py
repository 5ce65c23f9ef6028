from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bundler.fragment import Fragment, fits, mac_check
from bundler.geometry import Geometry
from bundler.join import Complete, Joiner
from bundler.sealed import bundle_id
from pannier.links.pieces import Pieces, Shape, fragment_of
from spool.partial import Piece

KEY = b"k" * 32


def whole(size: int) -> bytes:
    return bytes(number * 7 % 251 for number in range(size))


ranges = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90)), max_size=30)


@given(st.integers(1, 400), ranges)
def test_what_waits_is_what_came_and_nothing_is_new_twice(
    size: int, came: list[tuple[int, int]]
) -> None:
    data, pieces, known = whole(size), Pieces(size), set[int]()
    for start, length in came:
        if start >= size:
            continue
        fresh = pieces.add(start, data[start : start + length])
        places = {one.offset + at for one in fresh for at in range(len(one.data))}
        assert sum(len(piece.data) for piece in fresh) == len(places)
        assert places == set(range(start, min(start + length, size))) - known
        known |= places
    rest = pieces.rest()
    assert all(piece.data == data[piece.offset :][: len(piece.data)] for piece in rest)
    assert {at for one in rest for at in range(one.offset, one.offset + len(one.data))} == known
    assert pieces.waiting_bytes == len(known) == pieces.had.total


@given(
    st.integers(1, 30_000),
    st.sampled_from([8, 16, 1360]),
    st.lists(st.integers(1, 5000), min_size=1),
    st.randoms(use_true_random=False),
)
def test_symbols_come_out_once_in_whatever_parts_and_order_the_bytes_came(
    size: int, symbol_bytes: int, lengths: list[int], random: object
) -> None:
    data = whole(size)
    geometry = Geometry.of(size, symbol_bytes)
    shape = Shape(bundle_id(data), geometry, KEY)
    cuts, at = [0], 0
    while at < size:
        at = min(at + lengths[len(cuts) % len(lengths)], size)
        cuts.append(at)
    parts = list(pairwise(cuts))
    random.shuffle(parts)  # type: ignore[attr-defined]
    pieces, joiner, total = Pieces(size), Joiner(shape.number), 0
    for start, end in parts:
        pieces.add(start, data[start:end])
        for piece in pieces.take(geometry):
            part = Fragment.from_bytes(fragment_of(shape, piece), fits(mac_check(KEY)))
            total += len(part.symbols)
            answer = joiner.receive(part)
    assert total == size
    assert pieces.waiting_bytes == 0
    assert answer == Complete(data)


def test_what_was_forgotten_is_not_asked_for_again() -> None:
    pieces = Pieces(10)
    pieces.add(0, b"abc")
    pieces.forget()
    assert pieces.rest() == []
    assert pieces.add(0, b"abcd") == [Piece(3, b"d")]


def test_nothing_beyond_the_end_is_taken() -> None:
    pieces = Pieces(4)
    assert pieces.add(2, b"abcd") == [Piece(2, b"ab")]
    assert pieces.add(9, b"abcd") == []
