import tomllib
from pathlib import Path

import pytest

from pannier import config
from pannier.config import Config, PeerConfig, SpoolConfig, TransportConfig, read_config
from pannier.errors import PannierError, UsageError
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
        transports={
            "dropbox": TransportConfig(kind="directory", path="/srv/drop"),
            "sticks": TransportConfig(kind="mounts", path="/media/me"),
        },
        spool=SpoolConfig(),
    )
    shown = tomllib.loads(text)
    assert set(shown["peer"]["home"]) == set(PeerConfig.__dataclass_fields__)
    assert set(shown["spool"]) == set(SpoolConfig.__dataclass_fields__)


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
        ("[peer.home]\ntransports = 'directory'", "transports is a list of names"),
        ("[peer.home]\ntransports = [5]", "transports is a list of names"),
        ("[transport.x]\npath = '/a'\nkind = 'mount'", "kind must be one of directory, mounts"),
        ("[transport.x]\nkind = 'mounts'", "[transport.x]: path must be a whole path"),
        ("[transport.x]\npath = 'media'", "[transport.x]: path must be a whole path"),
        ("[spool]\ncarry_bytes = -1", "[spool]: carry_bytes must not be negative"),
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


@pytest.mark.parametrize("path", ["/srv/drop", "~/drop"])
def test_a_whole_path_may_begin_at_home(tmp_path: Path, path: str) -> None:
    read = read_config(written(tmp_path, f"[transport.x]\npath = '{path}'"))
    assert read.transports == {"x": TransportConfig(kind="directory", path=path)}
