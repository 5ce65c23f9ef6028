"""A ticket as somebody typed it, in any of its forms, and as bytes."""

from collections.abc import Iterator

from bundler.errors import BundleError
from bundler.ticket import MAX_BLOCKS, MAX_BYTES, Ticket
from pannier.errors import UsageError
from pannier.ticket_words import from_spoken, tickets_in, to_digits, to_text, to_words
from tests.fuzz.harness import Target, vectors

KEY = bytes(range(32))


def take(data: bytes) -> None:
    try:
        ticket = Ticket.from_bytes(data)
    except BundleError:
        text = data.decode(errors="replace")
        (typed,) = {*tickets_in([text]), from_spoken(text)}
        ticket = Ticket.from_bytes(typed)
    raw = ticket.to_bytes()
    assert Ticket.from_bytes(raw) == ticket
    assert len(raw) <= MAX_BYTES
    assert 1 <= len(ticket.wanted) <= MAX_BLOCKS
    assert not ticket.is_for(KEY, b"nobody's")
    for spoken in (to_text(raw), to_words(raw), to_digits(raw)):
        assert from_spoken(spoken) == raw
        assert tickets_in(spoken.split()) == [raw]


def seeds() -> Iterator[bytes]:
    for data in vectors("ticket", "data"):
        yield data
        if data:
            yield from (form(data).encode() for form in (to_text, to_words, to_digits))


TARGET = Target(take, (BundleError, UsageError), seeds, longest=256)
