import errno
import os
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.fragment import Fragment, crc_check, is_plausible
from pannier import oneway
from pannier.errors import PannierError, UsageError
from pannier.import_report import Outcome
from pannier.oneway import pack, unpack
from spool.delivery import Delivery, Receipt
from spool.inbox import Inbox
from spool.name import FragmentName
from spool.os_file_system import OsFileSystem
from tests.cli.computers import Computer, exchange, new_computer, new_sharers

Pair = tuple[Computer, Computer]


@pytest.fixture
def sharers(tmp_path: Path) -> Pair:
    return new_sharers(tmp_path)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def pack_to(computer: Computer, peer: str, into: Path, *, mtu: int = 100, repair: int = 0) -> int:
    """Pack what waits for a peer; return how many bundles that were."""
    with computer.node() as node:
        packed = pack(node, node.peer_named(peer), into, mtu=mtu, repair_percent=repair)
    return packed.bundles


def take(computer: Computer, *paths: Path) -> tuple[list[Outcome], dict[str, int]]:
    """Unpack; return what became of the bundles, and what was left."""
    with computer.node() as node:
        report, left = unpack(node, paths)
    return list(report.outcomes.values()), left


def inbox_bytes(computer: Computer) -> int:
    return sum(
        path.stat().st_size
        for path in (computer.home / "spool" / "in").rglob("*")
        if path.is_file()
    )


def test_what_a_killed_pack_left_is_swept_by_the_next(sharers: Pair, out: Path) -> None:
    farm, _ = sharers
    name = "40b42-aec43765-04c4d636f22b6346-00000002.pnr"
    with farm.node() as node:
        mark = node.spool.mark
    ours = out / f".{name}.part-{mark}"
    others = [out / f".{name}.part-{mark[::-1]}", out / f".{name}.part", out / f"x.part-{mark}"]
    out.mkdir()
    for path in (ours, *others):
        path.write_bytes(b"half of it")
    assert pack_to(farm, "home", out) == 1
    assert not ours.exists()
    assert all(path.exists() for path in others)


def _forged(part: Fragment, rng: random.Random) -> bytes:
    """A fragment of the same bundle with other symbols, and a checksum or a made-up check."""
    false = replace(part, symbols=rng.randbytes(len(part.symbols)), check=b"")
    body = false.to_bytes()[:-1]
    return replace(false, check=rng.choice([crc_check(body), rng.randbytes(8)])).to_bytes()


