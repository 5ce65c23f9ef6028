"""Files that travel by sticks: what one node added, the others hold in the end, to the byte."""

import errno
import random
import shutil
from collections import namedtuple
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from zstandard import ZstdCompressor

from bundler.fragment import Check, Fragment, fragment_head, fragment_start, is_plausible
from bundler.items import byte_string
from bundler.sequence import parse_sequence
from ledger.adopt import forget
from ledger.blob import CHUNK_BYTES, BlobCodec, Chunk, chunk_of
from ledger.blob_pack import Span
from ledger.errors import FullError
from ledger.file_payload import FilePayload
from ledger.genesis import Term
from ledger.members import Role
from ledger.pack_file import PackWriter
from pannier import contents
from pannier.adding import Adding
from pannier.import_report import Outcome
from pannier.ledgers import new_ledger
from pannier.loads import bytes_around
from pannier.membership import revoke, share
from pannier.oneway import pack, unpack
from pannier.overview import overview
from pannier.review import accept, waiting
from spool.delivery import Delivery, Receipt
from spool.errors import StorageError
from spool.inbox import Inbox
from spool.os_file_system import OsFileSystem
from tests.sim import attacks
from tests.sim.test_crashes import Countdown, again, queues_agree
from tests.sim.world import World, assert_equal, data_queue, fragments, tree
from transports.medium import Medium

