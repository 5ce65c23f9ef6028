import os
import random
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bundler.errors import BundleError
from pannier.errors import BusyError
from pannier.import_report import Report
from pannier.link_config import SerialLink, UdpLink
from pannier.link_counters import write_counters
from pannier.links import one_way
from pannier.links.one_way import run_one_way
from pannier.links.side import LinkRun, LinkTelling
from pannier.out_bundle import OutBundle
from tests.cli.computers import Computer, acquaint, new_computer, new_pair
from tests.pannier.links.test_carousel import add, has, has_file, put
from tests.sim.relays import serial_line
from transports.carriers.bell import Bell
from transports.carriers.carrier import CarrierGoneError
from transports.carriers.udp import UdpCarrier
from transports.link.frame import OneWay
from transports.link.oneway import OneWayListener

PATIENCE_SECONDS = 30
GROUP = "239.83.71.5"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port


def one_way_run(
    computer: Computer,
    config: UdpLink | SerialLink,
    peers: Iterable[str] = (),
    *,
    rounds: int = 0,
    heard: Callable[[Report], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> LinkRun:
    def imported(report: Report) -> list[str]:
        heard(report)
        return []

    config = replace(config, oneway=True, peers=tuple(peers), rounds=rounds)
    assert config.problem() is None
    return LinkRun(
        name="link",
        config=config,
        open_node=lambda: computer.node().__enter__(),
        telling=LinkTelling(say=lambda _: None, progress=progress, imported=imported),
        count=partial(write_counters, computer.home),
        once=rounds > 0,
    )


@contextmanager
def running(run: LinkRun, name: str) -> Iterator[threading.Thread]:
    """Run it in a thread of that name, until the block ends."""
    bell = Bell()
    thread = threading.Thread(target=run_one_way, args=(run, bell), name=name)
    thread.start()
    try:
        yield thread
    finally:
        bell.stop()
        thread.join(PATIENCE_SECONDS)
        bell.close()
        assert not thread.is_alive()


class Lossy(OneWayListener):
    """Loses as many datagrams as the name of its thread says."""

    def receive(self, now_us: int, data: bytes) -> Iterable[OneWay]:
        loss = float(threading.current_thread().name)
        return () if random.Random(data).random() < loss else super().receive(now_us, data)


def test_several_receivers_of_a_multicast_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real sockets: each loses another share, one of them joins late, all become whole."""
    monkeypatch.setattr(one_way, "OneWayListener", Lossy)
    farm = new_computer(tmp_path, "farm")
    others = [new_computer(tmp_path, name) for name in ("home", "ranch", "mill")]
    for other in others:
        acquaint(farm, other)
    farm.types("put", "field/3", f'{{"noise": "{os.urandom(15_000).hex()}"}}')
    for other in others:
        farm.types("ledger", "share", other.home.name)
    port, whole = free_port(), threading.Semaphore(0)
    sending = one_way_run(
        farm, UdpLink(address=f"{GROUP}:{port}", mtu=222, rate=150_000), ("home", "ranch", "mill")
    )
    listening = [
        one_way_run(
            other, UdpLink(listen=f"{GROUP}:{port}", mtu=222), heard=lambda _: whole.release()
        )
        for other in others
    ]
    with (
        running(listening[0], "0.0"),
        running(listening[1], "0.3"),
        running(sending, "0"),
    ):
        assert whole.acquire(timeout=PATIENCE_SECONDS)
        with running(listening[2], "0.7"):
            for _ in others[1:]:
                assert whole.acquire(timeout=PATIENCE_SECONDS)
    for other in others:
        assert has(other, "field/3")


def test_a_serial_line_with_errors_and_no_way_back(tmp_path: Path) -> None:
    farm, home = new_pair(tmp_path)
    put(farm, "field/3", 10_000)
    whole = threading.Event()
    with serial_line(tmp_path, "--baud", "115200", "--ber", "5e-5") as (near, far, _):
        listening = one_way_run(
            home, SerialLink(path=str(far), mtu=222), heard=lambda _: whole.set()
        )
        sending = one_way_run(farm, SerialLink(path=str(near), mtu=222), ["home"], rounds=3)
        with running(listening, "0"), running(sending, "0") as sender:
            sender.join(PATIENCE_SECONDS)
            assert not sender.is_alive()
            assert whole.wait(PATIENCE_SECONDS)
    assert has(home, "field/3")


def test_one_process_at_a_time_sends(tmp_path: Path) -> None:
    farm, _ = new_pair(tmp_path)
    begun = threading.Event()
    run = one_way_run(
        farm,
        UdpLink(address="127.0.0.1:9", rate=1000),
        ["home"],
        progress=lambda _: begun.set(),
    )
    with running(run, "0"):
        assert begun.wait(PATIENCE_SECONDS)
        with pytest.raises(BusyError):
            run_one_way(run, Bell())


def test_what_could_not_be_sent_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no network yet."""
    farm, home = new_pair(tmp_path)
    put(farm, "field/3", 100)
    write, failed = UdpCarrier.write, list[bytes]()

    def failing(carrier: UdpCarrier, data: bytes) -> int:
        if len(failed) < 3:
            failed.append(data)
            raise CarrierGoneError("there is no way there from this network")
        return write(carrier, data)

    monkeypatch.setattr(UdpCarrier, "write", failing)
    port, came = free_port(), threading.Event()
    listening = one_way_run(home, UdpLink(listen=f"127.0.0.1:{port}"), heard=lambda _: came.set())
    with running(listening, "0"):
        run_one_way(
            one_way_run(farm, UdpLink(address=f"127.0.0.1:{port}"), ["home"], rounds=1), Bell()
        )
        assert came.wait(PATIENCE_SECONDS)
    assert len(failed) == 3
    assert has(home, "field/3")


def test_contents_of_files_go_in_the_rounds_of_one_run(tmp_path: Path) -> None:
    farm, home = new_pair(tmp_path)
    add(farm, tmp_path / "report.bin")
    port, came = free_port(), threading.Semaphore(0)
    listening = one_way_run(
        home, UdpLink(listen=f"127.0.0.1:{port}"), heard=lambda _: came.release()
    )
    with running(listening, "0"):
        run_one_way(
            one_way_run(farm, UdpLink(address=f"127.0.0.1:{port}"), ["home"], rounds=1), Bell()
        )
        for _ in ("what names them", "the contents"):
            assert came.acquire(timeout=PATIENCE_SECONDS)
    assert has_file(home, tmp_path / "report.bin")


def test_what_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    farm, _ = new_pair(tmp_path)
    put(farm, "field/3", 100)

    def preparing(*_: object, **__: object) -> list[OutBundle]:
        raise BundleError("no room for its head")

    monkeypatch.setattr("pannier.links.carousel.prepare", preparing)
    done = farm.types("link", "udp", "127.0.0.1:9", "home", "--oneway", "--rounds", "1")
    assert done.out.count("nothing was made for home: no room for its head\n") == 1


class TestCommands:
    def test_rounds_end(self, tmp_path: Path) -> None:
        farm, _ = new_pair(tmp_path)
        put(farm, "field/3", 1000)
        done = farm.types("link", "udp", "127.0.0.1:9", "home", "--oneway", "--rounds", "2")
        assert "All rounds are over." in done.out

    def test_what_went_before_is_told(self, tmp_path: Path) -> None:
        farm, _ = new_pair(tmp_path)
        put(farm, "field/3", 1000)
        words = ("link", "udp", "127.0.0.1:9", "home", "--oneway", "--rounds")
        text = "1 bundle went in earlier rounds; nothing was sent now: more rounds send more of it"
        first, again, more = (farm.types(*words, rounds).out for rounds in ("1", "1", "2"))
        assert text in again
        assert text not in first + more

    def test_the_device_may_have_any_name(self, tmp_path: Path) -> None:
        farm, _ = new_pair(tmp_path)
        put(farm, "field/3", 1000)
        with serial_line(tmp_path) as (near, _, _):
            device = tmp_path / "tty\udcff"
            device.symlink_to(near)
            done = farm.types("link", "serial", str(device), "home", "--oneway", "--rounds", "1")
        assert "All rounds are over." in done.out

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (("udp", "127.0.0.1:9", "--oneway"), "say HOST:PORT PEER..., or --listen"),
            (("udp", "127.0.0.1:9", "home", "--oneway", "--rounds", "x"), "--rounds 'x'"),
            (("udp", "127.0.0.1:9", "home", "--oneway", "--overhead", "-1"), "--overhead '-1'"),
            (("udp", "127.0.0.1:9", "home", "--oneway", "--rounds", "0"), "--rounds '0'"),
            (("udp", "127.0.0.1:9", "home", "--rounds", "3"), "--rounds is for links without"),
            (("udp", "127.0.0.1:9", "home", "--overhead", "3%"), "--overhead is for links without"),
            (("udp", "127.0.0.1:9", "home", "--oneway", "--mtu", "50"), "mtu must be 64 to"),
            (("udp", "127.0.0.1:9", "nobody", "--oneway"), "no peer is called nobody"),
            (("udp", "--listen", "9", "--oneway", "--once"), "--once and --rounds are for"),
            (("udp", "--listen", "9", "--oneway", "--rounds", "2"), "--once and --rounds are for"),
            (("serial", "/dev/null", "--oneway", "--listen", "--once"), "--once and --rounds are"),
            (("serial", "/dev/null", "--oneway"), "say DEVICE PEER"),
            (("serial", "/dev/null", "home", "ranch"), "say DEVICE PEER"),
        ],
    )
    def test_what_cannot_work_is_said(
        self, tmp_path: Path, words: tuple[str, ...], text: str
    ) -> None:
        farm, _ = new_pair(tmp_path)
        assert text in farm.types("link", *words, status=2).err
