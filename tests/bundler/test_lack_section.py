import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import MalformedError
from bundler.lack_section import LackSection, PartlyCome, SymbolRun
from bundler.limits import DEFAULT_LIMITS
from bundler.sections import decode_sections, encode_section
from tests.vectors import load

VECTORS = load("lack")

GAPS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=20)


def runs(gaps: list[tuple[int, int]], at: int) -> tuple[SymbolRun, ...]:
    found = []
    for before, length in gaps:
        found.append(SymbolRun(at + before, length))
        at += before + length
    return tuple(found)


BUNDLES = st.dictionaries(
    st.binary(min_size=8, max_size=8), st.builds(runs, GAPS, st.integers(-1, 9)), max_size=5
)


@given(BUNDLES)
def test_what_lacks_comes_back(bundles: dict[bytes, tuple[SymbolRun, ...]]) -> None:
    section = LackSection(bundles=tuple(PartlyCome(*one) for one in bundles.items()))
    assert list(decode_sections(encode_section(section))) == [section]


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    body = bytes.fromhex(case["body"])
    if case["expect"] == "success":
        assert LackSection.from_body(body, limits=DEFAULT_LIMITS).to_body() == body
    else:
        with pytest.raises(MalformedError):
            LackSection.from_body(body, limits=DEFAULT_LIMITS)
