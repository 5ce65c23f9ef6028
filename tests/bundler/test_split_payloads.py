import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import MalformedError
from bundler.split_payloads import MAX_TEMPLATES, Group, split_payloads
from bundler.templates import WHOLE
from tests.bundler.samples import PAYLOADS

ROOM = 1 << 20


def encoded(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def joined(groups: list[Group], count: int) -> list[bytes | None]:
    """Return what *groups* were made of."""
    payloads: list[bytes | None] = [None] * count
    for group in groups:
        columns = [[one.cells[number] for number in one.numbers] for one in group.columns]
        for place, payload in zip(group.places, group.template.payloads(columns), strict=True):
            payloads[place] = payload
    return payloads


@given(st.lists(PAYLOADS | st.none(), max_size=12))
def test_payloads_come_back(payloads: list[bytes | None]) -> None:
    assert joined(split_payloads(payloads, limit_bytes=ROOM), len(payloads)) == payloads


def test_payloads_alike_are_one_group() -> None:
    payloads = [encoded({"a": n, "b": f"{n}"}) for n in range(1000)]
    payloads[::10] = [encoded({"c": {"d": n}}) for n in range(100)]
    groups = split_payloads(payloads, limit_bytes=ROOM)
    assert [len(group.places) for group in groups] == [100, 900]
    assert joined(groups, 1000) == payloads


def test_a_string_that_holds_a_key_costs_only_its_own_payload_its_columns() -> None:
    payloads = [encoded({"a": f"{n}", "b": n}) for n in range(100)]
    payloads[7] = encoded({"a": "x\x61b\x00", "b": 7})
    payloads[0] = encoded({"a": "\x61b", "b": 7})
    groups = split_payloads(payloads, limit_bytes=ROOM)
    assert joined(groups, 100) == payloads
    assert sorted(len(group.places) for group in groups) == [2, 98]
    (whole,) = [group for group in groups if group.template == WHOLE]
    assert list(whole.places) == [0, 7]


def test_templates_are_bounded() -> None:
    payloads = [encoded({f"k{n}": n}) for n in range(70)]
    groups = split_payloads(payloads, limit_bytes=ROOM)
    assert len(groups) == MAX_TEMPLATES
    assert joined(groups, 70) == payloads
    groups = split_payloads(payloads, limit_bytes=50)
    assert sum(len(group.template.encoded) for group in groups) <= 50 + len(WHOLE.encoded)
    assert joined(groups, 70) == payloads


def test_templates_are_not_tried_for_ever() -> None:
    """Of as many payloads as no two are alike all but a few stay whole."""
    payloads = [encoded({f"k{n}": n}) for n in range(10_000)]
    groups = split_payloads(payloads, limit_bytes=ROOM)
    assert len(groups) < 10
    assert joined(groups, 10_000) == payloads


def test_what_is_no_item_is_refused() -> None:
    for wrong in (b"", b"\xff", b"\xa1\x61a", b"\x00\x00", b"\x61", b"\xa1\x00\xf9\x7e\x00\x00"):
        with pytest.raises(MalformedError):
            split_payloads([encoded({"a": 1}), encoded("x"), wrong], limit_bytes=ROOM)
