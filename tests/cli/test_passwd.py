import os
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import PasswordSetError

from pannier.cli.passphrase import NEW_PASSPHRASE, PASSPHRASE
from pannier.config import turn_on
from pannier.home import Home, change_passphrase
from tests.cli.computers import Computer
from tests.cli.terminal import at_terminal


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.is_locked:
            raise PasswordSetError("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    made = Drawer()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """A node whose keys are under the passphrase "old", which is in the environment."""
    monkeypatch.setenv(PASSPHRASE, "old")
    computer = Computer(tmp_path / "locked")
    computer.types("init", "--name", "locked")
    computer.types("put", "x", '"the word"')
    return computer


class TestPasswd:
    def test_only_the_key_file_changes(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = contents(locked.home)
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        assert locked.types("passwd").out == "The keys are under the new passphrase.\n"
        after = contents(locked.home)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after[name]}
        assert changed == {"keys/node.key"}
        assert "wrong passphrase" in locked.types("get", "x", status=1).err
        monkeypatch.setenv(PASSPHRASE, "new")
        assert locked.types("get", "x").out == '"the word"\n'
        assert (locked.home / "keys" / "node.key").stat().st_mode & 0o077 == 0

    def test_none_from_now_on_and_one_again(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert locked.types("passwd", "--no-passphrase").out == "The keys are under none.\n"
        monkeypatch.delenv(PASSPHRASE)
        assert locked.types("get", "x").out == '"the word"\n'
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        locked.types("passwd")
        assert f"set {PASSPHRASE}" in locked.types("get", "x", status=2).err

    def test_a_wrong_one_changes_nothing(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = contents(locked.home)
        monkeypatch.setenv(PASSPHRASE, "wrong")
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        assert "wrong passphrase" in locked.types("passwd", status=1).err
        monkeypatch.delenv(PASSPHRASE)
        assert f"set {PASSPHRASE}" in locked.types("passwd", status=2).err
        monkeypatch.setenv(PASSPHRASE, "old")
        monkeypatch.delenv(NEW_PASSPHRASE)
        assert f"set {NEW_PASSPHRASE}" in locked.types("passwd", status=2).err
        assert contents(locked.home) == before

    def test_a_person_is_asked(self, farm: Computer) -> None:
        with at_terminal(["--home", str(farm.home), "passwd"]) as terminal:
            terminal.wait_for("Passphrase for the keys: ")
            terminal.type("soup")
            terminal.wait_for("Repeat for confirmation: ")
            terminal.type("soup")
            assert terminal.finish() == 0
            assert "soup" not in terminal.screen
        assert f"set {PASSPHRASE}" in farm.types("card", status=2).err


class TestKeyring:
    def test_opens_the_keys_without_asking(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        computer = Computer(tmp_path / "node")
        monkeypatch.setenv(PASSPHRASE, "first")
        computer.types("init", "--name", "node", "--keyring")
        monkeypatch.delenv(PASSPHRASE)
        computer.types("card")
        monkeypatch.setenv(NEW_PASSPHRASE, "second")
        computer.types("passwd", "--keyring")
        monkeypatch.delenv(NEW_PASSPHRASE)
        computer.types("card")
        assert drawer.kept == {("pannier", str(computer.home)): "second"}
        drawer.kept.clear()
        assert f"set {PASSPHRASE}" in computer.types("card", status=2).err

    def test_has_the_new_one_too_once_it_was_chosen(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        drawer.kept["pannier", str(locked.home)] = "old"
        turn_on(locked.home / "config.toml", "keyring")
        monkeypatch.delenv(PASSPHRASE)
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        done = locked.types("passwd")
        assert "The system's keyring has it, too." in done.out
        assert locked.types("get", "x").out == '"the word"\n'
        assert "keyring" not in locked.types("passwd", "--no-passphrase").out
        assert drawer.kept == {("pannier", str(locked.home)): "new"}

    def test_that_has_another_says_what_to_do(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        """A `passwd` was cut short between the two, or an older key file put back."""
        drawer.kept["pannier", str(locked.home)] = "other"
        turn_on(locked.home / "config.toml", "keyring")
        monkeypatch.delenv(PASSPHRASE)
        for words in (["get", "x"], ["passwd"], ["ledger", "backup", "b"]):
            done = locked.types(*words, status=2)
            assert "the passphrase in the keyring is not that of the keys" in done.err
            assert f"set {PASSPHRASE}, then `pannier passwd --keyring`" in done.err
        monkeypatch.setenv(PASSPHRASE, "old")
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        locked.types("passwd", "--keyring")
        monkeypatch.delenv(PASSPHRASE)
        locked.types("get", "x")

    def test_that_has_another_lets_a_person_be_asked(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        drawer.kept["pannier", str(locked.home)] = "other"
        turn_on(locked.home / "config.toml", "keyring")
        monkeypatch.delenv(PASSPHRASE)
        monkeypatch.setattr("pannier.cli.passphrase.is_attended", lambda: True)
        asked = list[str]()

        def answer(question: str) -> str:
            asked.append(question)
            return "old"

        monkeypatch.setattr("pannier.cli.passphrase.ask", answer)
        done = locked.types("get", "x")
        assert done.out == '"the word"\n'
        assert "`pannier passwd --keyring` mends that" in done.err
        assert asked == [f"Passphrase of {locked.home}"]

    def test_keeps_nothing_where_the_old_one_is_wrong_by_now(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        """Another process has changed it after it was asked for."""

        def other(*_: str) -> str:
            change_passphrase(Home(locked.home), "old", "of another", os.urandom)
            return "new"

        monkeypatch.setattr("pannier.cli.passwd.new_passphrase", other)
        assert "wrong passphrase" in locked.types("passwd", "--keyring", status=1).err
        assert drawer.kept == {}

    def test_is_asked_only_if_it_was_chosen(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        monkeypatch.delenv(PASSPHRASE)
        drawer.kept["pannier", str(locked.home)] = "old"
        assert f"set {PASSPHRASE}" in locked.types("card", status=2).err
        turn_on(locked.home / "config.toml", "keyring")
        locked.types("card")

    def test_that_takes_nothing_leaves_all_as_it_was(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        drawer.is_locked = True
        before = contents(locked.home)
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        assert "does not take" in locked.types("passwd", "--keyring", status=1).err
        other = Computer(locked.home.with_name("other"))
        other.types("init", "--keyring", status=1)
        assert contents(locked.home) == before
        assert not other.home.exists()

    def test_that_is_not_there_is_said(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch, drawer: Drawer
    ) -> None:
        assert drawer.kept == {}
        keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
        turn_on(locked.home / "config.toml", "keyring")
        monkeypatch.delenv(PASSPHRASE)
        assert "the keyring does not answer" in locked.types("card", status=1).err

    def test_without_the_package_it_is_said_what_to_install(
        self, locked: Computer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        monkeypatch.setenv(NEW_PASSPHRASE, "new")
        done = locked.types("passwd", "--keyring", status=2)
        assert "install 'pannier[keyring]'" in done.err

    def test_has_nothing_to_keep_without_a_passphrase(self, farm: Computer, drawer: Drawer) -> None:
        for words in (["passwd"], ["--home", str(farm.home / "new"), "init"]):
            farm.types(*words, "--keyring", "--no-passphrase", status=2)
        assert drawer.kept == {}


def contents(folder: Path) -> dict[str, bytes]:
    """All that a home holds; locks, which are empty and stay, hold nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.parent.name != "locks"
        and not path.name.endswith(("-wal", "-shm"))
    }
