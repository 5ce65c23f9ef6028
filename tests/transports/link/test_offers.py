from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.link.frames import LABELS
from tests.vectors import load
from transports.link import frame_cbor
from transports.link.errors import MalformedFrameError
from transports.link.offers import (
    FragmentsOffer,
    Lack,
    Offer,
    SealedOffer,
    read_lacks,
    read_offers,
    read_withdrawn,
)

VECTORS = {k: v for k, v in load("link").items() if k.startswith("body_")}
READERS: dict[str, Callable[[bytes], object]] = {
    "offers": read_offers,
    "lacks": read_lacks,
    "withdrawn": read_withdrawn,
}
SYMBOLS = st.integers(1, 8191).map(lambda eights: 8 * eights)
EIGHT = st.binary(min_size=8, max_size=8)
SIZES = st.integers(1, 2**24)
HANDLES = st.integers(0, 127)
OFFERS: st.SearchStrategy[Offer] = st.one_of(
    st.builds(SealedOffer, HANDLES, LABELS, EIGHT, SIZES, SYMBOLS),
    st.builds(FragmentsOffer, HANDLES, LABELS, EIGHT, SIZES, st.integers(0, 2**32 - 1), EIGHT),
)
RANGES = st.lists(st.integers(0, 2**24), max_size=64, unique=True).map(
    lambda edges: tuple(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)
LACKS = st.builds(Lack, HANDLES, st.integers(0, 0xFFFF), st.none() | RANGES)


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    vector = VECTORS[name]
    reader, body = READERS[vector["operation"]], bytes.fromhex(vector["body"])
    if vector["expect"] == "success":
        assert reader(body)
    else:
        with pytest.raises(MalformedFrameError):
            reader(body)


@given(st.lists(OFFERS, min_size=1, max_size=8, unique_by=lambda offer: offer.handle))
def test_offers_come_back(offers: list[Offer]) -> None:
    assert read_offers(frame_cbor.array([offer.to_bytes() for offer in offers])) == tuple(offers)


@given(st.lists(LACKS, min_size=1, max_size=8, unique_by=lambda lack: lack.handle))
def test_lacks_come_back(lacks: list[Lack]) -> None:
    assert read_lacks(frame_cbor.array([lack.to_bytes() for lack in lacks])) == tuple(lacks)


@given(st.lists(HANDLES, min_size=1, unique=True))
def test_handles_come_back(handles: list[int]) -> None:
    assert read_withdrawn(frame_cbor.encode(handles)) == tuple(handles)


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=60))
def test_any_bytes_are_refused_or_read(reader: str, body: bytes) -> None:
    try:
        assert READERS[reader](body)
    except MalformedFrameError:
        pass


@pytest.mark.parametrize("reader", READERS.values())
def test_a_frame_that_names_nothing_is_refused(reader: Callable[[bytes], object]) -> None:
    with pytest.raises(MalformedFrameError):
        reader(frame_cbor.encode([]))
