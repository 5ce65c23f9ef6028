import errno
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.fragment import Fragment, crc_check, fits, is_plausible, mac_check
from bundler.limits import DEFAULT_LIMITS
from bundler.sealed import bundle_id
from bundler.whole import Whole
from pannier.import_report import Report
from pannier.importing import import_arrived
from pannier.links.listening import Listener
from pannier.node import Node
from spool.carried import Carried
from spool.inbox import Inbox
from spool.os_file_system import OsFileSystem
from tests.cli.computers import Computer, acquaint, new_computer, new_pair
from tests.pannier.links.test_carousel import (
    Pair,
    carousel,
    fragments,
    frames_of,
    has,
    hear,
    put,
    sent,
    source_symbols,
)
from tests.vectors import load
from transports.link.frame import Label, OneWay
from transports.link.oneway import OneWayListener
from transports.link.settings import LinkSettings


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    farm, home = new_pair(tmp_path)
    put(farm, "field/3", 4000)
    return farm, home


def listened(node: Node, frames: list[OneWay], *, step_us: int = 1) -> Listener:
    listener = Listener(node)
    for place, frame in enumerate(frames):
        listener.take(frame, place * step_us)
    return listener


def inbox_symbols(node: Node) -> int:
    found = set[int]()
    for number in node.spool.inbox.bundles():
        for arrival in node.spool.inbox.read(number):
            data = memoryview(arrival.data)
            while data:
                part, end = Fragment.take(data, 0, is_plausible, DEFAULT_LIMITS)
                found.add(part.payload_id)
                data = data[end:]
    return len(found)


