from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.append import append
from ledger.log import MAX_BATCH_ENTRIES, LogState
from ledger.store import Batch, Store
from pannier.ledgers import first_ledger
from spool.errors import BusyError
from tests.cli.computers import new_computer, spawn
from tests.ledger.world import draft
from tests.proving.concurrency import WRITERS, Crowd
from tests.sim.world import World
from transports.medium import Medium


def test_everybody_does_everything_at_one_home(tmp_path: Path) -> None:
    crowd = Crowd.of(tmp_path)
    crowd.live(2)
    assert crowd.faults() == []
    counted = {call.what for call in crowd.calls}
    assert counted == {"exchange", "ledger", "put", "run", "status", "verify"}
    assert crowd.acknowledged().total() == WRITERS // 2 * (2 + 8)


def test_first_puts_at_the_same_time_make_one_ledger(tmp_path: Path) -> None:
    farm = new_computer(tmp_path, "farm")
    with ThreadPoolExecutor(WRITERS) as pool:
        puts = (
            pool.submit(spawn, "--home", str(farm.home), "put", f"well/{number}", "1")
            for number in range(WRITERS)
        )
        done = [one.result() for one in list(puts)]
    assert [one.returncode for one in done] == [0] * WRITERS, done
    assert len(list((farm.home / "ledgers").glob("*.db"))) == 1
    assert farm.types("things").lines == sorted(f"well/{number}" for number in range(WRITERS))


def test_who_comes_second_makes_no_first_ledger(tmp_path: Path) -> None:
    farm = new_computer(tmp_path, "farm")
    with farm.node() as one, farm.node() as other:
        made = first_ledger(one)
        assert made is not None
        assert first_ledger(other) is None
        assert [store.ledger_id for store in other.ledgers()] == [made.ledger_id]


def test_puts_get_their_turn_between_two_parts_of_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the log is, one part of it is all that a `put` ever waits for."""
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 2)
        world.put_many("ada", MAX_BATCH_ENTRIES + 4096)
        world.exchange("ada")
        bea, parts = world["bea"], list[int]()
        commit = Store.commit

        def beside(store: Store, batch: Batch, **options: object) -> LogState:
            if batch.state.name.author != bea.card.author:
                parts.append(batch.entries.count)
                with Store.open(store.path, bea.rest_key) as other:
                    other.run("PRAGMA busy_timeout = 0")
                    list(append(other, bea.author, [draft("seen", len(parts))]))
            return commit(store, batch, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "commit", beside)
        world.exchange("bea")
        assert sum(parts) == MAX_BATCH_ENTRIES + 4096
        assert max(parts) <= MAX_BATCH_ENTRIES
        logs = {log.name.author: log.size for log in world.store("bea").logs()}
        assert logs[bea.card.author] == len(parts) >= 2


def test_one_process_at_a_time_notes_on_a_medium_who_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = []
    with World(tmp_path) as world:
        world.found("ada", "bea")

        def note(medium: Medium, text: str, *, mark: str) -> None:
            with pytest.raises(BusyError), world["ada"].spool.exchange(medium.id):
                pass
            noted.append((text, mark))

        monkeypatch.setattr(Medium, "note", note)
        assert world.exchange("ada").problems == []
    assert len(noted) == 1
