"""Files of every released version, kept: ``python -m tests.proving.upgrade --make``.

Writes what this program leaves on disks and media into ``tests/fixtures/vN.tar.xz``, for the
programs that come after it. Once a version is released its file never changes again.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.keys import KeyStretch, keys_to_file
from pannier.cli.passphrase import BACKUP_PASSPHRASE, LEDGER_PASSPHRASE, PASSPHRASE
from pannier.cli.session import clock
from pannier.home import Home, open_keys
from pannier.node import Node
from spool.name import FragmentName
from spool.partial import PartName, Piece
from tests.cli.computers import Computer, acquaint, environment, exchange, new_computer

FOLDER = Path(__file__).parents[1] / "fixtures"
VERSION = 1
SECRETS = {
    PASSPHRASE: "correct horse",
    BACKUP_PASSPHRASE: "battery staple",
    LEDGER_PASSPHRASE: "seven wet boots",
}
"""What opens the files; nothing else does."""
PART = PartName(
    FragmentName(3, 60_000, "0123abcd", "00112233445566aa", 0), 4000, "ab" * 8, "link" + "c" * 16
)
PIECES = [Piece(0, b"what came first"), Piece(2000, b"and what came later")]
_LEFT_OUT = ("photos", "ranch", "roads", "stick")
_FARM = ("--ledger", "farm")
_CONFIG = """
[spool]
carry_bytes = 1000000

[peer.home]
import = "review"
repair = 10

[transport.drop]
kind = "directory"
path = "/srv/drop"
"""


@contextmanager
def secrets() -> Iterator[None]:
    """Let commands find the passphrases, in this process and in those that it starts."""
    kept = {name: os.environ.get(name) for name in SECRETS}
    os.environ |= SECRETS
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def unpack(version: int, folder: Path) -> Path:
    """Lay the files of a version into *folder*, and return it."""
    with tarfile.open(FOLDER / f"v{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def versions() -> list[int]:
    """Return the versions of which there are files."""
    return sorted(int(path.name.split(".")[0][1:]) for path in FOLDER.glob("v*.tar.xz"))


def open_farm(folder: Path) -> Node:
    """Open the node whose keys are under the passphrase; its user closes it."""
    home = Home(folder / "farm")
    keys = open_keys(home, SECRETS[PASSPHRASE])
    return Node.open(home, keys, clock=clock, entropy=os.urandom)


def make(folder: Path) -> None:
    """Lay out one of everything in *folder*: what this program writes, as it is used."""
    os.environ.pop(PASSPHRASE)
    farm, home, ranch = (_computer(folder, name) for name in ("farm", "home", "ranch"))
    for one, other in ((farm, home), (home, ranch)):
        acquaint(one, other)
    _fill_ledgers(folder, farm)
    exchange(folder / "stick", farm, home, farm)
    farm.types("put", "field/3", '{"moisture": 0.4}')
    home.types("put", "field/3", '{"moisture": 0.5}')
    exchange(folder / "stick", home, farm)
    _write_papers(folder, farm)
    _capture_a_link(folder, farm, home)
    _leave_things_waiting(folder, farm, home, ranch)
    expected = {
        "things": farm.types("things").lines,
        "log": farm.types("log").lines,
        "verify": farm.asks("verify"),
        "status": farm.asks("status"),
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1))


def _computer(folder: Path, name: str) -> Computer:
    """Make a node; the farm's keys are under the passphrase."""
    if name != "farm":
        return new_computer(folder, name)
    os.environ[PASSPHRASE] = SECRETS[PASSPHRASE]
    farm = Computer(folder / name)
    farm.types("init", "--name", name, "--hide-names", "--pq")
    keys = open_keys(Home(farm.home), SECRETS[PASSPHRASE])
    cheap = KeyStretch(passes=1, lanes=1, memory_kib=1024)  # it is opened very often
    sealed = keys_to_file(keys, SECRETS[PASSPHRASE], os.urandom, cheap)
    (farm.home / "keys" / "node.key").write_bytes(sealed)
    return farm