class TestOurs:
    def test_what_was_heard_outlives_a_kill_but_for_a_few_seconds(self, pair: Pair) -> None:
        farm, home = pair
        frames = sent(farm)
        with home.node() as node:
            listened(node, frames[:10], step_us=1_000_000)  # and then it is killed
        with home.node() as node:
            assert inbox_symbols(node) >= 5
            listener = listened(node, frames[:10], step_us=0)
            assert 1 <= listener.symbols <= 5  # what it has is not taken again
            listener.flush()
        assert hear(home, frames[10:])["merged"] == 1

    def test_symbols_of_stick_and_radio_add_up(self, pair: Pair, tmp_path: Path) -> None:
        farm, home = pair
        frames = sent(farm)
        count = source_symbols(fragments(frames)[0])
        hear(home, frames[: count // 2])
        farm.types("pack", "home", "--into", str(tmp_path / "out"), "--mtu", "222")
        paths = sorted(path for path in (tmp_path / "out").iterdir())[count // 2 :]
        home.types("unpack", *map(str, paths))
        assert has(home, "field/3")

    def test_forged_and_damaged_symbols_are_thrown_away(self, pair: Pair) -> None:
        farm, home = pair
        frames, rng = sent(farm), random.Random(3)
        forged = []
        for frame, part in zip(frames, fragments(frames), strict=True):
            false = replace(part, symbols=rng.randbytes(len(part.symbols)))
            crc = replace(false, check=crc_check(replace(false, check=b"").to_bytes()[:-1]))
            forged += [replace(frame, body=one.to_bytes()) for one in (false, crc)]
        with home.node() as node:
            listener = listened(node, forged)
            assert (listener.symbols, listener.forged) == (0, len(forged))
        assert hear(home, forged + frames)["merged"] == 1

    def test_what_was_merged_is_not_taken_again(self, pair: Pair) -> None:
        farm, home = pair
        frames = sent(farm, rounds=3)
        with home.node() as node:
            listener = listened(node, frames)
            assert listener.symbols <= source_symbols(fragments(frames)[0]) + 2
            assert node.spool.inbox.bundles() == []

    def test_what_we_sent_ourselves_is_nothing(self, pair: Pair) -> None:
        farm, _ = pair
        frames = sent(farm)
        with farm.node() as node:
            assert listened(node, frames).symbols == 0

    def test_a_few_files_hold_many_symbols(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, home = pair
        put(farm, "field/4", 200_000)
        frames, calls = sent(farm), []
        whole = Inbox.receive

        def counted(self: Inbox, deliveries: object) -> object:
            calls.append(deliveries)
            return whole(self, deliveries)  # type: ignore[arg-type]

        monkeypatch.setattr(Inbox, "receive", counted)
        with home.node() as node:
            listener = listened(node, frames[:500])
        assert listener.symbols == 500
        assert len(calls) <= 5


class TestHostile:
    def test_any_body_does_nothing(self, pair: Pair) -> None:
        farm, home = pair
        rng, frames = random.Random(1), sent(farm)
        bodies = [rng.randbytes(rng.randrange(1, 200)) for _ in range(300)]
        for frame in frames:
            cut = bytearray(frame.body)
            cut[rng.randrange(len(cut))] ^= 1 << rng.randrange(8)
            bodies += [bytes(cut), frame.body[: rng.randrange(1, len(frame.body))]]
        hostile = [
            OneWay(Label(rng.randrange(16), rng.randrange(65_536), frames[0].label.hint), body)
            for body in bodies
        ]
        with home.node() as node:
            listened(node, hostile).flush()
        assert hear(home, frames)["merged"] == 1

    def test_a_flood_of_bundles_is_bounded(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, home = pair
        monkeypatch.setattr("pannier.links.listening._MOST_BUNDLES", 20)
        home.configure("[spool]\ncarry_bytes = 200000\n")
        calls: list[object] = []
        whole = Carried.take

        def counted(self: Carried, files: object, *given: str, today_days: int) -> object:
            calls.append(files)
            return whole(self, files, *given, today_days=today_days)  # type: ignore[arg-type]

        monkeypatch.setattr(Carried, "take", counted)
        with home.node() as node:
            listener = Listener(node)
            for count in range(300):
                label = Label(0, 9000, os.urandom(4))
                listener.take(OneWay(label, b"\x83\x01\x44" + label.hint + b"\x41" + b"x"), count)
                part = Fragment(
                    bundle_id=os.urandom(8),
                    transfer_bytes=16 << 20,
                    symbol_bytes=8192,
                    payload_id=0,
                    symbols=bytes(8192),
                    check=bytes(8),
                )
                listener.take(OneWay(label, part.to_bytes()), count)
            assert len(listener._hearings) <= 20
            listener.flush()
            carried = node.spool.carried.known().values()
            assert sum(one.footprint_bytes for one in carried) <= 200_000
        # The disk is not asked to be sure of each by itself.
        assert len(calls) <= 60

    def test_made_up_bundles_are_opened_together(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, home = pair
        reports: list[Report] = []

        def counted(node: Node) -> Report:
            reports.append(import_arrived(node))
            return reports[-1]

        monkeypatch.setattr("pannier.links.listening.import_arrived", counted)
        with farm.node() as node:
            (peer,) = node.peers.values()
            junk = [os.urandom(40) for _ in range(200)]
            hints = [node.shared.hint_to(peer, bundle_id(one)) for one in junk]
        wholes = [
            OneWay(Label(4, 60_000, hint), Whole(hint=hint, sealed=one).to_bytes())
            for one, hint in zip(junk, hints, strict=True)
        ]
        with home.node() as node:
            listener = listened(node, wholes, step_us=10_000)
            listener.flush()
            assert listener.symbols == len(listener.report.outcomes) == 200
            assert len(reports) <= 4

    def test_a_repeated_frame_with_another_date_lets_nothing_expire(self, pair: Pair) -> None:
        farm, home = pair
        frames = sent(farm)
        false = [replace(one, label=replace(one.label, expiry_days=1)) for one in frames[:3]]
        with home.node() as node:
            listened(node, [*false, *frames[3:12]]).flush()
            (number,) = node.spool.inbox.bundles()
            names = [Path(path).name for path in node.spool.inbox.paths(number)]
            assert {int(name[1:5], 16) for name in names} == {frames[0].label.expiry_days}

    def test_what_finds_no_room_when_it_makes_room_is_forgotten(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, home = pair
        monkeypatch.setattr("pannier.links.listening._MOST_BUNDLES", 1)
        home.configure("[spool]\npeer_bytes = 0\n")
        with home.node() as node:
            listener = listened(node, sent(farm)[:3])
            label = Label(0, 9000, bytes(4))
            listener.take(OneWay(label, Whole(hint=bytes(4), sealed=b"junk").to_bytes()), 5)
            assert listener.refused
            assert listener._counted == 0

    def test_remembered_symbols_are_bounded(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, home = pair
        monkeypatch.setattr("pannier.links.listening._MOST_SYMBOLS", 500)
        with home.node() as node:
            listener = Listener(node)
            for count in range(30):
                for block in range(3):
                    part = Fragment(
                        bundle_id=count.to_bytes(8, "big"),
                        transfer_bytes=8 * 8192 * 3,
                        symbol_bytes=8,
                        payload_id=block << 24,
                        symbols=bytes(8 * 100),
                        check=bytes(8),
                    )
                    listener.take(OneWay(Label(0, 9000, bytes(4)), part.to_bytes()), count)
                assert listener._counted <= 500 + 300
            assert len(listener._hearings) < 10


class TestForOthers:
    @pytest.fixture
    def relay(self, pair: Pair, tmp_path: Path) -> Computer:
        """A computer that knows nobody here."""
        return new_computer(tmp_path, "relay")

    def carried(self, relay: Computer) -> int:
        with relay.node() as node:
            return sum(one.size_bytes for one in node.spool.carried.known().values())

    def test_it_is_carried_and_handed_on(self, pair: Pair, relay: Computer, tmp_path: Path) -> None:
        farm, home = pair
        hear(relay, sent(farm, rounds=2, overhead_percent=20)[7:])
        stick = tmp_path / "stick"
        stick.mkdir()
        relay.types("exchange", str(stick))
        home.types("exchange", str(stick))
        assert has(home, "field/3")

    def test_no_more_of_it_than_makes_it_whole(self, pair: Pair, relay: Computer) -> None:
        farm, _ = pair
        frames = sent(farm, rounds=20)
        most = 1.03 * source_symbols(fragments(frames)[0]) + 2
        size = max(len(frame.body) for frame in frames)
        for start in range(0, len(frames), 100):  # each time by another process
            hear(relay, frames[start : start + 100])
        assert self.carried(relay) <= most * size

    def test_no_more_of_one_block_while_others_lack(
        self, pair: Pair, relay: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bundler.geometry._MAX_BLOCK_SYMBOLS", 8)
        farm, _ = pair
        frames = sent(farm, rounds=20)
        first = [
            frame
            for frame, part in zip(frames, fragments(frames), strict=True)
            if part.payload_id >> 24 == 0
        ]
        assert len(first) > 100
        hear(relay, first)
        assert self.carried(relay) <= (8 + 2) * max(len(frame.body) for frame in frames)

    def test_what_the_disk_cannot_read_any_more_is_heard_again(
        self, pair: Pair, relay: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, _ = pair
        frames = sent(farm, rounds=2, overhead_percent=20)
        hear(relay, frames)
        read, size = OsFileSystem.read, self.carried(relay)

        def refuse(fs: OsFileSystem, path: str, *, limit_bytes: int) -> bytes:
            if path.startswith("carry/"):
                raise OSError(errno.EIO, "Input/output error", path)
            return read(fs, path, limit_bytes=limit_bytes)

        with monkeypatch.context() as bad:
            bad.setattr(OsFileSystem, "read", refuse)
            hear(relay, frames)
        assert self.carried(relay) == size

    def test_without_room_nothing_is(self, pair: Pair, relay: Computer) -> None:
        farm, _ = pair
        relay.configure("[spool]\ncarry_bytes = 0\n")
        with relay.node() as node:
            assert listened(node, sent(farm)).symbols == 0
        assert self.carried(relay) == 0


def test_several_receivers_hear_one_carousel(tmp_path: Path) -> None:
    """Each loses others of the frames, joins at another time, and is whole in its time."""
    farm = new_computer(tmp_path, "farm")
    others = [new_computer(tmp_path, name) for name in ("home", "ranch", "mill")]
    for other in others:
        acquaint(farm, other)
    farm.types("put", "field/3", f'{{"noise": "{os.urandom(6000).hex()}"}}')
    for other in others:
        farm.types("ledger", "share", other.home.name)
    rng = random.Random(9)
    losses = {"home": 0.0, "ranch": 0.3, "mill": 0.7}
    with carousel(farm, *losses, overhead_percent=5) as one:
        frames = frames_of(one, 2500)
    for start, (other, loss) in enumerate(zip(others, losses.values(), strict=True)):
        heard = [one for one in frames[50 * start :] if rng.random() >= loss]
        assert hear(other, heard)["merged"] >= 1
        assert has(other, "field/3")


@pytest.mark.parametrize("stem", sorted(load("oneway")))
def test_vectors(stem: str) -> None:
    case = load("oneway")[stem]
    listener = OneWayListener(LinkSettings(framing="datagram"))
    found = list(listener.receive(0, bytes.fromhex(case["frame"])))
    if case["expect"] != "success":
        assert (found, listener.dropped) == ([], 1)
        return
    (frame,) = found
    label = Label(case["priority"], case["expiry_days"], bytes.fromhex(case["hint"]))
    assert frame.label == label
    if "whole" in case:
        whole = Whole.from_bytes(frame.body)
        assert (whole.hint, whole.sealed) == (label.hint, bytes.fromhex(case["whole"]))
        return
    key = bytes.fromhex(case["fragment_key"])
    part = Fragment.from_bytes(frame.body, fits(mac_check(key)))
    assert (part.bundle_id.hex(), bytes(part.symbols).hex()) == (case["bundle_id"], case["symbols"])
    for name in ("transfer_bytes", "symbol_bytes", "payload_id"):
        assert getattr(part, name) == case[name]
