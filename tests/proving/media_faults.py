"""What becomes of a stick between two visits: damage, dirt, and things laid there on purpose.

Every fault changes a mounted stick as one would that is worn out, was kept by somebody else, or
was prepared by a joker; what it does follows from the `Random` that it is given.
"""

import os
import shutil
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

FLIPPED = 1e-6
"""Of all bytes, in how many a worn-out stick flips a bit."""
_1980 = 315_532_800
_2107 = 4_354_819_198
MOVIE = "holiday.mov"
"""What fills a stick up."""
STRANGER = b"deadbeef"
"""In names of fragments that nobody here made."""
_PREFIX = f"40fff-{STRANGER.decode()}-0123456789abcdef-"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that becomes of sticks.

    Attributes:
        name: For the table.
        befall: Does it to a mounted stick.
        needs_posix: Whether FAT and exFAT cannot hold such things.
        is_mild: Whether it asks no more of a driver than to change, cut and remove files. That of
            FAT (fusefat 0.1a) mixes up contents and names by itself where more is asked.
    """

    name: str
    befall: Callable[[Path, Random], None]
    needs_posix: bool = False
    is_mild: bool = False


def ours(stick: Path) -> list[Path]:
    """Return the regular files on a stick with a fragment's name, in order."""
    found = sorted(stick.glob("pannier/[0-9a-f][0-9a-f]/*.pnr"))
    return [
        path
        for path in found
        if stat.S_ISREG(path.lstat().st_mode) and not path.parent.is_symlink()
    ]


