import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.errors import FullError, MalformedNameError
from spool.name import BundleName, FragmentName
from spool.partial import MAX_OBJECT_BYTES, PartName, Piece, _apart, _joined
from spool.quotas import Quotas
from tests.faults import MemoryFileSystem
from tests.spool.samples import bundle, every_crash, fragment, late_from, spool_in
from tests.vectors import load

VECTORS = load("part")
LINK = "link1"
ONE, TWO = Piece(0, b"one"), Piece(7, b"seven")


def part(number: int, *, priority: int = 3, size: int = 100, expiry_days: int = 100) -> PartName:
    name = fragment(number, priority=priority, expiry_days=expiry_days)
    return PartName(name, size, f"{number:016x}", LINK)


@pytest.mark.parametrize("name", [fragment(5), bundle(6)])
@pytest.mark.parametrize("size", [1, MAX_OBJECT_BYTES])
def test_a_name_says_all_of_it(name: FragmentName | BundleName, size: int) -> None:
    one = PartName(name, size, "0123456789abcdef", "link" + "f" * 16)
    assert PartName.from_text(one.to_text()) == one


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.upper(),
        lambda text: text + "x" * 33,
        lambda text: text.replace(".0000064.", ".0000000."),
        lambda text: text.replace(".0000064.", ".1000001."),
        lambda text: text.replace(".0000064.", ".64."),
        lambda text: text.replace(".pnr.", ".tmp."),
        lambda text: text.rpartition(".")[0],
        lambda text: "../" + text,
        lambda _: "",
    ],
)
def test_another_name_is_none(change: Callable[[str], str]) -> None:
    with pytest.raises(MalformedNameError):
        PartName.from_text(change(part(1).to_text()))


def test_what_was_appended_is_there_in_order() -> None:
    partials = spool_in(MemoryFileSystem()).partials
    assert partials.read(part(1)) == []
    partials.append(part(1), [ONE])
    partials.append(part(1), [])
    partials.append(part(1), [TWO, ONE])
    assert partials.read(part(1)) == [ONE, TWO, ONE]
    assert partials.names() == [part(1)]
    partials.replace(part(1), [TWO])
    assert partials.read(part(1)) == [TWO]
    partials.replace(part(1), [])
    partials.drop(part(1))
    assert partials.names() == []


def test_crumbs_take_no_more_room_than_was_claimed_and_as_much_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spool.partial._SLACK_BYTES", 10_000)
    disk = MemoryFileSystem()
    partials = spool_in(disk).partials
    one, data = part(1, size=2_000), random.Random(1).randbytes(2_000)
    partials.begin(one, 2_000)
    for at in random.Random(2).sample(range(2_000), 2_000):
        partials.append(one, [Piece(at, data[at : at + 1])])
        assert partials._size_bytes(one) <= 14_000
    found = bytearray(2_000)
    for offset, some in partials.read(one):
        found[offset : offset + len(some)] = some
    assert found == data


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 10))))
def test_made_anew_a_journal_says_the_same(ranges: list[tuple[int, int]]) -> None:
    data = bytes(range(100))
    pieces = [Piece(start, data[start : start + size]) for start, size in ranges]
    anew = list(_joined(_apart(pieces)))
    assert anew == sorted(anew)
    assert all(one.offset + len(one.data) < two.offset for one, two in pairwise(anew))
    held = {at: byte for one in anew for at, byte in enumerate(one.data, one.offset)}
    assert held == {at: byte for one in pieces for at, byte in enumerate(one.data, one.offset)}


def test_a_crash_leaves_pieces_that_are_whole_and_after_settling_all() -> None:
    def act(fs: MemoryFileSystem) -> None:
        partials = spool_in(fs).partials
        partials.append(part(1), [ONE])
        partials.append(part(1), [TWO])
        partials.settle(part(1))

    lengths = set()
    for fs, finished in every_crash(MemoryFileSystem, act):
        partials = spool_in(fs).partials
        pieces = partials.read(part(1))
        lengths.add(len(pieces))
        assert pieces == [ONE, TWO][: 2 if finished else len(pieces)]
        partials.append(part(1), [TWO])
        assert partials.read(part(1)) == [*pieces, TWO]
    assert lengths == {0, 1, 2}


