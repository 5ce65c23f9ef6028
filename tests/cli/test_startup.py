"""A command line that is slow to start is used by nobody: what is large is imported when needed."""

import subprocess
import sys

import pytest

from tests.cli.computers import Computer, environment

LARGE = (
    "rich", "segno", "watchdog", "raptorq", "zstandard", "crc32c", "importlib.metadata",
    "cryptography.hazmat.primitives.hpke", "ctypes", "tomllib", "transports", "pannier.node",
    "ledger.store", "bundler.content", "bundler.columnar", "bundler.tail_model", "pannier.exchange",
    "concurrent.futures", "logging",
)  # fmt: skip


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


def large(modules: set[str], allowed: tuple[str, ...] = ()) -> set[str]:
    return {
        name
        for name in modules
        for one in LARGE
        if one not in allowed and (name == one or name.startswith(f"{one}."))
    }


def test_help_imports_no_command() -> None:
    modules = imported_by("--help")
    assert "pannier.cli.root" in modules
    assert not large(modules)
    of_others = {name.partition(".")[0] for name in modules}
    assert not of_others & {"cryptography", "sqlite3", "cbor2", "spool", "transports"}
    assert not {name for name in modules if name.startswith("pannier.cli.")} - {"pannier.cli.root"}


@pytest.mark.parametrize("words", [("put", "x", "1"), ("get", "x"), ("things",), ("card",)])
def test_daily_commands_import_little(farm: Computer, words: tuple[str, ...]) -> None:
    farm.types("put", "x", "1")
    modules = imported_by("--home", str(farm.home), *words)
    used = (
        "pannier.node",
        "ledger.store",
        "bundler.content",
        "cryptography.hazmat.primitives.hpke",
    )
    assert not large(modules, allowed=used)
