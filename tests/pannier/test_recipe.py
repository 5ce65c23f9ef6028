import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.remade import Frame, remake
from bundler.sealed import Header
from ledger.blob_pack import Span
from ledger.genesis import LedgerId
from ledger.store_blobs import Place
from pannier.errors import PannierError
from pannier.recipe import Recipe, placement_of
from tests.bundler.doubles import CountedEntropy
from tests.vectors import load

VECTORS = load("recipe")
REST_KEY = bytes(32)
BINARY = st.binary(min_size=32, max_size=32)
RECIPES = st.builds(
    Recipe,
    ledger_id=st.binary(min_size=16, max_size=16).map(LedgerId),
    key=BINARY,
    frame=st.builds(
        Frame,
        header=st.builds(Header, st.integers(0, 7), st.integers(0, 65_535)),
        outside=st.binary(max_size=99),
        head=st.binary(max_size=99),
        is_clear=st.booleans(),
        is_padded=st.booleans(),
    ),
    digests=st.lists(BINARY, max_size=4).map(tuple),
    placement=BINARY,
)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    rest_key, data = bytes.fromhex(case["rest_key"]), bytes.fromhex(case["recipe"])
    if case["expect"] == "refused":
        with pytest.raises(PannierError):
            Recipe.open(data[8:], rest_key)
        return
    recipe = Recipe.open(data[8:], rest_key)
    assert recipe.seal(rest_key, lambda _: data[8:20]) == data[8:]
    assert (recipe.ledger_id.hex(), recipe.key.hex()) == (case["ledger"], case["content_key"])
    assert recipe.frame.header == Header(case["priority"], case["expiry"])
    assert recipe.frame.is_clear + 2 * recipe.frame.is_padded == case["flags"]
    assert [digest.hex() for digest in recipe.digests] == case["digests"]
    places = [
        Place(bytes.fromhex(pack), Span(bytes(16), offset, length, 1))
        for pack, offset, length in case["places"]
    ]
    assert placement_of(places) == recipe.placement
    sections = list(map(bytes.fromhex, case["sections"]))
    made = remake(recipe.frame, recipe.key, sections, sum(map(len, sections)))
    assert made.hex() == case["bundle"]
    assert len(made) == int.from_bytes(data[:8], "little")


@given(RECIPES)
def test_what_was_sealed_opens(recipe: Recipe) -> None:
    sealed = recipe.seal(REST_KEY, CountedEntropy("x"))
    assert Recipe.open(sealed, REST_KEY) == recipe
    assert not any(part in sealed for part in (recipe.key, *recipe.digests))


@given(RECIPES, st.integers(0, 2**32), st.integers(1, 255))
def test_nothing_else_does(recipe: Recipe, at: int, change: int) -> None:
    sealed = bytearray(recipe.seal(REST_KEY, CountedEntropy("x")))
    with pytest.raises(PannierError):
        Recipe.open(bytes(sealed), bytes([1]) * 32)
    sealed[at % len(sealed)] ^= change
    with pytest.raises(PannierError):
        Recipe.open(bytes(sealed), REST_KEY)
    with pytest.raises(PannierError):
        Recipe.open(bytes(sealed[: at % len(sealed)]), REST_KEY)


def test_a_placement_tells_every_place_and_their_order() -> None:
    def place(pack: int, offset: int, length: int) -> Place:
        return Place(bytes([pack]) * 8, Span(bytes(16), offset, length, 5))

    places = [place(1, 2, 3), place(1, 5, 3)]
    different = [
        places,
        places[::-1],
        places[:1],
        [place(2, 2, 3), places[1]],
        [place(1, 3, 3), places[1]],
        [place(1, 2, 4), places[1]],
    ]
    assert len({placement_of(one) for one in different}) == len(different)
