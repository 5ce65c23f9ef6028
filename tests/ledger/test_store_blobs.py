"""The contents of files: kept, found, sealed; and what a crash or a thief makes of them."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.adopt import adopt, forget
from ledger.append import Draft
from ledger.blob import CHUNK_BYTES, Chunk, chunk_of
from ledger.blob_pack import BlobKeys, Span
from ledger.errors import AlteredError, DamagedError, FullError, MissingError
from ledger.file_payload import FilePayload, file_of
from ledger.log import LogState
from ledger.pack_file import read_spans, sweep
from ledger.reseal import reseal
from ledger.rest import FileKey
from ledger.store import Store
from tests.ledger.disk import bytes_below
from tests.ledger.world import NOW, REST_KEY, Drbg, Site, World, draft, send

ROOT = Path(__file__).resolve().parent.parent.parent
CHUNKS = [chunk_of(bytes([number]) * 1000) for number in range(5)]
DIGESTS = [one.digest for one in CHUNKS]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob") as world:
        yield world


@pytest.fixture
def ada(world: World) -> Site:
    return world.sites[0]


def a_file(*chunks: Chunk) -> FilePayload:
    """Return a file of *chunks*, taken for whole ones but for the last."""
    size = CHUNK_BYTES * (len(chunks) - 1) + chunks[-1].size if chunks else 0
    return file_of(size, [one.digest for one in chunks], executable=False)


def write_file(site: Site, thing: str, *chunks: Chunk) -> LogState:
    return site.write(Draft(thing, a_file(*chunks).to_payload(), NOW, "file"))


def keep(site: Site, *chunks: Chunk) -> int:
    return site.store.blobs.add(chunks, os.urandom)


def packs(site: Site) -> list[Path]:
    return sorted(site.store.blobs.folder.glob("*.pack"))


def keep_twice(site: Site, *again: Chunk) -> Path:
    """Keep all `CHUNKS`, and then *again* elsewhere; return the first pack, which no row names."""
    keep(site, *CHUNKS)
    (first,) = packs(site)
    spare = first.rename(first.with_suffix(".spare"))
    adopt(site.store)
    keep(site, *again)
    return spare.rename(first)


class PowerCutError(Exception):
    pass


class TestChunks:
    def test_come_back_as_they_were_kept(self, ada: Site) -> None:
        assert keep(ada, *CHUNKS[:3]) == 3
        blobs = ada.store.blobs
        assert [blobs.read(digest) for digest in DIGESTS[:3]] == CHUNKS[:3]
        assert blobs.held(DIGESTS) == set(DIGESTS[:3])
        assert blobs.find(DIGESTS).keys() == set(DIGESTS[:3])
        assert [place.span.size for place in blobs.places()] == [1000] * 3
        with pytest.raises(MissingError):
            blobs.read(DIGESTS[4])

    def test_are_kept_once(self, ada: Site) -> None:
        assert keep(ada, CHUNKS[0], CHUNKS[0]) == 1
        assert keep(ada, CHUNKS[0], CHUNKS[1]) == 1
        assert keep(ada, *CHUNKS[:2]) == 0
        assert len(packs(ada)) == 2

    def test_that_two_keep_at_the_same_time_lie_in_one_pack(self, ada: Site) -> None:
        with (
            Store.open(ada.store.path, REST_KEY) as other,
            ada.store.blobs.packing(os.urandom) as one,
            other.blobs.packing(os.urandom) as two,
        ):
            for pack in (one, two):
                pack.add(CHUNKS[0])
            assert [pack.keep() for pack in (two, one)] == [1, 0]
        assert len(list(ada.store.blobs.folder.iterdir())) == 1
        assert ada.store.blobs.read(DIGESTS[0]) == CHUNKS[0]

    def test_of_another_opening_of_the_file_are_seen(self, ada: Site) -> None:
        with Store.open(ada.store.path, REST_KEY) as other:
            keep(ada, CHUNKS[0])
            assert other.blobs.read(DIGESTS[0]) == CHUNKS[0]

    def test_many_are_found(self, ada: Site) -> None:
        many = [chunk_of(number.to_bytes(3, "big")) for number in range(1200)]
        assert keep(ada, *many) == 1200
        assert ada.store.blobs.held(one.digest for one in many) == {one.digest for one in many}

    def test_that_are_not_kept_leave_nothing(self, ada: Site) -> None:
        with ada.store.blobs.packing(os.urandom) as pack:
            pack.add(CHUNKS[0])
            pack.sync()
        assert not ada.store.blobs.held(DIGESTS)
        assert not list(ada.store.blobs.folder.iterdir())

    def test_altered_in_the_pack_are_not_given_out(self, ada: Site) -> None:
        keep(ada, *CHUNKS)
        (place, *_) = ada.store.blobs.places()
        (pack,) = packs(ada)
        data = bytearray(pack.read_bytes())
        data[place.span.offset + 30] ^= 1
        pack.write_bytes(data)
        with pytest.raises(AlteredError):
            ada.store.blobs.read(DIGESTS[0])
        with pytest.raises(AlteredError):
            ada.store.blobs.check_at(place)
        assert ada.store.blobs.read(DIGESTS[1]) == CHUNKS[1]

    def test_that_another_content_was_kept_for_are_noticed(self, ada: Site) -> None:
        lie = Chunk(DIGESTS[0], 3, 0, b"lie")
        keep(ada, lie)
        (place,) = ada.store.blobs.places()
        with pytest.raises(AlteredError, match="another"):
            ada.store.blobs.check_at(place)

    def test_of_a_pack_that_is_gone_cannot_be_read(self, ada: Site) -> None:
        keep(ada, *CHUNKS)
        packs(ada)[0].unlink()
        with pytest.raises(DamagedError):
            ada.store.blobs.read(DIGESTS[0])

    def test_a_disk_that_says_no_keeps_nothing(self, ada: Site) -> None:
        ada.store.blobs.folder.write_bytes(b"in the way")
        with pytest.raises(DamagedError):
            keep(ada, *CHUNKS)
        assert not ada.store.blobs.held(DIGESTS)

    def test_a_name_that_is_taken_overwrites_no_pack(self, ada: Site) -> None:
        ada.store.blobs.add(CHUNKS[:1], Drbg("the same"))
        with pytest.raises(DamagedError):
            ada.store.blobs.add(CHUNKS[1:], Drbg("the same"))
        assert ada.store.blobs.read(DIGESTS[0]) == CHUNKS[0]


class TestFiles:
    def test_are_found_among_other_entries(self, ada: Site) -> None:
        first, second = a_file(CHUNKS[0]), a_file(*CHUNKS[1:3])
        state = ada.write(
            draft("x", 1),
            Draft("a", first.to_payload(), NOW),
            draft("y", 2),
            Draft("b", second.to_payload(), NOW),
        )
        assert list(ada.store.files(state, 0, state.size)) == [(1, first), (3, second)]
        assert list(ada.store.files(state, 2, 3)) == []
        assert ada.store.file_entries.count() == 2

    def test_many_are_found(self, ada: Site) -> None:
        files = [a_file(chunk_of(b"%d" % number)) for number in range(200)]
        state = ada.write(*(Draft(str(n), one.to_payload(), NOW) for n, one in enumerate(files)))
        assert [one for _, one in ada.store.files(state, 0, 200)] == files

    def test_are_complete_up_to_the_first_that_lacks_something(self, ada: Site) -> None:
        keep(ada, CHUNKS[0])
        ada.put("x", 1)
        for number, chunk in enumerate(CHUNKS[:3]):
            state = write_file(ada, f"file {number}", chunk)
        assert (state.size, ada.store.files_complete(state)) == (4, 2)
        keep(ada, CHUNKS[2])
        assert ada.store.files_complete(state) == 2
        keep(ada, CHUNKS[1])
        assert ada.store.files_complete(state) == 4

    def test_say_what_is_missing_and_wanted(self, ada: Site) -> None:
        keep(ada, CHUNKS[1])
        state = write_file(ada, "a", CHUNKS[0], CHUNKS[1], CHUNKS[2], CHUNKS[0])
        entries = ada.store.file_entries
        assert list(entries.missing(state.row, 0, state.size)) == [DIGESTS[0], DIGESTS[2]]
        assert ada.store.blobs.wanted(DIGESTS) == {DIGESTS[0], DIGESTS[2]}
        assert (entries.lacking().versions, entries.lacking().chunks) == (1, 2)
        keep(ada, *CHUNKS)
        assert not list(entries.missing(state.row, 0, state.size))
        assert not ada.store.blobs.wanted(DIGESTS)
        assert (entries.lacking().versions, entries.lacking().chunks) == (0, 0)

    def test_come_from_others_without_their_contents(self, world: World) -> None:
        ada, bob = world.sites
        keep(ada, *CHUNKS)
        state = write_file(ada, "a", *CHUNKS[:2])
        send(ada, bob)
        taken = bob.store.log(state.name)
        assert list(bob.store.files(taken, 0, taken.size)) == [(0, a_file(*CHUNKS[:2]))]
        assert (bob.store.files_complete(taken), ada.store.files_complete(state)) == (0, 1)

    def test_are_gone_with_the_branch_that_they_were_in(self, ada: Site) -> None:
        short = write_file(ada, "a", CHUNKS[0])
        long = write_file(ada, "b", CHUNKS[1])
        with ada.store.transaction():
            ada.store.truncate(long, short.frontier)
        assert list(ada.store.files(long, 0, 9)) == [(0, a_file(CHUNKS[0]))]
        assert ada.store.blobs.wanted(DIGESTS) == {DIGESTS[0]}

    def test_that_are_not_so_are_none(self, ada: Site) -> None:
        state = ada.write(Draft("a", b"\xa1\x05\x83\x01\x00\x40", NOW, "file"))
        assert list(ada.store.files(state, 0, 1)) == []
        assert ada.store.files_complete(state) == 1


class TestCrashes:
    def test_a_pack_is_durable_before_its_rows(
        self, ada: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        fsync, rename = os.fsync, Path.rename

        def noting_fsync(descriptor: int) -> None:
            done.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().suffix}")
            fsync(descriptor)

        def noting_rename(old: Path, new: Path) -> Path:
            done.append(f"rename {new.suffix}")
            return rename(old, new)

        ada.store.blobs.folder.mkdir()
        monkeypatch.setattr(os, "fsync", noting_fsync)
        monkeypatch.setattr(Path, "rename", noting_rename)
        ada.store._db.set_trace_callback(
            lambda sql: (
                done.append(sql.split()[0]) if sql.startswith(("INSERT", "COMMIT")) else None
            )
        )
        keep(ada, CHUNKS[0])
        assert done == [
            "fsync .tmp",
            "rename .pack",
            "fsync .blobs",
            "INSERT",
            "INSERT",
            "COMMIT",
        ]

    def test_a_pack_without_rows_is_taken_in(self, ada: Site) -> None:
        state = write_file(ada, "a", *CHUNKS[:2])

        def keep_without_power() -> None:
            with ada.store.transaction():
                keep(ada, *CHUNKS[:2])
                raise PowerCutError

        with pytest.raises(PowerCutError):
            keep_without_power()
        assert len(packs(ada)) == 1
        assert ada.store.files_complete(state) == 0
        adopt(ada.store)
        adopt(ada.store)
        assert ada.store.files_complete(state) == 1
        assert ada.store.blobs.read(DIGESTS[1]) == CHUNKS[1]

    def test_what_was_kept_again_after_its_rows_found_no_room_is_there_once(
        self, ada: Site
    ) -> None:
        """Until then it is there twice: whether a commit that failed counts, no process knows."""
        some = [chunk_of(number.to_bytes(2, "big")) for number in range(1000)]
        ada.store.run("PRAGMA max_page_count = 1")  # as many as it has, then
        with pytest.raises(FullError):
            keep(ada, *some)
        ada.store.run("PRAGMA max_page_count = 100000")
        (lost,) = packs(ada)
        assert keep(ada, *some) == 1000
        adopt(ada.store)
        (kept,) = packs(ada)
        assert kept != lost
        adopt(ada.store)
        assert ada.store.blobs.read(some[-1].digest) == some[-1]

    @pytest.mark.parametrize("how", ["altered", "gone"])
    def test_a_pack_that_is_there_twice_is_taken_in_where_the_other_is_not_whole(
        self, ada: Site, how: str
    ) -> None:
        first = keep_twice(ada, *CHUNKS)
        (second,) = {*packs(ada)} - {first}
        if how == "gone":
            second.unlink()
        else:
            data = bytearray(second.read_bytes())
            data[-1] ^= 1
            second.write_bytes(data)
        adopt(ada.store)
        assert [ada.store.blobs.read(digest) for digest in DIGESTS] == CHUNKS
        assert first in packs(ada)

    def test_a_pack_for_which_the_ledger_has_no_room_waits(self, ada: Site) -> None:
        """Who only reads what is here is not kept from it."""
        some = [chunk_of(number.to_bytes(2, "big")) for number in range(1000)]
        ada.store.run("PRAGMA max_page_count = 1")
        with pytest.raises(FullError):
            keep(ada, *some)
        adopt(ada.store)
        ada.store.run("PRAGMA max_page_count = 100000")
        adopt(ada.store)
        assert ada.store.blobs.read(some[-1].digest) == some[-1]

    def test_a_pack_that_is_there_twice_stays_if_not_all_of_it_could_be_looked_at(
        self, ada: Site
    ) -> None:
        first = keep_twice(ada, CHUNKS[0])
        rotten = read_spans(first.parent, bytes.fromhex(first.stem), ada.store.blobs.keys)[0][1]
        data = bytearray(first.read_bytes())
        data[rotten.offset + rotten.length - 1] ^= 1
        first.write_bytes(data)
        adopt(ada.store)
        assert first in packs(ada)
        assert ada.store.blobs.read(DIGESTS[0]) == CHUNKS[0]
        data[rotten.offset + rotten.length - 1] ^= 1
        first.write_bytes(data)
        adopt(ada.store)
        assert [ada.store.blobs.read(digest) for digest in DIGESTS] == CHUNKS

    def test_two_that_adopt_at_once_do_not_fall_over_each_other(
        self, ada: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = keep_twice(ada, *CHUNKS)

        def late(folder: Path, pack: bytes, keys: BlobKeys) -> tuple[list[Span], bool]:
            first.unlink()
            return read_spans(folder, pack, keys)

        monkeypatch.setattr("ledger.adopt.read_spans", late)
        adopt(ada.store)
        assert [ada.store.blobs.read(digest) for digest in DIGESTS] == CHUNKS

    def test_of_a_pack_that_was_cut_off_what_is_whole_is_taken_in(self, ada: Site) -> None:
        keep(ada, *CHUNKS)
        (pack,) = packs(ada)
        places = list(ada.store.blobs.places())
        with ada.store.transaction():
            ada.store.run("DELETE FROM blob")
            ada.store.run("DELETE FROM pack")
        os.truncate(pack, places[3].span.offset + 40)
        adopt(ada.store)
        assert ada.store.blobs.held(DIGESTS) == set(DIGESTS[:3])

    @pytest.mark.parametrize("content", [b"", b"pannier pack 1\n", b"no pack" * 20, bytes(200)])
    def test_what_is_no_pack_of_ours_is_left_alone(self, ada: Site, content: bytes) -> None:
        ada.store.blobs.folder.mkdir()
        foreign = ada.store.blobs.folder / f"{'ab' * 8}.pack"
        foreign.write_bytes(content)
        adopt(ada.store)
        assert foreign.read_bytes() == content
        assert not list(ada.store.blobs.places())

    def test_a_folder_that_is_gone_leaves_files_incomplete_until_it_is_back(
        self, ada: Site, tmp_path: Path
    ) -> None:
        keep(ada, *CHUNKS[:2])
        state = write_file(ada, "a", *CHUNKS[:2])
        folder = ada.store.blobs.folder
        folder.rename(tmp_path / "elsewhere")
        adopt(ada.store)
        assert ada.store.files_complete(state) == 0
        assert ada.store.blobs.wanted(DIGESTS) == set(DIGESTS[:2])
        (tmp_path / "elsewhere").rename(folder)
        adopt(ada.store)
        assert ada.store.files_complete(state) == 1

    def test_an_older_copy_of_the_ledger_file_finds_what_was_kept_since(self, world: World) -> None:
        ada = world.sites[0]
        kept = ada.backup(world.folder / "kept.db")
        keep(ada, CHUNKS[0])
        ada.restore(kept)
        adopt(ada.store)
        assert ada.store.blobs.read(DIGESTS[0]) == CHUNKS[0]

    def test_what_a_killed_process_left_is_swept_and_what_a_live_one_writes_is_not(
        self, ada: Site
    ) -> None:
        program = (
            "import os, pathlib, sys\n"
            "from ledger.blob_pack import BlobKeys\n"
            "from ledger.pack_file import PackWriter\n"
            "PackWriter(pathlib.Path(sys.argv[1]), BlobKeys(bytes(32)), os.urandom)\n"
            "writer = PackWriter(pathlib.Path(sys.argv[1]), BlobKeys(bytes(32)), os.urandom)\n"
            "print('ready', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, str(ada.store.blobs.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            assert len(list(ada.store.blobs.folder.iterdir())) == 2
            adopt(ada.store)
            assert len(list(ada.store.blobs.folder.iterdir())) == 1
            process.kill()
        adopt(ada.store)
        assert not list(ada.store.blobs.folder.iterdir())

    def test_a_pack_that_is_swept_before_it_is_held_begins_anew(
        self, ada: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, hold = ada.store.blobs.folder, fcntl.flock
        swept: list[Path] = []

        def sweep_first(file: int, how: int) -> None:
            if not how & fcntl.LOCK_NB and not swept:
                swept.extend(folder.glob(".*.tmp"))
                sweep(folder)
            hold(file, how)

        monkeypatch.setattr(fcntl, "flock", sweep_first)
        assert keep(ada, CHUNKS[0]) == 1
        assert len(swept) == 1
        assert ada.store.blobs.read(DIGESTS[0]) == CHUNKS[0]

    def test_what_is_damaged_is_missing_once_it_was_forgotten(self, ada: Site) -> None:
        keep(ada, *CHUNKS[:2])
        state = write_file(ada, "a", *CHUNKS[:2])
        forget(ada.store, [DIGESTS[1]])
        assert ada.store.files_complete(state) == 0
        assert list(ada.store.file_entries.missing(state.row, 0, 1)) == [DIGESTS[1]]
        assert keep(ada, *CHUNKS[:2]) == 1
        assert ada.store.files_complete(state) == 1


class TestAtRest:
    def test_neither_contents_nor_their_hashes_lie_open(self, ada: Site) -> None:
        secret = os.urandom(1000) + b"a secret that nobody compresses"
        chunk = chunk_of(secret)
        keep(ada, chunk)
        write_file(ada, "a", chunk)
        write_file(ada, "b", CHUNKS[0])
        ada.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        everything = bytes_below(ada.store.path.parent)
        assert len(everything) > len(secret)
        for told in (secret[:16], b"a secret", chunk.digest[:16], DIGESTS[0][:16]):
            assert told not in everything

    def test_the_same_content_looks_different_at_each_node(self, world: World) -> None:
        ada, bob = world.sites
        keep(ada, CHUNKS[0])
        keep(bob, CHUNKS[0])
        one, other = packs(ada)[0].read_bytes(), packs(bob)[0].read_bytes()
        assert len(one) == len(other)
        assert one[47:] != other[47:]

    def test_another_key_for_the_ledger_file_opens_the_packs_that_were_there(
        self, ada: Site
    ) -> None:
        keep(ada, CHUNKS[0])
        state = write_file(ada, "a", *CHUNKS[:2])
        for key in (bytes([1]) * 32, bytes([2]) * 32):
            reseal(ada.store, key)
            path = ada.store.path
            ada.store.close()
            ada.store = Store.open(path, FileKey(key))
            assert ada.store.blobs.read(DIGESTS[0]) == CHUNKS[0]
        keep(ada, CHUNKS[1])
        assert ada.store.files_complete(state) == 1

    def test_packs_are_for_their_owner_alone(self, ada: Site) -> None:
        keep(ada, CHUNKS[0])
        assert packs(ada)[0].stat().st_mode & 0o777 == 0o600
        assert ada.store.blobs.folder.stat().st_mode & 0o777 == 0o700


def test_a_row_that_is_no_row_is_damage(ada: Site) -> None:
    keep(ada, CHUNKS[0])
    with sqlite3.connect(ada.store.path) as db:
        db.execute("UPDATE blob SET length = 'x'")
    db.close()
    with pytest.raises(DamagedError):
        ada.store.blobs.find(DIGESTS)