@given(st.binary(max_size=60), st.integers(0, 40), st.integers(0, 255))
def test_whatever_stands_in_the_file_the_pieces_are_within_and_as_they_came(
    tail: bytes, at: int, flip: int
) -> None:
    fs = MemoryFileSystem()
    partials = spool_in(fs).partials
    partials.append(part(1, size=12), [ONE, TWO])
    path = f"part/{part(1, size=12).to_text()}"
    data = bytearray(fs.read(path, limit_bytes=999) + tail)
    data[at % len(data)] ^= flip
    fs.remove(path)
    fs.create(path, [bytes(data)])
    pieces = partials.read(part(1, size=12))
    assert all(offset + len(data) <= 12 for offset, data in pieces)
    assert flip == 0 or at >= 32 or pieces in ([], [ONE])
    assert partials.read(part(1, size=12)) == pieces


def test_a_piece_beyond_the_end_is_none() -> None:
    partials = spool_in(MemoryFileSystem()).partials
    partials.append(part(1, size=11), [ONE, TWO])
    assert partials.read(part(1, size=11)) == [ONE]


def test_what_nobody_claims_gives_way_the_least_urgent_first() -> None:
    fs = MemoryFileSystem()
    before = spool_in(fs).partials
    for priority in (1, 2, 3):
        before.append(part(priority, priority=priority), [ONE])
    partials = spool_in(fs, Quotas(partial_bytes=4 * 4096)).partials
    partials.begin(part(9), 2 * 4096)
    assert [one.name.priority for one in partials.names()] == [1, 2]
    partials.begin(part(9), 2 * 4096)
    with pytest.raises(FullError):
        partials.begin(part(8), 3 * 4096)
    assert [one.name.priority for one in partials.names()] == [1, 2]
    partials.release(part(9))
    partials.begin(part(8), 4 * 4096)
    assert partials.names() == []


def test_who_has_most_gives_way_and_takes_nothing_from_who_has_less() -> None:
    fs, quotas = MemoryFileSystem(), Quotas(partial_bytes=16 * 4096)
    greedy, modest = (spool_in(fs, quotas).partials for _ in range(2))
    mine = replace(part(1, size=4 * 4096), source="link2")
    modest.begin(mine, 4 * 4096)
    modest.append(mine, [Piece(0, bytes(3 * 4096))])
    for number in range(10, 13):
        greedy.begin(part(number, priority=0, size=4 * 4096), 4 * 4096)
        greedy.append(part(number, priority=0, size=4 * 4096), [Piece(0, bytes(3 * 4096))])
    with pytest.raises(FullError):
        greedy.begin(part(13, priority=0), 4 * 4096)
    assert mine in modest.names()
    another = replace(part(2, size=4 * 4096), source="link2")
    modest.begin(another, 4 * 4096)
    assert [one.source for one in modest.names()] == [LINK, LINK, "link2"]


def test_what_goes_on_where_it_was_does_not_give_way_to_itself() -> None:
    fs = MemoryFileSystem()
    spool_in(fs).partials.append(part(1), [ONE])
    partials = spool_in(fs, Quotas(partial_bytes=4096)).partials
    partials.begin(part(1), 100)
    assert partials.read(part(1)) == [ONE]


def test_expiry() -> None:
    fs = MemoryFileSystem()
    spool = spool_in(fs)
    spool.partials.append(part(1, expiry_days=9), [ONE])
    assert spool.expire(late_from(9)).partial_count == 0
    assert spool.expire(late_from(10)).partial_count == 1
    assert spool.partials.names() == []


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    if vector["expect"] == "malformed":
        with pytest.raises(MalformedNameError):
            PartName.from_text(vector["name"])
        return
    name = PartName.from_text(vector["name"])
    assert name.to_text() == vector["name"]
    fs = MemoryFileSystem()
    partials = spool_in(fs).partials
    fs.make_folder("part")
    fs.create(f"part/{vector['name']}", [bytes.fromhex(vector["journal"])])
    assert partials.names() == [name]
    pieces = [Piece(offset, bytes.fromhex(content)) for offset, content in vector["pieces"]]
    assert partials.read(name) == pieces
    partials.drop(name)
    for piece in pieces:
        partials.append(name, [piece])
    whole = bytes.fromhex(vector["journal"])
    assert whole.startswith(fs.read(f"part/{vector['name']}", limit_bytes=999))
