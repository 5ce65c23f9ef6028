import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import NotAMediumError
from transports.identity import Identity, clean_label, parse_identity

ID = "0123456789abcdef"


@given(st.text())
def test_identities_round_trip(label: str) -> None:
    identity = Identity(ID, clean_label(label))
    assert parse_identity(identity.to_bytes()) == identity
    assert len(identity.label) <= 64


def test_the_file_of_the_specification() -> None:
    text = f'{{"id": "{ID}", "label": "BLUE-2", "version": 1}}\n'
    assert Identity(ID, "BLUE-2").to_bytes() == text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"null",
        b"[" * 4096,
        b"\xff\xfe",
        b'{"id": "../../etc", "version": 1}',
        json.dumps({"id": ID.upper(), "version": 1}).encode(),
        json.dumps({"id": ID, "version": "1"}).encode(),
        json.dumps({"id": 7, "version": 1}).encode(),
        b'{"version": ' + b"9" * 4000,
    ],
)
def test_the_damaged_is_none(data: bytes) -> None:
    assert parse_identity(data) is None


def test_a_later_version_is_refused() -> None:
    with pytest.raises(NotAMediumError, match="version 2"):
        parse_identity(json.dumps({"id": ID, "version": 2}).encode())


@given(st.binary())
def test_any_bytes_are_an_identity_or_none(data: bytes) -> None:
    try:
        parse_identity(data)
    except NotAMediumError:
        pass


@pytest.mark.parametrize("label", [None, 7, "a\nb", "\x1b[2J", "\ud800"])
def test_a_label_that_people_cannot_be_shown_is_dropped(label: object) -> None:
    assert clean_label(label) == ""