def _fill_ledgers(folder: Path, farm: Computer) -> None:
    farm.types("put", "field/3", '{"moisture": 0.31, "by": "Ada"}')
    chance = random.Random(1)
    rows = ({"thing": f"well/{n % 3}", "data": {"level": chance.randrange(500)}} for n in range(60))
    farm.types("put", "--ndjson", "-", stdin="\n".join(map(json.dumps, rows)).encode())
    farm.types("put", "barn", '"old"')
    farm.types("delete", "barn")
    farm.types("ledger", "share", "home")
    farm.types("put", "patient/17", '{"hb": 9.1}', "--to", "home")
    photos = folder / "photos"
    photos.mkdir()
    (photos / "7.jpg").write_bytes(chance.randbytes(2000))
    (photos / "note.txt").write_text("all is well\n" * 50)
    farm.types("add", str(photos))
    settings = farm.home / "config.toml"
    settings.write_text(f'ledger = "farm"\n{settings.read_text()}')
    farm.types("ledger", "new", "greenhouse", "--centralized")
    farm.types("put", "bed/4", '{"t": 21.5}', "--as", "sensor-7", "--ledger", "greenhouse")
    farm.types("ledger", "new", "club", "--passphrase")
    farm.types("put", "hut", '"open"', "--ledger", "club")


def _write_papers(folder: Path, farm: Computer) -> None:
    """Write what a person may keep: a card, a backup, a proof."""
    (folder / "farm.card").write_text(farm.types("card").out)
    farm.types("ledger", "backup", str(folder / "greenhouse.backup"), "--ledger", "greenhouse")
    proof = str(folder / "well.proof")
    farm.types("prove", "well/1", "-o", proof)


def _capture_a_link(folder: Path, farm: Computer, home: Computer) -> None:
    """Keep what a link sends and receives."""
    farm.types("put", "by/link", '"fast"')
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    command = (sys.executable, "-m", "pannier", "--home")
    listen = [*command, str(home.home), "link", "tcp", "--listen", port, "--once"]
    call = [*command, str(farm.home), "link", "tcp", f"127.0.0.1:{port}", "home", "--once"]
    env = environment() | SECRETS
    with subprocess.Popen(listen, env=env, stdout=subprocess.DEVNULL) as listener:
        subprocess.run([*call, "--capture", str(folder / "link")], env=env, check=True)
        listener.wait()


def _leave_things_waiting(folder: Path, farm: Computer, home: Computer, ranch: Computer) -> None:
    """Let something wait in every queue of the farm, and on a medium."""
    farm.configure(farm.home.joinpath("config.toml").read_text() + _CONFIG)
    home.types("put", "for/review", '"look"', *_FARM)
    exchange(folder / "stick", home, farm)
    farm.types("put", "queued", '"on its way"')
    (folder / "photos" / "8.jpg").write_bytes(random.Random(2).randbytes(1500))
    farm.types("add", str(folder / "photos"))
    home.types("ledger", "new", "roads")
    home.types("ledger", "share", "ranch", "--ledger", "roads")
    exchange(folder / "roads", home, farm)
    noise = json.dumps(random.Random(3).randbytes(1500).hex())
    home.types("put", "half/come", noise, *_FARM)
    home.types("pack", "farm", "--into", str(folder / "packed"), "--mtu", "222")
    files = sorted((folder / "packed").iterdir())
    rest = files[len(files) // 2 :]
    farm.types("unpack", *map(str, files[: len(files) // 2]))
    for path in files[: len(files) // 2]:
        path.unlink()
    assert rest
    (folder / "ticket.txt").write_text(farm.types("ticket").lines[-1].strip())
    home.types("put", "unread", '"on the stick"', *_FARM)
    exchange(folder / "unread", home)
    with open_farm(folder) as node:
        node.spool.partials.begin(PART, PART.size_bytes)
        node.spool.partials.append(PART, PIECES)
        node.spool.partials.release(PART)


def _pack(folder: Path, path: Path) -> None:
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for one in (one for one in sorted(folder.iterdir()) if one.name not in _LEFT_OUT):
            archive.add(one, one.name, filter=_nobody)


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out who made a file, and locks."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return None if "/locks/" in info.name else info


def main() -> int:
    """Make the files of this version."""
    parser = argparse.ArgumentParser(prog="python -m tests.proving.upgrade")
    parser.add_argument("--make", action="store_true", required=True)
    parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, secrets():
        make(Path(name))
        _pack(Path(name), FOLDER / f"v{VERSION}.tar.xz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
