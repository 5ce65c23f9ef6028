from pathlib import Path

import pytest

from pannier.cli.passphrase import (
    BACKUP_PASSPHRASE,
    LEDGER_PASSPHRASE,
    NEW_PASSPHRASE,
    PASSPHRASE,
)
from tests.cli.computers import Computer, new_computer, new_pair, new_sharers


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no command find the home or the passphrase of whoever runs the tests."""
    monkeypatch.setenv("PANNIER_HOME", str(tmp_path / "nobody"))
    for variable in (PASSPHRASE, NEW_PASSPHRASE, BACKUP_PASSPHRASE, LEDGER_PASSPHRASE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def farm(tmp_path: Path) -> Computer:
    return new_computer(tmp_path, "farm")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Computer, Computer]:
    return new_pair(tmp_path)


@pytest.fixture
def sharers(tmp_path: Path) -> tuple[Computer, Computer]:
    return new_sharers(tmp_path)