class TestPack:
    def test_names_say_what_is_inside(self, sharers: Pair, out: Path) -> None:
        farm, _ = sharers
        assert pack_to(farm, "home", out) == 1
        files = sorted(out.iterdir())
        assert len(files) > 3
        for path in files:
            name, fragment = (
                FragmentName.from_text(path.name),
                Fragment.from_bytes(path.read_bytes(), is_plausible),
            )
            assert name.bundle_id == fragment.bundle_id.hex()
            assert name.payload_id == fragment.payload_id

    def test_what_fits_goes_whole(self, sharers: Pair, out: Path) -> None:
        farm, home = sharers
        pack_to(farm, "home", out, mtu=1400)
        (path,) = out.iterdir()
        assert path.read_bytes().startswith(b"\x83\x01\x44")
        assert take(home, path)[0] == [Outcome.MERGED]

    def test_again_gives_the_same_files(self, sharers: Pair, out: Path, tmp_path: Path) -> None:
        farm, _ = sharers
        pack_to(farm, "home", out)
        pack_to(farm, "home", tmp_path / "again")
        first = {path.name: path.read_bytes() for path in out.iterdir()}
        again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
        assert first.items() <= again.items()

    def test_a_smaller_mtu_makes_the_bundle_anew(
        self, sharers: Pair, out: Path, tmp_path: Path
    ) -> None:
        farm, home = sharers
        pack_to(farm, "home", out, mtu=1000)
        pack_to(farm, "home", tmp_path / "small", mtu=48)
        assert max(path.stat().st_size for path in (tmp_path / "small").iterdir()) <= 48
        assert Outcome.MERGED in take(home, tmp_path / "small")[0]
        # What was sent first may still come, and does no harm.
        assert take(home, out)[0] == [Outcome.MERGED]

    @pytest.mark.parametrize("step", ["create", "sync", "rename"])
    def test_a_disk_that_says_no_leaves_no_drafts_and_the_entries_wait(
        self, sharers: Pair, out: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        farm, home = sharers
        whole = getattr(OsFileSystem, step)
        calls: list[object] = []

        def fail_at_third(self: OsFileSystem, *args: object) -> object:
            calls.append(args)
            if self._root == out and (step == "sync" or len(calls) >= 3):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return whole(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(OsFileSystem, step, fail_at_third)
            with pytest.raises(PannierError, match="No space left on device"):
                pack_to(farm, "home", out)
        assert not list(out.glob(".*"))
        assert pack_to(farm, "home", out) == 1
        assert Outcome.MERGED in take(home, out)[0]

    def test_what_was_left_of_a_crash_is_written_over(self, sharers: Pair, out: Path) -> None:
        farm, home = sharers
        pack_to(farm, "home", out)
        with farm.node() as node:
            mark = node.spool.mark
        for path in list(out.iterdir()):
            path.rename(path.with_name(f".{path.name}.part-{mark}")).write_bytes(b"half")
        pack_to(farm, "home", out)
        assert not list(out.glob(".*"))
        assert take(home, out)[0] == [Outcome.MERGED]


class TestOneWay:
    """A peer that can never answer."""

    @pytest.fixture
    def farm(self, sharers: Pair) -> Computer:
        sharers[0].configure("[peer.home]\noneway = true\nrepeat = 2\n")
        return sharers[0]

    def test_each_bundle_goes_as_often_as_configured_and_then_no_more(
        self, farm: Computer, tmp_path: Path
    ) -> None:
        folders = [tmp_path / f"out{number}" for number in range(4)]
        assert [pack_to(farm, "home", folder) for folder in folders] == [1, 1, 0, 0]
        first, second = ({path.name for path in folder.iterdir()} for folder in folders[:2])
        assert first == second
        assert not list(folders[2].iterdir())

    def test_new_entries_go_alone(self, farm: Computer, tmp_path: Path, sharers: Pair) -> None:
        _, home = sharers
        for folder in ("a", "b"):
            pack_to(farm, "home", tmp_path / folder)
        assert take(home, tmp_path / "b")[0] == [Outcome.MERGED]
        farm.types("put", "x", "1")
        assert pack_to(farm, "home", tmp_path / "c") == 1
        with home.node() as node:
            report, _ = unpack(node, [tmp_path / "c"])
        assert list(report.entries.values()) == [1]
        assert home.types("get", "x").out == "1\n"

    def test_on_media_too(self, farm: Computer, tmp_path: Path, sharers: Pair) -> None:
        _, home = sharers
        sticks = [tmp_path / f"stick{number}" for number in range(3)]
        for stick in (sticks[0], *sticks):  # the first one twice, which counts once
            exchange(stick, farm)
        assert [len(list(stick.rglob("*.pnr"))) for stick in sticks] == [1, 1, 0]
        exchange(sticks[0], farm)
        assert len(list(sticks[0].rglob("*.pnr"))) == 1  # nobody has read it yet
        assert "Took in 2 entries by farm" in home.types("exchange", str(sticks[1])).out

    def test_what_went_often_enough_waits_no_more(self, farm: Computer, tmp_path: Path) -> None:
        for folder in ("a", "b"):
            pack_to(farm, "home", tmp_path / folder)
        assert "to go at the next exchange" not in farm.types("status").out


class TestUnpack:
    @pytest.fixture
    def packed(self, sharers: Pair, out: Path) -> list[Path]:
        pack_to(sharers[0], "home", out, repair=50)
        return sorted(out.iterdir())

    def test_order_and_repeats_do_not_matter(self, sharers: Pair, packed: list[Path]) -> None:
        _, home = sharers
        shuffled = packed * 2
        random.Random(5).shuffle(shuffled)
        assert take(home, *shuffled)[0] == [Outcome.MERGED]

    def test_a_folder_that_fills_slowly_takes_no_more_room_than_it_has(
        self, sharers: Pair, packed: list[Path]
    ) -> None:
        _, home = sharers
        sizes = [path.stat().st_size for path in packed]
        for count in (4, 4, 5, 6, 3, 6):
            assert take(home, *packed[:count])[0] == [Outcome.INCOMPLETE]
        assert inbox_bytes(home) == sum(sizes[:6])
        assert take(home, *packed)[0] == [Outcome.MERGED]
        assert inbox_bytes(home) == 0

    def test_damage_beside_the_rest_spoils_nothing(self, sharers: Pair, packed: list[Path]) -> None:
        _, home = sharers
        packed[0].write_bytes(b"")
        packed[1].write_bytes(packed[1].read_bytes()[:-3])
        packed[2].write_bytes(packed[3].read_bytes()[:20] + os.urandom(40))
        outcomes, left = take(home, *packed)
        assert outcomes == [Outcome.MERGED]
        assert (left["forged"], left["damaged"]) == (3, 0)

    def test_a_thousand_forged_fragments_a_genuine_one_do_no_harm(
        self, sharers: Pair, packed: list[Path], tmp_path: Path
    ) -> None:
        """Right in everything but the check; in files of their own, and in the genuine ones."""
        _, home = sharers
        radio = tmp_path / "radio"
        radio.mkdir()
        rng = random.Random(6)
        for path in packed:
            genuine = path.read_bytes()
            part = Fragment.from_bytes(genuine, is_plausible)
            false = [_forged(part, rng) for _ in range(1000)]
            name = FragmentName.from_text(path.name)
            (radio / path.name).write_bytes(b"".join([*false[:500], genuine, *false[500:900]]))
            for data in false[900:]:
                other = replace(name, payload_id=rng.randrange(1 << 24, 1 << 32))
                (radio / other.to_text()).write_bytes(data)
        outcomes, left = take(home, radio)
        assert outcomes == [Outcome.MERGED]
        assert left == {**dict.fromkeys(left, 0), "forged": 1000 * len(packed)}

    def test_a_name_that_lies_brings_nothing(
        self, sharers: Pair, packed: list[Path], tmp_path: Path
    ) -> None:
        farm, home = sharers
        farm.types("put", "x", "1")
        pack_to(farm, "home", tmp_path / "more")
        new = {
            FragmentName.from_text(path.name).bundle_id: path
            for path in (tmp_path / "more").iterdir()
        }
        (mine,) = {FragmentName.from_text(path.name).bundle_id for path in packed}
        (other,) = (path for number, path in new.items() if number != mine)
        packed[0].write_bytes(other.read_bytes())
        outcomes, left = take(home, packed[0])
        assert (outcomes, left["forged"]) == ([], 1)

    def test_several_fragments_in_one_file(self, sharers: Pair, packed: list[Path]) -> None:
        _, home = sharers
        rest = b"".join(path.read_bytes() for path in packed[1:])
        packed[0].write_bytes(rest + packed[0].read_bytes())
        assert take(home, packed[0])[0] == [Outcome.MERGED]

    def test_from_a_subfolder_but_through_no_link(
        self, sharers: Pair, packed: list[Path], tmp_path: Path
    ) -> None:
        _, home = sharers
        (tmp_path / "in" / "deep").mkdir(parents=True)
        (tmp_path / "in" / packed[0].name).symlink_to(packed[0])
        (tmp_path / "in" / "link").symlink_to(packed[0].parent)
        os.mkfifo(tmp_path / "in" / packed[1].name)
        outcomes, left = take(home, tmp_path / "in")
        assert (outcomes, left["damaged"]) == ([], 2)
        for path in packed:
            path.rename(tmp_path / "in" / "deep" / path.name)
        assert take(home, tmp_path / "in" / "deep")[0] == [Outcome.MERGED]

    def test_a_file_too_long_is_not_read(self, sharers: Pair, packed: list[Path]) -> None:
        _, home = sharers
        with packed[0].open("wb") as file:
            file.truncate(1 << 40)
        assert take(home, packed[0])[1]["damaged"] == 1

    def test_what_finds_no_room_is_counted(self, sharers: Pair, packed: list[Path]) -> None:
        _, home = sharers
        home.configure("[spool]\npeer_bytes = 0\n")
        outcomes, left = take(home, *packed)
        assert (outcomes, left["refused"]) == ([], 1)

    def test_of_others_of_its_own_and_of_nobody(
        self, sharers: Pair, packed: list[Path], tmp_path: Path
    ) -> None:
        farm, _ = sharers
        third = new_computer(tmp_path, "third")
        assert take(third, *packed)[1]["others"] == len(packed)
        assert take(farm, *packed)[1]["seen"] == len(packed)
        (tmp_path / "notes.txt").touch()
        (tmp_path / packed[0].name.upper()).touch()
        files = [tmp_path / "notes.txt", tmp_path / packed[0].name.upper()]
        assert take(third, *files)[1]["foreign"] == 2

    def test_a_path_that_is_not_there(self, sharers: Pair, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not there"):
            take(sharers[1], tmp_path / "nix")

    def test_too_many_files_are_refused(
        self, sharers: Pair, packed: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oneway, "MAX_FILES", len(packed) - 1)
        with pytest.raises(UsageError, match="unpack them folder by folder"):
            take(sharers[1], packed[0].parent)

    def test_many_files_go_into_the_inbox_in_bounded_batches(
        self, sharers: Pair, packed: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, home = sharers
        monkeypatch.setattr(oneway, "_BATCH_BYTES", 250)
        receive = Inbox.receive
        sizes: list[int] = []

        def note(self: Inbox, deliveries: Iterable[Delivery]) -> Receipt:
            deliveries = list(deliveries)
            sizes.append(sum(len(one.data) for one in deliveries))
            return receive(self, deliveries)

        monkeypatch.setattr(Inbox, "receive", note)
        assert take(home, *packed)[0] == [Outcome.MERGED]
        assert len(sizes) > 2
        assert max(sizes) <= 250 + 100
