import cbor2
import pytest
from hypothesis import example, given

from bundler.errors import MalformedError
from bundler.templates import MAX_HOLES, WHOLE, Template
from tests.bundler.samples import MAPS


def encoded(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


@given(MAPS.filter(bool))
@example({"a": {"b": {"c": 1, "d": "x"}}, "temp": 1.5, "wind": None})
@example({"a": "\x61b", "b": 0})
def test_a_payload_is_its_template_with_its_cells(value: dict[str, object]) -> None:
    payload = encoded(value)
    template = Template.of(payload)
    assert template is not None
    assert Template.from_bytes(template.encoded) == template
    match = template.pattern.fullmatch(payload)
    cells = [[cell] for cell in match.groups()] if match else []
    if match is None or template.payloads(cells) != [payload]:
        # Only where a string or an inner map holds what the next key begins with.
        assert any(payload.count(literal) > 1 for literal in template.literals[1:])


def test_the_depth_of_a_cell_is_that_of_the_maps_around_it() -> None:
    template = Template.of(encoded({"a": 1, "b": {"c": {}, "d": {"e": [1]}}}))
    assert template is not None
    assert template.depths == (1, 2, 3)
    assert template.encoded == encoded({"a": None, "b": {"c": None, "d": {"e": None}}})
    assert template.size_bytes == len(encoded({"a": 0, "b": {"c": 0, "d": {"e": 0}}})) - 3


def test_what_is_no_map_has_none() -> None:
    for payload in (b"", b"\xff", encoded([1]), encoded({}), encoded("x"), b"\xa1\x61a"):
        assert Template.of(payload) in (None, WHOLE)
    assert Template.of(encoded({f"{n}": n for n in range(MAX_HOLES + 1)})) is None
    with pytest.raises(MalformedError):
        Template.from_bytes(encoded({f"{n:04}": None for n in range(MAX_HOLES + 1)}))


def test_a_hostile_payload_is_soon_told_from_a_template() -> None:
    """With a way back each of these keys would double the time, for each time that it is there."""
    keys = [f"k{n:02}" for n in range(40)]
    template = Template.of(encoded(dict.fromkeys(keys, "")))
    assert template is not None
    inside = b"".join(encoded(key) for key in keys[:-1]) * 20
    hostile = encoded(dict.fromkeys(keys[:-1], inside) | {"kzz": 0})
    assert template.pattern.fullmatch(hostile) is None
