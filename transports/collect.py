"""From a medium into the spool: what is ours, and what we carry for others.

Nothing is taken off the medium before its bundle is merged (the node says `Seen`), or a day after
all that is in it came into the inbox; so a crash at any instant only means that a later pass does
the same again, and a file with a damaged part makes room for a sound one.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from spool.carry import Carry
from spool.delivery import Delivery, StoredDelivery
from spool.name import FragmentName
from spool.tree import Spool
from transports.errors import MediumFaultError, MediumGoneError, MediumReadOnlyError
from transports.medium import Found, Medium
from transports.questions import LONG_BYTES, Fate, Mine, Offer, Questions, Verdict
from transports.report import Collected
from transports.terms import Terms

# One acknowledgement, that is two flushes, for so many files or bytes; bounds memory, too.
_BATCH_COUNT: Final = 256
_BATCH_BYTES: Final = 8 << 20
# What has the name of something carried is read to compare them: a medium may be full of it.
_MOST_COMPARED_BYTES: Final = 256 << 20
# A file in which nothing is genuine yet may be one that a sync tool writes in place.
_SETTLED_NS: Final = 60 * 10**9
_STALE_NS: Final = 86_400 * 10**9
# Copies of bad files that one pass puts into quarantine: a stick full of them must not take hours.
_MOST_QUARANTINED: Final = 100


@dataclass(slots=True)
class _Tally:
    """Counts of one pass; see `Collected`."""

    received: set[tuple[str, str]] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    bad: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    carried: int = 0
    others: int = 0
    seen: int = 0
    repeated: set[str] = field(default_factory=set)
    ours: int = 0
    expired: int = 0
    unfinished: int = 0
    forged: int = 0
    newer: int = 0
    removed: int = 0
    taken: set[tuple[str, str]] = field(default_factory=set)


def collect(medium: Medium, spool: Spool, questions: Questions, terms: Terms) -> Collected:
    """Take over what is on *medium*; see `transports.directory.Directory.collect`."""
    with spool.exchange(medium.id):
        return _Pass(medium, spool, questions, terms).run()


class _Pass:
    def __init__(self, medium: Medium, spool: Spool, questions: Questions, terms: Terms) -> None:
        self._medium = medium
        self._spool = spool
        self._questions = questions
        self._terms = terms
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._shares = spool.carried.shares(terms.today_days)
        self._known = spool.inbox.known()
        self._deliveries: list[Delivery] = []
        self._spent: list[Found] = []
        self._long: list[tuple[Found, str]] = []
        self._others: dict[FragmentName, bytes] = {}
        self._waiting_bytes = 0
        self._compared_bytes = 0
        self._tally = _Tally()

    def run(self) -> Collected:
        survey = self._medium.survey()
        try:
            for found in survey.found:
                self._look(found)
            self._flush()
            self._offer()
            self._flush()
        except MediumGoneError as error:
            self._spent = []
            self._flush()
            raise MediumGoneError(str(error), self._report(survey.foreign_count)) from error
        return self._report(survey.foreign_count, is_cut=survey.is_cut)

    def _look(self, found: Found) -> None:
        if found.name.expiry_days < self._terms.today_days:
            self._tally.expired += 1
            return
        match self._verdict(found.name):
            case Mine(peer) if found.size_bytes >= LONG_BYTES:
                self._long.append((found, peer))
            case Mine(peer):
                self._receive(found, peer)
            case Fate.SEEN:
                self._tally.seen += 1
                self._tally.repeated.add(found.name.bundle_id)
                self._remove(found)
            case Fate.OURS:
                self._tally.ours += 1
            case Fate.OTHER:
                self._tally.others += 1
                self._carry(found)

    def _verdict(self, name: FragmentName) -> Verdict:
        key = (name.hint, name.bundle_id)
        if key not in self._verdicts:
            self._verdicts[key] = self._questions.whose(name)
        return self._verdicts[key]

    def _offer(self) -> None:
        """Let the node take long files as they lie; what it does not take is received."""
        if not self._long:
            return
        took = self._questions.take(
            [
                Offer(
                    found.name, peer, self._medium.id, found.size_bytes, partial(self._peek, found)
                )
                for found, peer in self._long
            ]
        )
        for found, peer in self._long:
            if found.name in took.taken:
                self._tally.taken.add((peer, found.name.bundle_id))
            elif found.name not in took.left:
                self._receive(found, peer)

    def _peek(self, found: Found, room: memoryview) -> int | None:
        try:
            return self._medium.files.read_into(found.path, room)
        except (MediumFaultError, MediumGoneError):
            return None  # if it is asked for again, that is said

    def _receive(self, found: Found, peer: str) -> None:
        data = self._read(found, peer)
        if data is None:
            return
        delivery = Delivery(found.name, peer, self._medium.id, data)
        self._deliveries.append(delivery)
        if self._is_stale(found) and StoredDelivery.of(delivery).key in self._known:
            # All of it was here before this pass and did not make the bundle whole: part of it is
            # damaged, or lies elsewhere.
            self._spent.append(found)
        self._count(data)

    def _carry(self, found: Found) -> None:
        name, source = found.name, self._medium.id
        known = self._shares.find(name)
        is_alike = known is not None and known.size_bytes == found.size_bytes
        # Anybody can make something else of that name and length: only what was compared is known.
        if known is not None and is_alike and self._spool.carried.is_at(known, source):
            self._tally.carried += 1
            return
        if not self._is_worth_reading(found, known):
            return
        data = self._read(found, None)
        if data is None:
            return
        if name in self._others:
            self._flush()  # names that differ in letter case only are one name
        place = self._spool.carried.place(self._shares, name, data, source)
        if place is not None and place.before is not None and place.is_here:
            # Two media may have it; then it goes back to neither.
            self._spool.carried.note_there(place.before, len(data), source)
            self._tally.carried += 1
        elif place is not None and (
            known is None or self._shares.add(place.name, len(data), source)
        ):
            self._others[name] = data
            self._count(data)

    def _is_worth_reading(self, found: Found, known: Carry | None) -> bool:
        """Say whether a file would be taken; else it is not read, at no visit.

        Args:
            found: A file for others.
            known: What is carried under its name.
        """
        if known is None:
            return self._shares.add(found.name, found.size_bytes, self._medium.id)
        self._compared_bytes += found.size_bytes
        return self._compared_bytes <= _MOST_COMPARED_BYTES and self._shares.has_room(
            found.name, found.size_bytes, self._medium.id
        )

    def _read(self, found: Found, peer: str | None) -> bytes | None:
        """Return what of a file is worth keeping, None (and count it) if nothing is."""
        try:
            data = self._medium.files.read(found.path, limit_bytes=self._terms.file_bytes)
        except MediumFaultError:
            self._tally.unreadable.append(found.path)
            return None
        sifted = self._questions.sift(found.name, peer, data)
        if peer is not None:
            self._tally.forged += sifted.forged
        if sifted.data:
            return sifted.data
        if sifted.is_newer:
            self._tally.newer += 1
            return None
        # A little less than nothing when it was changed after this pass began.
        if not sifted.forged and abs(self._age_ns(found)) < _SETTLED_NS:
            self._tally.unfinished += 1
            return None
        if peer is None:
            self._quarantine(found, data)
        elif not sifted.forged:
            self._tally.forged += 1
        if self._is_stale(found):
            self._remove(found)
        return None

    def _quarantine(self, found: Found, data: bytes) -> None:
        """Keep a bad file for others for a person to look at.

        One for us is only counted: whoever can write to the medium could make any number of them,
        and each would cost a write here.
        """
        self._tally.bad.append(found.path)
        if len(self._tally.bad) <= _MOST_QUARANTINED:
            self._spool.quarantine.put(
                found.name.bundle_id,
                f"nothing in {found.name.to_text()} on medium {self._medium.id} is genuine",
                {found.name.to_text(): data},
            )

    def _age_ns(self, found: Found) -> int:
        return self._terms.now_ns - found.modified_ns

    def _is_stale(self, found: Found) -> bool:
        """Say whether no tool is still writing the file, so that what is no use may leave.

        Its sender takes the name for the file, and writes it anew only if it is missing. Nobody is
        writing what is dated days ahead either: a clock is wrong, here or where it was written.
        """
        return abs(self._age_ns(found)) > _STALE_NS

    def _remove(self, found: Found) -> None:
        if self._terms.is_removable:
            try:
                self._medium.files.remove(found.path)
            except (MediumFaultError, MediumReadOnlyError):
                return
            self._tally.removed += 1

    def _count(self, data: bytes) -> None:
        self._waiting_bytes += len(data)
        count = len(self._deliveries) + len(self._others)
        if self._waiting_bytes >= _BATCH_BYTES or count >= _BATCH_COUNT:
            self._flush()

    def _flush(self) -> None:
        if self._deliveries:
            peers = {each.name.bundle_id: each.peer for each in self._deliveries}
            receipt = self._spool.inbox.receive(self._deliveries)
            self._tally.received |= {(peers[bundle_id], bundle_id) for bundle_id in receipt.stored}
            self._tally.refused |= {*receipt.refused}
            self._deliveries = []
            for found in self._spent:
                if found.name.bundle_id not in receipt.gave_way:
                    self._remove(found)
            self._spent = []
        if self._others:
            taken = self._spool.carried.take(
                self._others, self._medium.id, today_days=self._terms.today_days
            )
            self._tally.carried += len(taken)
            self._others = {}
        self._waiting_bytes = 0

    def _report(self, foreign: int, *, is_cut: bool = False) -> Collected:
        tally = self._tally
        return Collected(
            received=tuple(sorted(tally.received)),
            taken=tuple(sorted(tally.taken)),
            refused=tuple(sorted(tally.refused)),
            carried=tally.carried,
            others=tally.others,
            seen=tally.seen,
            repeated=tuple(sorted(tally.repeated)),
            ours=tally.ours,
            expired=tally.expired,
            unfinished=tally.unfinished,
            forged=tally.forged,
            newer=tally.newer,
            bad=tuple(tally.bad),
            unreadable=tuple(tally.unreadable),
            removed=tally.removed,
            foreign=foreign,
            is_cut=is_cut,
        )
