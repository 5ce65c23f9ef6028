import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.algorithm import Algorithm
from ledger.card import Card
from ledger.errors import LedgerError
from ledger.keys import NodeKeys
from pannier.errors import BusyError, PannierError, UsageError
from pannier.home import (
    Home,
    add_peer,
    change_passphrase,
    create_home,
    default_home,
    open_keys,
    read_key_file,
    read_peers,
    remove_peer,
    settings_held,
    wants_passphrase,
)
from pannier.lock import exclusive


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    create_home(home, "farm", None, os.urandom)
    return home


def other(name: str = "other") -> NodeKeys:
    return NodeKeys.generate(name, os.urandom)


def other_hybrid() -> tuple[int, bytes]:
    return NodeKeys.generate("x", os.urandom, post_quantum=True).card.keys[2]


OWN = bytes(32)
GOOD = bytes([9]) + bytes(31)


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        ("Linux", {"XDG_DATA_HOME": "/x"}, "/x/pannier"),
        ("Linux", {"HOME": "/h"}, "/h/.local/share/pannier"),
        ("Linux", {"HOME": "/h", "XDG_DATA_HOME": ""}, "/h/.local/share/pannier"),
        ("Darwin", {"HOME": "/h"}, "/h/Library/Application Support/pannier"),
        ("Windows", {"LOCALAPPDATA": "/l"}, "/l/pannier"),
        ("Windows", {"HOME": "/h"}, "/h/AppData/Local/pannier"),
    ],
)
def test_default_home(
    monkeypatch: pytest.MonkeyPatch, system: str, environment: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr("pannier.home.platform.system", lambda: system)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_home() == Path(expected)


class TestCreate:
    def test_keys_are_for_their_owner_alone_whatever_the_umask(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "a" / "b")
        kept = os.umask(0)
        try:
            keys = create_home(home, "farm", None, os.urandom)
        finally:
            os.umask(kept)
        assert stat.S_IMODE(home.keys.stat().st_mode) == 0o600
        for folder in (home.path, home.keys.parent, home.cards, home.ledgers, home.locks):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert open_keys(home, None).card == keys.card
        assert sorted(path.name for path in home.keys.parent.iterdir()) == ["node.key"]

    def test_under_a_passphrase(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        keys = create_home(home, "farm", "correct horse", os.urandom)
        assert wants_passphrase(home)
        assert open_keys(home, "correct horse").card == keys.card

    def test_with_keys_against_quantum_computers(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home")
        keys = create_home(home, "farm", None, os.urandom, post_quantum=True)
        assert open_keys(home, None).card == keys.card
        assert keys.card.algorithms == set(Algorithm)

    def test_twice_is_refused(self, home: Home) -> None:
        before = home.keys.read_bytes()
        with pytest.raises(UsageError, match="is a node already"):
            create_home(home, "farm", None, os.urandom)
        assert home.keys.read_bytes() == before

    def test_of_two_that_make_a_node_the_second_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home, generate = Home(tmp_path / "home"), NodeKeys.generate

        def meanwhile(*arguments: object, **options: object) -> NodeKeys:
            monkeypatch.undo()
            create_home(home, "first", None, os.urandom)
            return generate(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(NodeKeys, "generate", meanwhile)
        with pytest.raises(UsageError, match="is a node already"):
            create_home(home, "second", None, os.urandom)
        assert open_keys(home, None).card.name == "first"

    def test_a_name_that_is_none_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="slash"):
            create_home(Home(tmp_path / "home"), "a/b", None, os.urandom)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_a_disk_that_says_no_leaves_no_node_and_can_be_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        home = Home(tmp_path / "home")

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            if step == "fsync":
                patch.setattr(os, "fsync", fail)
            else:
                patch.setattr(Path, "replace", fail)
            with pytest.raises(PannierError, match="No space left on device"):
                create_home(home, "farm", None, os.urandom)
        with pytest.raises(UsageError, match="is not a node yet"):
            read_key_file(home)
        create_home(home, "farm", None, os.urandom)
        assert open_keys(home, None).name == "farm"

    def test_a_node_is_durable_when_it_is_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """First the folders down to the keys, then what is in the key file, then its name."""
        steps: list[str] = []
        fsync, replace = os.fsync, Path.replace

        def note_fsync(descriptor: int) -> None:
            steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
            fsync(descriptor)

        def note_replace(path: Path, target: Path) -> Path:
            steps.append(f"rename to {target.name}")
            return replace(path, target)

        monkeypatch.setattr(os, "fsync", note_fsync)
        monkeypatch.setattr(Path, "replace", note_replace)
        create_home(Home(tmp_path / "new" / "home"), "farm", None, os.urandom)
        assert set(steps[:3]) == {tmp_path.name, "new", "home"}
        assert steps[3:] == [".node.key.new", "rename to node.key", "keys"]


class TestPeers:
    def test_are_read_back_in_the_order_of_their_names(self, home: Home) -> None:
        keys = {name: other(name) for name in ("b", "a", "c")}
        for name, one in keys.items():
            add_peer(home, name, one.card, own=OWN)
        peers = read_peers(home)
        assert [peer.name for peer in peers.values()] == ["a", "b", "c"]
        assert {number: peer.card for number, peer in peers.items()} == {
            one.card.node_id: one.card for one in keys.values()
        }
        assert stat.S_IMODE((home.cards / "a.card").stat().st_mode) == 0o600

    def test_one_that_is_forgotten_meanwhile_is_passed_over(self, home: Home) -> None:
        add_peer(home, "barn", other().card, own=OWN)
        (home.cards / "gone.card").symlink_to(home.cards / "not there")
        assert [peer.name for peer in read_peers(home).values()] == ["barn"]

    def test_a_draft_of_a_card_is_no_peer(self, home: Home) -> None:
        (home.cards / ".a.card.new").write_text("PANNIER1:")
        assert read_peers(home) == {}

    @pytest.mark.parametrize(
        "keys",
        [
            ((int(Algorithm.X25519), bytes(32)),),
            ((0x1234, b"a key of a later version"),),
            ((int(Algorithm.X25519), GOOD), (int(Algorithm.MLKEM768_X25519), b"\xff" * 1216)),
            ((int(Algorithm.MLKEM768_X25519), b"\xff" * 1216),),
        ],
    )
    def test_a_card_of_keys_that_are_none_is_refused(
        self, home: Home, keys: tuple[tuple[int, bytes], ...]
    ) -> None:
        card = Card.sign(other().signing, name="evil", keys=keys)
        assert Card.from_text(card.to_text()) == card
        with pytest.raises(UsageError, match="nothing can be sealed for evil"):
            add_peer(home, "evil", card, own=OWN)
        assert read_peers(home) == {}

    def test_the_same_under_two_names_is_refused(self, home: Home) -> None:
        card = other().card
        add_peer(home, "a", card, own=OWN)
        assert add_peer(home, "a", card, own=OWN).name == "a"
        with pytest.raises(UsageError, match="known already, as a"):
            add_peer(home, "b", card, own=OWN)
        with pytest.raises(UsageError, match="a is the name of another peer"):
            add_peer(home, "a", other().card, own=OWN)
        assert [peer.card for peer in read_peers(home).values()] == [card]

    def test_a_card_that_promises_less_than_the_one_known_is_refused(self, home: Home) -> None:
        keys = NodeKeys.generate("b", os.urandom, post_quantum=True)
        x25519, mldsa44, hybrid = keys.card.keys
        add_peer(home, "b", keys.card, own=OWN)
        for kept, missing in (
            ((x25519,), "ML-DSA-44 and MLKEM768-X25519 missing"),
            ((x25519, hybrid), "ML-DSA-44 missing"),
            ((x25519, mldsa44), "MLKEM768-X25519 missing"),
        ):
            weaker = Card.sign(keys.signing, name="b", keys=kept)
            for name in ("b", "another"):
                with pytest.raises(UsageError, match=missing):
                    add_peer(home, name, weaker, own=OWN)
        assert [peer.card for peer in read_peers(home).values()] == [keys.card]

    def test_another_card_of_the_same_node_takes_no_place_by_itself(self, home: Home) -> None:
        keys = NodeKeys.generate("b", os.urandom, post_quantum=True)
        swapped = (*keys.card.keys[:2], other_hybrid())
        add_peer(home, "b", keys.card, own=OWN)
        for more in (
            Card.sign(keys.signing, name="b", keys=swapped),
            Card.sign(keys.signing, name="bob", keys=keys.card.keys),
        ):
            with pytest.raises(UsageError, match="another card of b than the one known"):
                add_peer(home, "b", more, own=OWN)
        remove_peer(home, "b")
        add_peer(home, "b", more, own=OWN)

    def test_oneself_is_refused(self, home: Home) -> None:
        own = open_keys(home, None).card
        with pytest.raises(UsageError, match="own card"):
            add_peer(home, "me", own, own=own.author)

    @pytest.mark.parametrize(
        "name",
        ["", ".", "..", "../a", "a/b", "a\\b", "C:", "a*", "a?", 'a"', "<a", "a>", "a|b", ".a",
         "a.", " a", "a ", "a\0", "a\n", "a\x9b", "a\u202e", "\udcff", "x" * 65, "ü" * 33],
    )  # fmt: skip
    def test_names_that_are_no_file_names_are_refused(self, home: Home, name: str) -> None:
        with pytest.raises(UsageError, match="cannot be a peer's name"):
            add_peer(home, name, other().card, own=OWN)
        assert not list(home.cards.iterdir())

    def test_a_damaged_card_is_named(self, home: Home) -> None:
        add_peer(home, "a", other().card, own=OWN)
        for content in (b"", b"\xff", b"PANNIER1:AAAA"):
            (home.cards / "a.card").write_bytes(content)
            with pytest.raises(PannierError, match=r"a\.card is damaged .* remove it"):
                read_peers(home)

    def test_a_card_that_the_disk_refuses_is_not_called_damaged(self, home: Home) -> None:
        (home.cards / "a.card").mkdir()
        with pytest.raises(PannierError, match=r"cannot read .*a\.card: Is a directory$"):
            read_peers(home)

    def test_remove(self, home: Home) -> None:
        add_peer(home, "a", other().card, own=OWN)
        remove_peer(home, "a")
        assert read_peers(home) == {}
        with pytest.raises(UsageError, match="no peer is called a"):
            remove_peer(home, "a")


def test_keys_that_cannot_be_read_are_told_of(home: Home) -> None:
    home.keys.unlink()
    home.keys.mkdir()
    with pytest.raises(PannierError, match="cannot read"):
        read_key_file(home)


CHANGE = """
import os, sys
from pathlib import Path
from ledger.errors import WrongPassphraseError
from pannier.home import Home, change_passphrase
try:
    change_passphrase(Home(Path(sys.argv[1])), "one", sys.argv[2], os.urandom)
    print("done")
except WrongPassphraseError:
    print("wrong")
"""


class TestPassphrase:
    def test_another_opens_the_same_keys(self, home: Home) -> None:
        keys = open_keys(home, None)
        change_passphrase(home, None, "one", os.urandom)
        assert wants_passphrase(home)
        with pytest.raises(LedgerError, match="wrong passphrase"):
            change_passphrase(home, "two", None, os.urandom)
        assert open_keys(home, "one").card == keys.card
        assert stat.S_IMODE(home.keys.stat().st_mode) == 0o600

    def test_a_full_disk_leaves_the_old_file(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = home.keys.read_bytes()

        def full(_: int) -> None:
            assert home.keys.read_bytes() == before
            raise OSError(errno.ENOSPC, "no space left on device")

        monkeypatch.setattr("pannier.home.os.fsync", full)
        with pytest.raises(PannierError, match="no space"):
            change_passphrase(home, None, "one", os.urandom)
        assert home.keys.read_bytes() == before

    def test_of_two_that_change_it_at_once_one_is_told_that_it_was_wrong(self, home: Home) -> None:
        """Each in a process of its own, both with the passphrase that they are under."""
        change_passphrase(home, None, "one", os.urandom)
        words = [[sys.executable, "-c", CHANGE, str(home.path), new] for new in ("two", "three")]
        done = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in words]
        said = [one.communicate()[0] for one in done]
        assert sorted(said) == ["done\n", "wrong\n"]
        open_keys(home, ("two", "three")[said.index("done\n")])
        assert list(home.keys.parent.iterdir()) == [home.keys]

    def test_what_is_done_before_comes_after_the_old_one_was_found_right(self, home: Home) -> None:
        """And while it is done nobody else changes it."""
        done: list[str] = []

        def first() -> None:
            assert not wants_passphrase(home)
            with pytest.raises(BusyError), exclusive(home.locks / "keys", "too"):
                pass
            done.append("first")

        change_passphrase(home, None, "one", os.urandom, first=first)
        with pytest.raises(LedgerError, match="wrong passphrase"):
            change_passphrase(home, "two", None, os.urandom, first=first)
        assert done == ["first"]


def test_settings_are_changed_by_one_at_a_time(home: Home) -> None:
    with (
        settings_held(home) as settings,
        pytest.raises(BusyError),
        exclusive(home.locks / "config", "too"),
    ):
        pass
    assert settings == home.config
