"""What is sent one way: all that waits for some peers, round after round (docs/link.md section 7).

The first round is the source symbols of each bundle and as many more as were asked for; every
further one is as many again, always such as were never sent: whoever hears any of them, in any
rounds, needs just enough. Small bundles go whole. What is new or urgent does not wait for a round
to end.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest

from bundler.errors import BundleError
from bundler.fragment import mac_check
from bundler.geometry import MIN_MTU_BYTES, Geometry
from bundler.split import Cut, Numbers, repair_count, symbols_of
from bundler.whole import Whole, frame_bytes
from pannier import unreadable
from pannier.errors import BugError, BusyError, UsageError, bugs_told
from pannier.files_sending import make_files
from pannier.group_sending import prepare_groups
from pannier.home import Peer
from pannier.links.news import News
from pannier.links.payload_ids import Supply, asked_for
from pannier.links.rounds import Rounds
from pannier.loads import Room
from pannier.node import Node
from pannier.out_bundle import OutBundle
from pannier.queued import Sealed, sealed_bundle
from pannier.sending import prepare
from pannier.unreadable import free, going_on
from spool.errors import SpoolError
from spool.name import BundleName
from transports.link import settings
from transports.link.encode import ONE_WAY_OVERHEAD_BYTES
from transports.link.frame import Label, OneWay

FOREVER = 1 << 30
"""More rounds than anybody waits for."""

LEAST_FRAME_BYTES = max(settings.LEAST_FRAME_BYTES, MIN_MTU_BYTES + ONE_WAY_OVERHEAD_BYTES)

# Symbols are made so many bytes at a time: each time the code begins at the first one again.
_BATCH_BYTES = 1 << 20
_LOOK_US = 2_000_000
# Contents of files are made so many bytes at a time, when all that was made before went once.
_ROOM_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How to send one way.

    Attributes:
        frame_bytes: Longest frame of the link, at least `LEAST_FRAME_BYTES`.
        overhead_percent: So many symbols more than a bundle has go in each round.
        rounds: How often each bundle goes.
    """

    frame_bytes: int
    overhead_percent: int = 10
    rounds: int = FOREVER

    def __post_init__(self) -> None:
        """Refuse frames in which no fragment has room.

        Raises:
            UsageError: they are too short.
        """
        if self.frame_bytes < LEAST_FRAME_BYTES:
            raise UsageError(f"one way, frames have at least {LEAST_FRAME_BYTES} bytes: see --mtu")

    @property
    def room(self) -> int:
        """How long a fragment may be, or a whole bundle with what is around it."""
        return self.frame_bytes - ONE_WAY_OVERHEAD_BYTES


