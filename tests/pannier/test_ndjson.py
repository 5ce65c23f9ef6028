"""Lines that look like earlier ones are read as the strict reader reads them."""

import json
from collections.abc import Sequence
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.append import Draft
from ledger.data import PayloadEncoder
from pannier import ndjson
from pannier.errors import UsageError
from pannier.ledgers import draft_from_line, drafts_from_ndjson, numbered_lines
from pannier.ndjson import MAX_LINE_BYTES, Templates

NOW_US = 77


class Plain:
    """Payloads for which no node is needed."""

    def __init__(self) -> None:
        self._encoder = PayloadEncoder()

    def make(self, thing: str, value: object, *, device: object, to: object) -> bytes:
        return self._encoder.encode([device, to, value] if device or to else value)


def strictly(text: bytes) -> list[Draft | str]:
    """Return the drafts of each line by the strict reader alone, and the error that ends them."""
    found: list[Draft | str] = []
    try:
        for number, line in numbered_lines(BytesIO(text)):
            found.append(draft_from_line(line, Plain(), number=number, now_us=NOW_US))  # type: ignore[arg-type]
    except UsageError as error:
        found.append(str(error))
    return found


def quickly(text: bytes) -> list[Draft | str]:
    found: list[Draft | str] = []
    try:
        found.extend(drafts_from_ndjson(BytesIO(text), Plain(), now_us=NOW_US))  # type: ignore[arg-type]
    except UsageError as error:
        found.append(str(error))
    return found


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**65),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["\x7f", "é", "\ud800", '"', "\\", "a%b", "", "{", "1", "null"]),
)
keys = st.sampled_from(["a", "b", "temp", "%b", "é", "longer than the others", "thing", '"'])
data = st.one_of(
    scalars,
    st.dictionaries(keys, scalars, max_size=4),
    st.dictionaries(keys, scalars | st.just({}) | st.just([1]), max_size=3),
)
lines = st.fixed_dictionaries(
    {"thing": st.sampled_from(["x", "field/3", "é", "", "\x07"]), "data": data},
    optional={
        "time": st.integers(-(2**64), 2**64) | st.integers(0, 99) | st.sampled_from([0.5, None]),
        "kind": st.sampled_from(["", "k", "\x80", "k" * 70]),
        "as": st.just("cow"),
        "more": scalars,
    },
)
tokens = st.sampled_from(
    ["01", "-", "-0", "-0.0", "1e400", "1.", ".5", "+1", "1e5", "1E-2", "NaN", "Infinity", "tru",
     "true", "0x1", "1 2", '"a\\u0041"', '"\x01"', '"\x7f"', "[]", "{}", '{"a":1}', "'a'", "",
     "1_0", "9" * 40, "1" + "0" * 17, "1" + "0" * 18, "9223372036854775808", "-9223372036854775809",
     '"\\ud800"', "0.0", "1\x0b", "\ufeff1", '"', '""'],
)  # fmt: skip
spaces = st.sampled_from(["", " ", "\t", "  ", "\r"])


@st.composite
def written(draw: st.DrawFn) -> list[bytes]:
    """Lines in a few forms, each several times with other values, some spoiled."""
    forms = draw(st.lists(lines, min_size=1, max_size=3))
    found = []
    for form in forms * draw(st.integers(1, 3)):
        values = dict(form)
        if isinstance(values["data"], dict):
            values["data"] = {key: draw(scalars) for key in values["data"]}
        text = json.dumps(values, ensure_ascii=draw(st.booleans()))
        if draw(st.integers(0, 5)) == 0:
            old = json.dumps(values["thing"], ensure_ascii=False)
            text = text.replace(draw(st.sampled_from([old, "0", "null", "1", "true"])),
                                draw(tokens), 1)  # fmt: skip
        text = draw(spaces) + text + draw(spaces)
        found.append(text.encode(errors="surrogatepass"))
    return found


@given(written(), st.booleans())
@example([b'{"thing":"x","data":{"a":1}}', b'{"thing":"x","data":{"a":01}}'], True)
@example([b'{"thing":"x","data":{"a":"\xc3\xa9"}}', b'{"thing":"x","data":{"a":"\xc3"}}'], True)
@example([b'{"thing":"x","data":{"a":{},"b":1}}', b'{"thing":"x","data":{"a":{},"b":2}}'], True)
@example([b'{"thing":"x","data":{"b":{"a":1}}}', b'{"thing":"x","data":{"b":{"a":2}}}'], True)
@example([b'{"thing":"x","time":1,"data":0}', b'{"thing":"x","time":-0,"data":0}'], True)
@example([b'{"thing":"x","data":0.0}', b'{"thing":"x","data":-0.0}'], True)
@example([b'{"data":{"b":1,"a":2},"thing":"x"}', b'{"data":{"b":3,"a":4},"thing":"y"}'], False)
def test_lines_are_read_as_the_strict_reader_reads_them(
    lines: Sequence[bytes], has_end: bool
) -> None:
    text = b"\n".join(lines) + b"\n" * has_end
    assert quickly(text) == strictly(text)


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 60))
def test_a_spoiled_line_is_read_as_the_strict_reader_reads_it(
    middle: bytes, start: int, end: int
) -> None:
    line = b'{"thing":"x","time":123,"data":{"a":1.5,"b":"two","c":null}}'
    text = line + b"\n" + line[:start] + middle.replace(b"\n", b" ") + line[end:]
    assert quickly(text) == strictly(text)


LINE = b'{"thing":"x","time":1,"kind":"k","data":{"b":1,"a":"z","%b":null}}\n'


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace(b":1", b":22"),
        LINE.replace(b"null", b"-0.0").replace(b'"z"', b"true"),
        LINE.strip(),
        LINE.replace(b'"z"', '"öl"'.encode()),
    ],
)
def test_a_line_of_the_same_form_needs_no_strict_reader(line: bytes) -> None:
    templates = Templates(NOW_US)
    assert templates.draft(LINE) is None
    templates.learn(LINE)
    assert [templates.draft(line)] == strictly(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"thing":"x","data":{"a":[1]}}',
        b'{"thing":"x","data":{"a":{"b":1}}}',
        b'{"thing":"x","data":{}}',
        b'{"thing":"x","data":"\\n"}',
        b'{"thing":"x","data":1,"as":"cow"}',
        b'{"thing":"x","data":1,"to":["ada"]}',
        b'{"thing":"x","data":"' + b"a" * MAX_LINE_BYTES + b'"}',
    ],
)
def test_what_has_no_form_is_left_to_the_strict_reader(line: bytes) -> None:
    templates = Templates(NOW_US)
    templates.learn(line)
    assert templates.draft(line) is None


def test_forms_that_change_all_the_time_are_soon_not_learnt_any_more() -> None:
    templates = Templates(NOW_US)
    line = b'{"thing":"x","data":{"k%d":1}}'
    for number in range(300):
        templates.learn(line % number)
    known = [number for number in range(300) if templates.draft(line % number) is not None]
    assert 0 < len(known) <= 8
    assert max(known) < 200


def test_few_values_are_kept_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "_MAX_KEPT", 10)
    text = b"".join(b'{"thing":"t%d","data":{"a":%d}}\n' % (n, n) for n in range(100))
    assert quickly(text) == strictly(text)
