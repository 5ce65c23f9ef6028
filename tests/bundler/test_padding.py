from hypothesis import given
from hypothesis import strategies as st

from bundler.padding import padding
from bundler.sections import Skipped, decode_sections
from ledger.padding import padme_bytes

SIZES = st.integers(0, 1 << 24)


@given(SIZES, st.integers(0, 300))
def test_padding_is_one_section_of_zeros_that_gives_a_padme_size(size: int, around: int) -> None:
    section = padding(size, lambda content: content + around + content // 1000)
    total = size + len(section)
    total += around + total // 1000
    assert padme_bytes(total) == total
    if section:
        assert list(decode_sections(section)) == [Skipped(0)]
        assert not any(section[8:])
    else:
        assert padme_bytes(size + around + size // 1000) == size + around + size // 1000
