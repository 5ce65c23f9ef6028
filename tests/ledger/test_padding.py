from hypothesis import given
from hypothesis import strategies as st

from ledger.padding import padme_bytes

SIZES = st.integers(0, 1 << 24)


def test_known_sizes() -> None:
    """By hand from the paper: of a size of exponent E, only floor(log2 E) + 1 bits are set."""
    known = {0: 0, 1: 1, 2: 2, 3: 3, 8: 8, 9: 10, 100: 104, 1000: 1024, 1025: 1088, 10_000: 10_240}
    assert {size: padme_bytes(size) for size in known} == known
    assert padme_bytes(16 << 20) == 16 << 20, "the largest bundle can be padded"


@given(SIZES)
def test_a_padme_size_is_as_great_and_at_most_an_eighth_greater(size: int) -> None:
    padded = padme_bytes(size)
    assert size <= padded <= size + size / 8
    assert padme_bytes(padded) == padded


def test_there_are_few_sizes() -> None:
    assert len({padme_bytes(size) for size in range(1 << 17)}) < 250