@dataclass(slots=True)
class _Track:
    """A bundle on its way round.

    Attributes:
        frames: Of its batch that were not asked for yet.
        redeemed: What tickets ask for that was not sent yet.
        answered: Those of them that the batch is made of; none: it belongs to a round.
        is_sent: Whether all of its batch were, and the last one only has to be sent.
    """

    bundle: OutBundle
    name: BundleName
    supply: Supply
    is_whole: bool
    round_symbols: list[int]
    sent: list[int]
    frames: deque[bytes] = field(default_factory=deque)
    counts: dict[int, int] = field(default_factory=dict)
    redeemed: list[Numbers] = field(default_factory=list)
    answered: list[Numbers] = field(default_factory=list)
    is_sent: bool = False

    @property
    def rounds(self) -> int:
        """How many are over."""
        return min(sent // each for sent, each in zip(self.sent, self.round_symbols, strict=True))

    @property
    def urgency(self) -> tuple[int, int, int, str]:
        """The smallest is the next to go: what somebody asked for, then what went least."""
        asked = -1 if self.redeemed else self.rounds
        return (asked, self.name.priority, self.bundle.counter, self.bundle.bundle_id)

    @property
    def label(self) -> Label:
        return Label(self.name.priority, self.name.expiry_days, bytes.fromhex(self.name.hint))

    def left(self) -> list[int]:
        """Return how many symbols of each block belong to this round still."""
        target = self.rounds + 1
        return [
            max(target * each - sent, 0)
            for sent, each in zip(self.sent, self.round_symbols, strict=True)
        ]


class Carousel:
    """Supplies frames for a link without a way back (`transports.link.oneway.Supply`).

    Attributes:
        problems: What the last look left out, for people.
        is_idle: Whether there was nothing to send when it was asked last, nor will be at the next
            look as far as is known.
    """

    def __init__(self, node: Node, peers: Sequence[Peer], terms: Terms, *, medium: str) -> None:
        """Begin where the last one for this *medium*, a name of the link for status, ended."""
        self._node, self._peers, self._terms = node, peers, terms
        self._rounds = Rounds(node.db, medium)
        self._tracks: dict[str, _Track] = {}
        self._current: _Track | None = None
        self._look_us = 0
        self._news = News(node, peers[0].node_id)
        self._seen: object = None
        self._sealed: tuple[str, Sealed] | None = None
        self.problems: list[str] = []
        self.is_idle = False

    def supply(self, now_us: int) -> OneWay | None:
        """Return the next frame; None if all rounds are over and nothing is new.

        Whoever asks has sent the one before: only then it counts.

        Raises:
            PannierError: the home cannot be read or written.
            LedgerError: a ledger cannot be read.
            SpoolError: the spool cannot be read or written.
        """
        if self._current is not None and self._current.is_sent:
            self._end_batch(self._current)
        if now_us >= self._look_us:
            self._look_us = now_us + _LOOK_US
            seen = (self._news.outside(), self._node.db.rows("PRAGMA data_version"))
            if seen != self._seen:
                self._seen = seen if self._look() else None
        while (track := self._next()) is not None:
            if not track.frames:
                self._fill(track)
            if track.frames:
                body = track.frames.popleft()
                track.is_sent = not track.frames
                self.is_idle = False
                return OneWay(track.label, body)
        self.is_idle = self._seen is not None
        return None

    def break_off(self) -> None:
        """Note that the frame asked for last may not have been sent: its batch goes again."""
        if self._current is not None:
            self._current.frames.clear()
            self._current.is_sent = False
        self._current = None

    def due_us(self) -> int:
        """Return when to look again whether something is new."""
        return self._look_us

    def close(self) -> None:
        """Let go of the files that were looked at."""
        self._news.close()

    def progress(self) -> tuple[int, int, int]:
        """Return how many bundles there are, and the least and the most rounds that they went."""
        rounds = [track.rounds for track in self._tracks.values()]
        return len(rounds), min(rounds, default=0), max(rounds, default=0)

    # -- which is next ------------------------------------------------------------------------

    def _next(self) -> _Track | None:
        """Return the current bundle until its batch is over, then the most urgent one."""
        if self._current is None:
            going = [track for track in self._tracks.values() if self._goes_on(track)]
            self._current = min(going, key=lambda track: track.urgency, default=None)
        return self._current

    def _goes_on(self, track: _Track) -> bool:
        return bool(track.redeemed) or track.rounds < self._terms.rounds

    def _look(self) -> bool:
        """Take note of what waits now; False if another process keeps that from being told."""
        self._current, self.problems = None, []
        try:
            queued = going_on(self._node, self._queued)
            for number in self._tracks.keys() - queued.keys():
                del self._tracks[number]
            self._follow(queued)
            # Whether there is to be more depends on how far these have come.
            self._follow(going_on(self._node, self._made_files))
        except BusyError:
            return False
        self.problems += unreadable.problems(self._node)
        for track in self._tracks.values():
            track.redeemed = track.supply.redeemed()
        return True

    def _follow(self, bundles: dict[str, OutBundle]) -> None:
        """Send *bundles*, by number, from now on."""
        for number, bundle in bundles.items():
            if number not in self._tracks and (track := self._track(bundle)) is not None:
                self._tracks[number] = track

    def _queued(self) -> dict[str, OutBundle]:
        """Return what waits, by number; what went once and need go no more to media, too."""
        node, room = self._node, self._terms.room
        found: list[OutBundle] = []
        with self._told("nothing was made for several at once"):
            prepare_groups(node, self._peers)
        for peer in self._peers:
            with self._told(f"nothing was made for {peer.name}"):
                found += prepare(node, peer, mtu=room)
        begun = self._rounds.begun() | asked_for(node.db)
        for peer in self._peers:
            kept = (*node.db.bundles(peer.node_id), *node.db.group_bundles(peer.node_id))
            found += [one for one in free(node, kept) if one.bundle_id in begun]
        return {one.bundle_id: one for one in found}

    def _made_files(self) -> dict[str, OutBundle]:
        """Make some more contents of files, if all that was made before went once."""
        if any(not track.rounds for track in self._tracks.values()):
            return {}
        found: dict[str, OutBundle] = {}
        for peer in self._peers:
            with self._told(f"no contents of files were made for {peer.name}"):
                made = make_files(self._node, peer, Room(_ROOM_BYTES), mtu=self._terms.room)
                # They are noted when all are made.
                for bundle in [one.bundle for one in made]:
                    # What no carrier touched would be taken back at the next look.
                    self._rounds.begin(bundle.bundle_id)
                    found[bundle.bundle_id] = bundle
        return found

    @contextmanager
    def _told(self, problem: str) -> Iterator[None]:
        """Have what cannot be made told and left out: all else goes."""
        try:
            with bugs_told():
                yield
        except (BundleError, BugError) as error:
            self.problems.append(f"{problem}: {error}")

    def _track(self, bundle: OutBundle) -> _Track | None:
        """Return a bundle with how far it has come; None if it does not fit this link."""
        name = BundleName.from_text(bundle.name)
        is_whole = frame_bytes(bundle.size_bytes) <= self._terms.room
        # A bundle that goes whole is as one symbol.
        symbol_bytes = bundle.size_bytes + -bundle.size_bytes % 8 if is_whole else name.symbol_bytes
        try:
            geometry = Geometry.of(bundle.size_bytes, symbol_bytes)
        except BundleError:
            return None
        supply = Supply(self._node.db, bundle.bundle_id, geometry)
        percent = 0 if is_whole else self._terms.overhead_percent
        round_symbols = [
            count + repair_count(count, percent)
            for count in map(geometry.block_symbols, range(geometry.blocks))
        ]
        sent = self._rounds.sent(bundle.bundle_id, geometry.blocks)
        return _Track(bundle, name, supply, is_whole, round_symbols, sent)

    # -- frames -------------------------------------------------------------------------------

    def _fill(self, track: _Track) -> None:
        """Make the next frames of a bundle; drop it if it is gone."""
        if not self._rounds.begin(track.bundle.bundle_id):
            self._drop(track)
            return
        try:
            track.frames.extend(self._frames(track))
        except (SpoolError, BundleError):
            self._drop(track)

    def _drop(self, track: _Track) -> None:
        self._tracks.pop(track.bundle.bundle_id, None)
        self._current = None

    def _frames(self, track: _Track) -> Iterator[bytes]:
        sealed = self._sealed_of(track)
        track.answered = track.redeemed
        if track.is_whole:
            track.counts = {0: 1}
            yield Whole(hint=bytes.fromhex(track.name.hint), sealed=bytes(sealed)).to_bytes()
            return
        runs = track.answered or list(self._runs(track))
        cut = Cut(
            mtu_bytes=self._terms.room,
            symbol_bytes=track.name.symbol_bytes,
            check=mac_check(self._key(track.bundle)),
        )
        number = bytes.fromhex(track.bundle.bundle_id)
        # Blocks take turns, so that all become whole at about the same time.
        made = [list(symbols_of(sealed, cut, [run], number=number)) for run in runs]
        for frames in zip_longest(*made):
            yield from (one for one in frames if one is not None)

    def _runs(self, track: _Track) -> Iterator[Numbers]:
        """Give out the symbols of the next batch."""
        geometry = track.supply.geometry
        most = max(_BATCH_BYTES // geometry.symbol_bytes // geometry.blocks, 1)
        track.counts = {}
        with self._node.db.transaction():
            for block, left in enumerate(track.left()):
                if left:
                    numbers = track.supply.take(block, min(left, most))
                    track.counts[block] = numbers.end - numbers.first
                    yield numbers

    def _end_batch(self, track: _Track) -> None:
        """Note what went, when all of it has."""
        track.is_sent = False
        if track.answered:
            for numbers in track.answered:
                track.supply.note_redeemed(numbers)
            # Others may have been asked for meanwhile.
            track.redeemed = track.supply.redeemed()
        else:
            number, before = track.bundle.bundle_id, track.rounds
            self._rounds.note_sent(number, track.counts)
            track.sent = self._rounds.sent(number, len(track.sent))
            if before == 0 < track.rounds:
                self._seen = None  # there may be contents of files to be made
                self._node.db.note_handed_over(
                    number,
                    self._rounds.medium,
                    self._node.clock(),
                    [one.node_id for one in self._peers],
                )
        self._current = None

    def _sealed_of(self, track: _Track) -> Sealed:
        number = track.bundle.bundle_id
        if self._sealed is None or self._sealed[0] != number:
            self._sealed = (number, sealed_bundle(self._node, track.bundle.peer, track.name))
        return self._sealed[1]

    def _key(self, bundle: OutBundle) -> bytes:
        return self._node.shared.fragment_key_to(bundle.peer)
