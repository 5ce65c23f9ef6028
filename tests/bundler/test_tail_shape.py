import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import MalformedError
from bundler.tail_shape import HOLE, MAX_CELLS, Form, split
from tests.bundler.samples import MAPS, PAYLOADS

HEAD = cbor2.dumps(["kind", 0, 2])


@given(PAYLOADS)
def test_payloads_come_back_from_skeleton_and_cells(payload: bytes) -> None:
    skeleton, cells = split(payload)
    form = Form.from_bytes(HEAD + skeleton)
    assert form.payload(cells) == payload
    assert len(form.paths) == len(cells)


@given(st.lists(MAPS, min_size=2, max_size=2))
def test_a_known_form_splits_alike_or_not_at_all(maps: list[dict[str, object]]) -> None:
    one, other = (cbor2.dumps(value, canonical=True) for value in maps)
    form = Form.from_bytes(HEAD + split(one)[0])
    assert form.split(other) in (split(other), None)
    assert form.split(one + b"\0") is None


def test_cells_are_named_by_what_leads_to_them() -> None:
    skeleton, cells = split(cbor2.dumps({"a": [1, {"b": "x"}], "c": 2.5}, canonical=True))
    assert skeleton == b"\xa2\x61a\x82\xff\xa1\x61b\xff\x61c\xff"
    assert cells == [b"\1", b"\x61x", b"\xf9\x41\x00"]
    form = Form.from_bytes(HEAD + skeleton)
    assert (form.kind, form.action, form.follow_count) == ("kind", 0, 2)
    assert form.paths == ((b"\x61a", 0), (b"\x61a", 1, b"\x61b"), (b"\x61c",))


@pytest.mark.parametrize(
    "value",
    [[0] * (MAX_CELLS + 1), [[0] * 200, [0] * 200], {"k" * (1 << 14): 1}],
    ids=["wide", "wide_in_two", "long_key"],
)
def test_what_is_too_much_is_one_cell(value: object) -> None:
    payload = cbor2.dumps(value)
    assert split(payload) == (HOLE, [payload])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x83",
     b"\x82\0\0", b"\x83\0\0\0", b"\x83\x60\0\x18\x41", HEAD + b"\0", HEAD + b"\xff\xff",
     HEAD + b"\xa1", HEAD + b"\xa1\xa0\xff", HEAD + b"\x9b" + b"\xff" * 8, HEAD + b"\x81" * 999,
     HEAD + b"\xc0\xff", HEAD + b"\x5f", HEAD + b"\xa1\x7b" + b"\xff" * 9],
    ids=bytes.hex,
)  # fmt: skip
def test_what_is_no_form_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Form.from_bytes(data)


@given(st.binary(max_size=30))
def test_any_bytes_are_a_form_or_malformed(data: bytes) -> None:
    for form in (data, HEAD + data):
        try:
            Form.from_bytes(form)
        except MalformedError:
            pass
