"""What is heard one way: kept, durably, until it is whole (docs/link.md section 7).

Nobody is answered. What is for this node and genuine goes to the inbox, where it adds up with what
came by other ways; what is for others is carried, within the quota and no more of it than makes it
whole. A few seconds of it are lost in a crash, and other symbols do as well.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bundler.errors import BundleError
from bundler.fragment import Fragment, fits, is_plausible, mac_check
from bundler.geometry import Geometry
from bundler.sealed import bundle_id
from bundler.sequence import parse_sequence
from bundler.split import EXTRA_SYMBOLS
from bundler.whole import START as WHOLE_START
from bundler.whole import Whole
from ledger.genesis import LedgerId
from pannier.answers import whose
from pannier.errors import BusyError
from pannier.import_report import Outcome, Report
from pannier.importing import import_arrived
from pannier.node import Node
from pannier.taken_along import note_doubt
from pannier.unreadable import going_on
from spool.delivery import Delivery
from spool.errors import GoneError, MalformedNameError
from spool.name import FragmentName
from transports.link.frame import OneWay
from transports.questions import Fate, Mine

SOURCE = "oneway"
"""Where what is carried came from; what is ours bears the name of its sender's link."""

_FLUSH_BYTES = 64 << 10
_FLUSH_US = 5_000_000
# Whole bundles are imported at once, if that was not done a moment ago: anybody can make up such
# as can only be told from genuine ones by opening them.
_IMPORT_US = 1_000_000
_MOST_BUNDLES = 1024
_MOST_SYMBOLS = 1 << 20
"""Of which it is remembered that they came; of what was heard longest ago it is looked up again."""

_LEAST_FILE_BYTES = 16
_Key = tuple[str, str]
Part = Whole | Fragment


@dataclass(slots=True)
class _Block:
    """Which symbols of a block came, and how many it takes."""

    wanted: int
    numbers: set[int] = field(default_factory=set)

    @property
    def is_enough(self) -> bool:
        return len(self.numbers) >= self.wanted


