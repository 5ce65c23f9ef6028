from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.errors import MalformedNameError
from spool.name import (
    FRAGMENT_NAME_LENGTH,
    BundleName,
    FragmentName,
    check_peer,
    check_source,
    is_bundle_id,
    is_peer,
)

NAME = FragmentName(3, 0x1234, "0a1b2c3d", "0123456789abcdef", 0x89)
TEXT = "31234-0a1b2c3d-0123456789abcdef-00000089.pnr"

hexes = st.text("0123456789abcdef")
fields = st.tuples(
    st.integers(0, 7),
    st.integers(0, 0xFFFF),
    st.text("0123456789abcdef", min_size=8, max_size=8),
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.integers(0, 0xFFFFFFFF),
)


def test_the_name_of_the_specification() -> None:
    assert NAME.to_text() == TEXT
    assert len(TEXT) == FRAGMENT_NAME_LENGTH
    assert FragmentName.from_text(TEXT) == NAME
    bundle = BundleName(3, 0x1234, "0a1b2c3d", "0123456789abcdef", 1360)
    assert bundle.to_text() == "31234-0a1b2c3d-0123456789abcdef-00000550.bundle"
    assert bundle.fragment(0x89) == NAME


@given(fields)
def test_names_round_trip(values: tuple[int, int, str, str, int]) -> None:
    assert FragmentName.from_text(FragmentName(*values).to_text()) == FragmentName(*values)
    assert BundleName.from_text(BundleName(*values).to_text()) == BundleName(*values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT.upper(),
        TEXT[:-1],
        TEXT + "\n",
        " " + TEXT,
        TEXT.replace("31234", "81234"),
        TEXT.replace("pnr", "bundle"),
        TEXT.replace("0123456789abcdef", "0123456789abcdeg"),
        TEXT.replace("0123", "٠١٢٣"),
        "../" + TEXT,
        TEXT.replace("-", "/"),
        TEXT.replace("00000089", "89"),
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(MalformedNameError):
        FragmentName.from_text(text)
    with pytest.raises(MalformedNameError):
        BundleName.from_text(text.removesuffix(".bundle"))


@given(st.text())
def test_any_text_is_a_name_or_malformed(text: str) -> None:
    for parse in (FragmentName.from_text, BundleName.from_text):
        try:
            assert parse(text).to_text() == text
        except MalformedNameError:
            pass


@pytest.mark.parametrize(
    "change",
    [
        {"priority": 8},
        {"priority": -1},
        {"expiry_days": 65536},
        {"expiry_days": -1},
        {"hint": "0a1b2c3"},
        {"hint": "0A1B2C3D"},
        {"bundle_id": "../../etc/passwd"},
        {"payload_id": 1 << 32},
        {"payload_id": -1},
    ],
)
def test_fields_are_checked(change: dict[str, int | str]) -> None:
    with pytest.raises(MalformedNameError):
        replace(NAME, **change)  # type: ignore[arg-type]


def test_the_most_urgent_sorts_first() -> None:
    names = [replace(NAME, priority=1), replace(NAME, priority=0, expiry_days=9),
             replace(NAME, priority=0, expiry_days=8)]  # fmt: skip
    assert [(name.priority, name.expiry_days) for name in sorted(names)] == [
        (0, 8), (0, 9), (1, 0x1234)
    ]  # fmt: skip


@pytest.mark.parametrize("peer", ["", "unknown ", "..", "0123456789ABCDEF", "0123456789abcde"])
def test_peers_that_are_none(peer: str) -> None:
    assert not is_peer(peer)
    with pytest.raises(MalformedNameError):
        check_peer(peer)


@pytest.mark.parametrize("source", ["", "a/b", "..", "A", "a" * 33, "a-b", "a.b"])
def test_sources_that_are_none(source: str) -> None:
    with pytest.raises(MalformedNameError):
        check_source(source)


def test_peers_and_sources_that_are_some() -> None:
    check_peer("unknown")
    check_peer("0123456789abcdef")
    check_source("serial0")
    assert is_bundle_id("0123456789abcdef")
    assert not is_bundle_id("0123456789abcdef\n")
