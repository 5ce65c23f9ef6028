import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import DamagedError, RefusedError
from ledger.store import Store
from tests.ledger.world import (
    REST_KEY,
    Site,
    World,
    change,
    faults,
    genesis_of,
    picture,
)

_LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT * FROM meta").fetchall()
db.close()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob") as made:
        yield made


@pytest.fixture
def ada(world: World) -> Site:
    return world.sites[0]


def test_a_ledger_made_twice_is_the_same_file(tmp_path: Path) -> None:
    genesis = genesis_of("ada")
    with (
        Store.create(tmp_path, genesis, REST_KEY) as one,
        Store.create(tmp_path, genesis, REST_KEY) as other,
    ):
        assert one.path == other.path == tmp_path / f"{genesis.ledger_id.hex()}.db"
        assert one.genesis == other.genesis == genesis
    assert list(tmp_path.iterdir()) == [one.path]


def test_what_a_create_that_was_cut_short_left_is_no_hindrance(tmp_path: Path) -> None:
    genesis = genesis_of("ada")
    left = tmp_path / f"{genesis.ledger_id.hex()}.{genesis.nonce.hex()}.new"
    left.write_bytes(b"half a database")
    with Store.create(tmp_path, genesis, REST_KEY) as store:
        assert store.genesis == genesis


def test_a_file_is_durable_and_readers_do_not_wait(ada: Site) -> None:
    assert ada.store.rows("PRAGMA journal_mode") == [("wal",)]
    assert ada.store.rows("PRAGMA synchronous") == [(2,)]


def test_what_is_no_ledger_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="not there"):
        Store.open(tmp_path / "none.db", REST_KEY)
    with pytest.raises(DamagedError, match="not there"):
        Store.open(tmp_path, REST_KEY)
    text = tmp_path / "text.db"
    text.write_text("a letter" * 1000)
    with pytest.raises(DamagedError):
        Store.open(text, REST_KEY)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE meta (key, value)")
    with pytest.raises(DamagedError, match="not a ledger file"):
        Store.open(other, REST_KEY)


def test_a_file_of_a_later_version_is_left_alone(ada: Site) -> None:
    change(ada.store, "PRAGMA user_version = 2")
    with pytest.raises(RefusedError, match="use a newer pannier"):
        Store.open(ada.store.path, REST_KEY)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM meta",
        "UPDATE meta SET value = x'00'",
        "UPDATE meta SET value = 'text'",
        "UPDATE meta SET value = 7",
        "DROP TABLE meta",
    ],
)
def test_a_damaged_genesis_is_said_so(ada: Site, sql: str) -> None:
    change(ada.store, sql)
    with pytest.raises(DamagedError):
        Store.open(ada.store.path, REST_KEY)


def test_a_copy_holds_what_was_there_and_is_one_file(ada: Site, tmp_path: Path) -> None:
    ada.put("t", 1)
    shown = picture(ada.store)
    path = ada.backup(tmp_path / "copy.db")
    ada.put("t", 2)
    assert [one.name for one in tmp_path.glob("copy*")] == ["copy.db"]
    with Store.open(path, REST_KEY) as copy:
        assert picture(copy) == shown
        assert faults(copy) == []
    with pytest.raises(DamagedError):
        ada.store.copy_to(tmp_path / "no folder" / "copy.db")


WRITER = """
import sys
from pathlib import Path
from ledger.append import Author, append
from ledger.store import Store
from tests.ledger.world import REST_KEY, Drbg, draft, keys_of
author = Author(signer=keys_of("ada").signer, entropy=Drbg("killed"))
with Store.open(Path(sys.argv[1]), REST_KEY) as store:
    while True:
        for state in append(store, author, (draft(f"t{n}", n) for n in range(200))):
            print(state.size, flush=True)
"""


def test_a_writer_killed_in_the_middle_leaves_what_it_said_was_written(ada: Site) -> None:
    command = [sys.executable, "-c", WRITER, str(ada.store.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(4)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout]
    with Store.open(ada.store.path, REST_KEY) as store:
        (log,) = store.logs()
        assert log.size in (said[-1], said[-1] + 200)
        assert faults(store) == []


def test_opening_it_again_here_takes_no_lock_from_whoever_has_it_open(tmp_path: Path) -> None:
    """Else another process that closes it takes the WAL away, and all that is written since."""
    genesis = genesis_of("ada")
    with Store.create(tmp_path, genesis, REST_KEY) as store:
        Store.open(store.path, REST_KEY).close()
        wal = store.path.with_name(f"{store.path.name}-wal")
        assert wal.exists()
        subprocess.run([sys.executable, "-c", _LOOK, str(store.path)], check=True)
        assert wal.exists()
        with store.transaction():
            store.set_meta("after", b"kept")
        with Store.open(store.path, REST_KEY) as again:
            assert again.rows("SELECT value FROM meta WHERE key = 'after'") == [(b"kept",)]
