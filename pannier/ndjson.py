"""Lines of NDJSON that look like earlier ones, read without a JSON parser. No I/O.

A file of readings says the same keys in the same order on every line. From a line that the strict
reader took, a *template* is learnt: everything but the values, literally, and in the place of each
value a pattern for one token. A line that fits, and of which each token is one JSON scalar, is the
learnt line with other scalars in it, so that it is valid JSON with the same keys; anything else is
left to the strict reader (`pannier.ledgers.draft_from_line`), which alone says what is wrong.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ledger.append import Draft
from ledger.data import MapShape, all_of, parse_json, scalar_payload
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
        self._shape: MapShape | None = None
        data: list[tuple[str, ...]] = [("data",)]
        if ("data",) not in places:
            keys = [path[1] for path in places if path[0] == "data"]
            self._shape = MapShape(keys)
            data = [("data", key) for key in self._shape.keys]
        self._data = all_of([places[path] for path in data])

    def draft(self, line: bytes) -> Draft | None:
        match = self._match(line)
        if match is None:
            return None
        found = match.groups()
        tokens = self._tokens
        try:
            thing = tokens.things[found[self._thing]]
            kind = "" if self._kind is None else tokens.kinds[found[self._kind]]
            cells = tuple(map(tokens.cells.__getitem__, self._data(found)))
        except (UnicodeDecodeError, LedgerError):  # a token is no JSON scalar, or names nothing
            return None
        payload = cells[0] if self._shape is None else self._shape.payload(cells)
        if len(payload) > MAX_PAYLOAD_BYTES:
            return None
        time_us = self._now_us if self._time is None else int(found[self._time])
        return Draft(thing, payload, time_us, kind)


class _Tokens:
    """What tokens mean, those that repeat kept."""

    def __init__(self) -> None:
        self.things = _Names(check_thing)
        self.kinds = _Names(check_kind)
        self.cells = _Cells()


class _Names(dict[bytes, str]):
    """The names that tokens are, each checked when it is first asked for."""

    def __init__(self, check: Callable[[str], None]) -> None:
        super().__init__()
        self._check = check

    def __missing__(self, token: bytes) -> str:
        name = token[1:-1].decode()
        self._check(name)
        if len(self) >= _MAX_KEPT:
            self.clear()
        self[token] = name
        return name


class _Cells(dict[bytes, bytes]):
    """The payloads of tokens, made when they are first asked for."""

    def __missing__(self, token: bytes) -> bytes:
        cell = scalar_payload(_value(token))
        if len(token) <= _MAX_KEPT_BYTES:
            if len(self) >= _MAX_KEPT:
                self.clear()
            self[token] = cell
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
