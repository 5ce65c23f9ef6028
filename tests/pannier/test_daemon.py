import errno
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pannier.cli.reports import all_lines, import_news, news_lines
from pannier.cli.session import clock
from pannier.daemon import Daemon, Telling
from pannier.errors import BusyError, UsageError
from pannier.home import Home, open_keys
from pannier.node import Node
from pannier.trusted_time import Uptime
from spool.delivery import Delivery
from spool.name import FragmentName
from tests.cli.computers import (
    Computer,
    acquaint,
    environment,
    exchange,
    new_computer,
    new_sharers,
)

Pair = tuple[Computer, Computer]
# Longer than the pause between two looks at everything, should an event get lost.
PATIENCE_SECONDS = 90
NEVER_SECONDS = 1e6
_END = "(the daemon ended)"


@pytest.fixture
def sharers(tmp_path: Path) -> Pair:
    return new_sharers(tmp_path)


@pytest.fixture
def mounts(tmp_path: Path, sharers: Pair) -> Path:
    """A folder where the farm's media appear."""
    folder = tmp_path / "media"
    folder.mkdir()
    sharers[0].configure(f'[transport.sticks]\nkind = "mounts"\npath = "{folder}"\n')
    return folder


@pytest.fixture
def drop(tmp_path: Path, sharers: Pair) -> Path:
    """A drop folder that the farm serves."""
    folder = tmp_path / "drop"
    folder.mkdir()
    sharers[0].configure(f'[transport.drop]\npath = "{folder}"\n')
    return folder


def opener(computer: Computer) -> Callable[[], Node]:
    home = Home(computer.home)
    keys = open_keys(home, None)
    return lambda: Node.open(home, keys, clock=clock, entropy=os.urandom)


