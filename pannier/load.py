"""A bundle in the making: sections, encoded, and which entries they carry."""

from collections.abc import Iterable

from bundler.entry_encodings import encode_entries
from bundler.errors import LimitError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.plan import Span
from bundler.sections import Section, encode_section, repeatable
from ledger.genesis import LedgerId
from ledger.log import LogName
from ledger.storage_errors import damage_in
from pannier.lacks import Piece

# Where each byte costs airtime there is time to save it; elsewhere packing must keep up with disks.
_SMALL_SYMBOL_BYTES = 512
# The highest level is for texts; columns of numbers are often smaller under a lower one.
_SMALL_FRAMES_LEVELS, _LEVELS = (19, 6), (6,)


class Load:
    """The sections of one bundle, and which entries they carry.

    Attributes:
        encoded: Each section, as it stands in a content.
        spans: What of which log the sections carry.
    """

    def __init__(self, sections: Iterable[Section], *, symbol_bytes: int) -> None:
        """Begin with *sections*, which say nothing of logs.

        Args:
            sections: What comes first.
            symbol_bytes: Of the frames that they will travel in.
        """
        self._levels = _SMALL_FRAMES_LEVELS if symbol_bytes < _SMALL_SYMBOL_BYTES else _LEVELS
        self.encoded = [encode_section(one, level=self._levels[0]) for one in sections]
        self.spans: list[tuple[LedgerId, LogName, Span]] = []
        self._size_bytes = sum(map(len, self.encoded))
        self._decoded_bytes = 0
        self._before = b""

    def add(self, piece: Piece, target_bytes: int) -> bool:
        """Add the section of *piece*; False if that would make more than one bundle of it.

        Raises:
            LedgerError: the ledger cannot be read (`log_section`).
        """
        section = log_section(piece)
        encoded = min(
            (encode_section(section, level=one, before=self._before) for one in self._levels),
            key=len,
        )
        self._size_bytes += len(encoded)
        self._decoded_bytes += len(section.entries)
        if self.spans and (
            self._size_bytes > target_bytes
            or self._decoded_bytes > DEFAULT_LIMITS.decoded_bytes // 2
            or len(self.encoded) == DEFAULT_LIMITS.sections - 1
        ):
            return False
        self.encoded.append(encoded)
        self.spans.append((piece.store.ledger_id, piece.state.name, piece.span))
        self._before = repeatable(self._before, section)
        return True


def log_section(piece: Piece) -> LogSection:
    """Return the section that carries *piece*.

    Raises:
        LedgerError: the ledger cannot be read; among them: its entries are not as they were ever
            written, since they fit no section.
    """
    store, state, span = piece.store, piece.state, piece.span
    with store.snapshot():  # another process may put another branch in its place
        columns = store.columns(state, *span)
        signed = store.checkpoints(state, span.end - 1, span.end)
        cover = store.log(state.name).cover if piece.with_cover else ()
    if columns.count != span.end - span.first:
        raise damage_in(store.path, f"from entry {span.first} of a log on some are missing")
    if not signed:
        raise damage_in(store.path, f"no signature after entry {span.end - 1} of a log")
    try:
        encoding, entries, cuts = encode_entries(columns)
    except (MalformedError, LimitError) as error:
        raise damage_in(store.path, error) from error
    return LogSection(
        ledger=store.ledger_id,
        author=state.name.author,
        incarnation=state.name.incarnation,
        first=span.first,
        cover=cover,
        checkpoint=signed[0],
        encoding=encoding,
        entries=entries,
        cuts=cuts,
    )
