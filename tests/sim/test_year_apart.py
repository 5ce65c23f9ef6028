"""Two nodes that write for a year and never meet, and then exchange one stick each way."""

from pathlib import Path

from ledger.append import Draft
from ledger.data import payload_from_value
from pannier.ledgers import put
from pannier.sending import prepare
from tests.sim.world import World, assert_equal, data_queue, entries_of, fragments

SITTINGS = 300
STICKS = 100
ENTRIES = 10_000


def readings(name: str, first: int, count: int) -> list[Draft]:
    """What a weather station says: many readings of few things, each a little different."""
    return [
        Draft(
            thing=f"station/{name}/{number % 12}",
            payload=payload_from_value(
                {
                    "temp": 10 + number * 7919 % 300 / 10,
                    "humid": number * 104_729 % 100,
                    "wind": {"dir": number * 31 % 36 * 10, "speed": number * 17 % 23},
                    "note": f"reading {number} of {name}",
                }
            ),
            time_us=1_750_000_000_000_000 + number * 3_600_000_000,
        )
        for number in range(first, first + count)
    ]


def bulk_bytes(folder: Path) -> int:
    """How large the same entries of ada become when they are put and packed all at once."""
    with World(folder) as world:
        world.found("ada", "bea")
        put(world["ada"], world.store("ada"), readings("ada", 0, ENTRIES))
        made = prepare(world["ada"], world["ada"].peer_named("bea"))
        return sum(one.size_bytes for one in made)


def test_ten_thousand_entries_a_side_go_in_a_few_bundles(tmp_path: Path) -> None:
    with World(tmp_path / "year") as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 2)
        for sitting in range(SITTINGS):
            first = ENTRIES * sitting // SITTINGS
            count = ENTRIES * (sitting + 1) // SITTINGS - first
            for name in ("ada", "bea"):
                put(world[name], world.store(name), readings(name, first, count))
            world.clock.pass_days(365 / SITTINGS)
        carried = []
        for name in ("ada", "bea"):
            world.exchange(name, f"from {name}")
            files = fragments(world.stick(f"from {name}"))
            assert 1 <= len(files) <= 3
            carried.append(sum(path.stat().st_size for path in files))
        world.exchange("bea", "from ada")
        world.exchange("ada", "from bea")
        assert_equal(world, ["ada", "bea"])
        assert len(list(entries_of(world.store("bea")))) == 2 * ENTRIES + 1
    assert max(carried) < 1.1 * bulk_bytes(tmp_path / "bulk")


def test_a_hundred_sticks_that_never_arrive_lose_nothing(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 2)
        for sitting in range(STICKS):
            world.put("ada", f"sitting/{sitting}", sitting)
            world.exchange("ada", "lost")
            world.clock.pass_days(1)
        assert len(data_queue(world["ada"])) == STICKS
        world.exchange("ada", "found")
        done = world.exchange("bea", "found")
        assert done.report.entries == {("log", "ada"): STICKS}
        world.exchange("ada", "found")
        assert data_queue(world["ada"]) == []
        assert_equal(world, ["ada", "bea"])


def test_what_no_carrier_touched_is_packed_anew(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        ada, bea = world["ada"], world["ada"].peer_named("bea")
        made = []
        for number in range(5):
            world.put("ada", "well", number)
            made.append(prepare(ada, bea))
        assert [len(bundles) for bundles in made] == [1] * 5
        assert len({bundles[0].bundle_id for bundles in made}) == 5
        assert len(ada.spool.outbox.queued(bea.node_id)) == 1
