import cbor2

from bundler.cell_columns import APART, Kind, Reader, take_columns
from bundler.column_choice import Column, numbered
from bundler.number_columns import cost_bytes
from bundler.tables import encode_columns

COUNT = 4000
A = [n * 7919 % 17 for n in range(COUNT)]
B = [n * n % 53 for n in range(COUNT)]


def columns(*values: list[int]) -> list[Column]:
    return [numbered(cbor2.dumps(one) for one in column) for column in values]


def read(parts: list[bytes], wanted: list[Column]) -> None:
    """Check that *parts* give back what they were made of."""
    reader = Reader(b"".join(parts), limit_bytes=1 << 20)
    found = take_columns(reader, [0] * len(wanted), COUNT, [])
    assert found == [[one.cells[number] for number in one.numbers] for one in wanted]


def test_what_follows_from_two_others_is_a_table() -> None:
    follows = [(a * 7 + b * 13) ** 3 for a, b in zip(A, B, strict=True)]
    for wanted in (columns(A, B, follows), columns(follows, A, B)):
        parts = encode_columns(wanted)
        assert [part[0] for part in parts].count(Kind.TABLE) >= 1
        assert cost_bytes(parts) < cost_bytes(encode_columns(columns(A, B))) + 4 * 17 * 53
        read(parts, wanted)


def test_exceptions_lie_apart() -> None:
    follows = [(a * 7 + b * 13) ** 3 for a, b in zip(A, B, strict=True)]
    follows[777] = follows[3777] = 5
    wanted = columns(A, B, follows)
    parts = encode_columns(wanted)
    assert any(part[:1] == bytes([Kind.TABLE | APART]) for part in parts)
    read(parts, wanted)


def test_what_follows_from_nothing_stays_a_column() -> None:
    alone = [(n * 2_654_435_761) % 100_003 for n in range(COUNT)]
    wanted = columns(A, B, alone)
    parts = encode_columns(wanted)
    assert cost_bytes(parts) <= cost_bytes(
        [part for column in wanted for part in encode_columns([column])]
    )
    read(parts, wanted)