LENGTH = CHUNK_BYTES + 12_345
SMALL_BUNDLES = "[peer.bea]\nmtu = 222\n"
"""At this MTU a bundle takes one chunk."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        yield world


def content_of(seed: int, length: int = LENGTH) -> bytes:
    return random.Random(seed).randbytes(length)


def add(world: World, name: str, thing: str, content: bytes) -> None:
    """*name* puts a file into the ledger."""
    path = world.folder / "files" / thing
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    adding = Adding(world[name], world.store(name))
    list(adding.run([path]))
    assert adding.added.files == 1


def files(world: World, name: str) -> dict[str, bytes | None]:
    """What *name* holds of each file; None of one that is not all there."""
    store = world.store(name)
    found: dict[str, bytes | None] = {}
    for log in store.logs():
        for number, file in store.files(log, 0, log.size):
            (entry,) = store.entries(log, number, number + 1)
            is_whole = store.blobs.held(file.digests) == set(file.digests)
            found[entry.thing] = _joined(world, name, file) if is_whole else None
    return found


def _joined(world: World, name: str, file: FilePayload) -> bytes:
    return b"".join(world.store(name).blobs.read(one).content() for one in file.digests)


def long_files(stick: Path) -> list[Path]:
    return [path for path in fragments(stick) if path.stat().st_size > 100_000]


def recipes(world: World, name: str) -> list[Path]:
    return sorted((world[name].home.spool / "out").glob("*/*.recipe"))


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_file_is_written_three_times_and_no_more(world: World) -> None:
    content = content_of(1)
    add(world, "ada", "photo", content)
    sent = world.exchange("ada")
    assert (sent.problems, len(long_files(world.stick()))) == ([], 1)
    assert sum(path.stat().st_size for path in recipes(world, "ada")) < 2_000
    assert sum(map(len, tree(world["ada"].home.spool).values())) < 10_000
    came = world.exchange("bea")
    assert files(world, "bea") == {"photo": content}
    assert len(came.collected.taken) == 1
    assert came.report.content_bytes == len(content)
    assert sum(map(len, tree(world["bea"].home.spool).values())) < 10_000
    assert long_files(world.stick()) == []
    world.exchange("ada")
    assert data_queue(world["ada"]) == []
    assert recipes(world, "ada") == []
    assert_equal(world, ["ada", "bea"])


def test_a_further_medium_gets_the_same_bytes(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada", "one")
    world.exchange("ada", "two")
    (one,), (two,) = long_files(world.stick("one")), long_files(world.stick("two"))
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())
    world.exchange("bea", "two")
    world.exchange("bea", "one")
    assert files(world, "bea") == {"photo": content_of(1)}
    world.rounds(["ada", "bea"], 2, "one")
    assert data_queue(world["ada"]) == []


def test_it_is_told_what_is_there_and_nothing_goes_twice(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    world.rounds(["ada", "bea"], 2)
    add(world, "ada", "copy", content_of(1))
    add(world, "ada", "other", content_of(2))
    sent = world.exchange("ada")
    (path,) = long_files(world.stick())
    assert path.stat().st_size < bytes_around(LENGTH)
    assert sent.written == {world["bea"].card.node_id: 2}
    world.exchange("bea")
    names = {"photo": content_of(1), "copy": content_of(1), "other": content_of(2)}
    assert files(world, "bea") == names


def test_one_stick_serves_several(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea", "cyd", "dan")) as world:
        world.found("ada", "bea", "cyd", "dan")
        world.rounds(["ada", "bea", "cyd", "dan"], 2)
        add(world, "ada", "photo", content_of(1))
        world.exchange("ada")
        assert len(long_files(world.stick())) == 3
        for name in ("bea", "cyd", "dan"):
            world.exchange(name)
            assert files(world, name) == {"photo": content_of(1)}
        world.exchange("ada")
        assert data_queue(world["ada"]) == []


def test_whoever_holds_a_content_passes_it_on(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", "cyd")
        world.rounds(["ada", "bea", "cyd"], 2)
        add(world, "ada", "photo", content_of(1))
        world.exchange("ada", "one")
        world.exchange("bea", "one")
        world.exchange("bea", "two")
        world.exchange("cyd", "two")
        assert files(world, "cyd") == {"photo": content_of(1)}
        world.rounds(["cyd", "ada"], 2, "three")
        assert data_queue(world["ada"]) == [
            one.bundle_id
            for one in world["ada"].db.bundles(world["bea"].card.node_id)
            if not one.control
        ], "what was for cyd came by another way"


@pytest.mark.parametrize("is_clear", [False, True], ids=["oneway", "clear"])
def test_peers_that_cannot_answer_and_clear_ones(tmp_path: Path, is_clear: bool) -> None:
    with World(tmp_path) as world:
        if is_clear:
            world.configure("ada", "[peer.bea]\nclear = true\n")
            world.configure("bea", "[peer.ada]\nclear = true\n")
        else:
            world.configure("ada", "[peer.bea]\noneway = true\nrepeat = 2\n")
        terms = frozenset({Term.CLEAR} if is_clear else ())
        store = new_ledger(world["ada"], "log", terms=terms)
        share(world["ada"], store, world["ada"].peer_named("bea"), Role.WRITER)
        content = b"plain to see " * 100_000
        add(world, "ada", "text", content)
        add(world, "ada", "photo", content_of(3))
        world.exchange("ada", "one")
        written = b"".join(path.read_bytes() for path in long_files(world.stick("one")))
        assert (content_of(3)[:1000] in written) is is_clear
        world.exchange("bea", "one")
        assert files(world, "bea") == {"text": content, "photo": content_of(3)}
        world.exchange("ada", "two")
        world.exchange("ada", "three")
        again = long_files(world.stick("three"))
        assert bool(again) is is_clear, "twice is enough for who cannot answer"


def test_what_a_person_must_see_first_waits_with_its_contents(world: World) -> None:
    world.rounds(["ada", "bea"], 2)
    world.configure("bea", '[peer.ada]\nimport = "review"\n')
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada")
    came = world.exchange("bea")
    assert files(world, "bea") == {}
    assert sorted(one.value for one in came.report.outcomes.values()) == ["held", "review"]
    accept(world["bea"], waiting(world["bea"]))
    assert files(world, "bea") == {"photo": content_of(1)}
    assert world["bea"].spool.held.names() == []
    world.rounds(["bea", "ada"], 2)
    assert data_queue(world["ada"]) == []


def limit_rooms(monkeypatch: pytest.MonkeyPatch, rooms: dict[str, int]) -> None:
    """Make media look as full as if they took so many bytes in long files, and no more."""

    def free_bytes(medium: Medium) -> int:
        root = medium.files._fs._root  # type: ignore[attr-defined]
        return rooms[root.name] - sum(path.stat().st_size for path in long_files(root))

    monkeypatch.setattr(Medium, "free_bytes", free_bytes)


def test_a_full_stick_takes_what_fits_and_the_next_one_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure("ada", SMALL_BUNDLES)
    content = content_of(1, 5 * CHUNK_BYTES)
    add(world, "ada", "photo", content)
    limit_rooms(monkeypatch, {"one": 3 * bytes_around(CHUNK_BYTES), "two": 9 << 20})
    first = world.exchange("ada", "one")
    assert len(long_files(world.stick("one"))) == 2
    (seen,) = overview(world["ada"]).peers
    assert 3 * CHUNK_BYTES <= seen.unpacked_bytes < 3 * CHUNK_BYTES + 10_000
    said = f"{seen.unpacked_bytes:,} bytes of files for bea found no room"
    assert [line for line in first.problems if line.startswith(said)]
    second = world.exchange("ada", "two")
    assert second.problems == []
    names = [{path.name for path in long_files(world.stick(one))} for one in ("one", "two")]
    assert names[0] < names[1], "the new ones, and then those again"
    assert len(names[1]) == 5
    for path in long_files(world.stick("two")):
        if path.name in names[0]:
            path.unlink()
    world.exchange("bea", "two")
    assert files(world, "bea") == {"photo": None}
    world.exchange("bea", "one")
    assert files(world, "bea") == {"photo": content}


@pytest.mark.parametrize("is_told", [True, False], ids=["told before", "found while writing"])
def test_a_small_disk_takes_what_fits_and_says_what_does_not(
    world: World, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    world.configure("ada", SMALL_BUNDLES)
    content = content_of(1, 5 * CHUNK_BYTES)
    add(world, "ada", "photo", content)
    world.exchange("ada")
    room = [5 * CHUNK_BYTES // 2]
    limit_disk(world, monkeypatch, room, is_told=is_told)
    for kept in (2, 2, 3, 5):
        room[0] = kept * CHUNK_BYTES + CHUNK_BYTES // 2
        came = world.exchange("bea")
        store = world.store("bea")
        (lacking,) = {5 - kept}
        assert store.file_entries.lacking().chunks == lacking
        assert len(long_files(world.stick())) == lacking, "what is here leaves the stick"
        said = [line for line in came.problems if "no room here for" in line]
        assert (len(said), len(came.problems)) == (lacking > 0, lacking > 0)
        size = sum(path.stat().st_size for path in long_files(world.stick()))
        assert said == [] or f" {size:,} bytes of files: free some, then exchange again" in said[0]
        assert not list(store.blobs.folder.glob(".*")), "no unfinished pack stays"
    assert files(world, "bea") == {"photo": content}
    world.exchange("ada")
    assert data_queue(world["ada"]) == []


def limit_disk(
    world: World, monkeypatch: pytest.MonkeyPatch, room: list[int], *, is_told: bool
) -> None:
    """Let the disk of bea take so many bytes of packs, and say so or not until they are there."""
    ledgers = world["bea"].home.ledgers
    write = PackWriter.add

    def used() -> int:
        return sum(path.stat().st_size for path in ledgers.glob("*.blobs/*.pack"))

    def add_if_room(self: PackWriter, name: bytes, chunk: Chunk) -> Span:
        if self.path.is_relative_to(ledgers) and used() + self.size_bytes + chunk.size > room[0]:
            raise FullError("No space left on device")
        return write(self, name, chunk)

    if is_told:
        usage = namedtuple("usage", "free")
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _: usage(room[0] - used() + contents._SPARE_BYTES)
        )
        monkeypatch.setattr("pannier.taking._BATCH_BYTES", 1)
    else:
        monkeypatch.setattr(PackWriter, "add", add_if_room)


def test_what_does_not_fit_stays_in_the_inbox_while_the_rest_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(world, "ada", "large", content_of(1, 900_000))
    world.exchange("ada")
    room = [1000]
    limit_disk(world, monkeypatch, room, is_told=False)
    came = world.exchange("bea")
    assert Outcome.NO_ROOM in came.report.outcomes.values()
    assert [line for line in came.problems if "no room here for" in line] == came.problems
    assert files(world, "bea") == {"large": None}
    room[0] = 10**9
    assert world.exchange("bea").problems == []
    assert files(world, "bea") == {"large": content_of(1, 900_000)}


def test_what_was_spoiled_on_a_stick_is_left_and_that_alone_sent_again(world: World) -> None:
    world.configure("ada", SMALL_BUNDLES)
    content = content_of(1, 4 * CHUNK_BYTES)
    add(world, "ada", "photo", content)
    world.exchange("ada")
    bad, *sound = long_files(world.stick())
    original = bad.read_bytes()
    spoil(bad)
    came = world.exchange("bea")
    assert len(came.collected.taken) == len(sound) == 3
    assert files(world, "bea") == {"photo": None}
    assert len(data_queue(world["ada"])) == 5
    sent = world.exchange("ada")
    assert data_queue(world["ada"]) == [bad.name.split("-")[2]]
    (rest,) = {path for path in long_files(world.stick()) if bad.name[:-13] in path.name} - {bad}
    again = rest.read_bytes()
    assert again in original
    assert (len(again) < len(original), sum(sent.written.values())) == (True, 1)
    world.exchange("bea")
    assert files(world, "bea") == {"photo": content}


def test_a_stick_that_is_pulled_keeps_what_was_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure("ada", SMALL_BUNDLES)
    content = content_of(1, 4 * CHUNK_BYTES)
    add(world, "ada", "photo", content)
    monkeypatch.setattr("transports.deliver._GROUP_BYTES", CHUNK_BYTES)
    with pulled_after(monkeypatch, "create", 4):
        assert world.exchange("ada").is_gone
    assert 0 < len(long_files(world.stick())) < 4
    world.exchange("ada")
    assert len(long_files(world.stick())) == 4
    with pulled_after(monkeypatch, "read_into", 3):
        came = world.exchange("bea")
    assert came.is_gone
    assert 0 < len(came.collected.taken) < 4
    world.exchange("bea")
    assert files(world, "bea") == {"photo": content}
    world.rounds(["ada", "bea"], 2)
    assert data_queue(world["ada"]) == []


@contextmanager
def pulled_after(monkeypatch: pytest.MonkeyPatch, method: str, calls: int) -> Iterator[None]:
    """Pull the stick when a file of fragments is created or read for the *calls*-th time."""
    left = calls
    real, folder = getattr(OsFileSystem, method), OsFileSystem._folder

    def counted(fs: OsFileSystem, path: str, *args: object, **options: object) -> object:
        nonlocal left
        left -= ".pnr" in path
        return real(fs, path, *args, **options)

    def gone(fs: OsFileSystem, path: str) -> AbstractContextManager[int]:
        if left <= 0 and "media" in fs._root.parts:
            raise OSError(errno.ENODEV, "the device is gone")
        return folder(fs, path)

    with monkeypatch.context() as patched:
        patched.setattr(OsFileSystem, method, counted)
        patched.setattr(OsFileSystem, "_folder", gone)
        yield


@pytest.mark.parametrize("mtu", [222, 1400])
def test_a_small_file_goes_through_the_air(world: World, mtu: int, tmp_path: Path) -> None:
    world.rounds(["ada", "bea"], 2)
    content = content_of(1, 10_000)
    add(world, "ada", "note", content)
    air = tmp_path / "air"
    packed = pack(world["ada"], world["ada"].peer_named("bea"), air, mtu=mtu, repair_percent=30)
    assert max(path.stat().st_size for path in air.iterdir()) <= mtu
    lost = random.Random(1).sample(sorted(air.iterdir()), packed.files // 10)
    for path in lost:
        path.unlink()
    report, _ = unpack(world["bea"], [air])
    assert report.count(Outcome.MERGED) == packed.bundles == 2
    assert files(world, "bea") == {"note": content}
    assert report.content_bytes == len(content)
    world.rounds(["bea", "ada"], 2)
    assert data_queue(world["ada"]) == []


def test_what_came_by_another_way_is_not_packed_again(world: World, tmp_path: Path) -> None:
    world.rounds(["ada", "bea"], 2)
    add(world, "ada", "note", content_of(1, 1_000))
    air = tmp_path / "air"
    pack(world["ada"], world["ada"].peer_named("bea"), air, mtu=222, repair_percent=0)
    unpack(world["bea"], [air])
    world["bea"].db.run("DELETE FROM due")
    back = tmp_path / "back"
    pack(world["bea"], world["bea"].peer_named("ada"), back, mtu=222, repair_percent=0)
    unpack(world["ada"], [back])
    assert len(data_queue(world["ada"])) == 1, "it was told that nothing lacks, and no receipt"
    again = pack(world["ada"], world["ada"].peer_named("bea"), air, mtu=222, repair_percent=0)
    assert data_queue(world["ada"]) == []
    assert again.bundles <= 1


def test_often_enough_is_enough_for_smaller_frames_too(world: World, tmp_path: Path) -> None:
    world.configure("ada", "[peer.bea]\noneway = true\nrepeat = 2\n")
    add(world, "ada", "photo", content_of(1))
    ada = world["ada"]
    bea = ada.peer_named("bea")
    (before,) = overview(ada).peers
    assert before.unpacked_bytes > LENGTH
    counts = [
        pack(ada, bea, tmp_path / str(number), mtu=mtu, repair_percent=0).bundles
        for number, mtu in enumerate((1400, 1400, 500, 1400))
    ]
    assert counts[0] == counts[1] > 0
    assert counts[2:] == [0, 0]
    (seen,) = overview(ada).peers
    assert (seen.unpacked, seen.unpacked_bytes, seen.bundles) == (0, 0, 0)


def test_what_cannot_be_made_again_does_not_keep_others_from_being_packed(
    world: World, tmp_path: Path
) -> None:
    world.rounds(["ada", "bea"], 2)
    ada, air = world["ada"], tmp_path / "air"
    for seed in (1, 2, 3):
        add(world, "ada", f"note{seed}", content_of(seed, 1_000))
        pack(ada, ada.peer_named("bea"), tmp_path / f"lost{seed}", mtu=222, repair_percent=0)
    assert len(recipes(world, "ada")) == 3
    store = world.store("ada")
    named = [file for log in store.logs() for _, file in store.files(log, 0, log.size)]
    forget(store, named[0].digests)
    with pytest.raises(StorageError, match="made anew"):
        pack(ada, ada.peer_named("bea"), air, mtu=222, repair_percent=0)
    unpack(world["bea"], [air])
    found = {f"note{seed}": content_of(seed, 1_000) for seed in (2, 3)}
    assert files(world, "bea") == {"note1": None, **found}


def test_who_lost_a_content_of_its_own_says_so_through_the_air(
    world: World, tmp_path: Path
) -> None:
    """That a log of its own is here is no news to a peer; that something of it lacks is."""
    world.rounds(["ada", "bea"], 2)
    content = content_of(1, 1_000)
    add(world, "ada", "note", content)
    by_air(world, tmp_path, rounds=4)
    assert files(world, "bea") == {"note": content}
    store = world.store("ada")
    ((_, file),) = [one for log in store.logs() for one in store.files(log, 0, log.size)]
    forget(store, file.digests)
    by_air(world, tmp_path, rounds=3)
    assert files(world, "ada") == {"note": content}


def by_air(world: World, folder: Path, rounds: int) -> None:
    """Both send all that they have to say in small frames."""
    for number in range(2 * rounds):
        name, other = ("ada", "bea") if number % 2 == 0 else ("bea", "ada")
        world.clock.now_us += 60_000_000
        air = folder / f"air-{len(list(folder.glob('air-*')))}"
        pack(world[name], world[name].peer_named(other), air, mtu=222, repair_percent=0)
        unpack(world[other], [air])


def test_unpacking_takes_long_files_as_they_lie(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada")
    received: list[int] = []
    real = Inbox.receive

    def receive(inbox: Inbox, deliveries: Iterable[Delivery]) -> Receipt:
        found = list(deliveries)
        received.extend(len(one.data) for one in found)
        return real(inbox, found)

    monkeypatch.setattr(Inbox, "receive", receive)
    report, left = unpack(world["bea"], [world.stick()])
    assert report.count(Outcome.MERGED) == 2
    assert files(world, "bea") == {"photo": content_of(1)}
    assert (len(received), max(received) < 10_000) == (1, True)
    assert left["refused"] == left["damaged"] == 0
    world["bea"].db.run("DELETE FROM seen")
    spoil(*long_files(world.stick()))
    assert unpack(world["bea"], [world.stick()])[1]["forged"] == 1
    assert len(received) == 3, "what is left of it goes the usual way"


def test_what_no_entry_names_waits_until_one_does(world: World) -> None:
    world.rounds(["ada", "bea"], 2)
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada")
    late = world.stick("late")
    (path,) = long_files(world.stick())
    short = [one for one in fragments(world.stick()) if one != path]
    for one in short:
        target = late / one.relative_to(world.stick())
        target.parent.mkdir(parents=True, exist_ok=True)
        one.rename(target)
    came = world.exchange("bea")
    assert list(came.report.outcomes.values()) == [Outcome.HELD]
    assert not list(world.store("bea").blobs.folder.glob("*.pack"))
    world.exchange("bea", "late")
    assert files(world, "bea") == {"photo": content_of(1)}
    assert world["bea"].spool.held.names() == []


def test_what_a_peer_lost_after_it_had_it_goes_again(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    world.rounds(["ada", "bea"], 2)
    assert files(world, "bea") == {"photo": content_of(1)}
    store = world.store("bea")
    ((_, file),) = [one for log in store.logs() for one in store.files(log, 0, log.size)]
    forget(store, file.digests[1:2])
    assert files(world, "bea") == {"photo": None}
    world.rounds(["bea", "ada"], 3)
    assert files(world, "bea") == {"photo": content_of(1)}
    assert data_queue(world["ada"]) == []


def test_many_lost_contents_come_again_together(world: World) -> None:
    names = [f"note-{number}" for number in range(12)]
    for number, name in enumerate(names):
        add(world, "ada", name, b"%d" % number * 1000)
    world.rounds(["ada", "bea"], 2)
    store = world.store("bea")
    found = [one for log in store.logs() for _, one in store.files(log, 0, log.size)]
    forget(store, [digest for one in found for digest in one.digests])
    assert set(files(world, "bea").values()) == {None}
    world.rounds(["bea", "ada"], 2)
    world.exchange("bea", "one")
    assert None not in files(world, "bea").values()


@pytest.mark.parametrize("things", [("photo",), ("photo", "later")])
def test_what_the_sender_itself_lacks_some_of_does_not_go_again(
    world: World, things: tuple[str, ...]
) -> None:
    """That its peer lacks the same is no loss there; nor are what is small and comes after."""
    contents = dict(zip(things, (content_of(0), content_of(1, 5000)), strict=False))
    for thing, content in contents.items():
        add(world, "ada", thing, content)
    ada = world.store("ada")
    ((_, photo), *_) = [one for log in ada.logs() for one in ada.files(log, 0, log.size)]
    forget(ada, photo.digests[1:])
    world.rounds(["ada", "bea"], 2)
    assert files(world, "bea")["photo"] is None
    assert world.store("bea").blobs.held(photo.digests) == set(photo.digests[:1])
    for _ in range(2):
        assert world.exchange("ada").written == {}
        world.exchange("bea")
    assert data_queue(world["ada"]) == []
    ada.blobs.add([chunk_of(content_of(0)[CHUNK_BYTES:])], world["ada"].entropy)
    world.rounds(["ada", "bea"], 2)
    assert files(world, "bea") == contents


def test_what_a_peer_lost_goes_again_although_the_sender_lacks_what_is_before(
    world: World,
) -> None:
    for number, thing in enumerate(("gone", "photo")):
        add(world, "ada", thing, content_of(number))
    world.rounds(["ada", "bea"], 2)
    for name, at in (("ada", 0), ("bea", 1)):
        store = world.store(name)
        found = [one for log in store.logs() for _, one in store.files(log, 0, log.size)]
        forget(store, found[at].digests[:1])
    world.rounds(["bea", "ada"], 3)
    assert None not in (*files(world, "ada").values(), *files(world, "bea").values())
    assert data_queue(world["ada"]) == []


def test_a_content_that_is_gone_or_altered_takes_its_bundle_back(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada", "one")
    (path,) = long_files(world.stick("one"))
    (pack_file,) = world.store("ada").blobs.folder.glob("*.pack")
    spoil(pack_file)
    world.reopen("ada")
    second = world.exchange("ada", "two")
    assert [line for line in second.problems if "made anew" in line]
    assert path.name not in {one.name for one in long_files(world.stick("two"))}
    assert queues_agree(world["ada"])
    world.exchange("ada", "two")
    world.exchange("bea", "one")
    assert files(world, "bea") == {"photo": content_of(1)}, "what was written before is good"
    world.rounds(["bea", "ada"], 3, "two")
    assert files(world, "ada") == {"photo": content_of(1)}, "and comes back from there"


def test_a_recipe_that_was_altered_is_made_anew(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada", "one")
    spoil(*recipes(world, "ada"))
    second = world.exchange("ada", "two")
    assert [line for line in second.problems if "made anew" in line]
    world.exchange("ada", "two")
    world.exchange("bea", "two")
    assert files(world, "bea") == {"photo": content_of(1)}


def test_a_recipe_tells_nothing_and_its_key_seals_nothing_else(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    world.exchange("ada", "one")
    store = world.store("ada")
    ((_, file),) = [one for log in store.logs() for one in store.files(log, 0, log.size)]
    known = recipes(world, "ada")[0].read_bytes() + world["ada"].home.node_db.read_bytes()
    assert not any(digest in known for digest in file.digests)
    # The contents lie elsewhere, and compressed otherwise: the bundle would be another one.
    chunks = [store.blobs.read(one) for one in file.digests]
    forget(store, file.digests)
    last = ZstdCompressor(level=9).compress(chunks[-1].content())
    chunks[-1] = replace(chunks[-1], codec=BlobCodec.ZSTD, body=last)
    store.blobs.add(chunks, world["ada"].entropy)
    second = world.exchange("ada", "two")
    assert [line for line in second.problems if "made anew" in line]


def test_a_file_under_the_name_of_another_is_not_taken_for_that(world: World) -> None:
    """A carrier could have a receipt sent for what never arrived."""
    world.configure("ada", SMALL_BUNDLES)
    content = content_of(1, 2 * CHUNK_BYTES)
    add(world, "ada", "photo", content)
    world.exchange("ada")
    one, other = long_files(world.stick())
    mine, its = (bytes.fromhex(path.name.split("-")[2]) for path in (one, other))
    other.write_bytes(one.read_bytes().replace(mine, its))
    came = world.exchange("bea")
    assert len(came.collected.taken) == 1
    assert came.collected.forged > 0
    assert files(world, "bea") == {"photo": None}
    world.rounds(["ada", "bea"], 1)
    assert files(world, "bea") == {"photo": content}


def test_a_peer_cannot_pass_off_what_another_made(tmp_path: Path) -> None:
    """Under the id of a bundle that never arrived: its sender would take it for arrived."""
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 2)
        world.configure("ada", SMALL_BUNDLES)
        content = content_of(1, 2 * CHUNK_BYTES)
        add(world, "ada", "photo", content)
        world.exchange("ada")
        one, other = long_files(world.stick())
        number = bytes.fromhex(other.name.split("-")[2])
        cyd = world["cyd"]
        bea = cyd.peers[world["bea"].card.node_id]
        check = attacks.check_of(cyd, world["bea"])
        data = b"".join(
            renamed(part, number, check)
            for part in parse_sequence(one.read_bytes(), is_plausible)
            if isinstance(part, Fragment)
        )
        its_name = other.name.split("-")
        its_name[1] = cyd.shared.hint_to(bea, number).hex()
        other.with_name("-".join(its_name)).write_bytes(data)
        one.unlink()
        other.unlink()
        came = world.exchange("bea")
        assert came.collected.taken == ()
        assert world["bea"].db.seen(number.hex()) is None
        world.rounds(["ada", "bea"], 2)
        assert files(world, "bea") == {"photo": content}


@pytest.mark.parametrize("its_stick", ["ada's", "cyd's"])
def test_a_peer_cannot_hide_what_another_made(tmp_path: Path, its_stick: str) -> None:
    """It gives contents of its own the id of a bundle that it saw on the way."""
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        under_the_id_of_another(world, its_stick)
        for stick in ("cyd's", "ada's"):
            world.exchange("bea", stick)
        assert files(world, "bea") == {"photo": content_of(1), "its": content_of(2)}


def test_a_peer_cannot_have_removed_what_another_is_still_writing(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        path = under_the_id_of_another(world, "ada's")
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        world.exchange("bea", "cyd's")  # so that the contents of cyd's are named by an entry
        came = world.exchange("bea", "ada's")
        assert (len(came.collected.taken), files(world, "bea")["photo"]) == (1, None)
        path.write_bytes(whole)
        world.exchange("bea", "ada's")
        assert files(world, "bea")["photo"] == content_of(1)


def test_what_came_in_part_before_is_dropped_once_all_of_it_was_taken(world: World) -> None:
    add(world, "ada", "photo", content_of(1))
    for stick in ("one", "two"):
        world.exchange("ada", stick)
    (path,) = long_files(world.stick("one"))
    path.write_bytes(path.read_bytes()[:-1000])  # the second of two fragments is not whole
    world.exchange("bea", "one")
    assert len(world["bea"].spool.inbox.bundles()) == 1
    assert len(world.exchange("bea", "two").collected.taken) == 1
    assert world["bea"].spool.inbox.bundles() == []


def under_the_id_of_another(world: World, stick: str) -> Path:
    """Let cyd give contents for bea the id of those that ada sends; return the file of ada's."""
    world.found("ada", "bea", "cyd")
    world.rounds(["ada", "bea", "cyd"], 4)
    for name, thing, seed in (("ada", "photo", 1), ("cyd", "its", 2)):
        add(world, name, thing, content_of(seed))
        world.exchange(name, f"{name}'s")
    bea, cyd = world["bea"], world["cyd"]
    number, path = sent_to_bea(world, "ada")
    _, its = sent_to_bea(world, "cyd")
    parts = list(parse_sequence(its.read_bytes(), is_plausible))
    its.unlink()
    words = its.name.split("-")
    words[1:3] = cyd.shared.hint_to(cyd.peers[bea.card.node_id], number).hex(), number.hex()
    check = attacks.check_of(cyd, bea)
    (fragments(world.stick(stick))[0].parent / "-".join(words)).write_bytes(
        b"".join(renamed(one, number, check) for one in parts if isinstance(one, Fragment))
    )
    return path