class Said:
    """What a daemon said, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._new: queue.Queue[str] = queue.Queue()
        self.telling = Telling(
            say=self._new.put, folder=news_lines, medium=all_lines, imported=import_news
        )

    def wait_for(self, text: str) -> str:
        """Return the next line with *text* in it."""
        while True:
            line = self._new.get(timeout=PATIENCE_SECONDS)
            self.lines.append(line)
            assert line != _END, f"it ended before it said {text!r}"
            if text in line:
                return line

    def rest(self) -> list[str]:
        """Return what was said since, while nothing is going on."""
        return [self._new.get() for _ in range(self._new.qsize())]


@contextmanager
def serving(computer: Computer, *, rescan_seconds: float = NEVER_SECONDS) -> Iterator[Said]:
    """Let a daemon serve in a thread of its own while the block runs."""
    said = Said()
    daemon = Daemon(
        opener(computer), said.telling, rescan_seconds=rescan_seconds, poll_seconds=0.02
    )
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            daemon.serve()
        except BaseException as error:  # noqa: BLE001 -- handed to the test
            failures.append(error)
        said.telling.say(_END)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        said.wait_for("Serving ")
        yield said
    finally:
        daemon.stopped.set()
        thread.join(timeout=PATIENCE_SECONDS)
        assert not thread.is_alive()
        assert not failures, failures


def plug_in(mounts: Path, name: str) -> Path:
    """Let a medium appear at once and whole, as mounting does; return where."""
    made = mounts.parent / f"unplugged {name}"
    if not made.exists():
        (made / "pannier").mkdir(parents=True)
    return made.rename(mounts / name)


def arrive(medium: Path, fragment: Path) -> None:
    """Let a fragment arrive on a medium, at once and whole."""
    folder = medium / "pannier" / FragmentName.from_text(fragment.name).bundle_id[:2]
    folder.mkdir(exist_ok=True)
    shutil.copy(fragment, folder / "arriving")
    (folder / "arriving").rename(folder / fragment.name)


def unplug(medium: Path) -> None:
    medium.rename(medium.parent.parent / f"unplugged {medium.name}")


class TestMedia:
    def test_one_that_appears_is_exchanged_once_and_safe_to_remove(
        self, sharers: Pair, mounts: Path
    ) -> None:
        farm, home = sharers
        with serving(farm) as said:
            blue = plug_in(mounts, "BLUE")
            assert said.wait_for("BLUE: ") == f"{blue}: Wrote 1 bundle for home."
            said.wait_for("is safe to remove.")
            red = plug_in(mounts, "RED")
            said.wait_for(f"{red}: The medium")
        told = [line for line in said.lines + said.rest() if line.startswith(f"{blue}: The medium")]
        assert len(told) == 1
        assert "Took in 2 entries by farm into farm." in home.types("exchange", str(blue)).lines

    def test_one_that_comes_back_is_exchanged_again(self, sharers: Pair, mounts: Path) -> None:
        farm, home = sharers
        with serving(farm) as said:
            blue = plug_in(mounts, "BLUE")
            said.wait_for("is safe to remove.")
            unplug(blue)
            exchange(mounts.parent / "unplugged BLUE", home)
            # As mounted anew, its folder is another for the system.
            copied = shutil.copytree(mounts.parent / "unplugged BLUE", mounts.parent / "copy")
            shutil.rmtree(mounts.parent / "unplugged BLUE")
            copied.rename(blue)
            said.wait_for(f"{blue}: Removed 1 file that did its work.")
            said.wait_for("is safe to remove.")
        assert "nothing waits for it" in farm.types("status").out

    def test_one_that_takes_the_place_of_another_between_two_looks_is_another(
        self, sharers: Pair, mounts: Path
    ) -> None:
        daemon = Daemon(opener(sharers[0]), Said().telling)
        plug_in(mounts, "BLUE")
        assert [daemon.look_everywhere() for _ in range(3)] == [1, 0, 0]
        unplug(mounts / "BLUE")
        (mounts.parent / "unplugged RED" / "pannier").mkdir(parents=True)
        (mounts.parent / "unplugged RED").rename(mounts / "BLUE")
        assert [daemon.look_everywhere() for _ in range(2)] == [1, 0]

    @pytest.mark.parametrize("what", ["medium.json", "README.txt", "0f"])
    def test_one_that_differs_only_in_what_is_on_it_is_served_once(
        self, sharers: Pair, mounts: Path, what: str
    ) -> None:
        """As the next stick formatted alike, or the same one after it was elsewhere."""
        daemon = Daemon(opener(sharers[0]), Said().telling)
        path = plug_in(mounts, "BLUE") / "pannier" / what
        assert [daemon.look_everywhere() for _ in range(3)] == [1, 0, 0]
        if what == "medium.json":
            path.write_text(f'{{"id": "{"c" * 16}", "label": "", "version": 1}}\n')
        elif what == "README.txt":
            os.utime(path, ns=(0, 0))  # not all systems change the time of the folder
        else:
            path.mkdir()
        assert [daemon.look_everywhere() for _ in range(3)] == [1, 0, 0]

    def test_one_that_was_exchanged_elsewhere_between_two_looks_is_served(
        self, sharers: Pair, mounts: Path
    ) -> None:
        farm, home = sharers
        daemon = Daemon(opener(farm), Said().telling)
        blue = plug_in(mounts, "BLUE")
        assert [daemon.look_everywhere() for _ in range(2)] == [1, 0]
        unplug(blue)
        exchange(mounts.parent / "unplugged BLUE", home)
        plug_in(mounts, "BLUE")
        assert [daemon.look_everywhere() for _ in range(2)] == [1, 0]
        assert "nothing waits for it" in farm.types("status").out

    def test_one_that_takes_the_place_of_another_during_its_exchange_is_served(
        self, sharers: Pair, mounts: Path
    ) -> None:
        path = plug_in(mounts, "BLUE") / "pannier" / "medium.json"
        others = [f'{{"id": "{"c" * 16}", "label": "", "version": 1}}\n']

        def swap(*_: object) -> list[str]:
            if others:
                path.write_text(others.pop())
            return []

        path.write_text(others[0].replace("c", "d"))
        telling = Telling(say=print, folder=swap, medium=swap, imported=import_news)
        daemon = Daemon(opener(sharers[0]), telling)
        assert [daemon.look_everywhere() for _ in range(3)] == [1, 1, 0]

    def test_one_without_our_folder_is_never_touched(self, sharers: Pair, mounts: Path) -> None:
        farm, _ = sharers
        (mounts / "A").mkdir()
        (mounts / "A" / "letter.txt").write_text("private")
        (mounts / "B").symlink_to(mounts / "A")
        (mounts / "C").touch()
        with serving(farm) as said:
            plug_in(mounts, "Z")
            said.wait_for("is safe to remove.")
        assert [path.name for path in (mounts / "A").iterdir()] == ["letter.txt"]

    def test_a_bad_one_is_told_of_once_and_does_not_stop_the_next(
        self, sharers: Pair, mounts: Path
    ) -> None:
        farm, _ = sharers
        (mounts / "A").mkdir()
        (mounts / "A" / "pannier").touch()
        with serving(farm, rescan_seconds=0.05) as said:
            said.wait_for(f"{mounts}/A: pannier is there, but is no folder")
            plug_in(mounts, "B")
            said.wait_for("is safe to remove.")
            plug_in(mounts, "C")
            said.wait_for("is safe to remove.")
        assert not [line for line in said.lines + said.rest() if "/A: pannier" in line][1:]

    def test_one_that_failed_is_tried_again(self, sharers: Pair, mounts: Path) -> None:
        farm, _ = sharers
        (mounts / "A").mkdir()
        (mounts / "A" / "pannier").touch()
        with serving(farm, rescan_seconds=0.05) as said:
            said.wait_for("but is no folder")
            # The same place and the same inode: only trying again can find that all is well now.
            (mounts / "A" / "pannier").unlink()
            (mounts / "A" / "pannier").mkdir()
            said.wait_for(f"{mounts}/A: Wrote 1 bundle for home.")

    def test_a_bug_is_told_of_and_ends_nothing(
        self, sharers: Pair, mounts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        farm, _ = sharers

        def failing(*_: object) -> None:
            raise KeyError(137)

        plug_in(mounts, "A")
        with serving(farm, rescan_seconds=0.05) as said:
            with monkeypatch.context() as patch:
                patch.setattr("pannier.daemon.exchange_medium", failing)
                plug_in(mounts, "B")
                said.wait_for(f"{mounts}/B: a bug in pannier (KeyError: 137)")
            said.wait_for(f"{mounts}/B: Wrote 1 bundle for home.")

    def test_a_log_that_is_full_ends_nothing(self, sharers: Pair, mounts: Path) -> None:
        def say(_line: str) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        medium = plug_in(mounts, "A")
        telling = Telling(say=say, folder=news_lines, medium=all_lines, imported=import_news)
        assert Daemon(opener(sharers[0]), telling).look_everywhere() == 1
        assert list(medium.rglob("*.pnr"))

    def test_one_that_is_there_already_and_mounts_that_are_not(
        self, sharers: Pair, mounts: Path
    ) -> None:
        farm, _ = sharers
        plug_in(mounts, "BLUE")
        nowhere = mounts.parent / "nowhere"
        config = f'[transport.a]\nkind = "mounts"\npath = "{nowhere}"\n'
        farm.configure(config + config.replace(".a]", ".b]").replace(str(nowhere), str(mounts)))
        with serving(farm) as said:
            said.wait_for("BLUE: Wrote 1 bundle for home.")


class TestDropFolder:
    def test_an_arrival_triggers_an_exchange(self, sharers: Pair, drop: Path) -> None:
        farm, home = sharers
        exchange(drop, farm)
        # An event on a folder that is just being made may get lost: then the next look finds it.
        with serving(farm, rescan_seconds=1.0) as said:
            exchange(drop, home)
            home.types("put", "x", '"from home"')
            exchange(drop, home)
            said.wait_for(f"{drop}: Took in 1 entry by home into farm.")
        assert farm.types("get", "x").out == '"from home"\n'

    def test_what_is_put_here_goes_out_at_the_next_look(self, sharers: Pair, drop: Path) -> None:
        farm, home = sharers
        with serving(farm, rescan_seconds=0.05) as said:
            said.wait_for(f"{drop}: Wrote 1 bundle for home.")
            farm.types("put", "x", "1")
            said.wait_for(f"{drop}: Wrote 1 bundle for home.")
        exchange(drop, home)
        assert home.types("get", "x").out == "1\n"

    def test_looks_that_change_nothing_are_not_told_of(
        self, sharers: Pair, drop: Path, tmp_path: Path
    ) -> None:
        farm, home = sharers
        exchange(drop, farm, home, farm)
        farm.types("put", "x", "1")
        exchange(drop, farm)  # which nobody takes off
        home.types("put", "y", "1")
        home.types("pack", "farm", "--into", str(tmp_path / "parts"), "--mtu", "100")
        first, *rest = sorted((tmp_path / "parts").iterdir())
        arrive(drop, first)
        said = Said()
        daemon = Daemon(opener(farm), said.telling)
        daemon.look_everywhere()  # says to home what lacks
        assert f"{drop}: Wrote 1 bundle for home." in said.rest()
        assert [daemon.look_everywhere() for _ in range(3)] == [1, 1, 1]
        assert said.rest() == []
        for path in rest:
            arrive(drop, path)
        daemon.look_everywhere()
        assert f"{drop}: Took in 1 entry by home into farm." in said.rest()

    def test_a_missing_one_is_told_of_once_and_served_when_it_comes(
        self, sharers: Pair, drop: Path
    ) -> None:
        farm, _ = sharers
        drop.rmdir()
        with serving(farm, rescan_seconds=0.01) as said:
            said.wait_for(f"{drop}: {drop} cannot be used as a medium")
            drop.mkdir()
            said.wait_for("Wrote 1 bundle for home.")
        assert len([line for line in said.lines if "cannot be used" in line]) == 1

    def test_one_whose_links_lead_in_a_circle_is_told_of(self, sharers: Pair, drop: Path) -> None:
        drop.rmdir()
        drop.symlink_to(drop)
        with serving(sharers[0]) as said:
            assert "Too many levels of symbolic links" in said.wait_for(f"{drop}: ")

    def test_what_arrived_before_counts_together_with_what_comes(
        self, sharers: Pair, drop: Path, tmp_path: Path
    ) -> None:
        farm, home = sharers
        exchange(drop, farm, home, farm)
        home.types("put", "x", "1")
        home.types("pack", "farm", "--into", str(tmp_path / "out"), "--mtu", "100")
        parts = sorted((tmp_path / "out").iterdir())
        farm.types("unpack", *map(str, parts[1:]))
        with serving(farm, rescan_seconds=0.01) as said:
            arrive(drop, parts[0])
            said.wait_for("Took in 1 entry by home into farm.")


class TestLinks:
    def test_news_goes_both_ways_at_once_and_a_bad_link_stops_nothing(self, sharers: Pair) -> None:
        farm, home = sharers
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        farm.configure(
            '[transport.bad]\nkind = "udp"\npeer = "nobody"\nlisten = "9"\n'
            f'[transport.net]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"\n'
        )
        home.configure(
            f'[transport.net]\nkind = "tcp"\npeer = "farm"\naddress = "127.0.0.1:{port}"\n'
        )
        with serving(farm) as at_farm, serving(home) as at_home:
            at_farm.wait_for("bad: no peer is called nobody")
            at_home.wait_for("Joined the ledger farm, shared by farm")
            home.types("put", "well", "1")
            at_farm.wait_for("Took in 1 entry by home into farm.")
            asked = home.asks("status")
            assert isinstance(asked, dict)
            (link,) = asked["links"]
            assert (link["name"], link["peer"], link["is_established"]) == ("net", "farm", True)
        said = at_farm.lines + at_farm.rest()
        assert len([line for line in said if line.startswith("bad: ")]) == 1
        assert farm.types("get", "well").out == "1\n"

    def test_cron_links_with_whoever_can_be_called(self, sharers: Pair) -> None:
        farm, home = sharers
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        farm.configure(f'[transport.net]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"\n')
        home.configure(
            f'[transport.net]\nkind = "tcp"\npeer = "farm"\naddress = "127.0.0.1:{port}"\n'
        )
        with serving(farm):
            said = Said()
            assert Daemon(opener(home), said.telling).link_once() == 1
        assert "field/3" in home.types("things").out
        assert Daemon(opener(farm), said.telling).link_once() == 0

    def test_without_a_way_back_it_sends_and_listens(self, sharers: Pair) -> None:
        farm, home = sharers
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        diode = '[transport.diode]\nkind = "udp"\noneway = true\n'
        home.configure(f'{diode}listen = "127.0.0.1:{port}"\n')
        farm.configure(f'{diode}peers = ["home"]\naddress = "127.0.0.1:{port}"\n')
        with serving(home) as at_home, serving(farm):
            at_home.wait_for("diode: Joined the ledger farm, shared by farm")
            farm.types("put", "well", "1")
            at_home.wait_for("diode: Took in 1 entry by farm into farm.")
        sent, heard = (computer.asks("status") for computer in (farm, home))
        assert isinstance(sent, dict)
        assert isinstance(heard, dict)
        (sending,), (listening,) = sent["links"], heard["links"]
        assert (sending["name"], sending["oneway"], sending["peer"]) == ("diode", "sends", "home")
        assert sending["bytes_out"] > 0
        assert sending["bundles"] > 0
        assert (listening["oneway"], listening["forged"]) == ("listens", 0)
        assert 0 < listening["kept"] <= listening["frames_in"] <= sending["frames_out"]
        assert home.types("get", "well").out == "1\n"
        # For cron: each bundle goes once, and nobody waits for what may come.
        assert Daemon(opener(farm), Said().telling).link_once() == 1
        assert Daemon(opener(home), Said().telling).link_once() == 0
        for words in (("diode",), ("home",), ()):
            assert farm.types("plan", *words).out.startswith("home by diode: ")


class TestWhileItServes:
    def test_a_peer_added_meanwhile_counts(self, sharers: Pair, drop: Path, tmp_path: Path) -> None:
        farm, _ = sharers
        with serving(farm, rescan_seconds=0.05) as said:
            said.wait_for("Wrote 1 bundle for home.")
            third = new_computer(tmp_path, "third")
            acquaint(farm, third)
            farm.types("ledger", "share", "third")
            said.wait_for("Wrote 1 bundle for third.")

    def test_a_broken_configuration_is_told_of_and_mended(self, sharers: Pair, drop: Path) -> None:
        farm, _ = sharers
        good = (farm.home / "config.toml").read_text()
        with serving(farm, rescan_seconds=0.05) as said:
            said.wait_for("Wrote 1 bundle for home.")
            farm.configure("[peer.home]\nmtu = 1\n")
            said.wait_for("mtu must be 48 to 65564")
            farm.configure(good)
            farm.types("put", "x", "1")
            said.wait_for("Wrote 1 bundle for home.")

    def test_a_second_one_is_refused(self, sharers: Pair, drop: Path) -> None:
        farm, _ = sharers
        with serving(farm):
            with pytest.raises(BusyError, match="another pannier is serving this home"):
                Daemon(opener(farm), Said().telling).serve()
            assert "another pannier is serving" in farm.types("run", status=4).err


def test_nothing_to_serve_is_wrong_usage(sharers: Pair) -> None:
    with pytest.raises(UsageError, match="nothing to serve"):
        Daemon(opener(sharers[0]), Said().telling)


class Process:
    """``pannier run`` in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.text = ""

    def wait_for(self, text: str) -> None:
        assert self.process.stdout is not None
        while text not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, f"never saw {text!r} in {self.text!r}"
            self.text += data.decode()


