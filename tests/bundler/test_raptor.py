import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import raptor
from bundler.errors import MalformedError

BLOCK = bytes(range(240))


@given(st.sets(st.integers(0, 39), min_size=18))
def test_any_symbols_and_a_few_more_give_the_block(numbers: set[int]) -> None:
    source = [(n, BLOCK[16 * n : 16 * n + 16]) for n in range(15)]
    repair = raptor.repair_symbols(BLOCK, symbol_bytes=16, first=0, count=25)
    symbols = [*source, *enumerate(repair, start=15)]
    chosen = [symbols[n] for n in numbers]
    assert raptor.recover(chosen, symbol_bytes=16, block_symbols=15) == BLOCK


def test_repair_symbols_go_on_where_they_ended() -> None:
    every = raptor.repair_symbols(BLOCK, symbol_bytes=16, first=0, count=9)
    later = raptor.repair_symbols(BLOCK, symbol_bytes=16, first=4, count=5)
    assert later == every[4:]
    assert len(set(every)) == 9
    assert {len(symbol) for symbol in every} == {16}


@pytest.mark.parametrize("working_bytes", [1, 1000, 2000])
def test_repair_symbols_in_columns_are_the_same(
    monkeypatch: pytest.MonkeyPatch, working_bytes: int
) -> None:
    block = bytes(range(240)) * 2
    whole = raptor.repair_symbols(block, symbol_bytes=40, first=7, count=30)
    monkeypatch.setattr(raptor, "_WORKING_BYTES", working_bytes)
    assert raptor.repair_symbols(block, symbol_bytes=40, first=7, count=30) == whole


def test_too_few_give_nothing() -> None:
    symbols = [(n, BLOCK[16 * n : 16 * n + 16]) for n in range(14)]
    assert raptor.recover(symbols, symbol_bytes=16, block_symbols=15) is None


def test_a_panic_of_the_library_is_a_malformed_error() -> None:
    with pytest.raises(MalformedError, match="refused"):
        raptor.recover([(0, b"short")], symbol_bytes=16, block_symbols=1)
    with pytest.raises(MalformedError, match="refused"):
        raptor.recover([(255 << 24, bytes(16))], symbol_bytes=16, block_symbols=2)


def test_nothing_else_is_taken_for_a_panic() -> None:
    def interrupted() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        raptor.recover(((n, interrupted()) for n in range(1)), symbol_bytes=16, block_symbols=1)
