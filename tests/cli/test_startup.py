"""A command line that is slow to start is used by nobody: what is large is imported when needed."""

import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.computers import Computer, environment

NEVER = (
    "rich", "segno", "watchdog", "importlib.metadata", "ctypes", "tomllib", "asyncio",
    "crc32c", "pannier.daemon", "pannier.demo", "pannier.oneway", "pannier.review",
    "pannier.backup",
)  # fmt: skip
"""What no command here has any use for."""

OF_FILES = (
    "pannier.files_sending", "pannier.taking", "pannier.recipe", "pannier.adding",
    "pannier.checkout", "bundler.remade", "concurrent.futures", "logging", "shutil",
)  # fmt: skip
OF_LONG_LOGS = (
    "pannier.load", "bundler.entry_encodings", "bundler.columnar", "bundler.column_choice",
    "bundler.split", "raptorq",
)  # fmt: skip
OF_BUNDLES = (
    "bundler.content", "bundler.sections", "bundler.tail_model", "bundler.join", "zstandard",
    "pannier.arrivals", "pannier.judging", "pannier.merging", "pannier.queued", "pannier.sealing",
    "ledger.merge",
)  # fmt: skip
OF_EXCHANGES = (
    "bundler.notices", "bundler.keyring", "spool", "transports", "pannier.exchange",
    "pannier.importing", "pannier.sending", "pannier.nodedb", "pannier.epochs",
    "pannier.shared_keys", "cryptography.hazmat.backends",
)  # fmt: skip
OF_NODES = ("cryptography", "sqlite3", "cbor2", "pannier.node", "ledger.store", "dataclasses")


def imported_by(*words: str) -> set[str]:
    """Return the modules that a command imports in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pannier", *words],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=True,
    )
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


def among(names: Iterable[str], modules: set[str]) -> set[str]:
    """Return those of *names* that are modules, or packages of some."""
    return {
        one for one in names if one in modules or any(it.startswith(f"{one}.") for it in modules)
    }


@pytest.mark.parametrize(
    "name", [*NEVER, *OF_FILES, *OF_LONG_LOGS, *OF_BUNDLES, *OF_EXCHANGES, *OF_NODES]
)
def test_what_is_not_to_be_imported_is_called_so(name: str) -> None:
    assert find_spec(name) is not None


def test_help_imports_no_command() -> None:
    modules = imported_by("--help")
    assert "pannier.cli.root" in modules
    large = {*NEVER, *OF_FILES, *OF_LONG_LOGS, *OF_BUNDLES, *OF_EXCHANGES, *OF_NODES}
    assert not among(large - {"shutil"}, modules)  # click asks how wide the terminal is
    assert not {name for name in modules if name.startswith("pannier.cli.")} - {"pannier.cli.root"}


@pytest.mark.parametrize("words", [("put", "x", "1"), ("things",), ("delete", "x")])
def test_what_stays_here_imports_nothing_that_travels(
    farm: Computer, words: tuple[str, ...]
) -> None:
    farm.types("put", "x", "1")
    modules = imported_by("--home", str(farm.home), *words)
    assert "ledger.store" in modules
    assert not among((*NEVER, *OF_FILES, *OF_LONG_LOGS, *OF_BUNDLES, *OF_EXCHANGES), modules)


@pytest.mark.parametrize("words", [("get", "x"), ("log", "x"), ("card",)])
def test_what_is_looked_at_needs_no_more_than_keys(farm: Computer, words: tuple[str, ...]) -> None:
    farm.types("put", "x", "1")
    modules = imported_by("--home", str(farm.home), *words)
    assert "cryptography" in modules
    of_exchanges = tuple(one for one in OF_EXCHANGES if one != "cryptography.hazmat.backends")
    assert not among((*NEVER, *OF_FILES, *OF_LONG_LOGS, *OF_BUNDLES, *of_exchanges), modules)


def test_an_exchange_imports_what_there_is_to_do(
    sharers: tuple[Computer, Computer], tmp_path: Path
) -> None:
    (farm, home), stick = sharers, tmp_path / "stick"
    stick.mkdir(exist_ok=True)
    for _ in range(3):
        farm.types("exchange", str(stick))
        home.types("exchange", str(stick))
    modules = imported_by("--home", str(farm.home), "exchange", str(stick))
    assert "pannier.exchange" in modules
    assert not among((*NEVER, *OF_FILES, *OF_LONG_LOGS, *OF_BUNDLES), modules)
    farm.types("put", "x", "1")
    for one in (farm, home):  # it goes out as a tail, and comes in
        modules = imported_by("--home", str(one.home), "exchange", str(stick))
        assert "bundler.tail_model" in modules
        assert not among((*NEVER, *OF_FILES, *OF_LONG_LOGS), modules)
    assert home.types("get", "x").out == "1\n"
