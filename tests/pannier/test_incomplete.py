"""Bundles that came in part: what is said of them, and what is sent then."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.fragment import mac_check
from bundler.geometry import Geometry
from bundler.lack_section import MAX_RUNS, LackSection, PartlyCome, SymbolRun
from bundler.split import Numbers
from pannier import incomplete
from pannier.lack_rows import note_lack
from pannier.oneway import pack, unpack
from pannier.out_bundle import OutBundle
from spool.delivery import Delivery
from spool.name import BundleName, FragmentName
from tests.sim import attacks
from tests.sim.test_files import add, files
from tests.sim.world import World, assert_equal, data_queue, fragments
from transports.terms import FILE_BYTES

MTU = 222
PHOTO = 30_000
LONG_PHOTO = 1_700_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 3)
        yield world


def queued(world: World) -> tuple[OutBundle, BundleName]:
    (bundle,) = world["ada"].db.bundles(world["ada"].peer_named("bea").node_id)
    return bundle, BundleName.from_text(bundle.name)


def packed(world: World, into: Path, sender: str, reader: str) -> list[Path]:
    """Pack what *sender* has for *reader*; return the files."""
    node = world[sender]
    pack(node, node.peer_named(reader), into, mtu=MTU, repair_percent=None)
    return sorted(into.iterdir())


@pytest.mark.parametrize("count", [0, 1, 2, MAX_RUNS, MAX_RUNS + 1, 3 * MAX_RUNS])
@settings(max_examples=15)
@given(seed=st.integers())
def test_few_runs_name_all_that_many_name(count: int, seed: int) -> None:
    runs, at, draw = list[SymbolRun](), 0, random.Random(seed)
    for _ in range(count):
        runs.append(SymbolRun(at + draw.randint(1, 50), draw.randint(1, 50)))
        at = runs[-1].end
    few = incomplete._few(runs)
    named = {number for run in few for number in range(run.first, run.end)}
    assert named >= {number for run in runs for number in range(run.first, run.end)}
    assert len(few) <= MAX_RUNS
    assert list(few) == runs or len(runs) > MAX_RUNS


@given(st.integers(1, 16 << 20), st.data())
def test_runs_are_of_the_blocks_that_they_lie_in(size: int, data: st.DataObject) -> None:
    geometry = Geometry.of(size, 1360)
    first = data.draw(st.integers(0, geometry.symbols - 1))
    length = data.draw(st.integers(1, geometry.symbols - first))
    numbers = list(incomplete._by_blocks(geometry, [SymbolRun(first, length)]))
    before = [sum(map(geometry.block_symbols, range(block))) for block in range(geometry.blocks)]
    assert [
        number
        for run in numbers
        for number in range(before[run.block] + run.first, before[run.block] + run.end)
    ] == list(range(first, first + length))
    assert all(run.first < run.end <= geometry.block_symbols(run.block) for run in numbers)


def test_of_what_came_in_part_only_the_rest_is_packed_again(world: World, tmp_path: Path) -> None:
    world.put_many("ada", 3000)
    sent = packed(world, tmp_path / "air", "ada", "bea")
    lost = random.Random(1).sample(sent, len(sent) // 10)
    for path in lost:
        path.unlink()
    _, left = unpack(world["bea"], [tmp_path / "air"])
    assert not left["forged"]
    unpack(world["ada"], packed(world, tmp_path / "back", "bea", "ada"))
    again = packed(world, tmp_path / "again", "ada", "bea")
    assert {path.name for path in again} == {path.name for path in lost}
    unpack(world["bea"], again)
    unpack(world["ada"], packed(world, tmp_path / "back", "bea", "ada"))
    assert_equal(world, ["ada", "bea"])
    assert data_queue(world["ada"]) == []


def test_what_came_is_sent_again_to_who_lost_it(world: World, tmp_path: Path) -> None:
    world.put_many("ada", 3000)
    sent = packed(world, tmp_path / "air", "ada", "bea")
    unpack(world["bea"], sent[1:])
    unpack(world["ada"], packed(world, tmp_path / "back", "bea", "ada"))
    bundle, name = queued(world)
    rest = incomplete.rest_of(world["ada"], bundle.peer, name)
    assert rest is not None
    assert rest.numbers == (Numbers(0, 0, 1),)
    world["bea"].spool.inbox.discard(bundle.bundle_id)
    unpack(world["ada"], packed(world, tmp_path / "back", "bea", "ada"))
    assert incomplete.rest_of(world["ada"], bundle.peer, name) is None
    assert packed(world, tmp_path / "again", "ada", "bea") != []
    assert len(list((tmp_path / "again").iterdir())) == len(sent)


def test_what_no_bundle_has_is_not_heeded(world: World, tmp_path: Path) -> None:
    world.put("ada", "well", 12)
    packed(world, tmp_path / "air", "ada", "bea")
    bundle, name = queued(world)
    number = bytes.fromhex(bundle.bundle_id)
    for run in (SymbolRun(0, 2_000_000), SymbolRun(1_000_000, 1)):
        section = LackSection(bundles=(PartlyCome(number, (run,)),))
        note_lack(world["ada"].db, bundle.peer, section)
        assert incomplete.rest_of(world["ada"], bundle.peer, name) is None


def test_nobody_decides_for_another_peer(world: World, tmp_path: Path) -> None:
    world.put("ada", "well", 12)
    packed(world, tmp_path / "air", "ada", "bea")
    bundle, name = queued(world)
    lies = (PartlyCome(bytes.fromhex(bundle.bundle_id), (SymbolRun(0, 1),)),)
    note_lack(world["ada"].db, "0123456789abcdef", LackSection(bundles=lies))
    assert incomplete.rest_of(world["ada"], bundle.peer, name) is None


def test_nothing_lacks_of_what_is_whole_or_has_not_begun(world: World) -> None:
    world.put("ada", "well", 12)
    world.exchange("ada")
    world.exchange("bea")
    for name in ("ada", "bea"):
        for peer in world[name].peers:
            assert incomplete.lack_section(world[name], peer) is None


def test_repair_as_configured_makes_damage_good_by_pack_too(world: World, tmp_path: Path) -> None:
    world.configure("ada", "[peer.bea]\nrepair = 20\n")
    add(world, "ada", "photo", random.Random(3).randbytes(PHOTO))
    sent = packed(world, tmp_path / "air", "ada", "bea")
    for path in random.Random(1).sample(sent, len(sent) // 8):
        path.unlink()
    unpack(world["bea"], [tmp_path / "air"])
    assert files(world, "bea") == files(world, "ada")


def test_a_sender_that_breaks_its_word_stops_nobody(world: World) -> None:
    """Parts of a bundle that has more blocks than there may be; nobody asks for the rest."""
    ada, bea = world["ada"], world["bea"]
    check = mac_check(ada.shared.fragment_key_to(ada.peer_named("bea").node_id))
    number = bytes(8)
    part = attacks.forged_fragment(number, transfer=16 << 20, symbol=8, payload_id=0, check=check)
    sender = bea.peer_named("ada").node_id
    name = FragmentName(0, attacks.EXPIRY_DAYS, "00000000", number.hex(), 0)
    bea.spool.inbox.receive([Delivery(name, sender, "stick", part)])
    assert incomplete.lack_section(bea, sender) is None


def test_a_mule_with_a_spoilt_copy_takes_the_rest_along_all_the_same(tmp_path: Path) -> None:
    with World(tmp_path, ["ada", "bea", "cyd"]) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 3, "first")
        add(world, "ada", "photo", random.Random(3).randbytes(LONG_PHOTO))
        world.exchange("ada", "one")
        (path,) = (one for one in fragments(world.stick("one")) if is_long(one))
        path.write_bytes(attacks.flipped(path.read_bytes(), 500, 0))
        world.exchange("cyd", "one")
        world.rounds(["bea", "ada"], 1, "one")
        world.exchange("ada", "two")
        (rest,) = (one for one in fragments(world.stick("two")) if is_long(one))
        assert rest.stat().st_size < LONG_PHOTO
        world.exchange("cyd", "two")
        world.rounds(["cyd", "bea"], 1, "three")
        assert files(world, "bea") == files(world, "ada")


def test_what_lacks_takes_the_place_of_no_whole_copy(tmp_path: Path) -> None:
    """Its reader may have lost by then what it had."""
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 3, "first")
        add(world, "ada", "photo", random.Random(3).randbytes(LONG_PHOTO))
        for stick in ("one", "two"):
            world.exchange("ada", stick)
        (whole,) = (one for one in fragments(world.stick("two")) if is_long(one))
        (path,) = (one for one in fragments(world.stick("one")) if is_long(one))
        path.write_bytes(attacks.flipped(path.read_bytes(), 500, 0))
        data = whole.read_bytes()
        world.rounds(["bea", "ada"], 1, "one")
        world.exchange("ada", "two")
        assert whole.read_bytes() == data
        assert len([one for one in fragments(world.stick("two")) if is_long(one)]) == 2


def test_repair_makes_no_file_longer_than_its_reader_takes(world: World) -> None:
    world.configure("ada", "[peer.bea]\nrepair = 1000\n")
    add(world, "ada", "photo", random.Random(3).randbytes(LONG_PHOTO))
    world.exchange("ada")
    (path,) = (one for one in fragments(world.stick()) if is_long(one))
    assert 5 * LONG_PHOTO < path.stat().st_size <= FILE_BYTES
    world.exchange("bea")
    assert files(world, "bea") == files(world, "ada")


def is_long(path: Path) -> bool:
    return path.stat().st_size > 100_000