@contextmanager
def running(computer: Computer) -> Iterator[Process]:
    with ExitStack() as ended:
        process = ended.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "pannier", "--home", str(computer.home), "run"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment(),
            )
        )
        ended.callback(process.kill)
        yield Process(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_serves_and_ends_when_told_to(
    sharers: Pair, mounts: Path, number: signal.Signals
) -> None:
    farm, home = sharers
    with running(farm) as daemon:
        daemon.wait_for("Serving ")
        blue = plug_in(mounts, "BLUE")
        daemon.wait_for("is safe to remove.\n")
        assert f"{blue}: Wrote 1 bundle for home." in daemon.text
        daemon.process.send_signal(number)
        daemon.wait_for("Stopped.\n")
        assert daemon.process.wait(timeout=PATIENCE_SECONDS) == 0
    exchange(blue, home)
    assert home.types("get", "field/3").out == '{"moisture": 0.31}\n'


def test_killed_at_work_it_goes_on_where_it_was(sharers: Pair, mounts: Path) -> None:
    farm, home = sharers
    with running(farm) as daemon:
        daemon.wait_for("Serving ")
        plug_in(mounts, "BLUE")
        daemon.wait_for("BLUE: ")
        daemon.process.kill()
    with running(farm) as daemon:
        daemon.wait_for("is safe to remove.\n")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("Stopped.\n")
    exchange(mounts / "BLUE", home)
    assert home.types("get", "field/3").out == '{"moisture": 0.31}\n'


def test_what_had_its_life_goes_although_no_medium_comes_and_the_clock_is_dead(
    sharers: Pair, mounts: Path
) -> None:
    home, ran_us = Home(sharers[0].home), 0
    keys = open_keys(home, None)

    def open_node() -> Node:
        uptime = Uptime("boot", 0, ran_us)
        return Node.open(home, keys, clock=lambda: 0, entropy=os.urandom, uptime=lambda: uptime)

    with open_node() as node:
        name = FragmentName(4, 65_535, "0" * 8, "c" * 16, 0)
        node.spool.inbox.receive([Delivery(name, "unknown", "stick", b"x")])
    daemon = Daemon(open_node, Said().telling)
    for days, left in ((0, 1), (366, 1), (367, 0)):
        ran_us = days * 86_400_000_000
        assert daemon.look_everywhere() == 0
        with open_node() as node:
            assert len(node.spool.inbox.bundles()) == left
