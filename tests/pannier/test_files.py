from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blob import CHUNK_BYTES
from ledger.file_payload import FilePayload
from pannier.files import WINDOW_CHUNKS, ahead, chunk_spans, lacking_bytes, unsafe_name


@pytest.mark.parametrize(
    "thing",
    [
        *("/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a/", "a//b", ".", "./a", "a/./b"),
        *("", ".pannier-0123456789abcdef", "a/.pannier-x/b"),
    ],
)
def test_names_that_lead_elsewhere_are_unsafe(thing: str) -> None:
    assert unsafe_name(thing, windows=False)
    assert unsafe_name(thing, windows=True)


@pytest.mark.parametrize(
    "thing",
    [
        *("C:x", "a\\..\\b", "con", "a/NUL.txt", "com1", "LPT9.log", "aux .x", "a.", "a/b ", "..."),
        *("what?", "x|y", "<x", 'say "hi"', "a*"),
    ],
)
def test_some_names_are_unsafe_on_windows_alone(thing: str) -> None:
    assert unsafe_name(thing, windows=True)
    assert unsafe_name(thing, windows=False) is None


@pytest.mark.parametrize("thing", ["a", "a/b.txt", ".bashrc", "é/日本", "a..b", "connect"])
def test_other_names_are_safe(thing: str) -> None:
    assert unsafe_name(thing, windows=True) is None
    assert unsafe_name(thing, windows=False) is None


@given(st.text(max_size=30))
def test_what_is_safe_is_a_path_of_plain_names(thing: str) -> None:
    if unsafe_name(thing, windows=False) is None:
        parts = thing.split("/")
        assert not {"", ".", ".."} & set(parts)


@given(st.integers(0, 5 * CHUNK_BYTES))
def test_chunks_cover_a_file_once(size: int) -> None:
    spans = list(chunk_spans(size))
    assert sum(count for _, count in spans) == size
    assert all(offset == number * CHUNK_BYTES for number, (offset, _) in enumerate(spans))


def test_lacking_bytes_are_those_of_chunks_that_are_not_held() -> None:
    one, other = bytes(32), bytes([1]) * 32
    file = FilePayload(2 * CHUNK_BYTES + 5, 0, (one, other, other))
    assert lacking_bytes(file, {one}) == CHUNK_BYTES + 5
    assert lacking_bytes(file, {other}) == CHUNK_BYTES
    assert lacking_bytes(file, {one, other}) == 0


@given(st.integers(0, 100))
def test_some_steps_are_ahead_and_no_more(count: int) -> None:
    begun = 0

    def steps() -> Iterator[int]:
        nonlocal begun
        for number in range(count):
            begun += 1
            yield number

    seen = []
    for step in ahead(steps()):
        seen.append(step)
        assert begun <= min(count, len(seen) + WINDOW_CHUNKS)
        assert begun == count or begun > len(seen)
    assert seen == list(range(count))
