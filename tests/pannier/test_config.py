import os
import tomllib
from pathlib import Path

import pytest

from pannier import config
from pannier.config import (
    Config,
    MediumConfig,
    PeerConfig,
    SpoolConfig,
    TransportConfig,
    read_config,
    turn_on,
    turn_on_for_peer,
)
from pannier.errors import PannierError, UsageError
from pannier.link_config import SerialLink, TcpLink, UdpLink
from tests.cli.computers import ROOT


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_no_file_and_an_empty_one_mean_the_defaults(tmp_path: Path) -> None:
    assert read_config(tmp_path / "config.toml") == Config()
    assert read_config(written(tmp_path, "")) == Config()
    assert Config().peer("anybody") == PeerConfig()


def test_the_example_in_the_documentation_shows_every_setting_and_the_defaults(
    tmp_path: Path,
) -> None:
    """The module's docstring is what a user copies from."""
    assert config.__doc__ is not None
    text = config.__doc__.partition("\n\n")[2]
    read = read_config(written(tmp_path, text))
    assert read == Config(
        ledger="weather",
        peers={"home": PeerConfig()},
        media={"BLUE-2": MediumConfig(import_="review")},
        transports={
            "dropbox": TransportConfig(kind="directory", path="/srv/drop"),
            "sticks": TransportConfig(kind="mounts", path="/media/me"),
        },
        links={
            "wire": SerialLink(peer="home", path="/dev/ttyUSB0", framing="cobs"),
            "radio": TcpLink(peer="home", address="192.0.2.7:4000", rate=4000, duty=2.8),
            "diode": UdpLink(
                oneway=True, peers=("home", "ranch"), address="239.1.2.3:4000", rate=20_000
            ),
        },
        spool=SpoolConfig(),
    )
    shown = tomllib.loads(text)
    settings = {name.rstrip("_") for name in PeerConfig.__dataclass_fields__}
    assert set(shown["peer"]["home"]) == settings
    assert set(shown["spool"]) == set(SpoolConfig.__dataclass_fields__)
    one_way = {"oneway", "peers", "overhead", "rounds"}
    wire = set(shown["transport"]["wire"]) | {"usb"} | one_way
    assert wire == {"kind", *SerialLink.__dataclass_fields__}
    radio = set(shown["transport"]["radio"]) | {"listen", "half_duplex"} | one_way
    assert radio == {"kind", *TcpLink.__dataclass_fields__}
    assert one_way < set(shown["transport"]["diode"]) < {"kind", *UdpLink.__dataclass_fields__}


def test_the_example_for_operators_is_the_same() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    shown = page.partition("```toml\n")[2].partition("```")[0]
    assert config.__doc__ is not None
    ours = tomllib.loads(config.__doc__.partition("\n\n")[2])
    assert tomllib.loads(shown) == ours


def test_every_setting_is_read(tmp_path: Path) -> None:
    read = read_config(
        written(
            tmp_path,
            """
            [peer."Ada's boat"]
            mtu = 222
            oneway = true
            repeat = 5
            transports = ["serial", "directory"]
            priority = 0
            expiry_days = 30
            [spool]
            carry_bytes = 0
            peer_bytes = 5
            """,
        )
    )
    assert read.peer("Ada's boat") == PeerConfig(
        mtu=222,
        oneway=True,
        repeat=5,
        transports=("serial", "directory"),
        priority=0,
        expiry_days=30,
    )
    assert read.spool == SpoolConfig(carry_bytes=0, peer_bytes=5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ledger", "is not valid TOML"),
        ("ledger = 'a'\nledger = 'b'", "is not valid TOML"),
        ("ledger = 5", "ledger is the name of a ledger, in quotes"),
        ("legder = 'a'", "unknown setting 'legder'"),
        ("peer = 5", "peer needs sections: [peer.NAME]"),
        ("[peer]\nhome = 5", "[peer.home] is not a section"),
        ("[[peer]]\nmtu = 5", "peer needs sections: [peer.NAME]"),
        ("[peer.home]\nmut = 5", "[peer.home]: unknown setting 'mut'"),
        ("[peer.home]\nmtu = '5'", "[peer.home]: mtu is int, like 1400"),
        ("[peer.home]\nmtu = 5.0", "[peer.home]: mtu is int, like 1400"),
        ("[peer.home]\nmtu = true", "[peer.home]: mtu is int, like 1400"),
        ("[peer.home]\nmtu = 47", "[peer.home]: mtu must be 48 to 65564"),
        ("[peer.home]\nmtu = 65565", "[peer.home]: mtu must be 48 to 65564"),
        ("[peer.home]\noneway = 1", "[peer.home]: oneway is bool, like False"),
        ("[peer.home]\nrepeat = 0", "[peer.home]: repeat must be 1 to 1000"),
        ("[peer.home]\npriority = 8", "[peer.home]: priority must be 0 to 7"),
        ("[peer.home]\npriority = -1", "[peer.home]: priority must be 0 to 7"),
        ("[peer.home]\nexpiry_days = 0", "[peer.home]: expiry_days must be 1 to 36500"),
        ("[peer.home]\nimport = 'later'", "[peer.home]: import must be 'direct' or 'review'"),
        ("[peer.home]\nimport_ = 'review'", "[peer.home]: unknown setting 'import_'"),
        ("[medium.BLUE]\nimport = ''", "[medium.BLUE]: import must be 'direct' or 'review'"),
        ("[medium.BLUE]\nimport = true", "[medium.BLUE]: import is str, like 'direct'"),
        ("[medium]\nBLUE = 'review'", "[medium.BLUE] is not a section"),
        ("[peer.home]\ntransports = 'directory'", "transports is a list of names"),
        ("[peer.home]\ntransports = [5]", "transports is a list of names"),
        ("[transport.x]\npath = '/a'\nkind = 'mount'", "kind must be one of directory, mounts"),
        ("[transport.x]\nkind = 'mounts'", "[transport.x]: path must be a whole path"),
        ("[transport.x]\npath = 'media'", "[transport.x]: path must be a whole path"),
        ('[transport.x]\npath = "/a\\u0000"', "[transport.x]: path has the character U+0000"),
        ("[spool]\ncarry_bytes = -1", "[spool]: carry_bytes must not be negative"),
        (
            "[transport.x]\nkind = 'udp'\nduty = " + "9" * 400,
            "[transport.x]: duty is further from 0 than a number can be",
        ),
        ("[spool]\nsize = 1", "[spool]: unknown setting 'size'"),
        ("spool = 1", "[spool] is not a section"),
        ("a = " + "[" * 5000 + "]" * 5000, "is not valid TOML"),
    ],
)
def test_what_means_nothing_is_refused_and_named(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b'ledger = "\xe9"')
    with pytest.raises(UsageError, match="is not valid TOML"):
        read_config(tmp_path / "config.toml")


