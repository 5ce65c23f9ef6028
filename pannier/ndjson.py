"""Lines of NDJSON that look like earlier ones, read without a JSON parser. No I/O.

A file of readings says the same keys in the same order on every line. From a line that the strict
reader took, a *template* is learnt: everything but the values, literally, and in the place of each
value a pattern for one token. A line that fits, and of which each token is one JSON scalar, is the
learnt line with other scalars in it, so that it is valid JSON with the same keys; anything else is
left to the strict reader (`pannier.ledgers.draft_from_line`), which alone says what is wrong.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ledger.append import Draft
from ledger.data import MapShape, parse_json, scalar_payload
from ledger.entry import MAX_PAYLOAD_BYTES, check_kind, check_thing
from ledger.errors import LedgerError

MAX_LINE_BYTES = 65_536
_MAX_FIELDS = 200
_MAX_TEMPLATES = 8
# A file whose lines have ever new keys is better left to the strict reader.
_MAX_LEARNT = 100
_MAX_KEPT = 65_536
_MAX_KEPT_BYTES = 64
# What may stand between, before and after the tokens of JSON.
_SPACE = rb"[ \t\n\r]*"
_PIECE = re.compile(
    rb'[ \t\n\r]*(?:(?P<mark>[{}:,])|(?P<token>"[^"\\\x00-\x1f]*"|[^ \t\n\r",:{}\[\]\\]+))'
)
_TEXT = rb'("[^"\\\x00-\x1f]*+")'
_SCALAR = rb'([^ \t\n\r",:{}\[\]\\]++|"[^"\\\x00-\x1f]*+")'
# So long that each of them is within 64 bits.
_TIME = rb"(0|-?[1-9][0-9]{0,17})"
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?")


class Templates:
    """What was learnt of the lines of one file. Not for two threads at once."""

    def __init__(self, now_us: int) -> None:
        """Begin with nothing; *now_us* is the time of lines that have none."""
        self._now_us = now_us
        self._tokens = _Tokens()
        self._templates: list[_Template] = []
        self._learnt = 0

    def draft(self, line: bytes) -> Draft | None:
        """Return the draft of *line*, or None where only the strict reader may say."""
        if len(line) > MAX_LINE_BYTES:
            return None
        for place, template in enumerate(self._templates):
            draft = template.draft(line)
            if draft is not None:
                if place:
                    self._templates.insert(0, self._templates.pop(place))
                return draft
        return None

    def learn(self, line: bytes) -> None:
        """Remember what *line* looks like, which the strict reader took."""
        if self._learnt == _MAX_LEARNT or len(line) > MAX_LINE_BYTES:
            return
        fields = _fields(line)
        if fields is None or not _can_be_learnt(fields):
            return
        self._learnt += 1
        self._templates.insert(0, _Template(line, fields, self._tokens, self._now_us))
        del self._templates[_MAX_TEMPLATES:]


class _Field(NamedTuple):
    """A scalar of a line: the keys that lead to it, and where it stands."""

    path: tuple[str, ...]
    start: int
    end: int


class _Template:
    """One form of lines."""

    def __init__(
        self, line: bytes, fields: Sequence[_Field], tokens: "_Tokens", now_us: int
    ) -> None:
        self._match = re.compile(_pattern(line, fields)).fullmatch
        self._tokens = tokens
        self._now_us = now_us
        places = {field.path: place for place, field in enumerate(fields)}
        self._thing = places["thing",]
        self._time = places.get(("time",))
        self._kind = places.get(("kind",))
        data = [place for place, field in enumerate(fields) if field.path[0] == "data"]
        self._data = slice(data[0], data[-1] + 1)
        is_map = len(fields[data[0]].path) == 2
        self._shape = MapShape([fields[place].path[1] for place in data]) if is_map else None

    def draft(self, line: bytes) -> Draft | None:
        match = self._match(line)
        if match is None:
            return None
        found = match.groups()
        tokens = self._tokens
        thing = tokens.name(found[self._thing])
        kind = "" if self._kind is None else tokens.name(found[self._kind], is_kind=True)
        cells = tokens.cells(found[self._data])
        if thing is None or kind is None or cells is None:
            return None
        payload = cells[0] if self._shape is None else self._shape.payload(cells)
        if len(payload) > MAX_PAYLOAD_BYTES:
            return None
        time_us = self._now_us if self._time is None else int(found[self._time])
        return Draft(thing, payload, time_us, kind)


class _Tokens:
    """What tokens mean, those that repeat kept."""

    def __init__(self) -> None:
        self._names: dict[tuple[bytes, bool], str] = {}
        self._cells: dict[bytes, bytes] = {}

    def name(self, token: bytes, *, is_kind: bool = False) -> str | None:
        """Return the name that *token* is, if it may name a thing or a kind."""
        name = self._names.get((token, is_kind))
        if name is None:
            try:
                name = token[1:-1].decode()
                (check_kind if is_kind else check_thing)(name)
            except (UnicodeDecodeError, LedgerError):
                return None
            if len(self._names) >= _MAX_KEPT:
                self._names.clear()
            self._names[token, is_kind] = name
        return name

    def cells(self, tokens: Sequence[bytes]) -> list[bytes] | None:
        """Return the payload of each of *tokens*; None if one of them is no JSON scalar."""
        known = list(map(self._cells.get, tokens))
        if None not in known:
            return known  # type: ignore[return-value]
        cells = []
        for token in tokens:
            cell = self._cell(token)
            if cell is None:
                return None
            cells.append(cell)
        return cells

    def _cell(self, token: bytes) -> bytes | None:
        cell = self._cells.get(token)
        if cell is None:
            try:
                cell = scalar_payload(_value(token))
            except (UnicodeDecodeError, LedgerError):
                return None
            if len(token) <= _MAX_KEPT_BYTES:
                if len(self._cells) >= _MAX_KEPT:
                    self._cells.clear()
                self._cells[token] = cell
        return cell


def _value(token: bytes) -> object:
    """Return what a token of JSON says.

    Raises:
        MalformedError: it is none.
        UnicodeDecodeError: it is not UTF-8.
    """
    if token[:1] == b'"':
        return token[1:-1].decode()  # `_SCALAR` lets no escape and no control character in
    number = _NUMBER.fullmatch(token)
    if number is None:
        return parse_json(token.decode())
    return int(token) if number.group(1) is number.group(2) is None else float(token)


def _fields(line: bytes) -> list[_Field] | None:
    """Return the scalars of a line that the strict reader took.

    None if it has arrays, escapes, or maps other than itself and what is in it.
    """
    fields: list[_Field] = []
    path: list[str] = []
    is_value = False
    depth = at = 0
    while (piece := _PIECE.match(line, at)) is not None:
        at = piece.end()
        mark, token = piece["mark"], piece["token"]
        if mark in (b"{", b"}"):
            depth += 1 if mark == b"{" else -1
            is_value = False
            if depth > 2:
                return None
        elif mark is not None:
            is_value = mark == b":"
        elif is_value:
            fields.append(_Field(tuple(path[:depth]), piece.start("token"), at))
        else:
            path[depth - 1 :] = [token[1:-1].decode()]
    return fields if not line[at:].strip(b" \t\n\r") and not depth else None


def _can_be_learnt(fields: Sequence[_Field]) -> bool:
    """Whether a line says thing, data (one scalar or a map of them), and at most time and kind."""
    paths = [field.path for field in fields]
    data = [path for path in paths if path[0] == "data"]
    return (
        len(fields) <= _MAX_FIELDS
        and ("thing",) in paths
        and len({len(path) for path in data}) == 1
        and len(data[0]) <= 2
        and all(path in (("thing",), ("time",), ("kind",)) for path in paths if path not in data)
    )


def _pattern(line: bytes, fields: Sequence[_Field]) -> bytes:
    """Return what lines match that are *line* with other scalars in it."""
    patterns: dict[tuple[str, ...], bytes] = {("time",): _TIME, ("thing",): _TEXT, ("kind",): _TEXT}
    pieces = []
    at = 0
    for field in fields:
        pieces += [re.escape(line[at : field.start]), patterns.get(field.path, _SCALAR)]
        at = field.end
    return b"".join((*pieces, re.escape(line[at:].rstrip(b" \t\n\r")), _SPACE))
