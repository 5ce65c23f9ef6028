"""``make bench``: the main job on real weather records, beside bare tools; prints a table.

Every row is a ratio or has what it is compared with beside it. JSON with all figures goes to
``build/bench.json``.
"""

import json
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import zstandard

from benchmarks import fragments, post_quantum
from benchmarks.step import make_nodes
from benchmarks.weather import weather_ndjson

SMALL, LARGE = 26_115, 200_000
RESULT = Path("build/bench.json")
_BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run over so many entries took; seconds and bytes."""

    entries: int
    put_seconds: float
    pack_seconds: float
    unpack_seconds: float
    verify_seconds: float
    put_rss: int
    pack_rss: int
    unpack_rss: int
    verify_rss: int
    medium_bytes: int
    allocated_bytes: int
    ndjson_bytes: int
    zstd_bytes: int
    sqlite_seconds: float


def measure(count: int) -> Figures:
    """Run the main job over *count* entries and its baselines, one after another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = weather_ndjson(count)
        (folder / "weather.ndjson").write_text(text)
        make_nodes(folder)
        steps = {step: _step(step, folder) for step in ("put", "pack", "unpack", "verify")}
        files = [path.stat() for path in (folder / "medium").iterdir()]
        return Figures(
            entries=count,
            put_seconds=steps["put"]["seconds"],
            pack_seconds=steps["pack"]["seconds"],
            unpack_seconds=steps["unpack"]["seconds"],
            verify_seconds=steps["verify"]["seconds"],
            put_rss=int(steps["put"]["rss_bytes"]),
            pack_rss=int(steps["pack"]["rss_bytes"]),
            unpack_rss=int(steps["unpack"]["rss_bytes"]),
            verify_rss=int(steps["verify"]["rss_bytes"]),
            medium_bytes=sum(file.st_size for file in files),
            allocated_bytes=sum(file.st_blocks * _BLOCK_BYTES for file in files),
            ndjson_bytes=len(text),
            zstd_bytes=len(zstandard.ZstdCompressor(level=19).compress(text.encode())),
            sqlite_seconds=_sqlite(folder, text),
        )


def _step(step: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.step", step, str(folder)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(result.stdout)
    return figures


def _sqlite(folder: Path, text: str) -> float:
    """Return how long bare SQLite takes to make the same rows durable, parsing included."""
    started = time.perf_counter()
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, thing TEXT, time INTEGER, data TEXT)")
    db.execute("BEGIN")
    rows = map(json.loads, text.splitlines())
    db.executemany(
        "INSERT INTO row (thing, time, data) VALUES (?, ?, ?)",
        ((row["thing"], row["time"], json.dumps(row["data"])) for row in rows),
    )
    db.execute("COMMIT")
    db.close()
    return time.perf_counter() - started


def table(small: Figures, large: Figures) -> list[str]:
    """Return the figures as lines of text."""
    lines = [
        f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}",
        f"{'':34}{small.entries:>12,}{large.entries:>12,}  entries",
    ]
    for step in ("put", "pack", "unpack", "verify"):
        rates = [one.entries / getattr(one, f"{step}_seconds") for one in (small, large)]
        lines.append(f"{step + ', entries a second':34}{rates[0]:>12,.0f}{rates[1]:>12,.0f}")
    bare = [one.put_seconds / one.sqlite_seconds for one in (small, large)]
    lines.append(f"{'put, times the bare SQLite insert':34}{bare[0]:>12.2f}{bare[1]:>12.2f}")
    for step in ("put", "pack", "unpack", "verify"):
        memory = [getattr(one, f"{step}_rss") / 1e6 for one in (small, large)]
        lines.append(f"{step + ', MB of memory at most':34}{memory[0]:>12,.0f}{memory[1]:>12,.0f}")
    for label, of in (
        ("on the medium, bytes an entry", "medium_bytes"),
        ("allocated there (a file a frame)", "allocated_bytes"),
        ("the NDJSON", "ndjson_bytes"),
        ("zstd -19 of the NDJSON", "zstd_bytes"),
    ):
        sizes = [getattr(one, of) / one.entries for one in (small, large)]
        lines.append(f"{label:34}{sizes[0]:>12.2f}{sizes[1]:>12.2f}")
    for step in ("put", "pack", "unpack", "verify"):
        grown = getattr(large, f"{step}_seconds") / getattr(small, f"{step}_seconds")
        share = grown / (large.entries / small.entries)
        lines.append(f"{step + ', time an entry, large / small':34}{'':12}{share:>12.2f}")
    return lines


def main() -> None:
    """Measure, print, and keep the figures."""
    figures = [measure(SMALL), measure(LARGE)]
    print("\n".join([*table(*figures), *post_quantum.table(), *fragments.table()]))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