def test_what_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(PannierError, match=r"cannot read .*config\.toml"):
        read_config(tmp_path / "config.toml")


def test_a_path_in_the_home_of_nobody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[transport.drop]\npath = "~nobody-is-called-so/drop"\n')
    with pytest.raises(UsageError, match="whole path"):
        read_config(path)


def test_an_integer_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[spool]\ncarry_bytes = " + "1" * 5000)
    with pytest.raises(UsageError, match="not valid TOML"):
        read_config(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[peer.home]\nclear = true\n"),
        ("[peer.home]\nmtu = 99\n", "[peer.home]\nclear = true\nmtu = 99\n"),
        (
            "# mine\n[spool]\ncarry_bytes = 1",
            "# mine\n[spool]\ncarry_bytes = 1\n\n[peer.home]\nclear = true\n",
        ),
        ("[peer.home]\nclear = true", "[peer.home]\nclear = true"),
    ],
)
def test_a_setting_of_a_peer_is_turned_on_and_nothing_else_changes(
    tmp_path: Path, before: str, after: str
) -> None:
    path = written(tmp_path, before)
    turn_on_for_peer(path, "home", "clear")
    assert path.read_text() == after


def test_a_setting_of_a_peer_is_turned_on_in_a_new_file(tmp_path: Path) -> None:
    turn_on_for_peer(tmp_path / "config.toml", "Ada's boat", "pad")
    assert read_config(tmp_path / "config.toml").peer("Ada's boat").pad


@pytest.mark.parametrize(
    "text", ["peer.home.mtu = 99\n", "[peer.home]\nclear = false\n", "[peer]\nhome = {mtu = 99}\n"]
)
def test_a_file_written_in_another_way_is_left_to_its_owner(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=r"write `clear = true` under \[peer.home\]"):
        turn_on_for_peer(path, "home", "clear")
    assert path.read_text() == text


def test_settings_are_durable_before_they_take_the_place_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else a power cut leaves an empty file of what a person wrote."""
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    path = written(tmp_path, "# mine\n")
    monkeypatch.setattr(os, "fsync", note)
    turn_on_for_peer(path, "home", "clear")
    turn_on(path, "keyring")
    assert synced == [".config.toml.new", tmp_path.name] * 2


@pytest.mark.parametrize("path", ["/srv/drop", "~/drop"])
def test_a_whole_path_may_begin_at_home(tmp_path: Path, path: str) -> None:
    read = read_config(written(tmp_path, f"[transport.x]\npath = '{path}'"))
    assert read.transports == {"x": TransportConfig(kind="directory", path=path)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n",
        'ledger = "weather"\n\n[peer.home]\nmtu = 222\n',
        "keyring = false\n[spool]\ncarry_bytes = 5\n",
        "  keyring=true # yes\n[peer.keyring]\nmtu = 99",
    ],
)
def test_turning_a_setting_on_leaves_all_others(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    before = read_config(path)
    for _ in range(2):
        turn_on(path, "keyring")
        after = read_config(path)
        assert after.keyring
        assert (after.ledger, after.peers, after.spool) == (
            before.ledger,
            before.peers,
            before.spool,
        )
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]


def test_a_setting_is_turned_on_where_there_was_no_file(tmp_path: Path) -> None:
    turn_on(tmp_path / "config.toml", "hide_names")
    assert read_config(tmp_path / "config.toml") == Config(hide_names=True)