def flip(path: Path, index: int, bit: int) -> None:
    """Flip one bit of a file; its time stays, as no program wrote."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(index)
        byte = file.read(1)[0]
        file.seek(index)
        file.write(bytes([byte ^ 1 << bit]))
    _date(path, times.st_mtime)


def flip_bits(stick: Path, random: Random) -> None:
    """Flip a bit in one byte of a million, at least in one."""
    found = [path for path in ours(stick) if path.stat().st_size]
    sizes = [path.stat().st_size for path in found]
    if not found:
        return
    count = max(1, sum(random.random() < FLIPPED * 1000 for _ in range(sum(sizes) // 1000)))
    for path in random.choices(found, sizes, k=count):
        flip(path, random.randrange(path.stat().st_size), random.randrange(8))


def lose_files(stick: Path, random: Random) -> None:
    """Lose half of the files, sometimes a folder, and sometimes what the stick is called."""
    for path in ours(stick):
        if random.random() < 0.5:
            path.unlink()
    if random.random() < 0.3:
        (stick / "pannier" / "medium.json").unlink(missing_ok=True)
    for folder in sorted(stick.glob("pannier/??")):
        if random.random() < 0.2:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()


def truncate_files(stick: Path, random: Random) -> None:
    """Cut files to nothing, or anywhere; what names the stick, too."""
    for path in [*ours(stick), stick / "pannier" / "medium.json"]:
        if path.exists() and random.random() < 0.6:
            size = path.stat().st_size
            os.truncate(path, random.choice([0, random.randint(0, size)]))


def mix_up_renames(stick: Path, random: Random) -> None:
    """Undo some renames and let others take each other's file."""
    found = ours(stick)
    random.shuffle(found)
    for one, other in zip(found[::2], found[1::2], strict=False):
        spare = stick / "spare"
        one.rename(spare)
        other.rename(one)
        spare.rename(other)
    for path in found[: len(found) // 3 + 1]:
        path.rename(stick / "pannier" / f".{path.name}.tmp-{random.randbytes(4).hex()}")


def double_in_other_case(stick: Path, random: Random) -> None:
    """Show files twice: `ab/x.pnr` and `AB/X.PNR`, sometimes under that name alone."""
    for path in ours(stick):
        double = stick / "pannier" / path.parent.name.upper() / path.name.upper()
        double.parent.mkdir(exist_ok=True)
        data = path.read_bytes()
        if random.random() < 0.3:
            path.unlink()
        if not double.exists():
            double.write_bytes(data)


def crowd(stick: Path, random: Random) -> None:
    """Lay foreign files everywhere, some with names like ours and nothing genuine in them."""
    top = stick / "pannier"
    for folder in (stick, top, top / "ab", top / "ff"):
        folder.mkdir(exist_ok=True)
        for _ in range(5):
            (folder / f"IMG_{random.randrange(10**9)}.JPG").write_bytes(random.randbytes(9))
    for name in (".hidden", "x.pnr", ".stfolder", "~syncthing~x.pnr.tmp", "a" * 120):
        (top / "ab" / name).write_bytes(b"theirs")
    (top / ".x.tmp-01234567").write_bytes(b"theirs")


def deepen(stick: Path, random: Random) -> None:
    """Make folders in folders, in place of a fragment too."""
    for start in (stick / "deep", stick / "pannier" / "cd", stick / "pannier" / "cd" / _name(1)):
        folder = start
        folder.mkdir(exist_ok=True)
        for _ in range(random.randint(5, 12)):
            folder /= "d" * random.randint(1, 60)
            with suppress(OSError):
                folder.mkdir(exist_ok=True)
                (folder / _name(2)).write_bytes(b"theirs")


def link(stick: Path, random: Random) -> None:
    """Lay symbolic links: in circles, out of the stick, in place of each of our files."""
    top, out = stick / "pannier", stick.parent / "outside"
    out.mkdir(exist_ok=True)
    secret = out / "secret"
    secret.write_bytes(b"nobody reads or changes this")
    (out / _name(9)).write_bytes(b"nor this")
    (top / "e0").mkdir(exist_ok=True)
    for path, target in (
        (top / "e1", out),
        (top / "e2", Path("..")),
        (top / "e3", top / "e3"),
        (top / "e0" / _name(3), secret),
        (top / "e0" / _name(4), Path("/dev/zero")),
        (top / "e0" / _name(5), Path(_name(5))),
        (top / f".{_name(6)}.tmp-01234567", secret),
    ):
        with suppress(FileExistsError):
            path.symlink_to(target)
    name = random.choice(["medium.json", "README.txt"])
    (top / name).unlink(missing_ok=True)
    (top / name).symlink_to(secret)
    for path in ours(stick):
        if random.random() < 0.3:
            kept = path.read_bytes()
            path.unlink()
            path.symlink_to(out / path.name)
            (out / path.name).write_bytes(kept)


def lay_nodes(stick: Path, random: Random) -> None:
    """Lay FIFOs, sockets and devices, with names of fragments and in place of our files."""
    top = stick / "pannier"
    (top / "f0").mkdir(exist_ok=True)
    for number, make in enumerate((_fifo, _socket, _zero, _null)):
        with suppress(FileExistsError):
            make(top / "f0" / _name(number))
        with suppress(FileExistsError):
            make(top / f".{_name(number)}.tmp-0123456{number}")
    name = random.choice(["medium.json", "README.txt"])
    (top / name).unlink(missing_ok=True)
    random.choice([_fifo, _zero, _socket])(top / name)
    for path in ours(stick):
        if random.random() < 0.3:
            path.unlink()
            _fifo(path)


def misname(stick: Path, random: Random) -> None:
    """Lay names that are not UTF-8, with line ends, or with what terminals obey."""
    drawn = bytes(random.choice(range(0x80, 0x100)) for _ in range(9))
    for folder in (stick / "pannier", stick / "pannier" / "ab"):
        folder.mkdir(exist_ok=True)
        for name in (b"\xff\xfe.pnr", b"a\nb", b"\x1b[2J", b"\xc3\x28", drawn):
            (folder / os.fsdecode(name)).write_bytes(b"theirs")


def backdate(stick: Path, random: Random) -> None:
    """Date files by the clock of a computer without a battery, or by one that runs ahead."""
    for path in sorted(stick.glob("pannier/**/*")):
        if stat.S_ISREG(path.lstat().st_mode):
            _date(path, random.choice([_1980, _2107, 0, _1980 + random.randrange(86_400)]))


def spoil_identity(stick: Path, random: Random) -> None:
    """Put something else in place of what names the stick."""
    path = stick / "pannier" / "medium.json"
    junk = [
        b"",
        b"\xff" * 100,
        b"[" * 4000,
        b'{"id": 1}',
        b"0" * 1_000_000,
        b'{"id": "0123456789abcdef", "label": "\\ud800", "version": 1}',
        random.randbytes(64),
    ]
    path.write_bytes(random.choice(junk))


def return_stale_data(stick: Path, random: Random) -> None:
    """Show what lay there at an earlier visit, as a stick does that only said that it wrote."""
    older = stick.parent / "older"
    shutil.copytree(stick / "pannier", older / f"{len(list(older.glob('*'))):03}")
    for path in ours(stick):
        path.unlink()
    shutil.copytree(random.choice(sorted(older.iterdir())), stick / "pannier", dirs_exist_ok=True)


def crowd_out(folder: Path, count: int, *, like_ours: bool) -> None:
    """Lay *count* foreign empty files below *folder*, with names of fragments or of photos."""
    for number in range(count):
        top = folder / "pannier" / f"{number % 256:02x}" if like_ours else folder / "pannier" / "ab"
        if number < 256:
            top.mkdir(parents=True, exist_ok=True)
        name = _name(number) if like_ours else f"IMG_{number}.JPG"
        os.close(os.open(top / name, os.O_CREAT | os.O_WRONLY))


def grow(stick: Path, random: Random) -> None:
    """Let files have more in them than was written: what lay in their last cluster, or too much."""
    for path in ours(stick):
        if random.random() < 0.5:
            with path.open("ab") as file:
                file.write(random.choice([bytes(512), random.randbytes(3000)]))
    with suppress(OSError), (stick / "pannier" / "ab" / _name(7)).open("wb") as file:
        file.truncate(18 << 20)


BETWEEN = (
    Fault("1 of 10^6 bytes flipped", flip_bits, is_mild=True),
    Fault("whole files lost", lose_files, is_mild=True),
    Fault("files cut short or to nothing", truncate_files, is_mild=True),
    Fault("renames undone and mixed up", mix_up_renames),
    Fault("files twice, in other case", double_in_other_case, needs_posix=True),
    Fault("foreign files", crowd),
    Fault("deep folders", deepen),
    Fault("links", link, needs_posix=True),
    Fault("device nodes, FIFOs, sockets", lay_nodes, needs_posix=True),
    Fault("names that are not UTF-8", misname, needs_posix=True),
    Fault("dates of 1970, 1980 and 2107", backdate, is_mild=True),
    Fault("medium.json spoiled", spoil_identity),
    Fault("files with more behind them", grow),
    Fault("stale data of an earlier visit", return_stale_data),
)


def _name(number: int) -> str:
    return f"{_PREFIX}{number:08x}.pnr"


def _date(path: Path, seconds: float) -> None:
    # Some drivers in user space set no times.
    with suppress(OSError):
        os.utime(path, (seconds, seconds))


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _zero(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))


def _null(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            # The path of a socket is short.
            one.bind(f"/proc/self/fd/{folder}/{path.name}")
        except OSError as error:
            raise FileExistsError from error
        finally:
            os.close(folder)