def sent_to_bea(world: World, name: str) -> tuple[bytes, Path]:
    """Return the id and the file of the contents that *name* left for bea on its stick."""
    sender = world[name]
    bea = sender.peers[world["bea"].card.node_id]
    for path in long_files(world.stick(f"{name}'s")):
        _, hint, number, *_ = path.name.split("-")
        if sender.shared.hint_to(bea, bytes.fromhex(number)).hex() == hint:
            return bytes.fromhex(number), path
    raise AssertionError(f"nothing for bea from {name}")


def renamed(part: Fragment, number: bytes, check: Check) -> bytes:
    """Return *part* as one of another bundle."""
    head = fragment_head(number, part.transfer_bytes, part.symbol_bytes)
    start = fragment_start(head, part.payload_id, len(part.symbols))
    return start + bytes(part.symbols) + byte_string(check(start, part.symbols))


def test_a_removed_member_gets_no_contents(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea")) as world:
        world.found("ada", "bea")
        world.rounds(["ada", "bea"], 2)
        add(world, "ada", "photo", content_of(1))
        world.exchange("ada", "one")
        revoke(world["ada"], world.store("ada"), [world["bea"].card.author])
        world.rounds(["ada"], 2, "one")
        assert long_files(world.stick("one")) == []
        assert recipes(world, "ada") == []


def with_a_file(world: World) -> None:
    """bea knows the ledger; ada has added a file of two bundles."""
    world.found("ada", "bea")
    world.rounds(["ada", "bea"], 2)
    world.configure("ada", SMALL_BUNDLES)
    add(world, "ada", "photo", content_of(1, CHUNK_BYTES + 200_000))


def on_the_stick(world: World) -> None:
    with_a_file(world)
    world.exchange("ada")


@pytest.mark.parametrize("name", ["ada", "bea"])
def test_an_exchange_of_files_may_be_killed_before_any_step(tmp_path: Path, name: str) -> None:
    kills = 0
    while True:
        with again(tmp_path, with_a_file if name == "ada" else on_the_stick) as world:
            countdown = Countdown(kills)
            with countdown.running():
                world.exchange(name)
            world.reopen(name)
            for _ in range(6):
                done = [world.exchange(one) for one in ("ada", "bea")]
                if not any(one.written or one.removed or one.report.outcomes for one in done):
                    break
            assert files(world, "bea") == {"photo": content_of(1, CHUNK_BYTES + 200_000)}, kills
            assert queues_agree(world["ada"])
            assert data_queue(world["ada"]) == []
            assert recipes(world, "ada") == []
            assert world["bea"].spool.inbox.bundles() == []
            assert world["bea"].spool.held.names() == []
            packs = list(world.store("bea").blobs.folder.iterdir())
            assert all(path.suffix == ".pack" for path in packs), "nothing unfinished is left"
        if not countdown.is_over:
            break
        kills += 29
    assert kills > 40