@dataclass(slots=True)
class _Hearing:
    """A bundle of which something was heard.

    Attributes:
        name: Of its fragments, as the first frame said.
        peer: Who sent it; None: it is for others.
        parameters: Transfer length and symbol size, as the first fragment said.
        blocks: By number.
        parts: Fragments that are not stored yet.
        is_over: It is whole, or nothing of it is wanted.
    """

    name: FragmentName
    peer: str | None
    parameters: Geometry | None = None
    blocks: dict[int, _Block] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    is_over: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether of each block as much came as makes it whole."""
        return (
            self.parameters is not None
            and len(self.blocks) == self.parameters.blocks
            and all(block.is_enough for block in self.blocks.values())
        )


class Listener:
    """Takes what is heard, for one node.

    Attributes:
        report: What was imported, since `take_report` was called last.
        symbols: How many fragments were kept.
        forged: How many were thrown away.
        refused: How many bundles found no room.
    """

    def __init__(self, node: Node) -> None:
        """Listen for *node*."""
        self._node = node
        self._hearings: OrderedDict[_Key, _Hearing] = OrderedDict()
        self._waiting_bytes = self._counted = 0
        self._flush_us: int | None = None
        self._imported_us = -_IMPORT_US
        self._has_wholes = False
        self._unread: frozenset[LedgerId] = frozenset()  # when it was asked whose something is
        self.report = Report()
        self.symbols = self.forged = self.refused = 0

    def take(self, frame: OneWay, now_us: int) -> None:
        """Take a frame; what makes a bundle whole is imported at once.

        Raises:
            PannierError: the home cannot be read or written.
            LedgerError: a ledger cannot be read or written.
            SpoolError: the spool cannot be written.
        """
        try:
            part = _read(frame.body)
            hearing = self._hearing(_name(frame, part))
            is_new = not hearing.is_over and self._is_new(hearing, part)
        except (BundleError, MalformedNameError):
            self.forged += 1
            return
        if is_new:
            self._keep(hearing, frame, now_us)
            if isinstance(part, Whole):
                hearing.is_over = True
                self._has_wholes |= hearing.peer is not None
            if hearing.is_enough or (self._has_wholes and now_us - self._imported_us >= _IMPORT_US):
                self._imported_us = now_us
                self._end(hearing)
        if self._waiting_bytes >= _FLUSH_BYTES or self._is_due(now_us):
            self.flush()

    def due_us(self) -> int | None:
        """Return when to call `flush`; None if nothing waits."""
        return self._flush_us

    def flush(self) -> None:
        """Store what was taken, durably, and import whole bundles that waited for that.

        Raises:
            PannierError: the home cannot be read or written.
            LedgerError: a ledger cannot be read or written.
            SpoolError: the spool cannot be written.
        """
        self._store()
        if self._has_wholes:
            self._import()

    def _store(self) -> None:
        deliveries: list[Delivery] = []
        carried: dict[FragmentName, bytes] = {}
        for hearing in self._hearings.values():
            if not hearing.parts:
                continue
            data = b"".join(hearing.parts)
            hearing.parts.clear()
            if hearing.peer is not None:
                source = f"link{hearing.peer}"
                deliveries.append(Delivery(hearing.name, hearing.peer, source, data))
            else:
                carried[_file_name(hearing.name, data)] = data
        self._waiting_bytes, self._flush_us = 0, None
        if deliveries:
            refused = set(self._node.spool.inbox.receive(deliveries).refused)
            self.refused += len(refused)
            for key in [key for key in self._hearings if key[0] in refused]:
                self._forget(*key)
        if carried:
            note_doubt(self._node, carried)
            today = self._node.time.past_day()
            self._node.spool.carried.take(carried, SOURCE, today_days=today)

    def take_report(self) -> Report:
        """Return what was imported since this was called last."""
        report, self.report = self.report, Report()
        return report

    # -- what is wanted -----------------------------------------------------------------------

    def _hearing(self, name: FragmentName) -> _Hearing:
        """Return what is known of a bundle; what was heard longest ago makes room for it."""
        if self._unread:
            self._node.look_again()
            if not self._unread <= self._node.unreadable.keys():
                self._ask_again()
        key = name.bundle_id, name.hint
        found = self._hearings.pop(key, None)
        while len(self._hearings) >= _MOST_BUNDLES or (
            self._hearings and self._counted > _MOST_SYMBOLS
        ):
            oldest = next(iter(self._hearings))
            if self._hearings[oldest].parts:
                self.flush()
            self._forget(*oldest)
        if found is None:
            found = self._begin(name)
        self._hearings[key] = found
        return found

    def _begin(self, name: FragmentName) -> _Hearing:
        """Look whose a bundle is, and what of it is here."""
        node = self._node
        verdict = going_on(node, lambda: whose(node, name))
        if verdict is Fate.OTHER:
            self._unread = self._unread.union(node.unreadable)
        match verdict:
            case Mine(peer):
                hearing = _Hearing(name, peer)
                known = [one.data for one in node.spool.inbox.read(name.bundle_id, peer)]
            case Fate.OTHER if node.config.spool.carry_bytes >= _LEAST_FILE_BYTES:
                hearing = _Hearing(name, None)
                known = self._carried(name)
            case _:
                return _Hearing(name, None, is_over=True)
        for data in known:
            if data.startswith(WHOLE_START):
                hearing.is_over = True
                continue
            for part in parse_sequence(data, is_plausible):
                if isinstance(part, Fragment) and part.bundle_id.hex() == name.bundle_id:
                    self._count(hearing, part)
        hearing.is_over |= hearing.peer is None and hearing.is_enough
        return hearing

    def _ask_again(self) -> None:
        """Forget what is for others: it was asked when less could be read than now."""
        self._store()
        self._unread = frozenset()
        for key in [key for key, one in self._hearings.items() if one.peer is None]:
            self._forget(*key)

    def _carried(self, name: FragmentName) -> list[bytes]:
        carried, found = self._node.spool.carried, list[bytes]()
        for one in carried.of(name.bundle_id):
            with suppress(GoneError):  # it gave way just now, or the disk cannot read it
                found.append(carried.read(one.name))
        return found

    def _is_new(self, hearing: _Hearing, part: Part) -> bool:
        """Return whether it is not here yet.

        Raises:
            ForgedError: it is not by whom it should be.
        """
        if isinstance(part, Whole):
            return True
        if hearing.peer is not None:
            key = self._node.shared.fragment_key_from(hearing.peer)
            Fragment.from_bytes(part.to_bytes(), fits(mac_check(key)))
        return self._count(hearing, part)

    def _count(self, hearing: _Hearing, fragment: Fragment) -> bool:
        """Count the symbols of a fragment; False if it brings none that is wanted."""
        try:
            geometry = Geometry.of(fragment.transfer_bytes, fragment.symbol_bytes)
            run = geometry.run(fragment.payload_id, len(fragment.symbols))
        except BundleError:
            return False
        if hearing.parameters is None:
            hearing.parameters = geometry
        if hearing.parameters != geometry:
            # Somebody forged one or the other; only who has the key can tell.
            return hearing.peer is not None
        source = geometry.block_symbols(run.block)
        # Who carries cannot try whether it is enough.
        more = 0 if hearing.peer is not None else EXTRA_SYMBOLS + source * 3 // 100
        block = hearing.blocks.setdefault(run.block, _Block(source + more))
        if hearing.peer is None and block.is_enough:
            return False
        before = len(block.numbers)
        block.numbers.update(range(run.first, run.first + run.count))
        self._counted += len(block.numbers) - before
        return len(block.numbers) > before

    # -- what becomes of it -------------------------------------------------------------------

    def _keep(self, hearing: _Hearing, frame: OneWay, now_us: int) -> None:
        # Whoever repeats a frame may write another date on it: an earlier one loses nothing.
        if frame.label.expiry_days > hearing.name.expiry_days:
            hearing.name = replace(hearing.name, expiry_days=frame.label.expiry_days)
        hearing.parts.append(frame.body)
        self.symbols += 1
        self._waiting_bytes += len(frame.body)
        if self._flush_us is None:
            self._flush_us = now_us + _FLUSH_US

    def _is_due(self, now_us: int) -> bool:
        return self._flush_us is not None and now_us >= self._flush_us

    def _end(self, hearing: _Hearing) -> None:
        """Do with a bundle that may be whole what is right."""
        self._store()
        hearing.is_over |= hearing.peer is None
        if hearing.is_over and not self._has_wholes:
            return
        outcomes = self._import()
        outcome = outcomes.get(hearing.name.bundle_id, Outcome.INCOMPLETE)
        if outcome is Outcome.INCOMPLETE and not hearing.is_over:
            self._ask_for_more(hearing)

    def _import(self) -> dict[str, Outcome]:
        """Import what is in the inbox; return what became of it: nothing if that cannot be now."""
        try:
            report = import_arrived(self._node)
        except BusyError:
            return {}
        self._has_wholes = False
        self.report.add(report)
        over = {number for number, one in report.outcomes.items() if one is not Outcome.INCOMPLETE}
        for key in [key for key in self._hearings if key[0] in over]:
            self._forget(*key)
        return report.outcomes

    def _ask_for_more(self, hearing: _Hearing) -> None:
        """Wait for one symbol more of each block: what came does not suffice, by bad luck."""
        for block in hearing.blocks.values():
            if block.is_enough:
                block.wanted = len(block.numbers) + 1

    def _forget(self, number: str, hint: str) -> None:
        """Forget what is known of a bundle; it is looked up when more of it is heard."""
        hearing = self._hearings.pop((number, hint), None)
        if hearing is not None:  # else it found no room a moment ago
            self._counted -= sum(len(block.numbers) for block in hearing.blocks.values())


def _read(body: bytes) -> Part:
    """Return what is in a frame.

    Raises:
        BundleError: it is neither a whole bundle nor a fragment.
    """
    if body.startswith(WHOLE_START):
        return Whole.from_bytes(body)
    return Fragment.from_bytes(body, is_plausible)


def _name(frame: OneWay, part: Part) -> FragmentName:
    """Return what a file of it would be called.

    Raises:
        MalformedNameError: no file can be called so.
    """
    if isinstance(part, Whole):
        number, first = bundle_id(part.sealed), 0
    else:
        number, first = part.bundle_id, part.payload_id
    label = frame.label
    return FragmentName(label.priority, label.expiry_days, label.hint.hex(), number.hex(), first)


def _file_name(name: FragmentName, data: bytes) -> FragmentName:
    """Return the name of a file of fragments, or of a whole bundle."""
    if data.startswith(WHOLE_START):
        return name
    first = min(
        part.payload_id for part in parse_sequence(data, is_plausible) if isinstance(part, Fragment)
    )
    return FragmentName(name.priority, name.expiry_days, name.hint, name.bundle_id, first)
