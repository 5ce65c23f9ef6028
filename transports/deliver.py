"""From the spool onto a medium: what is queued for peers, and what we carry for others.

The most urgent goes first, and what does not fit is left while smaller things may still go. Nothing
leaves a queue by this: that takes a receipt.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple

from spool.carry import Carry
from spool.errors import SpoolError
from spool.name import BundleName, FragmentName
from spool.tree import Spool
from transports.errors import MediumFaultError, MediumFullError, MediumGoneError
from transports.medium import Medium, fragment_path
from transports.questions import Fresh, Part, Questions
from transports.report import Delivered
from transports.terms import Terms

# Files become visible in groups: a medium pulled too early keeps all groups before the last.
_GROUP_COUNT: Final = 256
_GROUP_BYTES: Final = 64 << 20
_NO_ROOM: Final = "no room on the medium"


class _Queued(NamedTuple):
    """A bundle of ours that wants to go, or what of it its recipient lacks."""

    peer: str
    bundle: BundleName
    size_bytes: int
    payload_id: int = 0

    @property
    def name(self) -> FragmentName:
        return self.bundle.fragment(self.payload_id)


_Candidate = _Queued | Carry


def deliver(
    medium: Medium,
    spool: Spool,
    questions: Questions,
    *,
    peers: Sequence[str],
    terms: Terms,
    fresh: Iterable[Fresh] = (),
) -> Delivered:
    """Write to *medium*; see `transports.directory.Directory.deliver`."""
    with spool.exchange(medium.id):
        medium.files.sweep(mark=spool.mark, now_ns=terms.now_ns)
        candidates: list[_Candidate] = list(_queued(spool, questions, peers, terms))
        candidates += spool.carried.offered(medium.id)
        return _Pass(medium, spool, questions).run(_in_order(candidates, terms), fresh)


def _queued(
    spool: Spool, questions: Questions, peers: Sequence[str], terms: Terms
) -> Iterator[_Queued]:
    for peer in dict.fromkeys(peers):
        for bundle in spool.outbox.queued(peer):
            is_chosen = terms.bundles is None or bundle.bundle_id in terms.bundles
            size = spool.outbox.size_bytes(peer, bundle) if is_chosen else None
            if size is not None:
                part = questions.part(peer, bundle) or Part(0, size)
                yield _Queued(peer, bundle, part.size_bytes, part.payload_id)


def _in_order(candidates: Iterable[_Candidate], terms: Terms) -> list[_Candidate]:
    current = [each for each in candidates if each.name.expiry_days >= terms.today_days]
    return sorted(current, key=_order)


def _order(candidate: _Candidate) -> tuple[int, int, int, FragmentName]:
    name = candidate.name
    return name.priority, name.expiry_days, candidate.size_bytes, name


class _Content:
    """What a file is to hold, from where it waits."""

    def __init__(self, ask: Callable[[], Iterable[bytes | memoryview]]) -> None:
        self._ask = ask
        self._begun: Iterable[bytes | memoryview] | None = None

    def begin(self) -> None:
        """Ask for it before it is needed; what goes wrong shows when it is."""
        with suppress(SpoolError):
            self._begun = self._ask()

    def chunks(self) -> Iterable[bytes | memoryview]:
        """Return it, as often as needed; what iterating raises is a `SpoolError`, too."""
        begun, self._begun = self._begun, None
        return self._ask() if begun is None else begun


class _Pass:
    def __init__(self, medium: Medium, spool: Spool, questions: Questions) -> None:
        self._medium = medium
        self._spool = spool
        self._questions = questions
        self._staged: dict[str, _Candidate] = {}
        self._staged_bytes = 0
        self._note: Callable[[], None] = _nothing
        self._written: list[_Candidate] = []
        self._there: list[_Candidate] = []
        self._left: list[tuple[_Candidate, str]] = []

    def run(self, candidates: Iterable[_Candidate], fresh: Iterable[Fresh]) -> Delivered:
        try:
            for candidate, content in self._with_contents(candidates):
                self._stage_in_groups(candidate, content)
            for one in fresh:
                queued = _Queued(one.peer, one.bundle, one.size_bytes)
                self._note = one.note
                self._stage_in_groups(queued, _Content(partial(iter, one.chunks)))
            self._publish()
        except MediumGoneError as error:
            raise MediumGoneError(str(error), self._report()) from error
        finally:
            self._medium.files.unstage(self._staged, mark=self._spool.mark)
        return self._report()

    def _stage_in_groups(self, candidate: _Candidate, content: _Content) -> None:
        self._stage(candidate, content)
        if self._staged_bytes >= _GROUP_BYTES or len(self._staged) >= _GROUP_COUNT:
            self._publish()

    def _with_contents(
        self, candidates: Iterable[_Candidate]
    ) -> Iterator[tuple[_Candidate, _Content]]:
        """Yield each with its content, that of the next being asked for before it is needed."""
        found = ((each, self._content(each)) for each in candidates)
        ahead = next(found, None)
        while ahead is not None:
            now, ahead = ahead, next(found, None)
            yield now

    def _content(self, candidate: _Candidate) -> _Content:
        if isinstance(candidate, Carry):
            return _Content(lambda: [self._spool.carried.read(candidate.name)])
        content = _Content(lambda: self._questions.fragments(candidate.peer, candidate.bundle))
        content.begin()
        return content

    def _stage(self, candidate: _Candidate, content: _Content) -> None:
        if fragment_path(candidate.name) in self._staged:
            self._publish()  # one bundle for two peers: the second finds it there
        try:
            path = self._missing_path(candidate, content)
            if path is None:
                self._note_there(candidate)
                return
            free_bytes = self._medium.free_bytes()
            if free_bytes is not None and candidate.size_bytes > free_bytes:
                self._left.append((candidate, _NO_ROOM))
                return
            chunks = _bounded(content.chunks(), free_bytes)
            size = self._medium.files.stage(path, chunks, mark=self._spool.mark)
        except MediumFullError:
            self._left.append((candidate, _NO_ROOM))
        except (MediumFaultError, SpoolError) as error:
            self._left.append((candidate, str(error)))
        else:
            self._staged[path] = candidate
            self._staged_bytes += size

    def _missing_path(self, candidate: _Candidate, content: _Content) -> str | None:
        """Return where a file is to be written; None if it is there.

        What is ours must be as it was written: its recipient throws a spoiled one away each time,
        and would never get it from this medium.
        """
        path = fragment_path(candidate.name)
        facts = self._medium.files.inspect(path)
        if isinstance(candidate, Carry):
            return path if facts is None else self._free_path(candidate, content, facts.size_bytes)
        if facts is None or facts.size_bytes < candidate.size_bytes:
            return path  # the symbols alone are as long as the bundle
        return None if self._is_sound(path, content, facts.size_bytes) else path

    def _free_path(self, carry: Carry, content: _Content, size_bytes: int) -> str | None:
        """Return where what is carried is to be written, though a file has its name; None: nowhere.

        That is another's, and perhaps the genuine one: unless it is but a beginning of ours, ours
        goes beside it.
        """
        data = b"".join(content.chunks())
        path = fragment_path(carry.name)
        if size_bytes <= len(data):
            with suppress(MediumFaultError):
                there = self._medium.files.read(path, limit_bytes=len(data))
                if data.startswith(there):
                    return path if len(there) < len(data) else None
        beside = fragment_path(carry.name.beside(sha256(data).digest()))
        if beside in self._staged or self._medium.files.inspect(beside) is not None:
            return None
        return beside

    def _is_sound(self, path: str, content: _Content, size_bytes: int) -> bool:
        """Say whether the file there, of *size_bytes* as the medium has it, is as it was written.

        How much is read is for us to say: a file that takes no room there can state any size.
        """
        expected = b"".join(content.chunks())
        if size_bytes != len(expected):
            return False
        try:
            return self._medium.files.read(path, limit_bytes=len(expected)) == expected
        except MediumFaultError:
            return False

    def _note_there(self, candidate: _Candidate) -> None:
        self._there.append(candidate)
        if isinstance(candidate, Carry):
            self._spool.carried.add_source(candidate, self._medium.id)

    def _publish(self) -> None:
        if not self._staged:
            return
        self._note()
        staged, self._staged, self._staged_bytes = self._staged, {}, 0
        try:
            failed = self._medium.files.publish(staged, mark=self._spool.mark)
        except (MediumFaultError, MediumFullError) as error:
            failed = dict.fromkeys(staged, str(error))
        for path, candidate in staged.items():
            if path in failed:
                self._left.append((candidate, failed[path]))
                continue
            self._written.append(candidate)
            if isinstance(candidate, Carry):
                # The medium has it now; its recipient may take it off, and we meet it again.
                self._spool.carried.add_source(candidate, self._medium.id)

    def _report(self) -> Delivered:
        return Delivered(
            written=_bundles(self._written),
            already_there=_bundles(self._there),
            left=tuple(
                (each.peer, each.bundle, reason)
                for each, reason in self._left
                if isinstance(each, _Queued)
            ),
            carried_written=sum(isinstance(each, Carry) for each in self._written),
            carried_left=sum(isinstance(each, Carry) for each, _ in self._left),
        )


def _nothing() -> None:
    """Do what there is to do before anything was made."""


def _bundles(candidates: Iterable[_Candidate]) -> tuple[tuple[str, BundleName], ...]:
    return tuple((each.peer, each.bundle) for each in candidates if isinstance(each, _Queued))


def _bounded(
    chunks: Iterable[bytes | memoryview], limit_bytes: int | None
) -> Iterator[bytes | memoryview]:
    """Pass *chunks* on, and stop a file that grows beyond the room before the medium does."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if limit_bytes is not None and total > limit_bytes:
            raise MediumFullError(_NO_ROOM)
        yield chunk
